"""Turns execution records into what is to be written (pure).

It promises that order and redelivery are harmless: whatever way the records of a run are split into batches,
repeated or shuffled, the documents end up the same. Each field has one kind of record that decides it; the
status has three, and the end that is known (finished) stands above the end that is not (lost), which stands
above running. Records of rival claims of one run, which must not be, leave the fencing tokens of all of them in
`claims`, in whatever order they come; the ledger tells the double from that.

Instants are whole milliseconds of UTC, as MongoDB keeps them, so that live and stored views agree.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from dcron_schemas.records import (
    Execution,
    ExecutionFinished,
    ExecutionLost,
    ExecutionRecord,
    ExecutionStarted,
    OutputChunk,
    TickSkipped,
)

Document = dict[str, Any]
Retention = Callable[[str], timedelta]  # job id → how long what is stored of it is kept

_LATEST = datetime.max.replace(tzinfo=UTC, microsecond=999_000)


class ExecutionWrite(Struct):
    """What a batch makes of one run: an upsert, in parts that commute."""

    execution_id: str
    expires_at: datetime  # grows, never shrinks
    set: Document = field(default_factory=dict)  # whatever is there
    set_on_insert: Document = field(default_factory=dict)  # only if the run had no document
    set_unless_finished: Document = field(default_factory=dict)  # only if its outcome is not known
    claims: frozenset[int] = frozenset()  # fencing tokens; added to those that are there


class Batch(Struct, frozen=True):
    """What to write: documents first, then the runs, so that a run is seen as over only when its output is there."""

    output: tuple[Document, ...]
    ticks: tuple[Document, ...]
    executions: tuple[ExecutionWrite, ...]


def batch_of(records: Iterable[ExecutionRecord], retention: timedelta | Retention) -> Batch:
    """Return what to write for `records`, each document once. A retention may be one for all jobs."""
    kept = retention if callable(retention) else lambda _: retention
    output: dict[str, Document] = {}
    ticks: dict[str, Document] = {}
    writes: dict[str, ExecutionWrite] = {}
    for record in records:
        match record:
            case OutputChunk():
                document = _output_document(record, kept(record.job_id))
                output[document["_id"]] = document
            case TickSkipped():
                document = _tick_document(record, kept(record.execution.job_id))
                ticks[document["_id"]] = document
            case _:
                _merge(writes, record, kept(record.execution.job_id))
    return Batch(tuple(output.values()), tuple(ticks.values()), tuple(writes.values()))


def applied(document: Document | None, write: ExecutionWrite) -> Document:
    """Return what `write` makes of a run's document (None: there is none)."""
    result = dict(document) if document is not None else {"_id": write.execution_id, **write.set_on_insert}
    result |= write.set
    if "finished_at" not in result:
        result |= write.set_unless_finished
    if write.claims:
        result["claims"] = sorted(write.claims.union(result.get("claims", ())))
    result["expires_at"] = max(write.expires_at, result.get("expires_at", write.expires_at))
    return result


def job_of(record: ExecutionRecord) -> str:
    """Return the id of the job that a record is about."""
    return record.job_id if isinstance(record, OutputChunk) else record.execution.job_id


def output_id(execution_id: str, seq: int) -> str:
    """Return the `_id` of a chunk; ids of one run sort by seq."""
    return f"{execution_id}/{seq:010d}"


def skip_id(record: TickSkipped) -> str:
    """Return the `_id` of a skip: of two ranges with the same first tick, each has its own.

    That comes about when etcd was lost: all ticks since the job's anchor are missed again, in one range.
    """
    execution_id = record.execution.execution_id
    return execution_id if record.last_tick is None else f"{execution_id}/{record.last_tick.isoformat()}"


def stored_instant(at: datetime) -> datetime:
    """Return `at` as MongoDB keeps it: UTC, whole milliseconds. An instant without a zone is taken for UTC."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _merge(
    writes: dict[str, ExecutionWrite],
    record: ExecutionStarted | ExecutionFinished | ExecutionLost,
    retention: timedelta,
) -> None:
    match record:
        case ExecutionStarted():
            write = ExecutionWrite(
                record.execution.execution_id,
                _expiry(record.started_at, retention),
                set=_started_fields(record),
                set_on_insert={"status": "running"},
            )
        case ExecutionFinished():
            write = ExecutionWrite(
                record.execution.execution_id,
                _expiry(record.finished_at, retention),
                set=_finished_fields(record),
            )
        case ExecutionLost():
            lost = {"status": "lost", "error": record.reason}
            write = ExecutionWrite(
                record.execution.execution_id,
                _expiry(record.detected_at, retention),
                set=_lost_fields(record),
                set_on_insert=lost,
                set_unless_finished=lost,
            )
    write.claims = _claims(record.execution)
    before = writes.get(write.execution_id)
    writes[write.execution_id] = write if before is None else _merged(before, write)


def _merged(first: ExecutionWrite, second: ExecutionWrite) -> ExecutionWrite:
    """Return one write that does what both do; no field in more than one part, as MongoDB demands."""
    both = first.set | second.set
    finished = "finished_at" in both
    unless_finished = {} if finished else first.set_unless_finished | second.set_unless_finished
    on_insert = first.set_on_insert | second.set_on_insert | unless_finished
    return ExecutionWrite(
        first.execution_id,
        max(first.expires_at, second.expires_at),
        set=both,
        set_on_insert={name: value for name, value in on_insert.items() if name not in both},
        set_unless_finished=unless_finished,
        claims=first.claims | second.claims,
    )


def _claims(execution: Execution) -> frozenset[int]:
    return frozenset((execution.fencing_token,)) if execution.fencing_token else frozenset()


def _identity(execution: Execution) -> Document:
    return {
        "job_id": execution.job_id,
        "job_name": execution.job_name,
        "namespace": execution.namespace,
        "job_version": execution.job_version,
        "trigger": execution.trigger,
        "due_at": stored_instant(execution.due_at),
        "attempt": execution.attempt,
        "worker_id": execution.worker_id,
        "claimed_at": stored_instant(execution.claimed_at),
        "fencing_token": execution.fencing_token,
    }


def _started_fields(record: ExecutionStarted) -> Document:
    return _identity(record.execution) | {
        "started_at": stored_instant(record.started_at),
        "host": record.host,
        "pid": record.pid,
    }


def _finished_fields(record: ExecutionFinished) -> Document:
    fields = _identity(record.execution) | {
        "status": record.outcome,
        "finished_at": stored_instant(record.finished_at),
        "output_chunks": record.output_chunks,
        "output_cut_bytes": record.output_cut_bytes,
        "exit_code": record.exit_code,
        "signal": record.signal,
        "error": record.error,
        "cpu_user_s": record.cpu_user_s,
        "cpu_system_s": record.cpu_system_s,
        "max_rss_bytes": record.max_rss_bytes,
    }
    if record.started_at is not None:
        fields["started_at"] = stored_instant(record.started_at)
        fields["duration_ms"] = max(0, (record.finished_at - record.started_at) // timedelta(milliseconds=1))
    return fields


def _lost_fields(record: ExecutionLost) -> Document:
    return _identity(record.execution) | {
        "lost_at": stored_instant(record.detected_at),
        "lost_detected_by": record.detected_by,
    }


def _output_document(chunk: OutputChunk, retention: timedelta) -> Document:
    at = stored_instant(chunk.at)
    return {
        "_id": output_id(chunk.execution_id, chunk.seq),
        "seq": chunk.seq,
        "stream": chunk.stream,
        "at": at,
        "text": chunk.text,
        "expires_at": _expiry(at, retention),
    }


def _tick_document(record: TickSkipped, retention: timedelta) -> Document:
    execution = record.execution
    return {
        "_id": skip_id(record),
        "job_id": execution.job_id,
        "job_name": execution.job_name,
        "namespace": execution.namespace,
        "tick": stored_instant(execution.due_at),
        "last_tick": stored_instant(record.last_tick) if record.last_tick is not None else None,
        "count": record.count,
        "reason": record.reason,
        "at": stored_instant(record.at),
        "worker_id": execution.worker_id,
        "detail": record.detail,
        "job_version": execution.job_version,
        "fencing_token": execution.fencing_token,  # of the claim that was given up; 0: there was none
        "expires_at": _expiry(record.at, retention),
    }


def _expiry(at: datetime, retention: timedelta) -> datetime:
    try:
        return stored_instant(at) + retention
    except OverflowError:  # past the year 9999
        return _LATEST
