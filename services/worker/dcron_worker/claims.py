"""The transactions of design §5: claim, skip, end, removal. Pure.

A claim compares what it was decided on, so it succeeds once for a tick, whatever the clocks do: the cursor's
revision, the job's revision and, unless overlap is allowed, that no run of the job is alive. It writes the
cursor, the open entry and the liveness key together.
"""

from datetime import datetime
from typing import Literal

from dcron_core.executions import tick_execution_id
from dcron_core.keys import Keys
from dcron_core.ports.store import (
    Comparison,
    Delete,
    Get,
    GetPrefix,
    ModRevisionIs,
    Operation,
    PrefixIsEmpty,
    Put,
    Transaction,
)
from dcron_schemas.codec import encode
from dcron_schemas.records import Execution, ExecutionFinished, TickSkipped
from dcron_schemas.state import ActiveRun, ExecutionEntry, JobEntry, RunWanted, TickCursor
from dcron_worker.planner import Candidate


def execution_of_tick(candidate: Candidate, worker_id: str, now: datetime) -> Execution:
    """Return the run that a claim of the candidate's tick makes."""
    execution_id = tick_execution_id(candidate.entry.job_id, candidate.tick)
    return _execution(candidate.entry, execution_id, "tick", candidate.tick, 1, worker_id, now)


def execution_of_run(run: RunWanted, job: JobEntry, worker_id: str, now: datetime) -> Execution:
    """Return the run that a claim of a wanted run makes."""
    due_at = run.not_before or run.requested_at
    return _execution(job, run.execution_id, run.trigger, due_at, run.attempt, worker_id, now)


def _execution(
    job: JobEntry,
    execution_id: str,
    trigger: Literal["tick", "request", "retry", "dependency"],
    due_at: datetime,
    attempt: int,
    worker_id: str,
    now: datetime,
) -> Execution:
    return Execution(
        execution_id=execution_id,
        job_id=job.job_id,
        job_name=job.spec.name,
        namespace=job.spec.namespace,
        job_version=job.version,
        trigger=trigger,
        due_at=due_at,
        attempt=attempt,
        worker_id=worker_id,
        claimed_at=now,
    )


def claim_tick(keys: Keys, candidate: Candidate, execution: Execution, lease: int) -> Transaction:
    """Claim a tick. If it fails it reads why: [cursor], [job], [one live run], and [its own entry], [its liveness].

    The last two tell whether it was the second try of a claim whose answer was lost; the cursor does not, for it may
    have moved on since.
    """
    job = candidate.entry
    entry, alive = keys.execution(execution.execution_id), keys.active(job.job_id, execution.execution_id)
    return Transaction(
        compare=(*_unchanged(keys, candidate), *_no_overlap(keys, job)),
        success=(_cursor(keys, job, candidate.tick, execution), *_opened(keys, execution, lease)),
        failure=(
            Get(keys.tick(job.job_id)),
            Get(keys.job(job.job_id)),
            GetPrefix(keys.active_of(job.job_id), limit=1),
            Get(entry),
            Get(alive),
        ),
    )


def skip_tick(keys: Keys, candidate: Candidate, last: datetime, skipped: TickSkipped) -> Transaction:
    """Move the cursor to `last` without a run, leaving an entry with the reason. If it fails: [cursor], [its entry]."""
    job = candidate.entry
    entry, key = ExecutionEntry(execution=skipped.execution, skipped=skipped), skipped.execution.execution_id
    return Transaction(
        compare=_unchanged(keys, candidate),
        success=(_cursor(keys, job, last, skipped.execution), Put(keys.execution(key), encode(entry))),
        failure=(Get(keys.tick(job.job_id)), Get(keys.execution(key))),
    )


def claim_run(keys: Keys, revision: int, job: JobEntry, execution: Execution, lease: int) -> Transaction:
    """Claim a wanted run, whose key stands at `revision`. If it fails it reads [its entry] and [its liveness]."""
    wanted = keys.run(execution.execution_id)
    return Transaction(
        compare=(ModRevisionIs(wanted, revision), *_no_overlap(keys, job)),
        success=(Delete(wanted), *_opened(keys, execution, lease)),
        failure=(
            Get(keys.execution(execution.execution_id)),
            Get(keys.active(execution.job_id, execution.execution_id)),
        ),
    )


def skip_run(keys: Keys, revision: int, skipped: TickSkipped, *, job_gone: bool) -> Transaction:
    """Give up a wanted run, leaving an entry with the reason; with `job_gone`, only if there is no such job.

    The watches of runs and jobs are two: a job can be in etcd and not yet known here. If it fails it reads [the
    entry].
    """
    wanted = keys.run(skipped.execution.execution_id)
    entry = ExecutionEntry(execution=skipped.execution, skipped=skipped)
    gone = (ModRevisionIs(keys.job(skipped.execution.job_id), 0),) if job_gone else ()
    return Transaction(
        compare=(ModRevisionIs(wanted, revision), *gone),
        success=(Delete(wanted), Put(keys.execution(skipped.execution.execution_id), encode(entry))),
        failure=(Get(keys.execution(skipped.execution.execution_id)),),
    )


def end_run(keys: Keys, execution: Execution, record: ExecutionFinished | TickSkipped) -> Transaction:
    """Close a run's entry with its outcome and let the job go. Fenced: it fails if the entry is gone or another's.

    The fencing token is the revision of the claim, and so of the open entry.
    """
    entry = (
        ExecutionEntry(execution=execution, finished=record)
        if isinstance(record, ExecutionFinished)
        else ExecutionEntry(execution=execution, skipped=record)
    )
    entry_key = keys.execution(execution.execution_id)
    active = Delete(keys.active(execution.job_id, execution.execution_id))
    return Transaction(
        compare=(ModRevisionIs(entry_key, execution.fencing_token),),
        success=(active, Put(entry_key, encode(entry))),
        failure=(active,),
    )


def remove_entry(keys: Keys, execution_id: str) -> Transaction:
    """Remove an entry whose closing record Kafka has. Only its owner and the sweeper write it; its id never returns."""
    return Transaction(compare=(), success=(Delete(keys.execution(execution_id)),))


def _unchanged(keys: Keys, candidate: Candidate) -> tuple[Comparison, ...]:
    job_id = candidate.entry.job_id
    return (
        ModRevisionIs(keys.tick(job_id), candidate.cursor_revision),
        ModRevisionIs(keys.job(job_id), candidate.job_revision),
    )


def _no_overlap(keys: Keys, job: JobEntry) -> tuple[Comparison, ...]:
    return () if job.spec.overlap == "allow" else (PrefixIsEmpty(keys.active_of(job.job_id)),)


def _cursor(keys: Keys, job: JobEntry, tick: datetime, execution: Execution) -> Operation:
    cursor = TickCursor(tick=tick, worker_id=execution.worker_id, execution_id=execution.execution_id)
    return Put(keys.tick(job.job_id), encode(cursor))


def _opened(keys: Keys, execution: Execution, lease: int) -> tuple[Operation, ...]:
    return (
        Put(keys.execution(execution.execution_id), encode(ExecutionEntry(execution=execution))),
        Put(
            keys.active(execution.job_id, execution.execution_id),
            encode(ActiveRun(worker_id=execution.worker_id)),
            lease,
        ),
    )
