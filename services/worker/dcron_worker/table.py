"""etcd's prefixes as this worker knows them: workers, kills and drains; jobs and what is wanted in plans; secrets."""

import asyncio
from collections.abc import Callable

from dcron_core.access.signing import Refusal, Signatures, taken_apart
from dcron_core.keys import Keys
from dcron_core.mirror import Known, follow
from dcron_core.ports.store import KeyValue, KeyValueStore, Removed
from dcron_core.telemetry import get_logger
from dcron_schemas.codec import UndecodableError, decode_state
from dcron_schemas.state import DrainWanted, JobEntry, KillWanted, Projection, RunWanted, TickCursor, WorkerEntry
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.planner import Planner
from dcron_worker.refusals import Refusals
from dcron_worker.secrets_known import SecretsKnown
from dcron_worker.wanted_plan import WantedPlan

Take = Callable[[str, KeyValue | None], None]  # takes in (key without prefix, its value; None: it is gone)

YIELD_AFTER = 200  # keys taken in at a stretch: a table of 100,000 jobs must not keep the loop from a lease's renewal

log = get_logger()


class Table:
    """Follows the prefixes while `run` runs. `changed` is set whenever there may be something to claim.

    A value that cannot be read is logged and counted, and costs that key only. So does one that is not signed as it
    has to be (G12): of a job what can be seen at sight is refused here, and the rest when the planner looks at it.
    """

    def __init__(
        self,
        store: KeyValueStore,
        keys: Keys,
        planner: Planner,
        wanted: WantedPlan,
        secrets: SecretsKnown,
        metrics: WorkerMetrics,
        signatures: Signatures,
        refusals: Refusals,
    ) -> None:
        self._signatures = signatures
        self._refusals = refusals
        self._store = store
        self._keys = keys
        self._planner = planner
        self._wanted = wanted
        self._secrets = secrets
        self._metrics = metrics
        self.changed = asyncio.Event()
        self.kill_arrived = asyncio.Event()
        self.loaded = asyncio.Event()
        self.tell: Callable[[str], None] = lambda _: None  # is given why it is not loaded yet
        self.drains_changed = asyncio.Event()
        self.active_workers: dict[str, WorkerEntry] = {}  # those that claim
        self.drained: dict[str, DrainWanted] = {}  # worker id → who wants it to claim nothing
        self.kills: dict[str, KillWanted] = {}  # execution id → kill

    async def run(self) -> None:
        """Load, then follow, until cancelled. Cursors and workers come before the jobs that need them."""
        keys = self._keys
        async with asyncio.TaskGroup() as group:
            await self._load(
                group,
                {
                    keys.projection: self._take_projection,
                    keys.ticks: self._take_cursor,
                    keys.workers: self._take_worker,
                    keys.drains: self._take_drain,
                    keys.secrets: self._secrets.take,
                },
            )
            await self._load(
                group, {keys.jobs: self._take_job, keys.runs: self._take_wanted, keys.kills: self._take_kill}
            )
            self.loaded.set()
            self.changed.set()

    async def _load(self, group: asyncio.TaskGroup, prefixes: dict[str, Take]) -> None:
        """Start following the prefixes; return when what each holds has been taken in."""
        taken_in = {prefix: asyncio.Event() for prefix in prefixes}
        for prefix, take in prefixes.items():
            group.create_task(self._follow(prefix, take, taken_in[prefix]))
        for event in taken_in.values():
            await event.wait()

    async def _follow(self, prefix: str, take: Take, taken_in: asyncio.Event) -> None:
        known = Known()
        async for update in follow(self._store, prefix, self.tell):
            await self._take_all(prefix, known.apply(update), take)
            del update  # it may be all of the table, and the next one may be long in coming
            self.changed.set()
            taken_in.set()

    async def _take_all(self, prefix: str, news: list[KeyValue | Removed], take: Take) -> None:
        for number, item in enumerate(news, 1):
            try:
                take(item.key.removeprefix(prefix), None if isinstance(item, Removed) else item)
            except (UndecodableError, ValueError, KeyError) as error:
                self._metrics.unreadable.inc()
                log.error("a value in etcd cannot be used", action="table.unreadable", key=item.key, error=str(error))
            if number % YIELD_AFTER == 0:
                await asyncio.sleep(0)

    def _take_job(self, job_id: str, item: KeyValue | None) -> None:
        was_refused = self._refusals.settle(self._keys.job(job_id))
        if item is None:
            self._planner.job_gone(job_id)
            return
        try:
            self._take_definition(job_id, item)
        except (UndecodableError, ValueError, KeyError):
            self._planner.job_gone(job_id)  # whatever version was known before holds no longer
            raise
        if was_refused:
            self._wanted.wake(job_id)

    def _take_definition(self, job_id: str, item: KeyValue) -> None:
        sealed = taken_apart(item.value)
        refusal = self._signatures.refusal_at_sight(sealed.proof)
        entry = None if refusal else decode_state(JobEntry, sealed.rest)
        if entry is not None and entry.job_id == job_id:
            self._planner.job_stands(entry, item.mod_revision, sealed.proof if self._signatures.verifies else None)
        else:
            self._planner.job_gone(job_id)
            self._refusals.refuse(item.key, refusal or "misplaced", item.mod_revision)

    def _take_projection(self, _key: str, item: KeyValue | None) -> None:
        if item is not None:
            self._planner.rebuilt_from = decode_state(Projection, item.value).requests_from

    def _take_cursor(self, cursor: str, item: KeyValue | None) -> None:
        if item is None:
            self._planner.cursor_gone(cursor)
        else:
            self._planner.cursor_stands(cursor, decode_state(TickCursor, item.value).tick, item.mod_revision)

    def _take_worker(self, worker_id: str, item: KeyValue | None) -> None:
        self.active_workers.pop(worker_id, None)
        if item is not None and (entry := decode_state(WorkerEntry, item.value)).state == "active":
            self.active_workers[worker_id] = entry

    def _take_drain(self, worker_id: str, item: KeyValue | None) -> None:
        self.drained.pop(worker_id, None)
        if item is not None:
            self.drained[worker_id] = decode_state(DrainWanted, item.value)
        self.drains_changed.set()

    def _take_wanted(self, execution_id: str, item: KeyValue | None) -> None:
        self._refusals.settle(self._keys.run(execution_id))
        self._wanted.gone(execution_id)  # whatever was wanted before holds no longer
        if item is None:
            return
        sealed = taken_apart(item.value)
        run = decode_state(RunWanted, sealed.rest)
        refusal = self._refusal_of_run(execution_id, run, sealed.proof)
        if refusal is None:
            self._wanted.stands(run, item.mod_revision)
        else:
            self._refusals.refuse(item.key, refusal, item.mod_revision)

    def _refusal_of_run(self, execution_id: str, run: RunWanted, proof: bytes) -> Refusal | None:
        """Return why a run is not wanted by whom it has to be: people ask masters, the rest follows from other runs."""
        if run.execution_id != execution_id:
            return "misplaced"
        by = self._signatures.refusal if run.trigger == "request" else self._signatures.refusal_of_follower
        return by(self._keys.path(self._keys.run(execution_id)), proof)

    def _take_kill(self, execution_id: str, item: KeyValue | None) -> None:
        self.kills.pop(execution_id, None)
        if item is not None:
            self.kills[execution_id] = decode_state(KillWanted, item.value)
            self.kill_arrived.set()
