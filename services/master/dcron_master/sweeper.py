"""Closes what workers that are gone left open (design §5, "The sweeper"; G6).

Every master runs one. An entry under `executions/` whose worker is not registered any more, and has not
been for the grace time, is closed from here: if it holds its closing record, that record is sent; if it is
open and the run is not alive, `ExecutionLost` is. Record first, then a fenced removal, which writes what
follows from a loss, a retry or runs of dependants, too: ids are deterministic, so two sweepers, or a crash in
between, do no harm.
"""

import asyncio

from msgspec.structs import replace

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.errors import UnavailableError
from dcron_core.follow_ups import FollowUps, follow_ups, outcome_of
from dcron_core.jobs.dependencies import Dependants
from dcron_core.keys import Keys
from dcron_core.mirror import Mirror, follow
from dcron_core.ports.log import Producer
from dcron_core.ports.store import Delete, Get, KeyValue, KeyValueStore, ModRevisionIs, Transaction
from dcron_core.settings import MasterSettings
from dcron_core.telemetry import get_logger
from dcron_master.metrics import MasterMetrics
from dcron_master.projector import Projector
from dcron_schemas.codec import UndecodableError, decode_state, encode
from dcron_schemas.records import ExecutionLost
from dcron_schemas.state import ExecutionEntry

SCAN_S = 0.5

log = get_logger()


class Sweeper:
    """Looks at the mirrors of three prefixes twice a second; nothing is read from etcd while nothing changes."""

    def __init__(
        self,
        store: KeyValueStore,
        producer: Producer,
        keys: Keys,
        settings: MasterSettings,
        clock: Clock,
        metrics: MasterMetrics,
        projector: Projector,
        signatures: Signatures = NO_SIGNATURES,
    ) -> None:
        self._projector = projector  # knows the jobs
        self._signatures = signatures
        self._store = store
        self._producer = producer
        self._keys = keys
        self._topic = settings.executions_topic
        self._grace_s = parse_duration(settings.orphan_grace).total_seconds()
        self._clock = clock
        self._metrics = metrics
        self._workers, self._executions, self._active = Mirror(), Mirror(), Mirror()
        self._gone_since: dict[str, float] = {}  # worker id → when it was first seen to be missing
        self._unreadable: set[str] = set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        async with asyncio.TaskGroup() as group:
            for mirror, prefix in (
                (self._workers, self._keys.workers),
                (self._active, self._keys.all_active),
                (self._executions, self._keys.executions),
            ):
                group.create_task(self._follow(mirror, prefix))
            for mirror in (self._workers, self._active, self._executions):
                await mirror.reached(1)
            await self._projector.started.wait()  # a loss without the jobs would have no retry
            while True:
                orphans = self._orphans()
                dependants = Dependants(self._projector.table.entries()) if orphans else Dependants()
                for item, entry in orphans:
                    await self._sweep(item, entry, dependants)
                await asyncio.sleep(SCAN_S)

    async def _follow(self, mirror: Mirror, prefix: str) -> None:
        async for update in follow(self._store, prefix):
            mirror.apply(update)

    def _orphans(self) -> list[tuple[KeyValue, ExecutionEntry]]:
        """Return the entries whose worker has been gone for the grace time and whose run is not alive."""
        now = self._clock.monotonic()
        entries = [(item, entry) for item in self._executions.items.values() if (entry := self._read(item))]
        owners = {entry.execution.worker_id for _, entry in entries}
        missing = {owner for owner in owners if self._keys.worker(owner) not in self._workers.items}
        self._gone_since = {owner: self._gone_since.get(owner, now) for owner in missing}
        return [
            (item, entry)
            for item, entry in entries
            if now - self._gone_since.get(entry.execution.worker_id, now) >= self._grace_s
            and self._keys.active(entry.execution.job_id, entry.execution.execution_id) not in self._active.items
        ]

    def _read(self, item: KeyValue) -> ExecutionEntry | None:
        try:
            return decode_state(ExecutionEntry, item.value)
        except UndecodableError as error:
            if item.key not in self._unreadable:
                self._unreadable.add(item.key)
                log.error("an entry cannot be read", action="sweeper.unreadable", key=item.key, error=str(error))
            return None

    async def _sweep(self, item: KeyValue, entry: ExecutionEntry, dependants: Dependants) -> None:
        known = entry.finished or entry.skipped or entry.lost
        lost = None if known else self._lost(item, entry)
        record = known or lost
        assert record is not None
        execution_id = entry.execution.execution_id
        told = {
            "execution_id": execution_id,
            "job_id": entry.execution.job_id,
            "worker_id": entry.execution.worker_id,
        }
        try:
            await self._producer.append(self._topic, execution_id, encode(record))
            removed = await self._remove(item, lost, dependants)
        except UnavailableError as error:
            log.warning("sweeping later", action="sweeper.retry", error=str(error), **told)
            return
        if removed:
            self._metrics.swept.labels(type(record).__name__).inc()
            log.warning(
                "closed an entry of a worker that is gone",
                action="sweeper.closed",
                record=type(record).__name__,
                **told,
            )

    async def _remove(self, item: KeyValue, lost: ExecutionLost | None, dependants: Dependants) -> bool:
        """Remove the entry, fenced; of a run that is lost, write what follows from that too."""
        marks: dict[str, KeyValue] = {}
        while True:
            following = FollowUps()
            if lost is not None:
                run, job = lost.execution, self._projector.table.get(lost.execution.job_id)
                of = dependants.of(run.namespace, run.job_name)
                following = follow_ups(self._keys, run, *outcome_of(lost), job, of, marks, self._signatures)
            removal = Transaction(
                compare=(ModRevisionIs(item.key, item.mod_revision), *following.compare),
                success=(Delete(item.key), *following.operations),
                failure=(Get(item.key), *(Get(key) for key in following.marks)),
            )
            result = await self._store.transact(removal)
            if result.succeeded:
                return True
            now, *found = result.reads
            if not now or now[0].mod_revision != item.mod_revision:
                return False
            marks = {each.key: each for items in found for each in items}

    def _lost(self, item: KeyValue, entry: ExecutionEntry) -> ExecutionLost:
        return ExecutionLost(
            # The entry is as old as the claim, so its creation is the fencing token.
            execution=replace(entry.execution, fencing_token=item.create_revision),
            detected_at=self._clock.now(),
            detected_by="master",
            reason=f"worker {entry.execution.worker_id} is gone and did not report an end; the outcome is unknown",
        )
