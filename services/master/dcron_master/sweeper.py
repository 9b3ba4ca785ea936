"""Closes what workers that are gone left open (design §5, "The sweeper"; G6).

Every master runs one. An entry under `executions/` whose worker is not registered any more, and has not
been for the grace time, is closed from here: if it holds its closing record, that record is sent; if it is
open and the run is not alive, `ExecutionLost` is. Record first, then a fenced removal: ids are
deterministic, so two sweepers, or a crash in between, do no harm.
"""

import asyncio

from msgspec.structs import replace

from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.errors import UnavailableError
from dcron_core.keys import Keys
from dcron_core.mirror import Mirror, follow
from dcron_core.ports.log import Producer
from dcron_core.ports.store import Delete, KeyValue, KeyValueStore, ModRevisionIs, Transaction
from dcron_core.settings import MasterSettings
from dcron_core.telemetry import get_logger
from dcron_master.metrics import MasterMetrics
from dcron_schemas.codec import UndecodableError, decode_state, encode
from dcron_schemas.records import ExecutionFinished, ExecutionLost, TickSkipped
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
    ) -> None:
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
            while True:
                for item, entry in self._orphans():
                    await self._sweep(item, entry)
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

    async def _sweep(self, item: KeyValue, entry: ExecutionEntry) -> None:
        record = entry.finished or entry.skipped or self._lost(item, entry)
        execution_id = entry.execution.execution_id
        try:
            await self._producer.append(self._topic, execution_id, encode(record))
            removal = Transaction((ModRevisionIs(item.key, item.mod_revision),), (Delete(item.key),))
            removed = (await self._store.transact(removal)).succeeded
        except UnavailableError as error:
            log.warning("sweeping later", action="sweeper.retry", execution_id=execution_id, error=str(error))
            return
        if removed:
            self._metrics.swept.labels(type(record).__name__).inc()
            log.warning(
                "closed an entry of a worker that is gone",
                action="sweeper.closed",
                execution_id=execution_id,
                worker_id=entry.execution.worker_id,
                record=type(record).__name__,
            )

    def _lost(self, item: KeyValue, entry: ExecutionEntry) -> ExecutionFinished | ExecutionLost | TickSkipped:
        return ExecutionLost(
            # The entry is as old as the claim, so its creation is the fencing token.
            execution=replace(entry.execution, fencing_token=item.create_revision),
            detected_at=self._clock.now(),
            detected_by="master",
            reason=f"worker {entry.execution.worker_id} is gone and did not report an end; the outcome is unknown",
        )
