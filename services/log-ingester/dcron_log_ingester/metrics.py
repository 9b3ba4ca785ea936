"""What the log-ingester tells Prometheus."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from dcron_schemas.dead_letters import Reason


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter("dcron_ingester_records", "Records read from the log.", ["kind"], registry=self.registry)
        self.batches = Counter("dcron_ingester_batches", "Batches written and committed.", registry=self.registry)
        self.documents = Counter(
            "dcron_ingester_documents", "Documents written to MongoDB.", ["collection"], registry=self.registry
        )
        self.write_seconds = Histogram(
            "dcron_ingester_write_seconds",
            "How long MongoDB took to acknowledge a batch.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.lag = Gauge(
            "dcron_ingester_lag_records",
            "Records of this member's partitions that are not read yet.",
            ["partition"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "dcron_ingester_dead_letters",
            "Records put aside in the dead-letter topic.",
            ["reason"],
            registry=self.registry,
        )
        for reason in get_args(Reason):  # from zero, so that the first one is a rise
            self.dead_letters.labels(reason)
        self.cuts = Counter(
            "dcron_ingester_cut_records", "Records of output that were too large and were cut.", registry=self.registry
        )
        self.viewers = Gauge("dcron_ingester_viewers", "Open live views.", registry=self.registry)
        self.gaps = Counter(
            "dcron_ingester_view_gaps", "Live views closed because not all could be sent.", registry=self.registry
        )
        self.archived = Counter(
            "dcron_ingester_archived_events", "Job events put into the archive.", registry=self.registry
        )
        self.archive_stopped = Gauge(
            "dcron_ingester_archive_stopped",
            "1 if archiving stopped because log and archive do not agree.",
            registry=self.registry,
        )
