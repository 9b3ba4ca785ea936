"""Which role a command about a job needs, and in which namespaces (G11).

It is asked when the command has become an event, of which is known what it would do to what: a job that is moved
needs the role where it stands and where it goes. The answer must still hold where the event comes to lie in the log,
after events that this master has not read: so the event of somebody who may not do it everywhere is meant for the
version that was looked at. A version is in one namespace for ever.
"""

from dcron_core.access.principal import Principal
from dcron_core.errors import UnknownJobError
from dcron_core.jobs.changes import JobGone
from dcron_core.jobs.fold import Applied
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobRestored,
    JobResumed,
    JobReverted,
    JobUpdated,
    KillRequested,
    RunRequested,
)
from dcron_schemas.identity import Role
from dcron_schemas.job import JobSpec

ROLES: dict[type, Role] = {
    JobCreated: "editor",
    JobUpdated: "editor",
    JobReverted: "editor",
    JobRestored: "editor",
    JobDeleted: "editor",
    JobPaused: "operator",
    JobResumed: "operator",
    RunRequested: "operator",
    KillRequested: "operator",
}
BRINGS_A_JOB = (JobCreated, JobRestored)  # to where none stands


def may_everywhere(asker: Principal, kind: type) -> bool:
    """Tell whether it does not matter which namespace a command of that kind is about."""
    role = ROLES.get(kind)
    return role is None or asker.may(role)


def require_permit(asker: Principal, job_id: str, data: EventData, standing: JobSpec | None) -> None:
    """Raise unless the asker may do that to the job as it stands (None: it does not stand).

    UnknownJobError for a job that the asker may not even see: nobody learns from this that it is there.
    """
    role = ROLES.get(type(data))
    if role is None:
        return  # not about a job: its route says who may
    if standing is not None:
        if not asker.may("viewer", standing.namespace):
            raise no_such_job(job_id)
        asker.require(role, standing.namespace)
    spec = getattr(data, "spec", None)
    if isinstance(spec, JobSpec):
        asker.require(role, spec.namespace)


def require_permit_again(asker: Principal, event: JobEvent, outcome: Applied) -> None:
    """Raise unless the asker may have repeated to them what a command of theirs came to."""
    created = isinstance(event.data, BRINGS_A_JOB)  # where the asker said
    for entry in (outcome.job, *(change.entry for change in outcome.changes if isinstance(change, JobGone))):
        if entry is not None:
            require_permit(asker, entry.job_id, event.data, None if created else entry.spec)


def no_such_job(job_id: str) -> UnknownJobError:
    """Return what is said of a job that is not there, for the asker at least."""
    return UnknownJobError(f"there is no job {job_id}; it may have been deleted")
