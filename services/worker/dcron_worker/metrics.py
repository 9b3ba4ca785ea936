"""The worker's metrics."""

from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from dcron_core.access.signing import REFUSALS
from dcron_core.metrics import ServiceMetrics, from_zero
from dcron_schemas.records import Outcome, SkipReason

_LATENESS_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)


class WorkerMetrics(ServiceMetrics):
    """Metrics in a registry of their own."""

    def __init__(self) -> None:
        super().__init__("worker")
        self.lateness = Histogram(
            "dcron_worker_tick_lateness_seconds", "From a tick's instant to its process's start.",
            buckets=_LATENESS_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.claims = Counter(
            "dcron_worker_claims_total", "Claims tried, by result.", ["result"], registry=self.registry
        )
        from_zero(self.claims, ("won", "lost", "overlap"))
        self.skips = Counter(
            "dcron_worker_skips_total", "Ticks skipped by this worker, by reason.", ["reason"], registry=self.registry
        )
        from_zero(self.skips, get_args(SkipReason))
        self.runs = Counter("dcron_worker_runs_total", "Runs ended, by outcome.", ["outcome"], registry=self.registry)
        from_zero(self.runs, get_args(Outcome))
        self.slots = Gauge("dcron_worker_slots", "Most runs at a time.", registry=self.registry)
        self.running = Gauge("dcron_worker_running", "Runs that are running.", registry=self.registry)
        self.jobs = Gauge("dcron_worker_jobs", "Jobs in the table.", registry=self.registry)
        self.unreadable = Counter(
            "dcron_worker_unreadable_total", "Values in etcd that could not be used.", registry=self.registry
        )
        self.refused = Counter(
            "dcron_worker_definitions_refused_total",
            "Versions of definitions and requests in etcd that no trusted key vouches for.",
            ["reason"], registry=self.registry,
        )  # fmt: skip
        from_zero(self.refused, REFUSALS)
        self.spool_records = Gauge(
            "dcron_worker_spool_records", "Records on disk that Kafka does not have yet.", registry=self.registry
        )
        self.spool_bytes = Gauge("dcron_worker_spool_bytes", "Size of the spool on disk.", registry=self.registry)
        self.spool_limit = Gauge(
            "dcron_worker_spool_limit_bytes", "Most that the spool takes of the disk.", registry=self.registry
        )
        self.spool_damaged = Gauge(
            "dcron_worker_spool_damaged_segments", "Segments of the spool met that could not be read to their end.",
            registry=self.registry,
        )  # fmt: skip
        self.output_cut = Counter(
            "dcron_worker_output_cut_bytes_total", "Output left out: beyond a run's limit, or for want of room.",
            ["reason"], registry=self.registry,
        )  # fmt: skip
        from_zero(self.output_cut, ("limit", "spool"))
        self.lease_granted = Gauge(
            "dcron_worker_lease_grant_timestamp_seconds", "When the lease was granted; 0: there was none yet.",
            registry=self.registry,
        )  # fmt: skip
        self.lease_renewed = Gauge(
            "dcron_worker_lease_renewal_timestamp_seconds", "When the last renewal of the lease that succeeded began.",
            registry=self.registry,
        )  # fmt: skip
        self.leases_lost = Counter(
            "dcron_worker_leases_lost_total", "Leases that could not be renewed in time.", registry=self.registry
        )
        self.lease_trust = Gauge(
            "dcron_worker_lease_trust_seconds", "How much longer the lease may be trusted.", registry=self.registry
        )
        self.clock_offset = Gauge(
            "dcron_worker_clock_offset_seconds", "This clock minus the median of all workers'.", registry=self.registry
        )
