"""From a job's definition to its ticks."""

from datetime import datetime, timedelta
from typing import Protocol

from dcron_core.durations import parse_duration
from dcron_core.schedule.cron import cron_timetable
from dcron_schemas.job import JobSpec


class Timetable(Protocol):
    """The ticks of a job."""

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first tick after `after`; None if there is none."""
        ...


class IntervalTimetable:
    """Ticks at anchor + n · every, n ≥ 1."""

    def __init__(self, every: timedelta, anchor: datetime) -> None:
        self._every = every
        self._anchor = anchor

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first tick after `after`."""
        passed = max(after - self._anchor, timedelta())
        return self._anchor + (passed // self._every + 1) * self._every


def timetable_of(spec: JobSpec, anchor: datetime) -> Timetable | None:
    """Return the job's timetable; None if it has no ticks: paused, or run only on request.

    Raises ValueError for a definition that should not have passed validation: a worker may meet one.
    """
    if not spec.enabled or spec.schedule is None:
        return None
    if spec.schedule.cron is not None:
        return cron_timetable(spec.schedule.cron, spec.timezone)
    if spec.schedule.every is not None:
        every = parse_duration(spec.schedule.every)
        if every <= timedelta():
            raise ValueError(f"schedule.every {spec.schedule.every!r} is not longer than nothing")
        return IntervalTimetable(every, anchor)
    raise ValueError("schedule.at is not supported in this release")


def due(spec: JobSpec, anchor: datetime, after: datetime, until: datetime) -> list[datetime]:
    """Return every tick with `after` < tick ≤ `until`, in order."""
    timetable = timetable_of(spec, anchor)
    ticks: list[datetime] = []
    tick = timetable.next_after(max(after, anchor)) if timetable else None
    while timetable and tick is not None and tick <= until:
        ticks.append(tick)
        tick = timetable.next_after(tick)
    return ticks


def describe(spec: JobSpec) -> str:
    """Return the schedule in a few words."""
    if spec.schedule is None:
        return "on request"
    if spec.schedule.every is not None:
        return f"every {spec.schedule.every}"
    if spec.schedule.cron is not None:
        return f"{spec.schedule.cron} ({spec.timezone})"
    return f"once at {spec.schedule.at}"
