"""The topic of job events as its readers see it: checked, decoded, in order, without gap.

A record that cannot be read stops whoever reads it, unless a later `LogRecordSkipped` event names its offset and
its digest: then everybody steps over it, now and on every replay. An event of a kind or version that this release
does not know stops it too, and nothing steps over that: a newer release would apply it.
"""

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

from dcron_core.errors import LogMismatchError, LogUnavailableError, ProjectionStoppedError, UnreadableRecordError
from dcron_core.jobs.replay import Replay, Step
from dcron_core.ports.log import Bounds, Log, Reader, Record
from dcron_schemas.codec import UndecodableError, decode_event
from dcron_schemas.events import JobEvent, LogOpened, LogRecordSkipped, UnknownEvent

POLL_S = 1.0
MOST_EMPTY_POLLS = 10
BATCH = 1000  # records; about 20 ms of folding


class JobLog:
    """The log of job events: one partition, kept for ever."""

    def __init__(self, log: Log, topic: str) -> None:
        self._log = log
        self.topic = topic

    async def bounds(self) -> Bounds:
        """Return which offsets the log holds; raise LogMismatchError if its beginning is gone."""
        bounds = await self._log.bounds(self.topic)
        if bounds.start > 0:
            raise LogMismatchError(
                f"topic {self.topic} begins at offset {bounds.start}, not 0: its beginning was deleted; restore the "
                "topic from a backup (`dcron log import`) and set retention.ms=-1"
            )
        return bounds

    async def log_id(self) -> str:
        """Return the id of the log; raise LogMismatchError if it is not a log of dcron. It must not be empty."""
        record = (await self.fetch([0]))[0]
        try:
            event = decode_event(record.value)
        except UndecodableError as error:
            raise LogMismatchError(f"the first record of {self.topic} is not an event: {error}") from error
        if not isinstance(event, JobEvent) or not isinstance(event.data, LogOpened):
            raise LogMismatchError(f"the first record of {self.topic} is not LogOpened: it is not a log of dcron")
        return event.data.log_id

    async def read(self, start: int, end: int) -> AsyncIterator[list[Record]]:
        """Yield the records with start ≤ offset < end, in batches. All of them must be in the log.

        Raises LogUnavailableError when none has come for ten seconds.
        """
        if start >= end:
            return
        async with self._log.reader(self.topic, {0: start}) as reader:
            while start < end:
                records = await _next(reader, min(BATCH, end - start))
                start = records[-1].offset + 1
                yield records

    async def follow(self, start: int) -> AsyncIterator[list[Record]]:
        """Yield batches from `start` on for ever; an empty one when nothing came for a second."""
        async with self._log.reader(self.topic, {0: start}) as reader:
            while True:
                yield await reader.poll(POLL_S, BATCH)

    async def fetch(self, offsets: Sequence[int]) -> list[Record]:
        """Return the records at the given offsets, which grow."""
        if not offsets:
            return []
        async with self._log.reader(self.topic, {0: offsets[0]}) as reader:
            return [await _record_at(reader, offset) for offset in offsets]

    async def event_of(self, record: Record) -> JobEvent | None:
        """Return the event in a record; None if it cannot be read and is stepped over.

        Raises ProjectionStoppedError for one that this release does not know, and UnreadableRecordError.
        """
        try:
            event = decode_event(record.value)
        except UndecodableError as error:
            if await self.steps_over(record):
                return None
            raise UnreadableRecordError(
                f"offset {record.offset} of {self.topic} cannot be read ({error}); nothing after it is projected, so "
                "that nothing passes silently. Look at it with `dcron log show --offset "
                f"{record.offset}`; if it has to be given up: `dcron log skip --offset {record.offset} --reason …`",
                offset=record.offset,
            ) from error
        if isinstance(event, UnknownEvent):
            raise ProjectionStoppedError(
                f"offset {record.offset} of {self.topic} is a {event.kind} event of schema version "
                f"{event.schema_version}, which this release does not know; run the release that wrote it, or a newer "
                "one"
            )
        return event

    async def steps_over(self, record: Record) -> bool:
        """Tell whether a later event says that `record`, which cannot be read, is to be stepped over."""
        return await self.skip_of(record) is not None

    async def skip_of(self, record: Record) -> int | None:
        """Return the position of the first event that says to step over `record`; None if there is none."""
        async for records in self.read(record.offset + 1, (await self.bounds()).end):
            for later in records:
                if _steps_over(later, record):
                    return later.offset
        return None

    async def stepped_over(self, offset: int) -> None:
        """Wait until an event says that the record at `offset` is to be stepped over."""
        record = (await self.fetch([offset]))[0]
        async for records in self.follow(offset + 1):
            if any(_steps_over(later, record) for later in records):
                return

    async def steps(self, replay: Replay, end: int) -> AsyncIterator[list[Step]]:
        """Advance `replay` through the records before `end`; yield what they came to, in batches."""
        async for records in self.read(replay.position + 1, end):
            yield await self.step_all(replay, records)

    async def step_all(self, replay: Replay, records: Sequence[Record]) -> list[Step]:
        """Advance `replay` through `records`; return what they came to."""
        return [replay.step(record.offset, await self.event_of(record)) for record in records]

    async def replayed(self, end: int) -> Replay:
        """Return the fold of all records before `end`."""
        replay = Replay()
        async for _ in self.steps(replay, end):
            pass
        return replay


def digest_of(record: Record) -> str:
    """Return the SHA-256 of the record's value, as hexadecimal digits."""
    return sha256(record.value).hexdigest()


def skip_in(record: Record) -> LogRecordSkipped | None:
    """Return the skip that the record says, if it says one."""
    if b"LogRecordSkipped" not in record.value:  # cheap, and true of nearly all
        return None
    try:
        event = decode_event(record.value)
    except UndecodableError:
        return None
    return event.data if isinstance(event, JobEvent) and isinstance(event.data, LogRecordSkipped) else None


def _steps_over(later: Record, record: Record) -> bool:
    skip = skip_in(later)
    return skip is not None and (skip.offset, skip.sha256) == (record.offset, digest_of(record))


async def _record_at(reader: Reader, offset: int) -> Record:
    await reader.seek(0, offset)
    return (await _next(reader, 1))[0]


async def _next(reader: Reader, limit: int) -> list[Record]:
    """Return the next records of a log that holds some."""
    for _ in range(MOST_EMPTY_POLLS):
        if records := await reader.poll(POLL_S, limit):
            return records
    raise LogUnavailableError(f"the log gave no record for {MOST_EMPTY_POLLS * POLL_S:g} s")
