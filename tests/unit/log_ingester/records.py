"""Records of one run, as a worker sends them."""

from datetime import UTC, datetime, timedelta

from dcron_core.ports.log import Record
from dcron_schemas.codec import encode
from dcron_schemas.records import (
    Execution,
    ExecutionFinished,
    ExecutionLost,
    ExecutionRecord,
    ExecutionStarted,
    Outcome,
    OutputChunk,
    TickSkipped,
)

DUE = datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC)
JOB = "0198f5a0-1111-7000-8000-000000000001"


def execution(number: int = 0, job_id: str = JOB) -> Execution:
    """Return the run of `job_id` at its tick `number`, one a second."""
    due_at = DUE + timedelta(seconds=number)
    return Execution(
        execution_id=f"{job_id}.t{int(due_at.timestamp() * 1000)}.1",
        job_id=job_id,
        job_name="hello",
        namespace="default",
        job_version=3,
        trigger="tick",
        due_at=due_at,
        attempt=1,
        worker_id="worker-1",
        claimed_at=due_at - timedelta(milliseconds=400, microseconds=123),
        fencing_token=77,
    )


def raw(*records: ExecutionRecord | bytes) -> list[Record]:
    """Return the records as the log has them: under the id of their run."""
    return [
        Record("t", 0, offset, _key(each), each if isinstance(each, bytes) else encode(each), datetime.now(UTC))
        for offset, each in enumerate(records)
    ]


def _key(record: ExecutionRecord | bytes) -> str:
    if isinstance(record, bytes):
        return "k"
    return record.execution_id if isinstance(record, OutputChunk) else record.execution.execution_id


def started(run: Execution) -> ExecutionStarted:
    return ExecutionStarted(
        execution=run, started_at=run.due_at + timedelta(microseconds=2345), host="host-a", pid=4711
    )


def chunk(run: Execution, seq: int, text: str | None = None) -> OutputChunk:
    return OutputChunk(
        execution_id=run.execution_id,
        job_id=run.job_id,
        seq=seq,
        stream="stderr" if seq % 3 == 2 else "stdout",
        at=run.due_at + timedelta(milliseconds=10 * seq, microseconds=789),
        text=f"line {seq}\n" if text is None else text,
    )


def finished(run: Execution, chunks: int, outcome: Outcome = "succeeded") -> ExecutionFinished:
    return ExecutionFinished(
        execution=run,
        outcome=outcome,
        started_at=run.due_at + timedelta(microseconds=2345),
        finished_at=run.due_at + timedelta(seconds=2),
        output_chunks=chunks,
        exit_code=0 if outcome == "succeeded" else 1,
        cpu_user_s=0.25,
        max_rss_bytes=1 << 20,
    )


def lost(run: Execution) -> ExecutionLost:
    return ExecutionLost(
        execution=run, detected_at=run.due_at + timedelta(seconds=30), detected_by="master-1", reason="worker gone"
    )


def skipped(run: Execution) -> TickSkipped:
    return TickSkipped(execution=run, reason="overlap", at=run.due_at, detail="the run before goes on")
