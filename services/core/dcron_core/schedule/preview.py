"""What a schedule comes to, for whoever is about to save it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from dcron_core.schedule.calendars import calendar_of
from dcron_core.schedule.cron import cron_timetable
from dcron_core.schedule.expression import parse_expression
from dcron_core.schedule.odd_dates import odd_dates
from dcron_core.schedule.ticks import JobTimetable
from dcron_core.schedule.timetable import timetable_of
from dcron_core.schedule.words import schedule_words
from dcron_schemas.api import OddDate, Preview, PreviewExclusion, PreviewTick
from dcron_schemas.job import JobSpec

MOST_TICKS = 100
MOST_EXCLUSIONS = 100
ODD_DATES_AHEAD = timedelta(days=366)


def preview(spec: JobSpec, anchor: datetime, now: datetime, count: int, job_id: str) -> Preview:
    """Return the next `count` ticks after `now`, as if the job were not paused. `spec` has passed validation."""
    spec = replace(spec, enabled=True)
    after = max(anchor, now)
    timetable = timetable_of(spec, anchor, job_id)
    ticks = _ticks(timetable, after, count) if timetable else []
    zone = ZoneInfo(spec.timezone)
    return Preview(
        words=schedule_words(spec, job_id),
        timezone=spec.timezone,
        ticks=tuple(PreviewTick(at=tick, local=tick.astimezone(zone).isoformat()) for tick in ticks),
        excluded=_exclusions(timetable, after, ticks[-1]) if timetable and ticks else (),
        odd_dates=tuple(_odd_dates(spec, job_id, after)),
        depends_on_job=spec.jitter is not None or _is_hashed(spec),
    )


def _ticks(timetable: JobTimetable, after: datetime, count: int) -> list[datetime]:
    ticks: list[datetime] = []
    while len(ticks) < count and (tick := timetable.next_after(ticks[-1] if ticks else after)) is not None:
        ticks.append(tick)
    return ticks


def _exclusions(timetable: JobTimetable, after: datetime, until: datetime) -> tuple[PreviewExclusion, ...]:
    rows = timetable.excluded(after, until, MOST_EXCLUSIONS)
    return tuple(
        PreviewExclusion(first=row.first, last=row.last, count=row.count, reason=row.reason, detail=row.detail)
        for row in rows
    )


def _odd_dates(spec: JobSpec, job_id: str, after: datetime) -> list[OddDate]:
    """Return the odd dates of the year to come, but for those on which the job would not run anyway."""
    if spec.schedule is None or spec.schedule.cron is None:
        return []
    timetable = cron_timetable(spec.schedule.cron, spec.timezone, job_id, spec.dst)
    first, last = max(after, spec.start or after), after + ODD_DATES_AHEAD
    last = min(last, spec.end or last)
    calendar = calendar_of(spec.exclude)
    return [
        odd
        for odd in odd_dates(timetable, first, last)
        if calendar.rests_on(odd.at.astimezone(ZoneInfo(spec.timezone)).date()) is None
    ]


def _is_hashed(spec: JobSpec) -> bool:
    cron = spec.schedule.cron if spec.schedule else None
    return cron is not None and parse_expression(cron).hashed
