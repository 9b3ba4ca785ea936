"""Proves that the log and its archive hold the same events, and the chain over them; or names the first that differs.

Both are read from their beginnings side by side, in batches. Of each event the bytes, the chain's value and every
field of the archive's document are compared with what the log says, so that nothing that a search shows can have
been changed. What was cut off both cannot show here: that takes a head that was written down before.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, Protocol

from msgspec import Struct

from dcron_core.errors import LogMismatchError, UnavailableError, UnreadableRecordError
from dcron_core.history import History
from dcron_core.job_log import JobLog
from dcron_core.jobs.chain import BEGINNING, Chain, link
from dcron_core.jobs.replay import Replay, Step
from dcron_core.ports.log import Record
from dcron_log_ingester.archive import Archive
from dcron_log_ingester.batches import Document
from dcron_log_ingester.event_documents import event_document, instant_of
from dcron_log_ingester.store import Archived
from dcron_schemas.audit import ChainHead, ChainProblem, Verification

ARCHIVER_GRACE_S = 5.0  # for the events that are in the log already to come into the archive
EVENTS_PER_TURN = 200  # then others may run; about 10 ms of folding and comparing
_ABSENT = object()


class EventReader(Protocol):
    """What a verification asks of the store."""

    def documents(self) -> AsyncGenerator[Document, None]:
        """Yield all documents by `_id`: numbers first."""
        ...

    async def count(self) -> int:
        """Return how many documents the archive holds."""
        ...

    async def last(self) -> Archived:
        """Return the last event that is archived."""
        ...


class Sources(Struct, frozen=True):
    """What is verified."""

    job_log: JobLog
    history: History
    archive: Archive
    store: EventReader


class Broken(Exception):  # noqa: N818  it says what was found, and is caught here
    """The first difference."""

    def __init__(self, problem: ChainProblem) -> None:
        super().__init__(problem.problem)
        self.problem = problem


async def verify(sources: Sources) -> Verification:
    """Compare the log with its archive. Raises UnavailableError when one of them cannot be read to its end now."""
    try:
        end = (await sources.job_log.bounds()).end
    except LogMismatchError as error:
        return await _verdict(sources, 0, None, ChainProblem(position=0, where="log", problem=str(error)))
    await _archived(sources, end)
    comparison = _Comparison(sources, end)
    problem = None
    try:
        await comparison.run()
    except Broken as broken:
        problem = broken.problem
    return await _verdict(sources, end, comparison.head, problem)


async def _verdict(sources: Sources, end: int, head: ChainHead | None, problem: ChainProblem | None) -> Verification:
    return Verification(
        intact=problem is None,
        log_id=head.log_id if head else "",
        log_end=end,
        archived=await sources.store.count(),
        head=head,
        problem=problem,
    )


async def _archived(sources: Sources, end: int) -> None:
    """Wait a little for what is in the log to be archived; raise UnavailableError if that takes long."""
    if sources.archive.stopped or sources.history.stopped is not None:
        return  # nothing more comes; the comparison shows how far it came
    sources.history.require(end)
    try:
        async with asyncio.timeout(ARCHIVER_GRACE_S):
            await sources.archive.passed(end - 1)
    except TimeoutError:
        head = sources.archive.head
        raise UnavailableError(
            f"the archive is behind: {head.position + 1 if head else 0} of the log's {end} events are in it"
        ) from None


class _Comparison:
    """Both sides, read once."""

    def __init__(self, sources: Sources, end: int) -> None:
        self._sources = sources
        self._end = end
        self._replay = Replay()
        self._chain = Chain()
        self.head: ChainHead | None = None  # of the last event that both hold and agree on

    async def run(self) -> None:
        """Compare all; raise Broken at the first difference."""
        async with aclosing(self._sources.store.documents()) as documents:
            async for records in self._sources.job_log.read(0, self._end):
                for record in records:
                    self._compare(record, await self._step(record), await anext(documents, None))
                    if record.offset % EVENTS_PER_TURN == 0:
                        await asyncio.sleep(0)
            async for document in documents:
                await self._compare_surplus(document)

    async def _step(self, record: Record) -> Step:
        """Fold the next record of the log."""
        try:
            event = await self._sources.job_log.event_of(record)
        except UnreadableRecordError as error:
            raise _broken(error.offset, "log", str(error)) from error
        except LogMismatchError as error:
            raise _broken(record.offset, "log", str(error)) from error
        return self._replay.step(record.offset, event)

    def _compare(self, record: Record, step: Step, document: Document | None) -> None:
        position, previous = record.offset, self._chain.value
        if document is None or not _is_position(document["_id"]):
            raise _broken(position, "archive", self._tail_cut(position - 1))
        if document["_id"] < position or document["_id"] != int(document["_id"]):
            raise _broken(position, "archive", _foreign(document))
        if document["_id"] > position:
            raise _broken(position, "archive", f"archive: position {position} is missing")
        expected = event_document(record, step, self._chain.take(record))
        if difference := next(_differences(expected, document, previous), None):
            raise _broken(position, *difference)
        self.head = ChainHead(
            log_id=self._replay.table.log_id,
            position=position,
            hash=expected["hash"],
            at=instant_of(step),
        )

    def _tail_cut(self, last: int) -> str:
        held = f"ends at {last}" if last >= 0 else "is empty"
        stopped = self._sources.archive.stopped
        return (
            f"the archive {held}, the log ends at {self._end - 1}: the archive's tail is cut"
            + (f"; archiving has stopped: {stopped}" if stopped else "")
        )  # fmt: skip

    async def _compare_surplus(self, document: Document) -> None:
        """Look at what the archive holds beyond the end of the log that was read."""
        position = document["_id"]
        if not _is_position(position) or position < self._end:
            raise _broken(self._end, "archive", _foreign(document))
        end = (await self._sources.job_log.bounds()).end  # the log has grown meanwhile, if all is right
        if position >= end:
            last = (await self._sources.store.last()).position
            held = f"ends at {end - 1}" if end else "is empty"
            raise _broken(end, "log", f"the log {held}, the archive holds {last}: the log's tail is cut")


def _differences(expected: Document, found: Document, previous: bytes) -> Iterator[tuple[str, str]]:
    """Yield where and how `found` differs from what the log says; `previous` is the chain's value before it."""
    where = f"archive: position {expected['_id']}:"
    for name in ("value", "key"):
        if found.get(name, _ABSENT) != expected[name]:
            blamed, owner = _owner(expected, found, previous)
            yield blamed, f"{where} {_bytes_differ(name, expected[name], found.get(name))}; {owner}"
    for name in ("hash", *sorted({*expected, *found} - {"hash"})):
        was, now = expected.get(name, _ABSENT), found.get(name, _ABSENT)
        if now is _ABSENT:
            yield "archive", f"{where} field {name} is missing"
        elif was is _ABSENT:
            yield "archive", f"{where} field {name} is not one of an event"
        elif was != now or isinstance(was, bool) != isinstance(now, bool):
            yield "archive", f"{where} field {name} differs: {_shown(was)} by the log, {_shown(now)} in the archive"


def _owner(expected: Document, found: Document, previous: bytes) -> tuple[str, str]:
    """Tell whose bytes the archived chain value belongs to: that side is likely what was there first."""
    try:
        archived = link(previous, expected["_id"], found["key"], found["value"]).hex()
    except (KeyError, AttributeError, TypeError):
        archived = ""
    if found.get("hash") == expected["hash"]:
        return "archive", "its hash is still that of the log's event"
    if found.get("hash") == archived:
        return "log", "its hash is that of the archived event: the log was changed, or event and hash in the archive"
    return "archive", "its hash is of neither"


def _bytes_differ(name: str, was: Any, now: Any) -> str:
    if type(was) is not type(now):
        return f"the {name} is a {type(now).__name__}"
    pairs = zip(was, now, strict=False)
    first = next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(was), len(now)))
    return f"the {name} differs from byte {first} on ({len(was)} in the log, {len(now)} in the archive)"


def _foreign(document: Document) -> str:
    return f"archive: the document {_shown(document['_id'])} is no event of the log"


def _is_position(identifier: Any) -> bool:
    return isinstance(identifier, int | float) and not isinstance(identifier, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _broken(position: int, where: Any, problem: str) -> Broken:
    return Broken(ChainProblem(position=position, where=where, problem=problem))


async def head_at(job_log: JobLog, position: int) -> ChainHead:
    """Return the chain's value at a position that is in the log, recomputed from the log's beginning."""
    replay, chain, chain_hash = Replay(), Chain(), BEGINNING.hex()
    async for records in job_log.read(0, position + 1):
        steps = await job_log.step_all(replay, records)
        for record in records:
            chain_hash = chain.take(record)
    return ChainHead(log_id=replay.table.log_id, position=position, hash=chain_hash, at=instant_of(steps[-1]))
