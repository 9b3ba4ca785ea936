"""The master's metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class MasterMetrics:
    """Metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter(
            "dcron_master_commands_total", "Commands, by kind and how they were answered.", ["kind", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.command_seconds = Histogram(
            "dcron_master_command_seconds", "From a command to its answer.", registry=self.registry
        )
        self.position = Gauge(
            "dcron_master_projection_position", "Log position up to which etcd holds the fold.", registry=self.registry
        )
        self.jobs = Gauge("dcron_master_jobs", "Jobs in the table.", registry=self.registry)
        self.swept = Counter(
            "dcron_master_swept_total", "Entries of workers that are gone, by what was sent.", ["record"],
            registry=self.registry,
        )  # fmt: skip
