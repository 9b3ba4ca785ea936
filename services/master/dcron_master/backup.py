"""The log of job events written to a file, and brought back from one: `dcron log export` and `dcron log import`.

Keys, values and offsets come back exactly. The times of records do not: Kafka says when it took each one in. The
log's own time is in the events.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from msgspec import Struct

from dcron_core.errors import DcronError, LogMismatchError, LogUnavailableError
from dcron_core.job_log import JobLog
from dcron_core.ports.log import Log, Producer
from dcron_master.log_file import Line, LogFile, LogFileWriter
from dcron_schemas.codec import UndecodableError, decode_event
from dcron_schemas.events import JobEvent, LogOpened
from dcron_schemas.state import Projection

MOST_UNDER_WAY = 500  # records sent and not acknowledged


class ImportRefusedError(DcronError):
    """A file that is not brought into this log; nothing was written."""


class Exported(Struct, frozen=True):
    """What an export wrote."""

    log_id: str
    records: int


class Imported(Struct, frozen=True):
    """What an import did."""

    log_id: str
    appended: int
    before: int  # how many of the file's records were there already
    beyond: int  # how many records the log holds after the file's last one


async def export(job_log: JobLog, write: Callable[[bytes], object]) -> Exported:
    """Write the log, as far as it goes now."""
    end = (await job_log.bounds()).end
    if end == 0:
        raise LogMismatchError(
            f"topic {job_log.topic} is empty: there is nothing to export; check DCRON_KAFKA and DCRON_TOPIC_PREFIX"
        )
    log_id = await job_log.log_id()
    writer = LogFileWriter(write)
    writer.begin(log_id, job_log.topic)
    async for records in job_log.read(0, end):
        for record in records:
            if record.offset != writer.count:
                raise LogMismatchError(
                    f"topic {job_log.topic} has no record at offset {writer.count}: it is no log that dcron wrote; "
                    "restore it from a backup (`dcron log import`)"
                )
            writer.add(record)
    writer.end()
    return Exported(log_id, writer.count)


async def import_file(file: LogFile, log: Log, topic: str, projection: Projection | None) -> Imported:
    """Bring a checked file into a topic that is empty or holds a beginning of it; read it back and compare.

    `projection` is etcd's, if it has one. Raises ImportRefusedError if the file or the topic is another log.
    """
    _require_a_log(file)
    _require_same_log(file, projection)
    job_log = JobLog(log, topic)
    held = (await job_log.bounds()).end
    common = min(held, file.count)
    await _compare(file, job_log, common, "holds something else already")
    if held < file.count:
        async with log.producer() as producer:
            await _append(file, producer, topic, held)
        await _compare(file, job_log, file.count, "did not take the file in as it is")
    return Imported(file.header.log_id, file.count - common, common, held - common)


def _require_a_log(file: LogFile) -> None:
    first = next(file.lines(), None)
    try:
        event = decode_event(first.content()) if first else None
    except UndecodableError:
        event = None
    if not isinstance(event, JobEvent) or event.data != LogOpened(file.header.log_id):
        raise ImportRefusedError(
            f"{file.path} does not begin with the opening of log {file.header.log_id!r}, which its header names: it is "
            "no export of a log of dcron; take another backup"
        )


def _require_same_log(file: LogFile, projection: Projection | None) -> None:
    if projection is not None and projection.log_id and projection.log_id != file.header.log_id:
        raise ImportRefusedError(
            f"{file.path} is log {file.header.log_id}, but etcd's job table is of log {projection.log_id}: take the "
            "backup of that log, or check DCRON_ETCD and DCRON_ETCD_PREFIX. To give the old log up, remove etcd's "
            "`projection` key first"
        )


async def _compare(file: LogFile, job_log: JobLog, count: int, otherwise: str) -> None:
    """Raise ImportRefusedError unless the first `count` records of the topic are the file's."""
    lines = file.lines()
    async for records in job_log.read(0, count):
        for record in records:
            if not next(lines).is_of(record):
                raise ImportRefusedError(
                    f"topic {job_log.topic} {otherwise}: at offset {record.offset} it is not what {file.path} has. "
                    "Stop the masters, which open a log where there is none; then remove the topic, or choose another "
                    "one with DCRON_TOPIC_PREFIX, and repeat the import"
                )


async def _append(file: LogFile, producer: Producer, topic: str, start: int) -> None:
    """Append the file's records from `start` on."""
    under_way: deque[tuple[int, Awaitable[int]]] = deque()
    done = start
    try:
        for line in file.lines(start):
            under_way.append((line.offset, await _submit(producer, topic, line)))
            if len(under_way) >= MOST_UNDER_WAY:
                done = await _landed(under_way, topic)
        while under_way:
            done = await _landed(under_way, topic)
    except LogUnavailableError as error:
        raise LogUnavailableError(
            f"{error}; at least {done} of {file.count} records are in {topic}. Repeat the import: it goes on from there"
        ) from error
    finally:
        await asyncio.gather(*(answer for _, answer in under_way), return_exceptions=True)


async def _submit(producer: Producer, topic: str, line: Line) -> Awaitable[int]:
    try:
        return await producer.submit(topic, line.key, line.content(), line.headers)
    except ValueError as error:
        raise ImportRefusedError(
            f"Kafka does not take the record at offset {line.offset}: {error}; raise the topic's max.message.bytes, "
            "and repeat the import"
        ) from error


async def _landed(under_way: deque[tuple[int, Awaitable[int]]], topic: str) -> int:
    """Wait for the oldest record under way; return how many are in the topic."""
    wanted, answer = under_way.popleft()
    offset = await answer
    if offset != wanted:
        raise ImportRefusedError(
            f"somebody else wrote to {topic} during the import: a record went to offset {offset} in place of {wanted}. "
            "Stop the masters; then remove the topic, or choose another one with DCRON_TOPIC_PREFIX, and repeat the "
            "import"
        )
    return offset + 1
