"""The ticks of a cron expression in a time zone, daylight saving included.

`Walls` steps through wall-clock times; which instants those are is decided here, span by span of constant UTC
offset. A wall-clock time that is left out (in a *gap*) would be, by the clock of before, an instant after the
transition: that is where `shift` runs it, and where `skip` puts what it leaves out. One that comes twice (in an
*overlap*) is run the first time, the last, or both.

The default is vixie cron's (cron(8), "daylight saving time"): a job with a wildcard hour or minute follows the
clock, so it rests in a gap and runs both times in an overlap; a job at a fixed time runs once on either night.
Following the clock, there is no tick in a gap that could be missed; where a definition says `skip`, what is
left out is on record.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dcron_core.schedule.expression import Expression, parse_expression
from dcron_core.schedule.fields import YEAR
from dcron_core.schedule.ticks import INSTANT, JobTimetable, Occurrence
from dcron_core.schedule.walls import Walls
from dcron_core.schedule.zones import SECOND, Span, span_at, spans_of
from dcron_schemas.job import Dst

# No offset changes by more than a day, so a wall-clock time's instant is known to so much from any offset.
REACH = timedelta(hours=26)
_EARLIEST = datetime(YEAR.low, 1, 1)  # noqa: DTZ001 - UTC, without a zone attached


class CronTimetable(JobTimetable):
    """The ticks of one expression in one zone, for one job if it is hashed."""

    __slots__ = ("gap", "overlap", "walls", "zone")

    def __init__(self, expression: Expression, job_id: str, zone: str, dst: Dst) -> None:
        self.walls = Walls(expression, job_id)
        self.zone = zone
        self.gap = _gap_policy(expression, dst)
        self.overlap = _overlap_policy(expression, dst)

    def following(self, after: datetime) -> Occurrence | None:
        """Return the first occurrence after `after`; None if there is none in `YEARS_TO_LOOK` years."""
        start: datetime | None = max(after.astimezone(UTC).replace(microsecond=0, tzinfo=None) + SECOND, _EARLIEST)
        while start is not None and start.year <= YEAR.high:
            span = span_at(self.zone, start)
            end = min(span.end, start.replace(start.year + 1, 1, 1, 0, 0, 0))  # where the next year's table begins
            found = self._first_in(span, start, end)
            if found is not None:
                return found
            start = self._further(span, end)
        return None

    def clear_until(self, after: datetime, until: datetime) -> datetime:
        """Return up to when nothing is excluded: the next gap, if what is in it is left out."""
        if self.gap != "skip":
            return until
        at, end = (instant.astimezone(UTC).replace(tzinfo=None) for instant in (after, until))
        span = span_at(self.zone, at)
        while not (span.before < span.offset and at < span.start + (span.offset - span.before)):
            if span.end >= end:
                return until
            span = span_at(self.zone, span.end)
        return min(max(after, span.start.replace(tzinfo=UTC) - INSTANT), until)

    def _first_in(self, span: Span, start: datetime, end: datetime) -> Occurrence | None:
        """Return the first occurrence of `start` ≤ t < `end`, all of it within the span."""
        low, high = self._regular(span)
        tick = self._first_wall(max(low, start + span.offset), min(high, end + span.offset))
        if tick is not None:
            tick -= span.offset
        if span.before < span.offset and self.gap != "rest":
            shift = span.start + (span.offset - span.before)
            if start < shift:
                lost = self._first_wall(start + span.before, min(shift, end) + span.before)
                if lost is not None and (tick is None or lost - span.before < tick):
                    return self._in_gap(span, lost, tick)
        return None if tick is None else Occurrence(tick.replace(tzinfo=UTC))

    def _regular(self, span: Span) -> tuple[datetime, datetime]:
        """Return which wall-clock times of the span count: `low` ≤ wall < `high`."""
        low, high = span.start + span.offset, span.end + span.offset
        if span.before > span.offset and self.overlap == "first":
            low = span.start + span.before  # those before it have had their run
        if span.after < span.offset and self.overlap == "last":
            high = span.end + span.after  # those from it on come again
        return low, high

    def _in_gap(self, span: Span, wall: datetime, tick: datetime | None) -> Occurrence:
        """Return what becomes of a time that is left out at the span's start; `tick`: the first regular one."""
        at = (wall - span.before).replace(tzinfo=UTC)
        if self.gap == "shift":
            return Occurrence(at)
        shift = span.start + (span.offset - span.before)
        until = shift if tick is None or tick >= shift else None
        detail = (
            f"{wall:%H:%M} does not exist on {wall:%Y-%m-%d}: the clock goes from "
            f"{span.start + span.before:%H:%M} to {span.start + span.offset:%H:%M}"
        )
        return Occurrence(at, "dst", detail, None if until is None else until.replace(tzinfo=UTC))

    def _first_wall(self, low: datetime, high: datetime) -> datetime | None:
        wall = self.walls.first_from(low) if low < high else None
        return wall if wall is not None and wall < high else None

    def _further(self, span: Span, end: datetime) -> datetime | None:
        """Return from where to look on, when there is nothing before `end`: expressions may rest for years."""
        wall = self.walls.first_from(end + span.offset - REACH)
        return None if wall is None else max(end, wall - span.offset - REACH)


def _gap_policy(expression: Expression, dst: Dst) -> str:
    """Return `shift`, `skip` (left out, and on record), or `rest` (there is nothing to leave out)."""
    if dst.gap != "default":
        return dst.gap
    return "shift" if expression.fixed_time else "rest"


def _overlap_policy(expression: Expression, dst: Dst) -> str:
    """Return `first`, `last` or `both`."""
    if dst.overlap != "default":
        return dst.overlap
    return "first" if expression.fixed_time else "both"


def cron_timetable(text: str, zone: str, job_id: str = "", dst: Dst = Dst()) -> CronTimetable:  # noqa: B008 - frozen
    """Return the timetable of a cron expression in a zone; raise ValueError, or KeyError for an unknown zone."""
    return _timetable(text, zone, job_id if _is_hashed(text) else "", dst)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Expression:
    return parse_expression(text)


@lru_cache(maxsize=4096)
def _is_hashed(text: str) -> bool:
    return _parsed(text).hashed


@lru_cache(maxsize=4096)
def _timetable(text: str, zone: str, job_id: str, dst: Dst) -> CronTimetable:
    spans_of(zone, YEAR.low)  # raises for no zone
    return CronTimetable(_parsed(text), job_id, zone, dst)
