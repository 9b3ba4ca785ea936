"""Brings the records of the log into the store: read, write, and only then commit (G8).

A record that is none, or that MongoDB does not take, goes to the dead-letter topic, and what is behind it flows on.
While MongoDB does not answer the batch is kept and tried again; while the log does not, reading starts again from
what was committed. Being cancelled lets the write that is under way end.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.errors import LogUnavailableError
from dcron_core.http.probes import Readiness
from dcron_core.lifecycle import retrying
from dcron_core.ports.log import GroupReader, Log, Producer, Record, Topic
from dcron_core.telemetry import get_logger
from dcron_log_ingester.admission import read_record, was_cut
from dcron_log_ingester.batches import Batch, batch_of, job_of
from dcron_log_ingester.dead_letters import CUT_BYTES, MOST_KEY, letter_headers
from dcron_log_ingester.errors import BadRecordError, MongoUnavailableError, NotStorableError
from dcron_log_ingester.metrics import Metrics
from dcron_schemas.records import ExecutionRecord

MONGODB = "mongodb"  # readiness: the store acknowledges
KAFKA = "kafka"  # readiness: this member of the group reads
IDLE_POLL_S = 0.5
LAG_EVERY_S = 1.0
BATCH_BYTES = 4 << 20  # a batch of so much takes in no more; decoded and encoded again it takes several times that

Rejected = tuple[Record, BadRecordError]  # what goes to the dead-letter topic, and why

log = get_logger()


class BatchWriter(Protocol):
    """What the ingest loop asks of the store."""

    async def prepare(self) -> None:
        """Create the indexes that are not there."""
        ...

    async def write(self, batch: Batch) -> None:
        """Store the batch, wholly; return once it is acknowledged."""
        ...


class RetentionRule(Protocol):
    """What the ingest loop asks about jobs."""

    async def know(self, job_ids: Iterable[str]) -> None:
        """Wait, for a bounded time, until what is known of these jobs can be relied on."""
        ...

    def of(self, job_id: str) -> timedelta:
        """Return how long the records of the job are kept."""
        ...


class IngestPlan(Struct, frozen=True, kw_only=True):
    """From where to where, and in what portions."""

    topics: tuple[Topic, ...]  # to be there before anything is read
    topic: str
    dead_letter_topic: str
    group: str
    batch_size: int
    batch_age: timedelta
    flush_timeout: timedelta  # for the write under way when the service stops


class Ingest:
    """The loop of one member of the consumer group."""

    def __init__(
        self,
        plan: IngestPlan,
        source: Log,
        store: BatchWriter,
        retention: RetentionRule,
        clock: Clock,
        readiness: Readiness,
        metrics: Metrics,
    ) -> None:
        self._plan = plan
        self._source = source
        self._store = store
        self._retention = retention
        self._clock = clock
        self._readiness = readiness
        self._metrics = metrics
        self._lag_at_s = clock.monotonic()
        self._reader: GroupReader | None = None  # while the log is read

    async def run(self) -> None:
        """Ingest for ever."""
        await self._until_stored(self._store.prepare)
        while True:
            try:
                await self._source.ensure_topics(self._plan.topics)
                async with (
                    self._source.producer() as producer,
                    self._source.group_reader(self._plan.topic, self._plan.group) as reader,
                ):
                    self._readiness.met(KAFKA)
                    await self._ingest(reader, producer)
            except LogUnavailableError as error:
                self._reader = None
                self._readiness.lost(KAFKA, str(error))
                log.warning("the log does not answer", action="ingest.log", error=str(error))
                await asyncio.sleep(1.0)

    async def _ingest(self, reader: GroupReader, producer: Producer) -> None:
        self._reader = reader
        while True:
            records = await self._collect(reader)
            if records:
                decoded = _decoded(records)
                # Waiting for what is known of jobs is given up when the service stops; a write is not.
                await self._retention.know({job_of(message) for message in decoded.messages})
                await self._to_the_end(self._store_and_commit(decoded, reader, producer))
            await self._measure_lag()

    async def _collect(self, reader: GroupReader) -> list[Record]:
        """Return a batch: as many as fit, or as come while the first one may wait."""
        records = await reader.poll(IDLE_POLL_S, self._plan.batch_size)
        if not records:
            return records
        until_s, read = self._clock.monotonic() + self._plan.batch_age.total_seconds(), _bytes_of(records)
        while (room := self._plan.batch_size - len(records)) > 0 and read < BATCH_BYTES:
            left_s = until_s - self._clock.monotonic()
            if left_s <= 0:
                break
            more = await reader.poll(left_s, room)
            read += _bytes_of(more)
            records += more
        return records

    async def _to_the_end(self, work: asyncio.Future[None]) -> None:
        """Let `work` end in its time although this task is cancelled."""
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work], timeout=self._plan.flush_timeout.total_seconds())
            work.cancel()
            raise

    def _store_and_commit(self, decoded: "Decoded", reader: GroupReader, producer: Producer) -> asyncio.Future[None]:
        async def work() -> None:
            await self._write_all(decoded, producer)
            await reader.commit()
            self._metrics.batches.inc()

        return asyncio.ensure_future(work())

    async def _write_all(self, decoded: "Decoded", producer: Producer) -> None:
        """Put every record either into the store or into the dead-letter topic."""
        messages = decoded.messages
        for kind, count in Counter(map(type, messages)).items():
            self._metrics.records.labels(kind.__name__).inc(count)
        self._metrics.cuts.inc(sum(map(was_cut, messages)))
        refused = await self._write_what_can_be(decoded.readable)
        await self._put_aside([*decoded.unreadable, *refused], producer)

    async def _write_what_can_be(self, readable: Sequence[tuple[Record, ExecutionRecord]]) -> list[Rejected]:
        """Store the records; return those that MongoDB does not take.

        They are found by halving what is refused. What of it was stored already is harmless to repeat.
        """
        try:
            await self._write([message for _, message in readable])
        except NotStorableError as error:
            if len(readable) == 1:
                return [(readable[0][0], BadRecordError("refused", str(error)))]
            middle = len(readable) // 2
            first = await self._write_what_can_be(readable[:middle])
            return first + await self._write_what_can_be(readable[middle:])
        return []

    async def _write(self, messages: Sequence[ExecutionRecord]) -> None:
        batch = batch_of(messages, self._retention.of)
        began_s = self._clock.monotonic()
        await self._until_stored(lambda: self._store.write(batch))
        self._metrics.write_seconds.observe(self._clock.monotonic() - began_s)
        for collection in Batch.__struct_fields__:
            self._metrics.documents.labels(collection).inc(len(getattr(batch, collection)))

    async def _until_stored(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` until MongoDB acknowledges it; not ready meanwhile."""

        async def attempt() -> None:
            try:
                await work()
            except MongoUnavailableError as error:
                self._readiness.lost(MONGODB, str(error))
                with suppress(LogUnavailableError):
                    await self._measure_lag()  # it grows now
                raise
            self._readiness.met(MONGODB)

        await retrying(attempt, on=MongoUnavailableError, what="MongoDB")

    async def _put_aside(self, rejected: Sequence[Rejected], producer: Producer) -> None:
        """Put records into the dead-letter topic; return when they are there."""
        answers = []
        for record, error in rejected:
            log.error(
                "a record goes to the dead-letter topic",
                action="ingest.dead_letter",
                reason=error.reason,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                error=str(error),
            )
            answers.append(await self._submit_letter(record, error, producer))
        await asyncio.gather(*answers)
        for _, error in rejected:
            self._metrics.dead_letters.labels(error.reason).inc()

    async def _submit_letter(self, record: Record, error: BadRecordError, producer: Producer) -> Awaitable[int]:
        topic = self._plan.dead_letter_topic
        headers = letter_headers(record, error.reason, str(error))
        try:
            return await producer.submit(topic, record.key, record.value, headers)
        except ValueError:  # with its headers it is too large for the log
            headers = letter_headers(record, error.reason, str(error), cut=True)
            return await producer.submit(topic, record.key[:MOST_KEY], record.value[:CUT_BYTES], headers)

    async def _measure_lag(self) -> None:
        if self._reader is not None and self._clock.monotonic() - self._lag_at_s >= LAG_EVERY_S:
            self._lag_at_s = self._clock.monotonic()
            lags = await self._reader.lag()
            self._metrics.lag.clear()  # partitions that are another member's now
            for partition, lag in lags.items():
                self._metrics.lag.labels(str(partition)).set(lag)


class Decoded(Struct, frozen=True):
    """A batch of records, and what they say."""

    readable: tuple[tuple[Record, ExecutionRecord], ...]
    unreadable: tuple[Rejected, ...]

    @property
    def messages(self) -> list[ExecutionRecord]:
        return [message for _, message in self.readable]


def _bytes_of(records: Sequence[Record]) -> int:
    return sum(len(record.value) for record in records)


def _decoded(records: Sequence[Record]) -> Decoded:
    readable: list[tuple[Record, ExecutionRecord]] = []
    unreadable: list[Rejected] = []
    for record in records:
        try:
            readable.append((record, read_record(record)))
        except BadRecordError as error:
            unreadable.append((record, error))
    return Decoded(tuple(readable), tuple(unreadable))
