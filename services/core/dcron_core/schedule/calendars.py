"""Calendars of days on which a job may rest: what `exclude` may name.

| name | the days |
|---|---|
| `weekends` | Saturdays and Sundays |
| `2026-12-25`, `12-25` | that day; that day of each year |
| `2026-12-24..2027-01-01`, `12-24..01-01` | from the one day to the other, both included |
| `holidays-DE`, `holidays-DE-BE` | public holidays of a country, or of a part of it, by ISO 3166 code |

All of them are known from the name alone, so a definition in the log means the same wherever it is read. Public
holidays come from the `holidays` library: like time zones, they are as good as the release that is installed.
"""

import difflib
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from msgspec import Struct

_DATE = re.compile(r"(?:(?P<year>\d{4})-)?(?P<month>\d{2})-(?P<day>\d{2})", re.ASCII)
_HOLIDAYS = re.compile(r"holidays-(?P<country>[A-Z]{2})(-(?P<part>[A-Za-z0-9]+))?", re.ASCII)
_LEAP_YEAR = 2000
KINDS = "weekends, 2026-12-25, 12-25, 2026-12-24..2027-01-01, 12-24..01-01, holidays-DE, holidays-DE-BE"

Rule = Callable[[date], str]  # day → why the job rests on it; "": it does not


class Calendar(Struct, frozen=True):
    """The days of several calendars together."""

    rules: tuple[Rule, ...]

    def rests_on(self, day: date) -> str | None:
        """Return why the job rests on that day; None if it does not."""
        for rule in self.rules:
            if why := rule(day):
                return why
        return None


@lru_cache(maxsize=1024)
def calendar_of(names: tuple[str, ...]) -> Calendar:
    """Return the calendar; raise ValueError for a name that is none."""
    return Calendar(tuple(rule_of(name) for name in names))


@lru_cache(maxsize=1024)
def rule_of(name: str) -> Rule:
    """Return the days that a name stands for; raise ValueError that says what would be right."""
    if name == "weekends":
        return lambda day: name if day.isoweekday() >= 6 else ""
    if match := _HOLIDAYS.fullmatch(name):
        return _holiday_rule(match["country"], match["part"])
    first, dots, last = name.partition("..")
    if _DATE.fullmatch(first):
        return _date_rule(name, first, last if dots else first)
    near = difflib.get_close_matches(name.lower(), ["weekends"], n=1)
    raise ValueError(f"{name!r} is no calendar; " + (f"did you mean {near[0]}?" if near else f"known are {KINDS}"))


def _date_rule(name: str, first: str, last: str) -> Rule:
    ends = [_DATE.fullmatch(text) for text in (first, last)]
    years = [match["year"] if match else None for match in ends]
    if None in ends or (years[0] is None) != (years[1] is None):
        raise ValueError(f"{name!r}: both ends are days of the same form, such as 2026-12-24..2027-01-01")
    low, high = (_day(name, text) for text in (first, last))
    if years[0] is not None:
        if low > high:
            raise ValueError(f"{name!r} runs backwards; write {last}..{first}")
        return lambda day: name if low <= day <= high else ""
    low_day, high_day = (low.month, low.day), (high.month, high.day)
    if low_day <= high_day:
        return lambda day: name if low_day <= (day.month, day.day) <= high_day else ""
    return lambda day: name if not high_day < (day.month, day.day) < low_day else ""  # over the turn of the year


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text if len(text) == 10 else f"{_LEAP_YEAR}-{text}")
    except ValueError:
        raise ValueError(f"{name!r}: there is no day {text}; write year-month-day or month-day") from None


def _holiday_rule(country: str, part: str | None) -> Rule:
    import holidays  # 150 ms and some MB, for those who use it

    known = holidays.list_supported_countries()
    if country not in known:
        raise ValueError(
            f"'holidays-{country}': no holidays are known of that country; write its ISO 3166 code, such as DE"
        )
    if part is not None and part not in known[country]:
        parts = ", ".join(known[country])
        raise ValueError(
            f"'holidays-{country}-{part}': no such part of the country; "
            + (f"known are {parts}" if parts else f"write holidays-{country}")
        )
    return lambda day: _holidays(country, part, day.year).get(day, "")


@lru_cache(maxsize=1024)
def _holidays(country: str, part: str | None, year: int) -> dict[date, str]:
    """Return the days of one year with what is told about them."""
    import holidays

    code = f"holidays-{country}-{part}" if part else f"holidays-{country}"
    days = holidays.country_holidays(country, subdiv=part, years=year, expand=False, language="en_US")
    return {day: f"{code}: {name}" for day, name in days.items()}
