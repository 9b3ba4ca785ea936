"""What the log-ingester tells Prometheus."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from dcron_core.clock import Clock
from dcron_core.metrics import ServiceMetrics, from_zero
from dcron_schemas.audit import Ledger, Verification
from dcron_schemas.dead_letters import Reason


class Metrics(ServiceMetrics):
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        super().__init__("log-ingester")
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
        from_zero(self.dead_letters, get_args(Reason))
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
        self.ledger_findings = Counter(
            "dcron_ingester_ledger_findings",
            "Ticks that must not be, in the ledgers that were asked for: ran twice, or without account.",
            ["kind"],
            registry=self.registry,
        )
        from_zero(self.ledger_findings, ("double", "unaccounted"))
        self.ledger_made = Gauge(
            "dcron_ingester_ledger_timestamp_seconds",
            "When a ledger was last made here; 0: not since the start.",
            registry=self.registry,
        )
        self.verifications = Counter(
            "dcron_ingester_verifications",
            "Proofs that log and archive agree, by their verdict.",
            ["verdict"],
            registry=self.registry,
        )
        from_zero(self.verifications, ("intact", "broken"))
        self.verified = Gauge(
            "dcron_ingester_verification_timestamp_seconds",
            "When log and archive were last proved to agree here; 0: not since the start.",
            registry=self.registry,
        )

    def accounted(self, ledger: Ledger, clock: Clock) -> Ledger:
        """Count what must not be in the ledger, and return it."""
        self.ledger_findings.labels("double").inc(ledger.totals.doubles)
        self.ledger_findings.labels("unaccounted").inc(ledger.totals.unaccounted)
        self.ledger_made.set(clock.now().timestamp())
        return ledger

    def proved(self, found: Verification, clock: Clock) -> Verification:
        """Count the verdict, and return it."""
        self.verifications.labels("intact" if found.intact else "broken").inc()
        if found.intact:
            self.verified.set(clock.now().timestamp())
        return found
