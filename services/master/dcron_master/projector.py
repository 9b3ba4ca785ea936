"""The log into etcd (design §5, "The projector"; G2, G3).

Every master runs one; there is no leader. It starts from a snapshot of etcd at one revision and folds the
log from the position after it. Each batch goes to etcd in one transaction that compares the projection key
it extends: two masters, redelivery and a crash at any instant end in the same etcd state. Whoever loses the
comparison reads how far the winner came, drops that much of its own queue, and carries on: the fold is
deterministic, so what the winner wrote is what the loser would have written.

What it starts from is checked like anything that a worker runs (G12): otherwise the next edit would sign what somebody
else wrote into etcd while no master ran. What no trusted key has signed is written anew from the log first.

In an etcd without a position the table is made first, all of it at once (`rebuild.py`), and not the requests for runs
and kills: a run that was done must not be done again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.directory import Directory
from dcron_core.access.signing import NO_SIGNATURES, Signatures, taken_apart
from dcron_core.errors import (
    LeaseLostError,
    LogMismatchError,
    StoreUnavailableError,
    UnavailableError,
    UnreadableRecordError,
)
from dcron_core.failpoints import Failpoints
from dcron_core.history import HANDLED_KEPT, Handled
from dcron_core.job_log import JobLog
from dcron_core.jobs.fold import Applied, Outcome, fold
from dcron_core.jobs.table import REPETITION_WINDOW, JobTable, restored_by
from dcron_core.keys import Keys
from dcron_core.lifecycle import retrying
from dcron_core.mirror import Mirror, follow
from dcron_core.ports.log import Log, Reader, Record
from dcron_core.ports.store import (
    KeyValue,
    KeyValueStore,
    ModRevisionIs,
    Operation,
    Put,
    Transaction,
    TransactionResult,
)
from dcron_core.telemetry import get_logger
from dcron_master.directory_state import decoded_entry, directory_of
from dcron_master.log_check import require_its_log
from dcron_master.pending import PendingChanges
from dcron_master.rebuild import AlreadyProjectedError, rebuild
from dcron_master.recovery import repair
from dcron_master.snapshot import read_projection, read_raw
from dcron_schemas.codec import UndecodableError, decode_event, decode_state, encode
from dcron_schemas.events import JobEvent
from dcron_schemas.state import JobEntry, Projection

KILL_LEASE_S = 60  # a kill request is forgotten after this: by then its run is over, or its worker is
POLL_S = 1.0
YIELD_AFTER = 200  # jobs that are read at a stretch: probes are answered meanwhile

T = TypeVar("T")

log = get_logger()


class Snapshot(Struct, frozen=True):
    """etcd's job table and its position, at one revision."""

    projection: Projection
    mod_revision: int  # of the projection key; 0: it does not exist
    entries: tuple[JobEntry, ...]
    directory: Directory


async def read_snapshot(store: KeyValueStore, keys: Keys, signatures: Signatures = NO_SIGNATURES) -> Snapshot:
    """Read the job table and the position that belongs to it. Without a position, job keys are of no table.

    Raises LogMismatchError if they cannot be read, and UntrustedTableError if no trusted key has signed them.
    """
    raw = await read_raw(store, keys)
    if raw.projection is None:
        return Snapshot(Projection(position=-1, log_id=""), 0, (), Directory())
    projection = read_projection(raw.projection)
    for number, item in enumerate(raw.table, 1):
        if signatures.refusal(keys.path(item.key), taken_apart(item.value).proof) is not None:
            raise UntrustedTableError(f"no trusted key has signed etcd's {item.key} as it is")
        if number % YIELD_AFTER == 0:
            await asyncio.sleep(0)
    entries = tuple(_read(item, lambda item: decode_state(JobEntry, item.value)) for item in raw.jobs)
    directory = directory_of(_read(item, lambda item: decoded_entry(item, keys)) for item in raw.directory)
    return Snapshot(projection, raw.projection_revision, entries, directory)


def _read(item: KeyValue, decoded: Callable[[KeyValue], T]) -> T:
    try:
        return decoded(item)
    except UndecodableError as error:
        raise LogMismatchError(
            f"etcd's {item.key} cannot be read ({error}); `dcron log repair` writes it again from the log, then "
            "restart the master"
        ) from error


class UntrustedTableError(LogMismatchError):
    """Not all that is in etcd was written there by a master."""


class ProjectionGoneError(LogMismatchError):
    """etcd lost what was projected into it while a master was running."""


class Projector:
    """Folds the log and writes the projection. `table` is what this master knows."""

    def __init__(
        self,
        store: KeyValueStore,
        log_: Log,
        keys: Keys,
        topic: str,
        failpoints: Failpoints | None = None,
        signatures: Signatures = NO_SIGNATURES,
    ) -> None:
        self._store = store
        self._log = log_
        self._job_log = JobLog(log_, topic)
        self._keys = keys
        self._topic = topic
        self._failpoints = failpoints or Failpoints()
        self._signatures = signatures
        self._projection_revision = 0
        self._pending = PendingChanges(keys, signatures)
        self._handled: OrderedDict[int, Handled] = OrderedDict()
        self._projected = asyncio.Condition()
        self.table = JobTable()
        self._stored = -1  # etcd's position when it was last looked at
        self.projected = -1  # position up to which this master has folded and etcd is known to hold it
        self._requests_from = 0  # as in Projection
        self._read = -1  # offset of the last record read
        self._stale = True  # `table` is not etcd's
        self.started = asyncio.Event()  # `table` is a snapshot of etcd, or newer
        self.caught_up = asyncio.Event()  # and both servers answer
        self.stopped: LogMismatchError | None = None  # why it cannot go on, if so
        self.trouble = ""  # why it had to try again, when it last did

    async def run(self, opening: JobEvent) -> None:
        """Project for ever. `opening` names the log if it is empty.

        A log that does not fit etcd's projection stops it; the reason stays in `stopped`, for the probes. It goes on
        by itself when the log was told to step over the record that stopped it, or an emptied etcd was rebuilt.
        """
        while True:
            try:
                if self._stale:
                    await retrying(lambda: self._start(opening), on=UnavailableError, what="projection", tell=self.tell)
                await retrying(self._follow, on=UnavailableError, what="projection", tell=self.tell)
            except LogMismatchError as error:
                self.stopped = error
                log.error("the projection stopped", action="projector.stopped", error=str(error))
                await self._tell()
                await retrying(partial(self._mended, error), on=UnavailableError, what="projection")
                self.stopped = None
                log.info("the projection goes on", action="projector.resumed", position=self.table.position)

    def tell(self, why: str) -> None:
        """Take note of what the servers that it needs do not do."""
        self.trouble = why

    async def outcome(self, position: int) -> Outcome:
        """Wait until etcd holds the fold up to `position`; return the outcome of the event there."""
        await self.passed(position)
        return self._handled[position].outcome

    async def seen(self, event_id: str) -> int:
        """Wait until the event is projected; return its position."""
        async with self._projected:
            await self._projected.wait_for(lambda: self._known(event_id) or self.stopped is not None)
        position = self.table.position_of(event_id)
        if position is None:
            assert self.stopped is not None
            raise self.stopped
        return position

    async def passed(self, position: int) -> None:
        """Wait until etcd holds the fold up to `position`."""
        async with self._projected:
            await self._projected.wait_for(lambda: self.projected >= position or self.stopped is not None)
        if self.stopped is not None and self.projected < position:
            raise self.stopped

    def handled(self, position: int) -> Handled | None:
        """Return the event at `position` and its outcome, if this master folded it and still knows."""
        return self._handled.get(position)

    def _known(self, event_id: str) -> bool:
        position = self.table.position_of(event_id)
        return position is not None and position <= self.projected

    async def _mended(self, error: LogMismatchError) -> None:
        """Wait until the cause is gone; where only a person can tell, that is a restart."""
        if isinstance(error, UnreadableRecordError):
            await self._job_log.stepped_over(error.offset)
        elif isinstance(error, ProjectionGoneError):
            await self._rebuilt()
            self._stale = True
        else:
            await asyncio.Event().wait()

    async def _rebuilt(self) -> None:
        """Wait until somebody writes etcd's position again."""
        mirror = Mirror()
        async with aclosing(follow(self._store, self._keys.projection)) as updates:
            async for update in updates:
                mirror.apply(update)
                if mirror.items:
                    return

    async def _start(self, opening: JobEvent) -> None:
        """Take etcd's job table and position as they are now, and make sure that the log belongs to them."""
        while (snapshot := await self._trusted_snapshot()).mod_revision == 0:
            await self._begin(opening)
        projection = snapshot.projection
        await require_its_log(self._job_log, self._keys, projection)
        self.table = JobTable(
            log_id=projection.log_id,
            position=projection.position,
            entries=snapshot.entries,
            directory=snapshot.directory,
        )
        self._projection_revision = snapshot.mod_revision
        self._stored = self.projected = projection.position
        self._pending = PendingChanges(self._keys, self._signatures)
        self._requests_from = projection.requests_from
        self._read = max(-1, projection.position - REPETITION_WINDOW)
        self._stale = False
        self.started.set()

    async def _trusted_snapshot(self) -> Snapshot:
        """Read etcd's table; what no master has signed is what the log says first."""
        while True:
            try:
                return await read_snapshot(self._store, self._keys, self._signatures.if_signing())
            except UntrustedTableError as error:
                log.error("etcd's job table is not signed", action="projector.untrusted", error=str(error))
            repaired = await repair(self._store, self._job_log, self._keys, self._signatures)
            log.warning("signed the job table", action="projector.signed", written=len(repaired.written))
            if not repaired.written:  # another master did that; or somebody writes again and again
                raise StoreUnavailableError("etcd's job table was written by somebody else while it was looked at")

    async def _begin(self, opening: JobEvent) -> None:
        """Make the job table in an etcd that has none; open the log if it is empty."""
        if (await self._log.bounds(self._topic)).end == 0:
            async with self._log.producer() as producer:
                await producer.append(self._topic, opening.job_id, encode(opening))
        with suppress(AlreadyProjectedError):
            rebuilt = await rebuild(self._store, self._job_log, self._keys, self._signatures)
            log.info("made the job table", action="projector.rebuilt", position=rebuilt.position, jobs=rebuilt.jobs)

    async def _follow(self) -> None:
        """Read on from where this master is, and project, until something does not answer."""
        try:
            here = Projection(position=self.table.position, log_id=self.table.log_id)
            await require_its_log(self._job_log, self._keys, here)
            async with self._log.reader(self._topic, {0: self._read + 1}) as reader:
                await self._write_pending()
                end = (await self._log.bounds(self._topic)).end
                while self._read < end - 1:
                    await self._step(reader)
                self.caught_up.set()
                self.trouble = ""
                while True:
                    await self._step(reader)
        finally:
            self.caught_up.clear()

    async def _step(self, reader: Reader) -> None:
        records = await reader.poll(POLL_S)
        try:
            for record in records:
                if record.offset > self._read:  # one that is delivered again changes nothing
                    await self._fold(record)
                    self._read = record.offset
        except LogMismatchError:  # what came before it counts
            await self._write_pending()
            raise
        if records:
            await self._write_pending()
        else:  # quiet: ask both servers whether they are there, so that a command need not find out
            self._look_at(await self._store.get(self._keys.projection))
            await self._log.bounds(self._topic)

    async def _tell(self) -> None:
        async with self._projected:
            self._projected.notify_all()

    async def _fold(self, record: Record) -> None:
        position = record.offset
        if position <= self.table.position:  # etcd has it; only repetitions of it matter
            if (known := _known(record)) is not None:
                self.table.remember(position, known.event_id, restored_by(known))
            return
        event = await self._job_log.event_of(record)
        if event is None:
            log.warning("a record is stepped over", action="projector.stepped_over", position=position)
            self.table.step_over(position)
            self._pending.add(position, ())
            return
        outcome = fold(self.table, position, event)
        changes = outcome.changes if isinstance(outcome, Applied) else ()
        if not isinstance(outcome, Applied):
            log.info(
                "event without effect",
                action="projector.no_effect",
                position=position,
                outcome=str(outcome),
                job_id=event.job_id,
                request_id=event.request_id,
                actor=event.actor,
            )
        self.table.absorb(position, event.event_id, changes, restored_by(event))
        self._pending.add(position, changes)
        self._handled[position] = Handled(event, outcome)
        if len(self._handled) > HANDLED_KEPT:
            self._handled.popitem(last=False)

    async def _write_pending(self) -> None:
        self._pending.forget_through(self._stored)  # another master was faster
        while self._pending:
            await self._write_batch()
        self.projected = max(self.projected, min(self._stored, self.table.position))
        await self._tell()

    async def _write_batch(self) -> None:
        """Write the next batch, or find out how far another master came."""
        batch = self._pending.next_batch(self._requests_from)
        projection = Projection(position=batch.position, log_id=self.table.log_id, requests_from=self._requests_from)
        self._failpoints.reach("projector.before_write")
        result = await self._write((Put(self._keys.projection, encode(projection)), *batch.operations), batch.kills)
        self._failpoints.reach("projector.written")
        if result.succeeded:
            self._projection_revision = result.revision
            self._stored = batch.position
        else:
            self._look_at(await self._store.get(self._keys.projection))
        self._pending.forget_through(self._stored)

    def _look_at(self, current: KeyValue | None) -> None:
        """Take in how far another master came. What is to be written next extends that, and nothing before it."""
        if current is None:
            raise ProjectionGoneError(
                f"etcd's {self._keys.projection} is gone while this master was running; `dcron log rebuild` makes "
                "etcd's job table again from the log, and so does restarting the master"
            )
        projection = read_projection(current)
        if projection.position < self._stored:  # what lies between would be leapt over
            raise LogMismatchError(
                f"etcd's {self._keys.projection} fell from position {self._stored} to {projection.position}: etcd was "
                "restored from an older snapshot; restart the master, and it folds the log on from there"
            )
        self._projection_revision = current.mod_revision
        self._requests_from = projection.requests_from
        self._stored = projection.position

    async def _write(self, operations: tuple[Operation, ...], kills: tuple[Put, ...]) -> TransactionResult:
        """Write, if etcd's position is still the one that this extends; kills under a lease of their own."""
        lease = await self._store.grant_lease(KILL_LEASE_S) if kills else 0
        leased = tuple(replace(kill, lease=lease) for kill in kills)
        compare = (ModRevisionIs(self._keys.projection, self._projection_revision),)
        try:
            return await self._store.transact(Transaction(compare, (*operations, *leased)))
        except LeaseLostError as error:  # this process stood still since the line above: once more, with a new one
            raise StoreUnavailableError(f"the kills' lease ended before they were written: {error}") from error


def _known(record: Record) -> JobEvent | None:
    """Return an event that etcd holds the effect of; None if the record was stepped over."""
    try:
        event = decode_event(record.value)
    except UndecodableError:
        return None
    return event if isinstance(event, JobEvent) else None
