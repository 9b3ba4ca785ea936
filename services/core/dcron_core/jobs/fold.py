"""One event on top of a table: what it changes, or why it is refused (design §5, "A command").

`fold` is pure and total: the same table and event give the same outcome, for every master and for ever. A
command is checked before it is appended by folding the event it would become; that is the whole of
`decide`. The fold never asks whether a definition is valid: validity depends on the release and its time
zones, the log does not.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.effects import EFFECTS as DIRECTORY_EFFECTS
from dcron_core.errors import (
    CommandRejectedError,
    DependencyCircleError,
    NameTakenError,
    NotPossibleError,
    RivalRestoreError,
    UnknownJobError,
    VersionConflictError,
)
from dcron_core.executions import job_of, request_execution_id, worker_request_execution_id
from dcron_core.jobs.changes import Change, JobGone, JobStands, KillAsked, LogNamed, RunAsked
from dcron_core.jobs.dependencies import circle_closed_by
from dcron_core.jobs.difference import difference
from dcron_core.jobs.table import JobTable
from dcron_schemas.audit import FieldChange
from dcron_schemas.events import (
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobRestored,
    JobResumed,
    JobReverted,
    JobUpdated,
    KillRequested,
    LogOpened,
    LogRecordSkipped,
    RunRequested,
)
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry, KillWanted, RunWanted

CIRCLES_REFUSED_FROM = 3  # schema version of events


class Applied(Struct, frozen=True, gc=False):
    """The event took effect; `changes` may be empty when all was as asked already."""

    changes: tuple[Change, ...]
    job: JobEntry | None = None  # after the event; None if it is gone, or the event is about no job
    execution_id: str | None = None  # of the run asked for, the first one of several, or to be killed


class Rejected(Struct, frozen=True, gc=False):
    """The event stays in the log and is a no-op."""

    error: CommandRejectedError


class Repeated(Struct, frozen=True, gc=False):
    """The event id was there before, at `position`: a no-op; that event's outcome counts."""

    position: int


Outcome = Applied | Rejected | Repeated


def fold(table: JobTable, position: int, event: JobEvent) -> Outcome:
    """Return what `event`, at `position` of the log, does to `table`. Changes nothing."""
    first = table.position_of(event.event_id)
    if first is not None:
        return Repeated(first)
    try:
        return _EFFECTS[type(event.data)](table, position, event, event.data)
    except CommandRejectedError as error:
        return Rejected(error)


def _opened(table: JobTable, _position: int, _event: JobEvent, data: LogOpened) -> Applied:
    if table.log_id:
        raise NotPossibleError(f"the log has an id already: {table.log_id}")
    return Applied((LogNamed(data.log_id),))


def _record_skipped(_table: JobTable, _position: int, _event: JobEvent, _data: LogRecordSkipped) -> Applied:
    return Applied(())  # whoever replays looked ahead for it when the record could not be read


def _created(table: JobTable, position: int, event: JobEvent, data: JobCreated) -> Applied:
    return _new(table, position, event, data.spec, 1)


def _restored(table: JobTable, position: int, event: JobEvent, data: JobRestored) -> Applied:
    job = table.get(event.job_id)
    if job is not None:
        raise NotPossibleError(
            f"job {job.spec.name!r} stands, at version {job.version}; only a deleted job is restored"
        )
    if data.seen is not None and not table.may_be_restored(event.job_id, data.seen, position):
        raise RivalRestoreError(
            f"job {data.spec.name!r} may have been restored by somebody else since position {data.seen} of the log, so "
            f"version {data.version} may be taken; look at it again and repeat the command"
        )
    return _new(table, position, event, data.spec, data.version)


def _edited(table: JobTable, position: int, event: JobEvent, data: JobUpdated | JobReverted) -> Applied:
    return _changed(table, position, event, _current(table, event), data.spec)


def _paused(table: JobTable, position: int, event: JobEvent, _data: JobPaused) -> Applied:
    job = _current(table, event)
    return _changed(table, position, event, job, replace(job.spec, enabled=False))


def _resumed(table: JobTable, position: int, event: JobEvent, _data: JobResumed) -> Applied:
    job = _current(table, event)
    return _changed(table, position, event, job, replace(job.spec, enabled=True))


def _deleted(table: JobTable, _position: int, event: JobEvent, _data: JobDeleted) -> Applied:
    return Applied((JobGone(_current(table, event)),))


def _run_asked(table: JobTable, _position: int, event: JobEvent, data: RunRequested) -> Applied:
    job = _current(table, event)
    if job.spec.placement.workers == "every" and data.workers:
        ids = {worker: worker_request_execution_id(job.job_id, worker, event.event_id) for worker in data.workers}
    else:
        ids = {"": request_execution_id(job.job_id, event.event_id)}
    runs = [
        RunWanted(
            execution_id=execution_id,
            job_id=job.job_id,
            trigger="request",
            requested_at=event.at,
            requested_by=event.actor,
            worker_id=worker,
        )
        for worker, execution_id in ids.items()
    ]
    return Applied(tuple(RunAsked(run) for run in runs), job, runs[0].execution_id)


def _kill_asked(table: JobTable, _position: int, event: JobEvent, data: KillRequested) -> Applied:
    job = _current(table, event)
    if job_of(data.execution_id) != job.job_id:
        raise NotPossibleError(f"execution {data.execution_id} is not a run of job {job.job_id}")
    kill = KillWanted(requested_by=event.actor, requested_at=event.at)
    return Applied((KillAsked(data.execution_id, kill),), job, data.execution_id)


def _directory_changed(table: JobTable, _position: int, event: JobEvent, data: Any) -> Applied:
    return Applied(DIRECTORY_EFFECTS[type(data)](table.directory, event, data))


# One look-up in place of a chain of class patterns: a replay folds hundreds of thousands of events a second.
_EFFECTS: dict[type, Callable[[JobTable, int, JobEvent, Any], Applied]] = {
    LogOpened: _opened,
    JobCreated: _created,
    JobUpdated: _edited,
    JobReverted: _edited,
    JobRestored: _restored,
    JobPaused: _paused,
    JobResumed: _resumed,
    JobDeleted: _deleted,
    RunRequested: _run_asked,
    KillRequested: _kill_asked,
    LogRecordSkipped: _record_skipped,
    **dict.fromkeys(DIRECTORY_EFFECTS, _directory_changed),
}


def _new(table: JobTable, position: int, event: JobEvent, spec: JobSpec, version: int) -> Applied:
    if table.get(event.job_id) is not None:
        raise NotPossibleError(f"job id {event.job_id} is in use")
    _require_free_name(table, spec, event.job_id)
    _require_no_circle(table, event, spec)
    entry = JobEntry(
        job_id=event.job_id,
        version=version,
        spec=spec,
        anchor=event.at,
        position=position,
        created_at=event.at,
        updated_at=event.at,
        updated_by=event.actor,
    )
    return Applied((JobStands(entry),), entry)


def _changed(table: JobTable, position: int, event: JobEvent, job: JobEntry, spec: JobSpec) -> Applied:
    if spec == job.spec:
        return Applied((), job)
    _require_free_name(table, spec, job.job_id)
    if any(getattr(spec, field) != getattr(job.spec, field) for field in _CIRCLES_HANG_ON):
        _require_no_circle(table, event, spec)
    entry = JobEntry(
        job_id=job.job_id,
        version=job.version + 1,
        spec=spec,
        anchor=max(event.at, job.anchor) if is_rescheduled(job.spec, spec) else job.anchor,
        position=position,
        created_at=job.created_at,
        updated_at=event.at,
        updated_by=event.actor,
    )
    return Applied((JobStands(entry),), entry)


_CIRCLES_HANG_ON = ("after", "name", "namespace")
_TICKS_HANG_ON = ("schedule", "timezone", "dst", "start", "end", "jitter", "exclude")


def is_rescheduled(before: JobSpec, after: JobSpec) -> bool:
    """Tell whether the ticks of `after` are others: then none before the change is made up for."""
    resumed = after.enabled and not before.enabled
    if before.placement.workers != after.placement.workers:
        return True  # one cursor in place of one for each worker, or the other way about
    return resumed or any(getattr(before, field) != getattr(after, field) for field in _TICKS_HANG_ON)


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
            definition=job.spec,
            difference=_difference_to(event, job),
        )
    return job


def _difference_to(event: JobEvent, job: JobEntry) -> tuple[FieldChange, ...]:
    wanted = event.data
    return difference(job.spec, wanted.spec) if isinstance(wanted, JobUpdated | JobReverted) else ()


def _require_free_name(table: JobTable, spec: JobSpec, job_id: str) -> None:
    holder = table.named(spec.namespace, spec.name)
    if holder is not None and holder.job_id != job_id:
        raise NameTakenError(
            f"name {spec.name!r} is taken in namespace {spec.namespace!r} by job {holder.job_id}; "
            "choose another name, or change that job"
        )


def _require_no_circle(table: JobTable, event: JobEvent, spec: JobSpec) -> None:
    """Raise for the second of two rival saves that close a circle of `after`, each of which alone was right.

    Events of before version 3 were folded without this, by releases whose masters may still be there: theirs stay as
    they are, for everybody. A master of such a release stops before an event of version 3.
    """
    if not spec.after or event.schema_version < CIRCLES_REFUSED_FROM:
        return
    circle = circle_closed_by(table, event.job_id, spec)
    if circle:
        raise DependencyCircleError(circle)
