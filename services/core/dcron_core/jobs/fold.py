"""One event on top of a table: what it changes, or why it is refused (design §5, "A command").

`fold` is pure and total: the same table and event give the same outcome, for every master and for ever. A
command is checked before it is appended by folding the event it would become; that is the whole of
`decide`. The fold never asks whether a definition is valid: validity depends on the release and its time
zones, the log does not.
"""

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.errors import (
    CommandRejectedError,
    NameTakenError,
    NotPossibleError,
    UnknownJobError,
    VersionConflictError,
)
from dcron_core.executions import job_of, request_execution_id
from dcron_core.jobs.changes import Change, JobGone, JobStands, KillAsked, LogNamed, RunAsked
from dcron_core.jobs.table import JobTable
from dcron_schemas.events import (
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobResumed,
    JobUpdated,
    KillRequested,
    LogOpened,
    RunRequested,
)
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry, KillWanted, RunWanted


class Applied(Struct, frozen=True):
    """The event took effect; `changes` may be empty when all was as asked already."""

    changes: tuple[Change, ...]
    job: JobEntry | None = None  # after the event; None if it is gone, or the event is about no job
    execution_id: str | None = None  # of the run asked for or to be killed


class Rejected(Struct, frozen=True):
    """The event stays in the log and is a no-op."""

    error: CommandRejectedError


class Repeated(Struct, frozen=True):
    """The event id was there before, at `position`: a no-op; that event's outcome counts."""

    position: int


Outcome = Applied | Rejected | Repeated


def fold(table: JobTable, position: int, event: JobEvent) -> Outcome:
    """Return what `event`, at `position` of the log, does to `table`. Changes nothing."""
    first = table.position_of(event.event_id)
    if first is not None:
        return Repeated(first)
    try:
        return _apply(table, position, event)
    except CommandRejectedError as error:
        return Rejected(error)


def _apply(table: JobTable, position: int, event: JobEvent) -> Applied:
    match event.data:
        case LogOpened(log_id):
            if table.log_id:
                raise NotPossibleError(f"the log has an id already: {table.log_id}")
            return Applied((LogNamed(log_id),))
        case JobCreated(spec):
            return _created(table, position, event, spec)
    job = _current(table, event)
    match event.data:
        case JobUpdated(spec):
            return _updated(table, position, event, job, spec)
        case JobPaused():
            return _updated(table, position, event, job, replace(job.spec, enabled=False))
        case JobResumed():
            return _updated(table, position, event, job, replace(job.spec, enabled=True))
        case JobDeleted():
            return Applied((JobGone(job),))
        case RunRequested():
            return _run_asked(event, job)
        case KillRequested(execution_id):
            return _kill_asked(event, job, execution_id)


def _created(table: JobTable, position: int, event: JobEvent, spec: JobSpec) -> Applied:
    if table.get(event.job_id) is not None:
        raise NotPossibleError(f"job id {event.job_id} is in use")
    _require_free_name(table, spec, event.job_id)
    entry = JobEntry(
        job_id=event.job_id,
        version=1,
        spec=spec,
        anchor=event.at,
        position=position,
        created_at=event.at,
        updated_at=event.at,
        updated_by=event.actor,
    )
    return Applied((JobStands(entry),), entry)


def _updated(table: JobTable, position: int, event: JobEvent, job: JobEntry, spec: JobSpec) -> Applied:
    if spec == job.spec:
        return Applied((), job)
    _require_free_name(table, spec, job.job_id)
    entry = replace(
        job,
        version=job.version + 1,
        spec=spec,
        anchor=max(event.at, job.anchor) if _rescheduled(job.spec, spec) else job.anchor,
        position=position,
        updated_at=event.at,
        updated_by=event.actor,
    )
    return Applied((JobStands(entry),), entry)


def _rescheduled(before: JobSpec, after: JobSpec) -> bool:
    """Tell whether the ticks of `after` are others: then none before the change is made up for."""
    resumed = after.enabled and not before.enabled
    return resumed or (before.schedule, before.timezone, before.dst) != (after.schedule, after.timezone, after.dst)


def _run_asked(event: JobEvent, job: JobEntry) -> Applied:
    run = RunWanted(
        execution_id=request_execution_id(job.job_id, event.event_id),
        job_id=job.job_id,
        trigger="request",
        requested_at=event.at,
        requested_by=event.actor,
    )
    return Applied((RunAsked(run),), job, run.execution_id)


def _kill_asked(event: JobEvent, job: JobEntry, execution_id: str) -> Applied:
    if job_of(execution_id) != job.job_id:
        raise NotPossibleError(f"execution {execution_id} is not a run of job {job.job_id}")
    kill = KillWanted(requested_by=event.actor, requested_at=event.at)
    return Applied((KillAsked(execution_id, kill),), job, execution_id)


def _current(table: JobTable, event: JobEvent) -> JobEntry:
    job = table.get(event.job_id)
    if job is None:
        raise UnknownJobError(f"there is no job {event.job_id}; it may have been deleted")
    expected = event.expected_version
    if expected is not None and expected != job.version:
        raise VersionConflictError(
            f"job {job.spec.name!r} is at version {job.version}, the command was meant for version {expected}; "
            "look at it again and repeat the command",
            expected=expected,
            current=job.version,
        )
    return job


def _require_free_name(table: JobTable, spec: JobSpec, job_id: str) -> None:
    holder = table.named(spec.namespace, spec.name)
    if holder is not None and holder.job_id != job_id:
        raise NameTakenError(
            f"name {spec.name!r} is taken in namespace {spec.namespace!r} by job {holder.job_id}; "
            "choose another name, or change that job"
        )
