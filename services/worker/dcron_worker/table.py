"""etcd's prefixes as this worker knows them: cursors, workers and wanted runs, and the jobs in the planner."""

import asyncio
from collections.abc import Callable

from dcron_core.keys import Keys
from dcron_core.mirror import Mirror, follow
from dcron_core.ports.store import KeyValue, KeyValueStore
from dcron_core.telemetry import get_logger
from dcron_schemas.codec import UndecodableError, decode_state
from dcron_schemas.state import JobEntry, KillWanted, RunWanted, TickCursor, WorkerEntry
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.planner import Planner

Take = Callable[[str, KeyValue | None], None]  # takes in (key without prefix, its value; None: it is gone)

log = get_logger()


class Table:
    """Follows the prefixes while `run` runs. `changed` is set whenever there may be something to claim.

    A value that cannot be read is logged and counted, and costs that key only.
    """

    def __init__(self, store: KeyValueStore, keys: Keys, planner: Planner, metrics: WorkerMetrics) -> None:
        self._store = store
        self._keys = keys
        self._planner = planner
        self._metrics = metrics
        self.changed = asyncio.Event()
        self.kill_arrived = asyncio.Event()
        self.loaded = asyncio.Event()
        self.active_workers: frozenset[str] = frozenset()
        self.wanted: dict[str, tuple[RunWanted, int]] = {}  # execution id → (run, revision)
        self.kills: dict[str, KillWanted] = {}  # execution id → kill
        self._workers: dict[str, WorkerEntry] = {}

    async def run(self) -> None:
        """Load, then follow, until cancelled. Cursors and workers come before the jobs that need them."""
        keys = self._keys
        async with asyncio.TaskGroup() as group:
            await self._load(group, {keys.ticks: self._take_cursor, keys.workers: self._take_worker})
            await self._load(
                group, {keys.jobs: self._take_job, keys.runs: self._take_wanted, keys.kills: self._take_kill}
            )
            self.loaded.set()
            self.changed.set()

    async def _load(self, group: asyncio.TaskGroup, prefixes: dict[str, Take]) -> None:
        """Start following the prefixes; return when each has been read."""
        mirrors = {prefix: Mirror() for prefix in prefixes}
        for prefix, take in prefixes.items():
            group.create_task(self._follow(prefix, mirrors[prefix], take))
        for mirror in mirrors.values():
            await mirror.reached(1)

    async def _follow(self, prefix: str, mirror: Mirror, take: Take) -> None:
        async for update in follow(self._store, prefix):
            for key in mirror.apply(update):
                self._take(prefix, key, mirror.items.get(key), take)
            self.changed.set()

    def _take(self, prefix: str, key: str, item: KeyValue | None, take: Callable[[str, KeyValue | None], None]) -> None:
        try:
            take(key.removeprefix(prefix), item)
        except (UndecodableError, ValueError, KeyError) as error:
            self._metrics.unreadable.inc()
            log.error("a value in etcd cannot be used", action="table.unreadable", key=key, error=str(error))

    def _take_job(self, job_id: str, item: KeyValue | None) -> None:
        if item is None:
            self._planner.job_gone(job_id)
            return
        try:
            self._planner.job_stands(decode_state(JobEntry, item.value), item.mod_revision)
        except (UndecodableError, ValueError, KeyError):
            self._planner.job_gone(job_id)  # whatever version was known before holds no longer
            raise

    def _take_cursor(self, job_id: str, item: KeyValue | None) -> None:
        if item is None:
            self._planner.cursor_gone(job_id)
        else:
            self._planner.cursor_stands(job_id, decode_state(TickCursor, item.value).tick, item.mod_revision)

    def _take_worker(self, worker_id: str, item: KeyValue | None) -> None:
        if item is None:
            self._workers.pop(worker_id, None)
        else:
            self._workers[worker_id] = decode_state(WorkerEntry, item.value)
        self.active_workers = frozenset(id_ for id_, entry in self._workers.items() if entry.state == "active")

    def _take_wanted(self, execution_id: str, item: KeyValue | None) -> None:
        self.wanted.pop(execution_id, None)
        if item is not None:
            self.wanted[execution_id] = (decode_state(RunWanted, item.value), item.mod_revision)

    def _take_kill(self, execution_id: str, item: KeyValue | None) -> None:
        self.kills.pop(execution_id, None)
        if item is not None:
            self.kills[execution_id] = decode_state(KillWanted, item.value)
            self.kill_arrived.set()
