"""The ticks of a cron expression in a time zone, daylight saving included.

`croniter` steps through wall-clock times; which instants those are is decided here, segment by segment of
constant UTC offset. As vixie cron does (cron(8), "daylight saving time"): a job with a wildcard hour or
minute follows the clock, so it rests in the hour that is skipped and runs in both hours that repeat; a job
at a fixed time runs once on either night: shifted by the gap, and only the first time in an overlap.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from dcron_core.schedule.expression import Expression, parse_expression

SECOND = timedelta(seconds=1)
# No two transitions of a zone are closer than this, and no offset changes by more (Apia, 2011: 24 h).
REACH = timedelta(hours=26)
YEARS_TO_LOOK = 30  # an expression that does not match in so many years never fires


class CronTimetable:
    """The ticks of one expression in one zone. Stateless to its callers; building one costs 0.2 ms."""

    def __init__(self, expression: Expression, zone: ZoneInfo) -> None:
        self._fixed = expression.fixed_time
        self._zone = zone
        seconds, *rest = expression.fields
        # croniter wants seconds last; it steps through wall-clock times, which have no zone
        start = _wall(datetime(2000, 1, 1, tzinfo=UTC), timedelta())
        self._walls = croniter(
            " ".join([*rest, seconds]),
            start,
            max_years_between_matches=YEARS_TO_LOOK,
            implement_cron_bug=True,  # crontab(5): days match by either field only if neither begins with *
        )

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first tick after `after`; None if there is none in 30 years."""
        first_second = after.replace(microsecond=0) + SECOND
        return self._first_from(first_second.astimezone(UTC))

    def _first_from(self, start: datetime) -> datetime | None:
        """Return the first tick at or after `start`, a whole second."""
        offset = self._offset(start)
        shifted, wall_from = None, _wall(start, offset)
        if self._fixed:
            shifted, wall_from = self._fixed_near_transition(start, offset, wall_from)
        wall = self._wall_from(wall_from)
        found = [shifted] if shifted is not None else []
        if wall is not None:
            found.append(_instant(wall, offset))
        tick = min(found, default=None)
        horizon = start + REACH
        if self._offset(horizon) != offset:  # walls may repeat, or be left out, from the transition on
            transition = self._transition(start, horizon)
            return tick if tick is not None and tick < transition else self._first_from(transition)
        if tick is None or tick <= horizon:
            return tick
        # With whatever offset is in force there, the tick is no more than REACH before where this offset puts it.
        return self._first_from(tick - REACH)

    def _fixed_near_transition(
        self, start: datetime, offset: timedelta, wall_from: datetime
    ) -> tuple[datetime | None, datetime]:
        """Return (tick shifted out of a gap just before `start`, wall time to look from) for a fixed-time job."""
        before = self._offset(start - REACH)
        if before == offset:
            return None, wall_from
        transition = self._transition(start - REACH, start)
        if before > offset:  # the clock went back: walls before this one have had their run
            return None, max(wall_from, _wall(transition, before))
        wall = self._wall_from(max(_wall(start, before), _wall(transition, before)))
        in_gap = wall is not None and wall < _wall(transition, offset)
        return (_instant(wall, before) if wall is not None and in_gap else None), wall_from

    def _transition(self, low: datetime, high: datetime) -> datetime:
        """Return the first second in (low, high] that has `high`'s offset."""
        offset = self._offset(high)
        while high - low > SECOND:
            middle = low + ((high - low) // 2 // SECOND) * SECOND
            if self._offset(middle) == offset:
                high = middle
            else:
                low = middle
        return high

    def _offset(self, instant: datetime) -> timedelta:
        offset = instant.astimezone(self._zone).utcoffset()
        assert offset is not None
        return offset

    def _wall_from(self, wall: datetime) -> datetime | None:
        """Return the first wall-clock time at or after `wall` that the expression matches."""
        self._walls.set_current(wall - SECOND, force=True)
        try:
            found: datetime = self._walls.get_next(datetime)
        except CroniterBadDateError:
            return None
        return found


def _wall(instant: datetime, offset: timedelta) -> datetime:
    return (instant + offset).replace(tzinfo=None)


def _instant(wall: datetime, offset: timedelta) -> datetime:
    return wall.replace(tzinfo=UTC) - offset


@lru_cache(maxsize=4096)
def cron_timetable(text: str, zone: str) -> CronTimetable:
    """Return the timetable of a cron expression in a zone; raise ValueError or ZoneInfoNotFoundError."""
    return CronTimetable(parse_expression(text), ZoneInfo(zone))
