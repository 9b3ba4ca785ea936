"""What ticks and wanted runs are claimed with."""

from datetime import timedelta

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.keys import Keys
from dcron_worker.batches import TransactionBatches
from dcron_worker.entries import Entries
from dcron_worker.launcher import Launcher
from dcron_worker.line import place_in_line
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.planner import Planner
from dcron_worker.table import Table


class Claiming(Struct, frozen=True):
    """One worker's parts that both claimers use."""

    worker_id: str
    keys: Keys
    planner: Planner
    table: Table
    transactions: TransactionBatches
    entries: Entries
    launcher: Launcher
    clock: Clock
    stagger: timedelta  # how long the next worker in line waits for the one before
    metrics: WorkerMetrics

    def wait_in_line(self, key: str) -> timedelta:
        """Return how long to leave `key` to the workers that come first for it."""
        return place_in_line(self.worker_id, self.table.active_workers, key) * self.stagger
