"""From a job's definition to its ticks."""

from datetime import UTC, datetime, timedelta

from dcron_core.durations import parse_duration
from dcron_core.schedule.calendars import calendar_of
from dcron_core.schedule.cron import cron_timetable
from dcron_core.schedule.jitter import JitteredTimetable
from dcron_core.schedule.rest import RestingTimetable
from dcron_core.schedule.ticks import INSTANT, Excluded, JobTimetable, Occurrence
from dcron_schemas.job import JobSpec, Schedule

LONGEST_INTERVAL = timedelta(days=3650)


class IntervalTimetable(JobTimetable):
    """Ticks at anchor + n · every, n ≥ 1."""

    __slots__ = ("_anchor", "_every")

    def __init__(self, every: timedelta, anchor: datetime) -> None:
        self._every = every
        self._anchor = anchor

    def following(self, after: datetime) -> Occurrence:
        """Return the first tick after `after`."""
        passed = max(after - self._anchor, timedelta())
        return Occurrence(self._anchor + (passed // self._every + 1) * self._every)

    def clear_until(self, after: datetime, until: datetime) -> datetime:  # noqa: ARG002 - nothing ever is excluded
        """Return `until`."""
        return until


class OnceTimetable(JobTimetable):
    """One tick."""

    __slots__ = ("_at",)

    def __init__(self, at: datetime) -> None:
        self._at = at

    def following(self, after: datetime) -> Occurrence | None:
        """Return the tick, if it is after `after`."""
        return Occurrence(self._at) if self._at > after else None

    def clear_until(self, after: datetime, until: datetime) -> datetime:  # noqa: ARG002 - nothing ever is excluded
        """Return `until`."""
        return until


class WindowTimetable(JobTimetable):
    """Those of another timetable's occurrences that lie in `start` ≤ t < `end`."""

    __slots__ = ("_end", "_of", "_start")

    def __init__(self, of: JobTimetable, start: datetime | None, end: datetime | None) -> None:
        self._of = of
        self._start = start
        self._end = end

    def following(self, after: datetime) -> Occurrence | None:
        """Return the first occurrence after `after` and in the window; None if there is none."""
        found = self._of.following(after if self._start is None else max(after, self._start - INSTANT))
        return None if found is None or (self._end is not None and found.at >= self._end) else found

    def clear_until(self, after: datetime, until: datetime) -> datetime:
        """Return up to when nothing is excluded."""
        return self._of.clear_until(after, until)


def timetable_of(spec: JobSpec, anchor: datetime, job_id: str) -> JobTimetable | None:
    """Return the job's timetable; None if it has no ticks: paused, or run only on request.

    Jitter comes first, then the window and the days of rest, so that these hold for the instant at which a run
    would start. Raises ValueError or KeyError for a definition that should not have passed validation: a worker
    may meet one.
    """
    if not spec.enabled or spec.schedule is None:
        return None
    timetable = _plain(spec, spec.schedule, anchor, job_id)
    if spec.jitter is not None:
        timetable = JitteredTimetable(timetable, parse_duration(spec.jitter), job_id)
    if spec.start is not None or spec.end is not None:
        timetable = WindowTimetable(timetable, _in_utc("start", spec.start), _in_utc("end", spec.end))
    if spec.exclude:
        timetable = RestingTimetable(timetable, spec.timezone, calendar_of(spec.exclude))
    return timetable


def _plain(spec: JobSpec, schedule: Schedule, anchor: datetime, job_id: str) -> JobTimetable:
    if schedule.cron is not None:
        return cron_timetable(schedule.cron, spec.timezone, job_id, spec.dst)
    if schedule.every is not None:
        every = parse_duration(schedule.every)
        if not timedelta() < every <= LONGEST_INTERVAL:
            raise ValueError(f"schedule.every {schedule.every!r} is not from 1 s to ten years")
        return IntervalTimetable(every, anchor)
    at = _in_utc("schedule.at", schedule.at)
    if at is None:
        raise ValueError("schedule has none of cron, every and at")
    return OnceTimetable(at)


def _in_utc(field: str, instant: datetime | None) -> datetime | None:
    if instant is None:
        return None
    if instant.tzinfo is None:
        raise ValueError(f"{field} {instant.isoformat()!r} has no zone; write Z or an offset such as +01:00 after it")
    return instant.astimezone(UTC)


def due(spec: JobSpec, anchor: datetime, after: datetime, until: datetime, job_id: str) -> list[datetime]:
    """Return every tick with `after` < tick ≤ `until`, in order."""
    timetable = timetable_of(spec, anchor, job_id)
    ticks: list[datetime] = []
    tick = timetable.next_after(max(after, anchor)) if timetable else None
    while timetable and tick is not None and tick <= until:
        ticks.append(tick)
        tick = timetable.next_after(tick)
    return ticks


def excluded(spec: JobSpec, anchor: datetime, after: datetime, until: datetime, job_id: str) -> list[Excluded]:
    """Return what would have been ticks in `after` < t ≤ `until`, but for a day of rest or a clock change."""
    timetable = timetable_of(spec, anchor, job_id)
    return timetable.excluded(max(after, anchor), until) if timetable else []


def describe(spec: JobSpec) -> str:
    """Return the schedule in a few words."""
    if spec.schedule is None:
        return f"after {', '.join(after.job for after in spec.after)}" if spec.after else "on request"
    if spec.schedule.every is not None:
        return f"every {spec.schedule.every}"
    if spec.schedule.cron is not None:
        return f"{spec.schedule.cron} ({spec.timezone})"
    return f"once at {spec.schedule.at}"
