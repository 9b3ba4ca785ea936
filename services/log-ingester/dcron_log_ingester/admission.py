"""Decides what a record of the log may be: reads it, cuts it, or says why it is put aside (pure).

It looks at nothing but the record, so a record that comes again is decided the same, and live views show what is
stored. What it lets pass can be made into documents and frames without an error. No release of dcron writes what it
refuses.
"""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from dcron_core.ports.log import Record
from dcron_log_ingester.errors import BadRecordError
from dcron_schemas.codec import UndecodableError, decode_record, newer_version
from dcron_schemas.records import (
    SCHEMA_VERSION,
    Execution,
    ExecutionFinished,
    ExecutionLost,
    ExecutionRecord,
    ExecutionStarted,
    OutputChunk,
    TickSkipped,
)

MOST_TEXT = 256 << 10  # characters of output in one record: eight times what a worker puts into one
MOST_BYTES = 256 << 10  # of any other record
MOST_AHEAD = timedelta(days=1)  # of when the log took the record in, by the log's clock
MOST_CHUNKS = 10**10  # of one run: their ids have ten digits
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST = 2**63 - 1  # integer that MongoDB holds


def read_record(record: Record) -> ExecutionRecord:
    """Return what the record says, its output cut with a mark if there is too much. Raises BadRecordError."""
    message = _decoded(record.value)
    if isinstance(message, OutputChunk):
        if len(message.text) > MOST_TEXT:
            message = replace(message, text=_cut(message.text))
    elif len(record.value) > MOST_BYTES:
        raise BadRecordError(
            "too_large", f"it has {len(record.value)} bytes; a record of a run has {MOST_BYTES} at most"
        )
    _check(message, record.at)
    return message


def was_cut(value: ExecutionRecord) -> bool:
    """Tell whether a message that `read_record` returned has less output than its record."""
    return isinstance(value, OutputChunk) and len(value.text) > MOST_TEXT


def _decoded(value: bytes) -> ExecutionRecord:
    version = None
    try:
        message = decode_record(value)
    except UndecodableError as error:
        version = newer_version(value)
        if version is None:
            raise BadRecordError("unreadable", str(error)) from error
    else:
        version = message.schema_version
    if version > SCHEMA_VERSION:
        raise BadRecordError(
            "version",
            f"it is of schema version {version}, and this release knows {SCHEMA_VERSION}; upgrade the log-ingesters, "
            "then replay it",
        )
    return message


def _check(message: ExecutionRecord, taken_in: datetime) -> None:
    if isinstance(message, OutputChunk):
        _check_count("seq", message.seq)
        _check_instant("at", message.at, taken_in)
        return
    _check_execution(message.execution, taken_in)
    match message:
        case ExecutionStarted():
            _check_instant("started_at", message.started_at, taken_in)
            _check_integer("pid", message.pid)
        case ExecutionFinished():
            if message.started_at is not None:
                _check_instant("started_at", message.started_at, taken_in)
            _check_instant("finished_at", message.finished_at, taken_in)
            _check_count("output_chunks", message.output_chunks)
            _check_integer("output_cut_bytes", message.output_cut_bytes)
            _check_integer("exit_code", message.exit_code or 0)
            _check_integer("signal", message.signal or 0)
            _check_integer("max_rss_bytes", message.max_rss_bytes)
        case ExecutionLost():
            _check_instant("detected_at", message.detected_at, taken_in)
        case TickSkipped():
            _check_instant("at", message.at, taken_in)
            if message.last_tick is not None:
                _check_instant("last_tick", message.last_tick, taken_in)
            _check_integer("count", message.count)


def _check_execution(execution: Execution, taken_in: datetime) -> None:
    _check_instant("due_at", execution.due_at, taken_in)
    _check_instant("claimed_at", execution.claimed_at, taken_in)
    _check_integer("job_version", execution.job_version)
    _check_integer("attempt", execution.attempt)
    _check_integer("fencing_token", execution.fencing_token)


def _check_count(name: str, number: int) -> None:
    if not 0 <= number < MOST_CHUNKS:
        raise BadRecordError("unreadable", f"{name} is {_shown(number)}; it is from 0 to {MOST_CHUNKS - 1}")


def _check_integer(name: str, number: int) -> None:
    if not -LARGEST <= number <= LARGEST:
        raise BadRecordError("unreadable", f"{name} is {_shown(number)}, which has more than 64 bits")


def _check_instant(name: str, instant: datetime, taken_in: datetime) -> None:
    if instant.tzinfo is None:
        raise BadRecordError("unreadable", f"{name} {instant.isoformat()} has no zone")
    if instant < EARLIEST:
        raise BadRecordError("unreadable", f"{name} {instant.isoformat()} is before 1970")
    if instant - taken_in > MOST_AHEAD:
        raise BadRecordError(
            "future",
            f"{name} {instant.isoformat()} is more than a day later than {taken_in.isoformat()}, when the log took the "
            "record in; look at the clock of the machine that wrote it",
        )


def _cut(text: str) -> str:
    return f"{text[:MOST_TEXT]}\n[dcron: {len(text) - MOST_TEXT} characters left out here]\n"


def _shown(number: int) -> str:
    """Return a number in a length that fits into a line; Python refuses to write out very long ones."""
    return str(number) if abs(number) < 10**30 else f"of {number.bit_length()} bits"
