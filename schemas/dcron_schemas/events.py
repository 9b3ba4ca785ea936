"""What happened to jobs: the records of `cron.job-events`, the only truth about jobs (design §4, §5).

What happened to users, tokens and secrets stands there too: `identity_events`.

A record's Kafka key is the job id; its offset is its position in the log. An event in the log is a
request that was written down: whether it took effect is decided by the fold (`dcron_core.jobs.fold`),
the same way by every reader, for ever.
"""

from datetime import datetime

from msgspec import Raw, Struct

from dcron_schemas.identity_events import (
    AccessRefused,
    LoggedIn,
    LoggedOut,
    LoginLinkMade,
    LoginRefused,
    PasswordSet,
    SecretRemoved,
    SecretSet,
    TokenCreated,
    TokenRevoked,
    UserAdded,
    UserDisabled,
    UserEnabled,
    UserGranted,
    UserRemoved,
)
from dcron_schemas.job import JobSpec

SCHEMA_VERSION = 4  # of the envelope and all payloads below


class LogOpened(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The first event of a log; gives it its id. A second one is a no-op."""

    log_id: str


class JobCreated(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """A job, as version 1."""

    spec: JobSpec


class JobUpdated(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """A job's whole new definition, whether all or part of it was sent."""

    spec: JobSpec
    before: JobSpec | None = None  # the definition at `expected_version`, for people; None: written by version 1


class JobReverted(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """The definition of an earlier version, as a new version."""

    spec: JobSpec
    to_version: int
    before: JobSpec | None = None  # the definition at `expected_version`, for people


class JobRestored(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """A deleted job stands again, under its id; its versions go on."""

    spec: JobSpec
    version: int  # the next one of the job; the log has it, the table forgets deleted jobs
    seen: int | None = None  # position up to which the log was read for that; None: written by version 1 or 2


class JobPaused(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The job has no ticks until it is resumed."""

    reason: str = ""


class JobResumed(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The job has ticks again, from this event's instant on."""


class JobDeleted(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The job is gone; its history stays."""


class RunRequested(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """Run the job once now, outside its ticks. The run's execution id follows from the event id, and the worker's."""

    workers: tuple[str, ...] = ()  # of a job on every worker: those that matched as it was asked; none: any one worker


class KillRequested(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """End a run of the job."""

    execution_id: str


class LogRecordSkipped(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The record at an earlier offset cannot be read, and is stepped over by whoever replays the log."""

    offset: int
    sha256: str  # of the record's value, as hexadecimal digits: no other record is meant
    reason: str


EventData = (
    LogOpened
    | JobCreated
    | JobUpdated
    | JobReverted
    | JobRestored
    | JobPaused
    | JobResumed
    | JobDeleted
    | RunRequested
    | KillRequested
    | LogRecordSkipped
    | UserAdded
    | UserGranted
    | PasswordSet
    | UserDisabled
    | UserEnabled
    | UserRemoved
    | LoginLinkMade
    | LoggedIn
    | LoggedOut
    | TokenCreated
    | TokenRevoked
    | LoginRefused
    | AccessRefused
    | SecretSet
    | SecretRemoved
)


class JobEvent(Struct, frozen=True, gc=False, kw_only=True):
    """The envelope of every event."""

    event_id: str  # UUID; from the Idempotency-Key where the client gave one
    job_id: str  # UUIDv7; "" for events about no job: about the log itself, users, tokens, secrets
    actor: str  # who asked
    request_id: str  # of the HTTP request, to find it in the service's logs
    at: datetime  # the master's clock when it appended
    data: EventData
    expected_version: int | None = None  # the job version the command was meant for; None: any
    schema_version: int = SCHEMA_VERSION


class UnknownEvent(Struct, frozen=True, gc=False, kw_only=True):
    """An event whose kind or schema version this release does not know: kept as it came, never dropped."""

    event_id: str
    kind: str
    schema_version: int
    data: Raw
