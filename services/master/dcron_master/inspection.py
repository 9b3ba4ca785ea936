"""One record of the log, looked at closely: `dcron log show`."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dcron_core.errors import OffsetOutOfRangeError
from dcron_core.job_log import JobLog, digest_of
from dcron_core.ports.log import Record
from dcron_schemas.codec import UndecodableError, decode_event
from dcron_schemas.events import JobEvent, UnknownEvent

Reading = Literal["event", "newer event", "unreadable"]


class Inspection(Struct, frozen=True, kw_only=True):
    """A record as it stands, and what it means."""

    offset: int
    key: str
    at: datetime  # when Kafka took it in
    sha256: str  # of its value
    value: bytes
    reading: Reading
    event: JobEvent | None = None
    why: str = ""  # why there is no event
    skipped_at: int | None = None  # position of the event that says that it is stepped over


async def record_at(job_log: JobLog, offset: int) -> Record:
    """Return the record; raise OffsetOutOfRangeError if the log does not hold it."""
    bounds = await job_log.bounds()
    if not bounds.start <= offset < bounds.end:
        held = f"the offsets 0 to {bounds.end - 1}" if bounds.end else "no records"
        raise OffsetOutOfRangeError(f"offset {offset} is not in the log: topic {job_log.topic} holds {held}")
    return (await job_log.fetch([offset]))[0]


async def inspect(job_log: JobLog, offset: int) -> Inspection:
    """Look at one record."""
    record = await record_at(job_log, offset)
    reading, event, why = read(record)
    return Inspection(
        offset=record.offset,
        key=record.key,
        at=record.at,
        sha256=digest_of(record),
        value=record.value,
        reading=reading,
        event=event,
        why=why,
        skipped_at=await job_log.skip_of(record) if reading == "unreadable" else None,
    )


def read(record: Record) -> tuple[Reading, JobEvent | None, str]:
    """Return what the record is, its event, and why there is none."""
    try:
        event = decode_event(record.value)
    except UndecodableError as error:
        return "unreadable", None, str(error)
    if isinstance(event, UnknownEvent):
        why = f"a {event.kind} event of schema version {event.schema_version}, which this release does not know"
        return "newer event", None, why
    return "event", event, ""
