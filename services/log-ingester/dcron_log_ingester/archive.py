"""Keeps the archive of the job events: every event, with the chain's value at it, and never one twice.

It is a sink of the history, which replays the whole log when the service starts: so the chain is recomputed from
the log each time, and only what the archive does not hold yet is inserted. Every log-ingester does the same, in
order, and whoever comes second finds the very documents that it would have inserted.

The history hands over and goes on: what is to be archived waits in a queue of at most 10,000 events, so that a
MongoDB that does not answer holds up the archive and not what is asked of the history. When the queue is full, the
history waits too.

If the archive's last value is not the one that the log gives at that position, then one of them is not what it was,
or they do not belong together. Archiving stops then, and says so; nothing else does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import Struct

from dcron_core.errors import LogMismatchError, UnavailableError
from dcron_core.job_log import JobLog
from dcron_core.jobs.chain import Chain
from dcron_core.jobs.replay import Step
from dcron_core.lifecycle import retrying
from dcron_core.ports.log import Record
from dcron_core.telemetry import get_logger
from dcron_log_ingester.batches import Document
from dcron_log_ingester.errors import MongoUnavailableError, NotStorableError
from dcron_log_ingester.event_documents import event_document, instant_of
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.store import Archived

MOST_WAITING = 10_000  # events taken in and not archived; one more batch of the history's may come on top
BATCH = 1000  # events in one insert
REMEDY = "`dcron audit verify` names the first event that differs"
T = TypeVar("T")
Entry = tuple[Record, Step, str]  # and the chain's value there

log = get_logger()


class EventWriter(Protocol):
    """What the archive asks of the store."""

    async def prepare(self) -> None:
        """Create the indexes that are not there."""
        ...

    async def last(self) -> Archived:
        """Return the last event that is archived."""
        ...

    async def insert(self, documents: Sequence[Document]) -> bool:
        """Insert them in order; False if one was there already, after which none was inserted."""
        ...


class Link(Struct, frozen=True):
    """The chain's value at a position."""

    position: int
    hash: str
    at: datetime  # of the event there


class Archive:
    """The archiver of one log-ingester."""

    def __init__(self, store: EventWriter, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._chain = Chain()
        self._last = Archived(-1, "")  # of the archive, as far as is known
        self._waiting: list[Entry] = []
        self._advanced = asyncio.Condition()  # something was taken in, or archived
        self.head: Link | None = None  # the last event that was taken in, and is archived unless `stopped`
        self.stopped = ""  # why nothing is archived any more, if so

    async def run(self, job_log: JobLog) -> None:
        """Archive what is taken in, for ever."""
        await self._begin(job_log)
        while True:
            entries = await self._next()
            try:
                await self._archive(entries)
            except (NotStorableError, OverflowError) as error:
                self._stop(f"an event from position {entries[0][0].offset} on cannot be archived: {error}")
            record, step, chain_hash = entries[-1]
            async with self._advanced:
                self.head = Link(record.offset, chain_hash, instant_of(step))
                self._advanced.notify_all()

    async def take(self, records: Sequence[Record], steps: Sequence[Step]) -> None:
        """Take in the next records of the log, to be archived; the sink of a history."""
        entries = [
            (record, step, self._chain.take(record)) for record, step in zip(records, steps, strict=True)
        ]  # fmt: skip
        async with self._advanced:
            await self._advanced.wait_for(lambda: len(self._waiting) < MOST_WAITING)
            self._waiting += entries
            self._advanced.notify_all()

    async def _next(self) -> Sequence[Entry]:
        """Wait for events to archive; return the next ones, in order."""
        async with self._advanced:
            await self._advanced.wait_for(lambda: bool(self._waiting))
            entries, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            self._advanced.notify_all()
        return entries

    async def _begin(self, job_log: JobLog) -> None:
        """Find out what is archived already, waiting for MongoDB."""
        await _answered(self._store.prepare)
        self._last = await _answered(self._store.last)
        try:
            end = (await retrying(job_log.bounds, on=UnavailableError, what="archive")).end
        except LogMismatchError:
            return  # the history says what it is
        if self._last.position >= end:
            self._stop(
                f"the archive goes up to position {self._last.position}, and topic {job_log.topic} holds only {end} "
                "events: the log's tail was cut, or the archive is of another log"
            )

    async def passed(self, position: int) -> None:
        """Wait until `position` is archived, or archiving has stopped."""

        def reached() -> bool:
            return bool(self.stopped) or (self.head.position if self.head else -1) >= position

        async with self._advanced:
            await self._advanced.wait_for(reached)

    async def _archive(self, entries: Sequence[Entry]) -> None:
        while not self.stopped and self._agrees(entries):
            new = [event_document(*entry) for entry in entries if entry[0].offset > self._last.position]
            if not new:
                return
            if await _answered(lambda: self._store.insert(new)):  # noqa: B023  it is awaited here
                self._last = Archived(new[-1]["_id"], new[-1]["hash"])
                self._metrics.archived.inc(len(new))
                return
            self._last = await _answered(self._store.last)  # another log-ingester was faster
            if self._last.position < new[0]["_id"]:
                self._stop(f"something that is no event is in the archive's place for position {new[0]['_id']}")

    def _agrees(self, entries: Sequence[Entry]) -> bool:
        """Stop, and return False, if the archive's last event is among the entries and has another value there."""
        for record, _, chain_hash in entries:
            if record.offset == self._last.position and chain_hash != self._last.hash:
                self._stop(
                    f"at position {record.offset} the log's chain is at {chain_hash}, and the archive's at "
                    f"{self._last.hash}: one of them was changed, or the archive is of another log"
                )
                return False
        return True

    def _stop(self, reason: str) -> None:
        self.stopped = f"{reason}; {REMEDY}"
        self._metrics.archive_stopped.set(1)
        log.error("archiving stopped", action="archive.stopped", error=self.stopped)


async def _answered(work: Callable[[], Awaitable[T]]) -> T:
    """Do `work` until MongoDB answers."""
    return await retrying(work, on=MongoUnavailableError, what="archive")
