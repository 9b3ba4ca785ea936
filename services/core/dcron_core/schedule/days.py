"""Which days of a month an expression's two day fields choose.

That depends only on the month's length and on the day of the week it begins with, so there are 28 answers.
Weekdays are numbered as in cron: 0 is Sunday. Sets of days are those of `bits`.
"""

import calendar
from functools import lru_cache

from msgspec import Struct

from dcron_core.schedule.bits import bits
from dcron_core.schedule.expression import Expression
from dcron_core.schedule.fields import LastDay, LastOf, LastWorkday, Nearest, Nth, Part

_SATURDAY, _SUNDAY = 6, 0


class DayRule(Struct, frozen=True):
    """The day fields with what is hashed known."""

    days: int  # the set of plain days of the month
    weekdays: int  # the set of plain weekdays, 0-6
    special: tuple[Part, ...]  # of the day of month: L, LW, 15W
    special_weekdays: tuple[Part, ...]  # 5L, 5#2
    both: bool  # both fields have to match; else one of them is enough

    def in_month(self, year: int, month: int) -> int:
        """Return the set of days that match."""
        first_weekday, length = calendar.monthrange(year, month)  # 0: Monday
        return _days_of(self, (first_weekday + 1) % 7, length)


def day_rule(expression: Expression, job_id: str) -> DayRule:
    """Return the rule; crontab(5): days match by either field only if neither begins with a star."""
    day, weekday = expression.day, expression.weekday
    return DayRule(
        days=bits(day.numbers(job_id)),
        weekdays=bits(number % 7 for number in weekday.numbers(job_id)),
        special=tuple(part for part in day.parts if isinstance(part, LastDay | LastWorkday | Nearest)),
        special_weekdays=tuple(part for part in weekday.parts if isinstance(part, LastOf | Nth)),
        both=day.starred or weekday.starred,
    )


@lru_cache(maxsize=28 * 1024)
def _days_of(rule: DayRule, first: int, length: int) -> int:
    """Return the set for a month of `length` days whose first one is the weekday `first`."""
    weekday = {day: (first + day - 1) % 7 for day in range(1, length + 1)}
    days = rule.days | bits(_special_day(part, weekday) for part in rule.special)
    weekdays = bits(day for day in weekday if rule.weekdays >> weekday[day] & 1)
    weekdays |= bits(_special_weekday(part, weekday) for part in rule.special_weekdays)
    chosen = days & weekdays if rule.both else days | weekdays
    return chosen & bits(weekday)


def _special_day(part: Part, weekday: dict[int, int]) -> int:
    """Return the day that a part of the day of month chooses; 0: none in this month."""
    length = len(weekday)
    match part:
        case LastDay(back):
            return max(length - back, 0)
        case LastWorkday():
            return _nearest_workday(length, weekday)
        case Nearest(day):
            return _nearest_workday(day, weekday) if day in weekday else 0
    raise AssertionError(part)


def _nearest_workday(day: int, weekday: dict[int, int]) -> int:
    """Return the Monday to Friday nearest to `day` that is in the month."""
    if weekday[day] == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday[day] == _SUNDAY:
        return day + 1 if day < len(weekday) else day - 2
    return day


def _special_weekday(part: Part, weekday: dict[int, int]) -> int:
    """The same for a part of the day of week."""
    match part:
        case LastOf(wanted):
            return max(day for day in weekday if weekday[day] == wanted)
        case Nth(wanted, count):
            days = [day for day in weekday if weekday[day] == wanted]
            return days[count - 1] if count <= len(days) else 0
    raise AssertionError(part)
