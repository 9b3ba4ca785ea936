"""The nights on which the clock changes and a cron job feels it."""

from datetime import UTC, datetime

from dcron_core.schedule.cron import CronTimetable
from dcron_core.schedule.zones import SECOND, Span, spans_of
from dcron_schemas.api import OddDate

_TIMES_SAID = 3


def odd_dates(timetable: CronTimetable, after: datetime, until: datetime) -> list[OddDate]:
    """Return the clock changes in `after` < t ≤ `until` that leave out, or repeat, times at which the job runs."""
    after, until = (instant.astimezone(UTC).replace(tzinfo=None) for instant in (after, until))
    changes = [
        span
        for year in range(after.year, until.year + 1)
        for span in spans_of(timetable.zone, year)
        if span.start.year == year and span.before != span.offset and after < span.start <= until
    ]
    return [odd for span in changes if (odd := _odd_date(timetable, span)) is not None]


def _odd_date(timetable: CronTimetable, span: Span) -> OddDate | None:
    old, new = span.start + span.before, span.start + span.offset
    times = _times(timetable, min(old, new), max(old, new))
    if not times:
        return None
    before, after = (f"{wall:%H:%M}" for wall in (old, new))
    after = after if old.date() == new.date() else f"{new:%Y-%m-%d} {after}"
    return OddDate(
        at=span.start.replace(tzinfo=UTC),
        kind="gap" if new > old else "overlap",
        clock=f"{old:%Y-%m-%d} {before} → {after}",
        effect=_gap_effect(timetable, span, times) if new > old else _overlap_effect(timetable, times),
    )


def _times(timetable: CronTimetable, low: datetime, high: datetime) -> list[datetime]:
    """Return the job's wall-clock times in `low` ≤ wall < `high`."""
    times = []
    wall = timetable.walls.first_from(low)
    while wall is not None and wall < high:
        times.append(wall)
        wall = timetable.walls.first_from(wall + SECOND)
    return times


def _gap_effect(timetable: CronTimetable, span: Span, times: list[datetime]) -> str:
    said = f"{_said(times)} {'does' if len(times) == 1 else 'do'} not exist: "
    if timetable.gap == "shift":
        return f"{said}runs at {_said([wall + (span.offset - span.before) for wall in times])} instead"
    return said + ("left out" if timetable.gap == "skip" else "no run")


def _overlap_effect(timetable: CronTimetable, times: list[datetime]) -> str:
    said = f"{_said(times)} {'comes' if len(times) == 1 else 'come'} twice: "
    return said + {"first": "runs the first time", "last": "runs the second time"}.get(
        timetable.overlap, "runs both times"
    )


def _said(times: list[datetime]) -> str:
    texts = [f"{wall:%H:%M:%S}" if any(each.second for each in times) else f"{wall:%H:%M}" for wall in times]
    if len(times) <= _TIMES_SAID:
        return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]
    return f"{texts[0]} to {texts[-1]} ({len(times)} times)"
