"""The bodies of HTTP answers about the log: versions, time travel, events, the chain, the ledger.

The master serves `…/history`, `/api/v1/audit/state`, `/api/v1/audit/diff`, `/api/v1/audit/restore` and
`/api/v1/log/skips`, from the log alone; the log-ingester serves `/api/v1/audit/events`, `/api/v1/audit/head`,
`/api/v1/audit/verify` and `/api/v1/audit/ledger`, from the archive and the recorded runs.
"""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from dcron_schemas.job import JobSpec
from dcron_schemas.records import SkipReason

EventKind = Literal[
    "LogOpened", "JobCreated", "JobUpdated", "JobReverted", "JobRestored", "JobPaused", "JobResumed", "JobDeleted",
    "RunRequested", "KillRequested", "LogRecordSkipped",
    "UserAdded", "UserGranted", "PasswordSet", "UserDisabled", "UserEnabled", "UserRemoved",
    "LoginLinkMade", "LoggedIn", "LoggedOut", "TokenCreated", "TokenRevoked", "LoginRefused", "AccessRefused",
    "SecretSet", "SecretRemoved",
]  # fmt: skip


class FieldChange(Struct, frozen=True, kw_only=True):
    """One field of a definition that is other in one version than in another."""

    field: str  # a path such as schedule.cron or env.PATH
    before: Any  # as in JSON; null: absent
    after: Any


class JobVersion(Struct, frozen=True, kw_only=True):
    """A version of a job, and the event that made it."""

    version: int  # with JobDeleted: the version that was deleted
    position: int
    kind: EventKind
    at: datetime
    actor: str
    request_id: str
    spec: JobSpec | None  # None: the job was deleted
    anchor: datetime | None  # no tick of this version at or before; None: deleted
    changes: tuple[FieldChange, ...]  # against the version before; of the first one: none


class JobHistory(Struct, frozen=True, kw_only=True):
    """Every version of a job, oldest first."""

    job_id: str
    namespace: str
    name: str  # as it is now, or was last
    deleted: bool
    versions: tuple[JobVersion, ...]


class DeletedJob(Struct, frozen=True, kw_only=True):
    """A job that does not stand any more."""

    job_id: str
    namespace: str
    name: str
    version: int  # its last
    position: int  # of the event that deleted it
    deleted_at: datetime
    deleted_by: str


class DeletedJobList(Struct, frozen=True, kw_only=True):
    """Deleted jobs, the last one first."""

    jobs: tuple[DeletedJob, ...]


class Revert(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body: give a job the definition of an earlier version."""

    version: int


class JobThen(Struct, frozen=True, kw_only=True):
    """A job as it stood at some position of the log."""

    job_id: str
    version: int
    spec: JobSpec
    anchor: datetime
    position: int
    created_at: datetime
    updated_at: datetime
    updated_by: str
    schedule_text: str


class Crontab(Struct, frozen=True, kw_only=True):
    """A page of the whole crontab as it was, ordered by namespace and name."""

    at: datetime  # the instant asked for
    position: int  # the last event that had happened by then
    jobs: tuple[JobThen, ...]
    total: int
    next_cursor: str | None = None


class JobDifference(Struct, frozen=True, kw_only=True):
    """What became of one job between two instants."""

    job_id: str
    namespace: str
    name: str
    change: Literal["created", "deleted", "changed"]
    from_version: int | None  # None: it did not stand
    to_version: int | None
    changes: tuple[FieldChange, ...]


class CrontabDifference(Struct, frozen=True, kw_only=True):
    """What is other in the crontab at one instant than at another, by namespace and name."""

    from_position: int
    to_position: int
    jobs: tuple[JobDifference, ...]


class RestoreStep(Struct, frozen=True, kw_only=True):
    """One compensating event: what brings a job back to how it stood."""

    job_id: str
    namespace: str
    name: str  # as it will be
    action: Literal["restore", "revert", "delete"]
    current_version: int | None  # the version that the step is planned on; None: the job is deleted now
    to_version: int | None  # whose definition it gets; None: it is deleted
    changes: tuple[FieldChange, ...]
    problem: str = ""  # why it was not done, once it was tried


class RestorePlan(Struct, frozen=True, kw_only=True):
    """What brings the crontab back to how it stood at an instant; nothing is done by making it."""

    at: datetime
    position: int  # the last event by then
    planned_at: int  # the log's position that the plan was made on
    steps: tuple[RestoreStep, ...]


class Restore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body: do what a plan says. A job that has changed since `planned_at` is left alone, and named."""

    at: datetime
    planned_at: int
    job_ids: tuple[str, ...] = ()  # empty: all jobs


class RestoreResult(Struct, frozen=True, kw_only=True):
    """What a restore did. A step with a `problem` was not done."""

    steps: tuple[RestoreStep, ...]
    done: int
    failed: int


class RecordSkip(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body: step over a record of the log that cannot be read."""

    offset: int
    reason: str


class RecordSkipped(Struct, frozen=True, kw_only=True):
    """The log holds now that the record is stepped over."""

    offset: int
    sha256: str
    position: int  # of the event that says so


class EventView(Struct, frozen=True, kw_only=True):
    """An event of the log as the archive has it."""

    position: int
    event_id: str
    kind: str  # "(unreadable)" for a record that was stepped over
    job_id: str  # "": about no job: about the log itself, users, tokens, secrets
    namespace: str
    job_name: str
    actor: str
    request_id: str
    at: datetime
    outcome: Literal["applied", "rejected", "repeated", "stepped over"]
    detail: str  # why it was refused, what it repeats, which run it is about, or the reason that was given
    version_before: int | None
    version_after: int | None
    changes: tuple[FieldChange, ...]
    hash: str  # the chain's, over this event and all before it


class EventList(Struct, frozen=True, kw_only=True):
    """A page of events, newest first."""

    events: tuple[EventView, ...]
    next_cursor: str | None = None


class ChainHead(Struct, frozen=True, kw_only=True):
    """The chain's value at a position, signed if the log-ingester has a key."""

    log_id: str
    position: int
    hash: str  # SHA-256, hexadecimal
    at: datetime  # of the event at the position
    key_id: str = ""  # SHA-256 of the public key, its first 16 hexadecimal digits; "": not signed
    public_key: str = ""  # Ed25519, hexadecimal
    signature: str = ""  # Ed25519, hexadecimal, over the canonical bytes of the four fields above


class ChainProblem(Struct, frozen=True, kw_only=True):
    """Where the log and its archive are not what they were."""

    position: int
    where: Literal["archive", "log", "head"]
    problem: str  # what differs, in words


class Verification(Struct, frozen=True, kw_only=True):
    """What came of recomputing the chain from the log and from the archive."""

    intact: bool
    log_id: str
    log_end: int  # how many events the log holds
    archived: int  # how many the archive holds
    head: ChainHead | None  # of the last event that both hold and agree on
    problem: ChainProblem | None = None  # the first one


TickOutcome = Literal["run", "skipped", "withdrawn", "pending", "unaccounted", "beyond", "excluded"]


class LedgerTick(Struct, frozen=True, kw_only=True):
    """A tick that the definitions in force implied, and what became of it; or a run beyond them.

    Or, as `excluded`, what would be ticks in a row, but for a day of rest or a clock change: the definition says so.
    """

    job_id: str
    tick: datetime
    version: int  # the version in force; of a run beyond: the one it was claimed on
    outcome: TickOutcome
    execution_id: str | None = None  # the run, if there was one
    status: str | None = None  # of the run
    reason: SkipReason | None = None  # of the skip
    detail: str = ""
    claims: int = 0  # how many different claims ran it; more than 1 is a double
    worker_id: str = ""  # whose tick it is, of a job that runs on every worker; "": not known, or any worker's
    last_tick: datetime | None = None  # of what is excluded: the last one, if there are several
    count: int = 1  # of what is excluded: how many; 0: more than were counted
    recorded: bool = True  # of what is excluded: whether a worker has recorded it too


class LedgerTotals(Struct, frozen=True, kw_only=True):
    """Ticks by what became of them. `doubles` and `unaccounted` must be 0."""

    ticks: int
    runs: int
    skips: dict[str, int]  # by reason
    withdrawn: int  # due, and the definition ended before a worker took it within its deadline
    pending: int  # so young that its record may be under way
    doubles: int
    unaccounted: int
    beyond: int  # runs of ticks that no definition in force implied: claimed as the definition changed
    excluded: dict[str, int] = field(default_factory=dict)  # by reason: stretches that are no ticks, by the definition


class Ledger(Struct, frozen=True, kw_only=True):
    """The tick ledger of one job, or of all: `start` < tick ≤ `end`."""

    job_id: str  # "": all jobs
    start: datetime
    end: datetime
    position: int  # of the log, that the definitions were read to
    totals: LedgerTotals
    ticks: tuple[LedgerTick, ...]  # of one job: a page, oldest first; of all: the doubles and the unaccounted ones
    next_cursor: str | None = None
