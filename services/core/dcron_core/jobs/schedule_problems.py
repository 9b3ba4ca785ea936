"""What is wrong with when a job is to run: its schedule, zone, window, jitter and days of rest.

Whether a schedule ever fires must not depend on today, so it is asked from a fixed instant on.
"""

import difflib
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from msgspec.structs import replace

from dcron_core.durations import format_duration, parse_duration
from dcron_core.jobs.field_values import duration_problems, shown
from dcron_core.schedule import timetable_of
from dcron_core.schedule.calendars import rule_of
from dcron_core.schedule.cron import cron_timetable
from dcron_core.schedule.fields import YEAR
from dcron_schemas.api import FieldProblem
from dcron_schemas.job import Dst, JobSpec, Schedule

SHORTEST_INTERVAL = timedelta(seconds=1)
SHORTEST_JITTER = timedelta(milliseconds=1)
_FIRES_FROM = datetime(2024, 1, 1, tzinfo=UTC)
_TICKS_COMPARED = 400  # to find the shortest time between two


def schedule_problems(spec: JobSpec) -> list[FieldProblem]:
    """Return everything that is wrong; whether it ever fires is only asked if nothing else is."""
    problems = [*_zone_problems(spec.timezone), *_window_problems(spec), *_exclude_problems(spec)]
    if spec.schedule is None:
        return problems + _without_schedule(spec)
    problems += _kind_problems(spec, spec.schedule)
    if problems:
        return problems
    return _jitter_problems(spec, spec.schedule) or _never_fires(spec, spec.schedule)


def _zone_problems(zone: str) -> list[FieldProblem]:
    if zone in _zones():
        return []
    near = difflib.get_close_matches(zone, _zones(), n=1)
    remedy = f"did you mean {near[0]}?" if near else "an IANA name such as Europe/Berlin, or UTC"
    return [FieldProblem(field="timezone", message="no such time zone", value=shown(zone), remedy=remedy)]


@cache
def _zones() -> frozenset[str]:
    """Return the names of all time zones; asking for them walks through the whole database, 3 ms of it."""
    return frozenset(zoneinfo.available_timezones())


def _window_problems(spec: JobSpec) -> list[FieldProblem]:
    problems = [*_instant_problems("start", spec.start), *_instant_problems("end", spec.end)]
    if not problems and spec.start is not None and spec.end is not None and spec.end <= spec.start:
        problems.append(
            FieldProblem(
                field="end",
                message="is not after start: no tick can lie between them",
                value=spec.end.isoformat(),
                remedy="the first tick is at start or later, the last one before end",
            )
        )
    return problems


def _instant_problems(field: str, instant: datetime | None) -> list[FieldProblem]:
    if instant is None:
        return []
    text = instant.isoformat()
    if instant.tzinfo is None:
        return [FieldProblem(field=field, message="has no zone", value=text, remedy=f"write {text}Z or {text}+01:00")]
    if not YEAR.low < instant.year < YEAR.high:
        remedy = f"a year from {YEAR.low + 1} to {YEAR.high - 1}"
        return [FieldProblem(field=field, message="is too far away", value=text, remedy=remedy)]
    return []


def _exclude_problems(spec: JobSpec) -> list[FieldProblem]:
    problems = []
    for i, name in enumerate(spec.exclude):
        try:
            rule_of(name)
        except ValueError as error:
            problems.append(FieldProblem(field=f"exclude[{i}]", message=str(error), value=shown(name)))
    return problems


def _without_schedule(spec: JobSpec) -> list[FieldProblem]:
    """Find what could only mean something if there were ticks."""
    given = {"dst": spec.dst != Dst(), "start": spec.start, "end": spec.end, "jitter": spec.jitter}
    return [
        FieldProblem(
            field=field,
            message="has no effect without a schedule",
            value=shown(getattr(spec, field)),
            remedy=f"add a schedule, or leave {field} out",
        )
        for field, value in (given | {"exclude": spec.exclude}).items()
        if value
    ]


def _kind_problems(spec: JobSpec, schedule: Schedule) -> list[FieldProblem]:
    """Find what is wrong with the one of cron, every and at that is given."""
    given = [name for name in ("cron", "every", "at") if getattr(schedule, name) is not None]
    if len(given) != 1:
        message = f"exactly one of cron, every and at, not {' and '.join(given) or 'none'}"
        remedy = "leave schedule out to run only on request"
        if given:
            remedy = "keep one; in a partial edit, set the others to null"
        return [FieldProblem(field="schedule", message=message, remedy=remedy)]
    problems = []
    if schedule.every is not None:
        problems = duration_problems("schedule.every", schedule.every, SHORTEST_INTERVAL)
    elif schedule.cron is not None:
        problems = _cron_problems(schedule.cron)
    else:
        problems = _instant_problems("schedule.at", schedule.at)
    if schedule.cron is None and spec.dst != Dst():
        remedy = f"leave it out: {given[0]} knows no wall clock"
        problems.append(FieldProblem(field="dst", message="goes with schedule.cron only", remedy=remedy))
    return problems


def _cron_problems(text: str) -> list[FieldProblem]:
    try:
        fires = _fires(text)
    except ValueError as error:
        return [FieldProblem(field="schedule.cron", message=str(error), value=shown(text))]
    if fires:
        return []
    message, remedy = "never fires: no date matches", "check day of month against month, and the year"
    return [FieldProblem(field="schedule.cron", message=message, value=shown(text), remedy=remedy)]


@lru_cache(maxsize=4096)
def _fires(text: str) -> bool:
    """Tell whether a cron expression ever matches; raise ValueError if it is none."""
    return cron_timetable(text, "UTC").next_after(_FIRES_FROM) is not None


def _jitter_problems(spec: JobSpec, schedule: Schedule) -> list[FieldProblem]:
    if spec.jitter is None:
        return []
    problems = duration_problems("jitter", spec.jitter, SHORTEST_JITTER)
    if problems:
        return problems
    if schedule.every is not None:
        shortest = parse_duration(schedule.every)
    else:
        shortest = timedelta.max if schedule.cron is None else _shortest_interval(schedule.cron)
    if parse_duration(spec.jitter) <= shortest:
        return []
    message = f"is longer than {format_duration(shortest)}, the shortest time between two ticks"
    remedy = "a tick is not moved past the next one; make jitter shorter"
    return [FieldProblem(field="jitter", message=message, value=spec.jitter, remedy=remedy)]


@lru_cache(maxsize=1024)
def _shortest_interval(text: str) -> timedelta:
    """Return the shortest time between two of the first ticks of an expression, clock changes left aside."""
    timetable = cron_timetable(text, "UTC")
    shortest, tick = timedelta.max, timetable.next_after(_FIRES_FROM)
    for _ in range(_TICKS_COMPARED):
        following = timetable.next_after(tick) if tick else None
        if tick is None or following is None:
            break
        shortest, tick = min(shortest, following - tick), following
    return shortest


def _never_fires(spec: JobSpec, schedule: Schedule) -> list[FieldProblem]:
    """Find a window, or days of rest, that leave no tick of those there would be."""
    whenever = replace(spec, enabled=True, start=None, end=None)
    after = _FIRES_FROM if schedule.at is None else schedule.at - SHORTEST_INTERVAL
    if spec.exclude and not _has_tick(whenever, after):
        message = "never fires: these are all the days on which it would"
        remedy = "leave out the calendar that holds them"
        return [FieldProblem(field="exclude", message=message, value=shown(list(spec.exclude)), remedy=remedy)]
    # The ticks of `every` hang on an anchor that is not known yet.
    if (spec.start or spec.end) and schedule.every is None and not _has_tick(replace(spec, enabled=True), after):
        field = "end" if spec.end else "start"
        message = "never fires: no tick lies in start ≤ tick < end"
        value = shown(getattr(spec, field).isoformat())
        remedy = "check the schedule against start and end"
        return [FieldProblem(field=field, message=message, value=value, remedy=remedy)]
    return []


def _has_tick(spec: JobSpec, after: datetime) -> bool:
    timetable = timetable_of(spec, after, "")
    return timetable is not None and timetable.next_after(after) is not None
