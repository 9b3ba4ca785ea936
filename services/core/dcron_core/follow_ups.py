"""What follows from the end of a run: its retry, or the runs of the jobs that come after it. Pure.

They are written by the very transaction that closes the run's entry, whoever closes it, so there is exactly
one retry for an end, and exactly one run of a dependant, whatever crashes. Their ids are functions of the run
that ended. An end that is retried is not final, and starts no other job. What is written carries a code under the
cluster's key (G12).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b

from msgspec import Struct

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.durations import parse_duration
from dcron_core.executions import dependency_execution_id, other_attempt, worker_run_prefix
from dcron_core.keys import Keys
from dcron_core.ports.store import Comparison, Delete, KeyValue, ModRevisionIs, Operation, Put
from dcron_schemas.codec import UndecodableError, decode_state, encode
from dcron_schemas.job import After, End, Retry
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionLost
from dcron_schemas.state import DependencyMarks, JobEntry, RunWanted

JITTER = 0.2  # a retry comes so much of its backoff earlier or later


class FollowUps(Struct, frozen=True):
    """What the transaction that closes the entry compares and writes besides."""

    compare: tuple[Comparison, ...] = ()
    operations: tuple[Operation, ...] = ()
    marks: tuple[str, ...] = ()  # the keys that `compare` is about, to be read if it fails


def follow_ups(
    keys: Keys,
    execution: Execution,
    outcome: End,
    at: datetime,
    job: JobEntry | None,
    dependants: Iterable[JobEntry],
    marks: Mapping[str, KeyValue],
    signatures: Signatures = NO_SIGNATURES,
) -> FollowUps:
    """Return what follows from an end at `at`.

    `job` is the run's job and `dependants` the jobs that come after it, as they stand now; `marks` the keys of
    DependencyMarks as far as they are known: if one is another in etcd, the transaction fails and reads it.
    """
    retry = retry_of(execution, outcome, at, job.spec.retry) if job else None
    if retry is not None:
        return FollowUps(operations=(put_confirmed(keys, retry, signatures),))
    compare: list[Comparison] = []
    operations: list[Operation] = []
    read: list[str] = []
    for dependant in dependants:
        if not _qualifies(dependant, execution, outcome):
            continue
        run = _dependency_run(dependant, execution, at)
        if len(dependant.spec.after) == 1:
            operations.append(put_confirmed(keys, run, signatures))
            continue
        key = keys.marks(dependant.job_id)
        known = marks.get(key)
        compare.append(ModRevisionIs(key, known.mod_revision if known else 0))
        operations += _marked(key, known, dependant, execution, put_confirmed(keys, run, signatures))
        read.append(key)
    return FollowUps(tuple(compare), tuple(operations), tuple(read))


def put_confirmed(keys: Keys, run: RunWanted, signatures: Signatures) -> Put:
    """Return what wants a run that follows from another one, or waits for it."""
    key = keys.run(run.execution_id)
    return Put(key, signatures.confirmed(keys.path(key), encode(run)))


def outcome_of(record: ExecutionFinished | ExecutionLost) -> tuple[End, datetime]:
    """Return how a run ended, and when that was known."""
    if isinstance(record, ExecutionLost):
        return "lost", record.detected_at
    return record.outcome, record.finished_at


def retry_of(execution: Execution, outcome: End, at: datetime, retry: Retry) -> RunWanted | None:
    """Return the next attempt after an end at `at`; None: there is none."""
    if outcome not in retry.on or execution.attempt > retry.attempts:
        return None
    attempt = execution.attempt + 1
    own = execution.execution_id.startswith(worker_run_prefix(execution.job_id, execution.worker_id))
    return RunWanted(
        execution_id=other_attempt(execution.execution_id, attempt),
        job_id=execution.job_id,
        trigger="retry",
        requested_at=at,
        requested_by=execution.execution_id,
        attempt=attempt,
        not_before=at + backoff(retry, execution.attempt, execution.execution_id),
        worker_id=execution.worker_id if own else "",
    )


def backoff(retry: Retry, attempt: int, execution_id: str) -> timedelta:
    """Return how long to wait after that attempt: doubled with each, spread by JITTER, never more than the cap.

    The spread is a function of the execution's id, so everybody who closes the run comes to the same instant.
    """
    base, cap = parse_duration(retry.backoff), parse_duration(retry.backoff_cap)
    if base <= timedelta():
        return timedelta()
    doubled = base
    for _ in range(attempt - 1):
        if doubled >= 2 * cap:
            break
        doubled *= 2
    chance = int.from_bytes(blake2b(execution_id.encode(), digest_size=4).digest()) / 2**32
    return min(cap, doubled * (1 - JITTER + 2 * JITTER * chance))


def _qualifies(dependant: JobEntry, execution: Execution, outcome: End) -> bool:
    return dependant.spec.enabled and any(
        after.job == execution.job_name and counts(after, outcome) for after in dependant.spec.after
    )


def counts(after: After, outcome: End) -> bool:
    """Tell whether an end is one that `after` waits for; `failed` is every end that is no success."""
    return after.on == "finished" or (after.on == "succeeded") == (outcome == "succeeded")


def _dependency_run(dependant: JobEntry, execution: Execution, at: datetime) -> RunWanted:
    return RunWanted(
        execution_id=dependency_execution_id(dependant.job_id, execution.execution_id),
        job_id=dependant.job_id,
        trigger="dependency",
        requested_at=at,
        requested_by=execution.execution_id,
    )


def _marked(key: str, known: KeyValue | None, dependant: JobEntry, execution: Execution, run: Put) -> list[Operation]:
    """Mark the end; if every job that the dependant comes after has ended now, start it and begin anew."""
    names = {after.job for after in dependant.spec.after}
    ended = {name: by for name, by in _ended(known).items() if name in names} | {
        execution.job_name: execution.execution_id
    }
    if len(ended) < len(names):
        return [Put(key, encode(DependencyMarks(ended=ended)))]
    return [run, Delete(key)]


def _ended(known: KeyValue | None) -> dict[str, str]:
    try:
        return decode_state(DependencyMarks, known.value).ended if known else {}
    except UndecodableError:  # written by hand; it is replaced
        return {}
