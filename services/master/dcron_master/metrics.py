"""The master's metrics."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from dcron_core.metrics import ServiceMetrics, from_zero
from dcron_schemas.events import EventData

OUTCOMES = ("applied", "rejected", "unknown", "failed")
STATES = ("active", "draining", "clock_wrong", "gone")  # of workers
SWEPT = ("ExecutionFinished", "ExecutionLost", "TickSkipped")


class MasterMetrics(ServiceMetrics):
    """Metrics in a registry of their own."""

    def __init__(self) -> None:
        super().__init__("master")
        self.commands = Counter(
            "dcron_master_commands_total", "Commands, by kind and how they were answered.", ["kind", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        for kind in get_args(EventData):
            for outcome in OUTCOMES:
                self.commands.labels(kind.__name__, outcome)
        self.command_seconds = Histogram(
            "dcron_master_command_seconds", "From a command to its answer.", registry=self.registry
        )
        self.position = Gauge(
            "dcron_master_projection_position", "Log position up to which etcd holds the fold.", registry=self.registry
        )
        self.lag = Gauge(
            "dcron_master_projection_lag_events", "Events of the log behind the projection's position.",
            registry=self.registry,
        )  # fmt: skip
        self.looked = Gauge(
            "dcron_master_log_end_seen_timestamp_seconds", "When the log last told where it ends; 0: not yet.",
            registry=self.registry,
        )  # fmt: skip
        self.stopped = Gauge(
            "dcron_master_projection_stopped", "1 if the projection stopped at a log that it cannot go on with.",
            registry=self.registry,
        )  # fmt: skip
        self.jobs = Gauge("dcron_master_jobs", "Jobs in the table.", registry=self.registry)
        self.workers = Gauge(
            "dcron_master_workers", "Workers that this master knows of, by state.", ["state"], registry=self.registry
        )
        from_zero(self.workers, STATES)
        self.swept = Counter(
            "dcron_master_swept_total", "Entries of workers that are gone, by what was sent.", ["record"],
            registry=self.registry,
        )  # fmt: skip
        from_zero(self.swept, SWEPT)
