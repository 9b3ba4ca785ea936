"""The wall-clock times that a cron expression matches, without any zone.

Each field is a set of numbers in one integer (`bits`): the next one is found without a search, and 100,000 jobs
can have a timetable each.
"""

from datetime import datetime

from dcron_core.schedule.bits import bits, lowest
from dcron_core.schedule.days import day_rule
from dcron_core.schedule.expression import Expression
from dcron_core.schedule.fields import YEAR

# Any date that comes at all comes again within so many years: 29 February on a given weekday takes 40 around 2100.
YEARS_TO_LOOK = 41


class Walls:
    """All matching times of one expression and job."""

    __slots__ = ("_days", "_first", "_hours", "_minutes", "_months", "_seconds", "_years")

    def __init__(self, expression: Expression, job_id: str) -> None:
        self._seconds = bits(expression.second.numbers(job_id))
        self._minutes = bits(expression.minute.numbers(job_id))
        self._hours = bits(expression.hour.numbers(job_id))
        self._months = bits(expression.month.numbers(job_id))
        self._days = day_rule(expression, job_id)
        self._years = None if expression.year.text == "*" else frozenset(expression.year.numbers(job_id))
        self._first = (lowest(self._hours), lowest(self._minutes), lowest(self._seconds))

    def first_from(self, wall: datetime) -> datetime | None:
        """Return the first one at or after `wall`, a whole second; None if there is none in `YEARS_TO_LOOK` years."""
        time = self._time_from(wall.hour, wall.minute, wall.second)
        day = self._day_from(wall.year, wall.month, wall.day + (time is None))
        if day is None:
            return None
        if time is None or day != (wall.year, wall.month, wall.day):
            time = self._first
        return datetime(*day, *time)  # noqa: DTZ001 - a wall-clock time has no zone

    def _time_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        """Return the first time of day at or after that one; None if there is none on that day."""
        _, first_minute, first_second = self._first
        if self._hours >> hour & 1:
            if self._minutes >> minute & 1 and (seconds := self._seconds >> second):
                return hour, minute, second + lowest(seconds)
            if minutes := self._minutes >> minute + 1:
                return hour, minute + 1 + lowest(minutes), first_second
        if hours := self._hours >> hour + 1:
            return hour + 1 + lowest(hours), first_minute, first_second
        return None

    def _day_from(self, year: int, month: int, day: int) -> tuple[int, int, int] | None:
        """Return the first day at or after that one; `day` may be one past the month's end."""
        last_year = YEAR.high if self._years else min(year + YEARS_TO_LOOK, YEAR.high)
        while year <= last_year:
            if self._years is None or year in self._years:
                if self._months >> month & 1 and (days := self._days.in_month(year, month) >> day):
                    return year, month, day + lowest(days)
                if months := self._months >> month + 1:
                    month, day = month + 1 + lowest(months), 1
                    continue
            year, month, day = year + 1, lowest(self._months), 1
        return None
