"""The definition of a job, as people write it in YAML or JSON (design §7).

Every field of a job is here from the start. A field whose effect this release does not have yet is
refused with a clear error (`dcron_core.jobs.validation`), never ignored. Unknown fields are refused too.
Durations are text such as `90s` (see `types.Duration`); instants carry a zone.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from dcron_schemas.types import Duration, Name, Text

End = Literal["succeeded", "failed", "timed_out", "killed", "lost"]


class HttpCall(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """An HTTP request as a job."""

    url: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    expect_status: tuple[int, ...] = ()  # empty: any 2xx


class Run(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """What to run: exactly one of the three."""

    shell: str | None = None  # a script, given to /bin/sh -c
    argv: tuple[str, ...] | None = None  # a program and its arguments, without a shell
    http: HttpCall | None = None


class Schedule(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """When to run: exactly one of the three."""

    cron: str | None = None  # 5 fields; 6 with leading seconds; 7 with trailing year; @daily and kin
    every: Duration | None = None  # counted from the job's anchor
    at: datetime | None = None  # once


class Dst(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to a wall-clock time that does not exist (gap) or exists twice (overlap).

    `default`: a job at a fixed time runs once on either night, a job with a wildcard hour or minute
    follows the clock, as vixie cron does.
    """

    gap: Literal["default", "skip", "shift"] = "default"
    overlap: Literal["default", "first", "last", "both"] = "default"


class Misfire(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to ticks that nobody could start in time."""

    policy: Literal["skip", "once", "all"] = "skip"
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100  # most runs that `all` makes up for
    start_deadline: Duration = "1m"  # a tick later than this is a missed one


class Retry(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """Further attempts after an end that is not a success."""

    attempts: Annotated[int, Meta(ge=0, le=100)] = 0  # beyond the first
    backoff: Duration = "10s"  # doubles with each attempt
    backoff_cap: Duration = "10m"
    on: tuple[End, ...] = ("failed", "timed_out", "lost")


class Placement(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """Which workers may run the job, and how many of them do."""

    labels: Annotated[str, Meta(max_length=1024)] = ""  # a label selector; empty: any worker
    workers: Literal["one", "every"] = "one"


class After(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A job whose end starts this one."""

    job: Name
    on: Literal["succeeded", "failed", "finished"] = "succeeded"


class Limits(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """Bounds on one run; None: no bound of ours."""

    memory_bytes: Annotated[int, Meta(ge=1)] | None = None
    cpu_time: Duration | None = None
    output_bytes: Annotated[int, Meta(ge=1)] | None = None


class Notify(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A webhook called at the end of a run."""

    url: str
    on: tuple[End, ...] = ("failed", "timed_out", "lost")


class JobSpec(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A job. Defaults are what a crontab user expects."""

    name: Name  # unique in its namespace
    run: Run
    namespace: Name = "default"
    description: Text = ""
    owner: Text = ""
    tags: tuple[Name, ...] = ()
    enabled: bool = True
    schedule: Schedule | None = None  # None: runs only when asked to
    env: dict[str, str] = field(default_factory=dict)
    working_directory: str | None = None  # None: the worker's own
    run_as: str | None = None
    timeout: Duration | None = None  # None: no limit
    kill_grace: Duration = "10s"  # from SIGTERM to SIGKILL
    timezone: str = "UTC"  # IANA name
    dst: Dst = Dst()
    start: datetime | None = None  # no tick before
    end: datetime | None = None  # no tick at or after
    jitter: Duration | None = None  # a tick is up to so much later, by job and tick
    exclude: tuple[Name, ...] = ()  # calendars on whose days the job rests: weekends, 12-25, holidays-DE-BE
    overlap: Literal["skip", "queue", "replace", "allow"] = "skip"
    misfire: Misfire = Misfire()
    retry: Retry = Retry()
    placement: Placement = Placement()
    after: tuple[After, ...] = ()
    limits: Limits = Limits()
    retention: Duration | None = None  # None: the store's own
    notify: tuple[Notify, ...] = ()
