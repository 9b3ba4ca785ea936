"""The transactions of design §5: claim, queue, skip, end, removal. Pure.

A claim compares what it was decided on, so it succeeds once for a tick, whatever the clocks do: the cursor's
revision, the job's revision and, unless overlap is allowed, that no run of the job is alive; if ticks may wait,
that none does. It writes the cursor, the open entry and the liveness key together.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.executions import tick_execution_id, worker_run_prefix, worker_tick_execution_id
from dcron_core.follow_ups import FollowUps, put_confirmed
from dcron_core.keys import Keys
from dcron_core.ports.store import (
    Comparison,
    Delete,
    Get,
    GetPrefix,
    KeyValue,
    ModRevisionIs,
    Operation,
    PrefixIsEmpty,
    Put,
    Transaction,
)
from dcron_core.schedule import Excluded
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionLost, TickSkipped
from dcron_schemas.state import ActiveRun, ExecutionEntry, JobEntry, RunWanted, TickCursor
from dcron_worker.planner import Candidate

Closing = ExecutionFinished | ExecutionLost | TickSkipped
NOTHING_FOLLOWS = FollowUps()


def tick_execution_of(candidate: Candidate, worker_id: str) -> str:
    """Return the id of the run that a claim of the candidate's tick makes."""
    job = candidate.entry
    if _on_every_worker(job):
        return worker_tick_execution_id(job.job_id, worker_id, candidate.tick)
    return tick_execution_id(job.job_id, candidate.tick)


def execution_of_tick(candidate: Candidate, worker_id: str, now: datetime) -> Execution:
    """Return the run that a claim of the candidate's tick makes."""
    execution_id = tick_execution_of(candidate, worker_id)
    return _execution(candidate.entry, execution_id, "tick", candidate.tick, 1, worker_id, now)


def excluded_records(
    rows: Iterable[Excluded], candidate: Candidate, worker_id: str, now: datetime
) -> tuple[TickSkipped, ...]:
    """Return what is recorded of what is excluded before the candidate's tick: as the ticks that it would have been."""
    return tuple(
        TickSkipped(
            execution=execution_of_tick(replace(candidate, tick=row.first), worker_id, now),
            reason=row.reason,
            at=now,
            last_tick=row.last if row.count != 1 else None,
            count=row.count,
            detail=row.detail,
        )
        for row in rows
    )


def execution_of_run(run: RunWanted, job: JobEntry | None, worker_id: str, now: datetime) -> Execution:
    """Return the run that a claim of a wanted run makes; None: its job is gone, and it will be skipped."""
    due_at = run.not_before or run.requested_at
    if job is None:
        return Execution(
            execution_id=run.execution_id,
            job_id=run.job_id,
            job_name="",
            namespace="",
            job_version=0,
            trigger=run.trigger,
            due_at=due_at,
            attempt=run.attempt,
            worker_id=worker_id,
            claimed_at=now,
        )
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


def claim_tick(
    keys: Keys, candidate: Candidate, execution: Execution, lease: int, excluded: Iterable[TickSkipped] = ()
) -> Transaction:
    """Claim a tick; `excluded` is what is recorded of the time before it, here as below.

    If it fails it reads why: [cursor], [job], [live runs], [one tick that waits before it], and [its own entry],
    [its liveness]. The last two tell whether it was the second try of a claim whose answer was lost; the cursor does
    not, for it may have moved on since.
    """
    job = candidate.entry
    queue = waiting_prefix(keys, job, execution.worker_id)
    no_queue = (PrefixIsEmpty(queue),) if waits(job) else ()
    return Transaction(
        compare=(*_unchanged(keys, candidate, execution.worker_id), *_no_overlap(keys, job, execution), *no_queue),
        success=(
            _cursor(keys, job, candidate.tick, execution),
            *_opened(keys, execution, lease),
            *_closed(keys, excluded),
        ),
        failure=(
            Get(cursor_key(keys, job, execution.worker_id)),
            Get(keys.job(job.job_id)),
            _live_runs(keys, job),
            GetPrefix(queue, limit=1),
            Get(keys.execution(execution.execution_id)),
            Get(keys.active(job.job_id, execution.execution_id)),
        ),
    )


def skip_tick(keys: Keys, candidate: Candidate, last: datetime, *skipped: TickSkipped) -> Transaction:
    """Move the cursor to `last` without a run, leaving entries with the reasons.

    If it fails it reads [cursor] and [the first one's entry].
    """
    job, execution = candidate.entry, skipped[0].execution
    return Transaction(
        compare=_unchanged(keys, candidate, execution.worker_id),
        success=(_cursor(keys, job, last, execution), *_closed(keys, skipped)),
        failure=(Get(cursor_key(keys, job, execution.worker_id)), Get(keys.execution(execution.execution_id))),
    )


def queue_tick(
    keys: Keys,
    candidate: Candidate,
    execution: Execution,
    excluded: Sequence[TickSkipped] = (),
    signatures: Signatures = NO_SIGNATURES,
) -> Transaction:
    """Move the cursor past a tick whose run has to wait, and leave the run as a wanted one.

    If it fails it reads [cursor], and if anything is excluded [the first one's entry].
    """
    job = candidate.entry
    run = RunWanted(
        execution_id=execution.execution_id,
        job_id=job.job_id,
        trigger="tick",
        requested_at=execution.claimed_at,
        requested_by=execution.worker_id,
        not_before=candidate.tick,
        worker_id=execution.worker_id if _on_every_worker(job) else "",
    )
    return Transaction(
        compare=_unchanged(keys, candidate, execution.worker_id),
        success=(
            _cursor(keys, job, candidate.tick, execution),
            put_confirmed(keys, run, signatures),
            *_closed(keys, excluded),
        ),
        failure=(
            Get(cursor_key(keys, job, execution.worker_id)),
            *(Get(keys.execution(each.execution.execution_id)) for each in excluded[:1]),
        ),
    )


def claim_run(keys: Keys, revision: int, job: JobEntry, execution: Execution, lease: int) -> Transaction:
    """Claim a wanted run, whose key stands at `revision`.

    If it fails it reads [its entry], [its liveness] and [live runs].
    """
    wanted = keys.run(execution.execution_id)
    return Transaction(
        compare=(ModRevisionIs(wanted, revision), *_no_overlap(keys, job, execution)),
        success=(Delete(wanted), *_opened(keys, execution, lease)),
        failure=(
            Get(keys.execution(execution.execution_id)),
            Get(keys.active(execution.job_id, execution.execution_id)),
            _live_runs(keys, job),
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


def settle_tick(keys: Keys, candidate: Candidate, execution: Execution) -> Transaction:
    """Let no claim of the candidate's tick, decided on the cursor as it stood, take effect any more.

    The cursor is written where it is, which gives it another revision. If it fails it reads [the claim's entry] and
    [its liveness]: the claim was faster, or somebody else moved the cursor.
    """
    cursor = cursor_key(keys, candidate.entry, execution.worker_id)
    return Transaction(
        compare=(ModRevisionIs(cursor, candidate.cursor_revision),),
        success=(_cursor(keys, candidate.entry, candidate.after, execution),),
        failure=_own_claim(keys, execution),
    )


def settle_run(keys: Keys, wanted: KeyValue | None, execution: Execution) -> Transaction:
    """The same for the claim or skip of a wanted run, which is written again as it is; None: it is gone already."""
    if wanted is None:
        return Transaction(compare=(), success=_own_claim(keys, execution))
    return Transaction(
        compare=(ModRevisionIs(wanted.key, wanted.mod_revision),),
        success=(Put(wanted.key, wanted.value),),
        failure=_own_claim(keys, execution),
    )


def end_run(keys: Keys, execution: Execution, record: Closing, following: FollowUps = NOTHING_FOLLOWS) -> Transaction:
    """Close a run's entry with its outcome, let the job go, and write what follows from the end.

    Fenced: it fails if the entry is gone or another's; the fencing token is the revision of the claim, and so of
    the open entry. It fails too if what follows was decided on other marks than there are. It then reads [the
    entry], and [each of the marks].
    """
    entry_key = keys.execution(execution.execution_id)
    active = Delete(keys.active(execution.job_id, execution.execution_id))
    return Transaction(
        compare=(ModRevisionIs(entry_key, execution.fencing_token), *following.compare),
        success=(active, Put(entry_key, encode(closed_entry(execution, record))), *following.operations),
        failure=(active, Get(entry_key), *(Get(key) for key in following.marks)),
    )


def closed_entry(execution: Execution, record: Closing) -> ExecutionEntry:
    """Return the entry with the record that closes it."""
    match record:
        case ExecutionFinished():
            return ExecutionEntry(execution=execution, finished=record)
        case TickSkipped():
            return ExecutionEntry(execution=execution, skipped=record)
        case ExecutionLost():
            return ExecutionEntry(execution=execution, lost=record)


def is_own(item: KeyValue, worker_id: str, *, closed: bool) -> bool:
    """Tell whether an entry, open or closed, is that worker's: what an earlier try wrote, whose answer was lost."""
    entry = decode_state(ExecutionEntry, item.value)
    is_closed = entry.finished is not None or entry.skipped is not None or entry.lost is not None
    return entry.execution.worker_id == worker_id and is_closed == closed


def remove_entries(keys: Keys, execution_ids: Iterable[str]) -> Transaction:
    """Remove entries whose closing records Kafka has. Only their owner and the sweeper write them; no id returns."""
    return Transaction(compare=(), success=tuple(Delete(keys.execution(each)) for each in execution_ids))


def waits(job: JobEntry) -> bool:
    """Tell whether a tick of the job that comes while a run is alive waits for its end."""
    return job.spec.overlap in ("queue", "replace")


def cursor_key(keys: Keys, job: JobEntry, worker_id: str) -> str:
    """Return the key of the job's cursor; with placement `every` each worker has its own."""
    return keys.worker_tick(job.job_id, worker_id) if _on_every_worker(job) else keys.tick(job.job_id)


def waiting_prefix(keys: Keys, job: JobEntry, worker_id: str) -> str:
    """Return the prefix of the wanted runs that a tick of the job has to wait for: those of earlier ticks."""
    own = worker_run_prefix(job.job_id, worker_id) if _on_every_worker(job) else f"{job.job_id}."
    return f"{keys.runs}{own}t"


def _on_every_worker(job: JobEntry) -> bool:
    return job.spec.placement.workers == "every"


def _unchanged(keys: Keys, candidate: Candidate, worker_id: str) -> tuple[Comparison, ...]:
    return (
        ModRevisionIs(cursor_key(keys, candidate.entry, worker_id), candidate.cursor_revision),
        ModRevisionIs(keys.job(candidate.entry.job_id), candidate.job_revision),
    )


def _no_overlap(keys: Keys, job: JobEntry, execution: Execution) -> tuple[Comparison, ...]:
    if job.spec.overlap == "allow":
        return ()
    return tuple(PrefixIsEmpty(prefix) for prefix in _exclusive_prefixes(keys, job, execution.worker_id))


def _exclusive_prefixes(keys: Keys, job: JobEntry, worker_id: str) -> tuple[str, ...]:
    """Return the prefixes of the liveness keys of runs beside which none may start.

    With placement `every` these are the worker's own, and wherever they are the runs that no worker is named in:
    those outside the ticks, and those from before the job was placed so.
    """
    active = keys.active_of(job.job_id)
    if not _on_every_worker(job):
        return (active,)
    own = (worker_run_prefix(job.job_id, worker_id), *(f"{job.job_id}.{kind}" for kind in "trd"))
    return tuple(f"{active}{prefix}" for prefix in own)


def in_the_way(keys: Keys, job: JobEntry, worker_id: str, alive: tuple[KeyValue, ...]) -> str:
    """Return the execution id of one of the live runs beside which none may start on that worker; "": there is none."""
    prefixes = _exclusive_prefixes(keys, job, worker_id)
    return next((item.key.rpartition("/")[2] for item in alive if item.key.startswith(prefixes)), "")


def _live_runs(keys: Keys, job: JobEntry) -> Operation:
    return GetPrefix(keys.active_of(job.job_id), limit=0 if _on_every_worker(job) else 1)


def _cursor(keys: Keys, job: JobEntry, tick: datetime, execution: Execution) -> Operation:
    cursor = TickCursor(tick=tick, worker_id=execution.worker_id, execution_id=execution.execution_id)
    return Put(cursor_key(keys, job, execution.worker_id), encode(cursor))


def _closed(keys: Keys, skipped: Iterable[TickSkipped]) -> tuple[Operation, ...]:
    return tuple(
        Put(keys.execution(each.execution.execution_id), encode(ExecutionEntry(execution=each.execution, skipped=each)))
        for each in skipped
    )


def _own_claim(keys: Keys, execution: Execution) -> tuple[Operation, ...]:
    return Get(keys.execution(execution.execution_id)), Get(keys.active(execution.job_id, execution.execution_id))


def _opened(keys: Keys, execution: Execution, lease: int) -> tuple[Operation, ...]:
    return (
        Put(keys.execution(execution.execution_id), encode(ExecutionEntry(execution=execution))),
        Put(
            keys.active(execution.job_id, execution.execution_id),
            encode(ActiveRun(worker_id=execution.worker_id)),
            lease,
        ),
    )
