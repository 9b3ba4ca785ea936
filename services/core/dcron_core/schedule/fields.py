"""One field of a cron expression: what it may say, and what is said to one that may not.

A field is a list of parts. What a part means is told by its class; which numbers a hashed one stands for
depends on the job, and is found out by `numbers`.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from dcron_core.schedule.hashing import hashed

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class FieldKind(Struct, frozen=True):
    """A place in an expression: its name and bounds."""

    name: str
    low: int
    high: int
    hash_high: int  # H without a range stays at or below it: every month has a 28th, and 0 and 7 are one day


SECOND = FieldKind("second", 0, 59, 59)
MINUTE = FieldKind("minute", 0, 59, 59)
HOUR = FieldKind("hour", 0, 23, 23)
DAY = FieldKind("day of month", 1, 31, 28)
MONTH = FieldKind("month", 1, 12, 12)
WEEKDAY = FieldKind("day of week", 0, 7, 6)
YEAR = FieldKind("year", 1970, 2199, 2199)


class Every(Struct, frozen=True):
    """`*`, `*/n`, and `?` in the day fields."""

    step: int = 1


class Span(Struct, frozen=True):
    """A number (both ends are the same), a range, or a range with a step."""

    low: int
    high: int
    step: int = 1


class Hashed(Struct, frozen=True):
    """`H`, `H(a-b)`: a number chosen by the job's id; with `/n`: each n-th from such a number on."""

    low: int
    high: int
    step: int | None = None


class LastDay(Struct, frozen=True):
    """`L`, `L-n`: the last day of the month, or the n-th before it."""

    back: int = 0


class LastWorkday(Struct, frozen=True):
    """`LW`: the last Monday to Friday of the month."""


class Nearest(Struct, frozen=True):
    """`15W`: the Monday to Friday nearest to that day, within the month."""

    day: int


class LastOf(Struct, frozen=True):
    """`5L`: the last such day of the week in the month."""

    weekday: int


class Nth(Struct, frozen=True):
    """`5#2`: the second such day of the week in the month."""

    weekday: int
    count: int


Part = Every | Span | Hashed | LastDay | LastWorkday | Nearest | LastOf | Nth


class Field(Struct, frozen=True):
    """A checked field."""

    kind: FieldKind
    text: str
    parts: tuple[Part, ...]

    @property
    def wild(self) -> bool:
        """True if a part goes through the whole field: `*`, `*/n`, `H/n`."""
        return any(isinstance(part, Every) or (isinstance(part, Hashed) and part.step) for part in self.parts)

    @property
    def starred(self) -> bool:
        """True if it begins with a star: what crontab(5) asks of the day fields. `?` is a star."""
        return self.text[0] in "*?"

    @property
    def hashed(self) -> bool:
        """True if its numbers depend on the job."""
        return any(isinstance(part, Hashed) for part in self.parts)

    def numbers(self, job_id: str) -> Iterator[int]:
        """Yield the numbers that its plain and hashed parts stand for, in no order."""
        for part in self.parts:
            match part:
                case Every(step):
                    yield from range(self.kind.low, self.kind.high + 1, step)
                case Span(low, high, step):
                    yield from range(low, high + 1, step)
                case Hashed(low, high, None):
                    yield low + hashed(job_id, self.kind.name) % (high - low + 1)
                case Hashed(low, high, step) if step is not None:
                    first = low + hashed(job_id, self.kind.name) % min(step, high - low + 1)
                    yield from range(first, high + 1, step)


_PLAIN = re.compile(r"(\*|(?P<low>\w+)(-(?P<high>\w+))?)(/(?P<step>\d+))?", re.ASCII)
_HASHED = re.compile(r"H(\((?P<low>\w+)-(?P<high>\w+)\))?(/(?P<step>\d+))?", re.ASCII | re.IGNORECASE)
_LAST_DAY = re.compile(r"L(-(?P<back>\d+))?", re.ASCII | re.IGNORECASE)
_NEAREST = re.compile(r"(?P<day>\d+)W", re.ASCII | re.IGNORECASE)
_LAST_OF = re.compile(r"(?P<weekday>[0-7]|[a-z]{3})L", re.IGNORECASE)
_NTH = re.compile(r"(?P<weekday>\w+)#(?P<count>\w+)", re.ASCII)


def parse_field(kind: FieldKind, text: str) -> Field:
    """Return the checked field; raise ValueError that names the field, the part and what would be right."""
    return Field(kind, text, tuple(_part(kind, part) for part in text.split(",")))


def _part(kind: FieldKind, text: str) -> Part:
    if text == "?" and kind in (DAY, WEEKDAY):
        return Every()
    special = _day_part(kind, text) if kind is DAY else _weekday_part(kind, text) if kind is WEEKDAY else None
    if special is not None:
        return special
    if match := _HASHED.fullmatch(text):
        return _hashed_part(kind, text, match)
    match = _PLAIN.fullmatch(text)
    if match is None:
        raise _misplaced(kind, text)
    step = _step(kind, text, match["step"])
    if match["low"] is None:
        return Every(step or 1)
    low = _number(kind, text, match["low"])
    if match["high"] is None:
        return Span(low, kind.high if step else low, step or 1)
    high = _number(kind, text, match["high"])
    _require_forward(kind, text, low, high)
    return Span(low, high, step or 1)


def _day_part(kind: FieldKind, text: str) -> Part | None:
    if text.upper() in ("LW", "WL"):
        return LastWorkday()
    if match := _LAST_DAY.fullmatch(text):
        back = int(match["back"] or 0)
        if back > 30:
            raise ValueError(f"{kind.name} {text!r}: no month has a day so long before its last; write L-0 to L-30")
        return LastDay(back)
    if match := _NEAREST.fullmatch(text):
        return Nearest(_number(kind, text, match["day"]))
    return None


def _weekday_part(kind: FieldKind, text: str) -> Part | None:
    if text.upper() == "L":
        raise ValueError(f"{kind.name} {text!r}: the last of which day? Write 5L or friL for the last Friday")
    if match := _LAST_OF.fullmatch(text):
        return LastOf(_number(kind, text, match["weekday"]) % 7)
    if match := _NTH.fullmatch(text):
        if match["count"] not in ("1", "2", "3", "4", "5"):
            raise ValueError(f"{kind.name} {text!r}: after # stands which one of the month it is, 1 to 5")
        return Nth(_number(kind, text, match["weekday"]) % 7, int(match["count"]))
    return None


def _hashed_part(kind: FieldKind, text: str, match: re.Match[str]) -> Hashed:
    if kind is YEAR:
        raise ValueError(f"{kind.name} {text!r}: a year is not hashed; write *, or the years")
    low, high = kind.low, kind.hash_high
    if match["low"] is not None:
        low, high = _number(kind, text, match["low"]), _number(kind, text, match["high"])
        _require_forward(kind, text, low, high)
    return Hashed(low, high, _step(kind, text, match["step"]))


def _step(kind: FieldKind, text: str, step: str | None) -> int | None:
    if step is None:
        return None
    if int(step) < 1:
        raise ValueError(f"{kind.name} {text!r}: a step is 1 or more")
    return int(step)


def _number(kind: FieldKind, text: str, part: str) -> int:
    names = {MONTH: MONTHS, WEEKDAY: WEEKDAYS}.get(kind, ())
    if part.lower() in names:
        return names.index(part.lower()) + kind.low
    if not part.isdecimal():
        raise _misplaced(kind, text)
    if not kind.low <= int(part) <= kind.high:
        raise ValueError(f"{kind.name} {text!r}: {part} is outside {kind.low}-{kind.high}")
    return int(part)


def _require_forward(kind: FieldKind, text: str, low: int, high: int) -> None:
    if low > high:
        ends = f"{low}-7" if kind is WEEKDAY and high == 0 else f"{high}-{low}"
        raise ValueError(f"{kind.name} {text!r}: the range runs backwards; write {ends}, or a list")


def _misplaced(kind: FieldKind, text: str) -> ValueError:
    """Return what is wrong with a part that is none of this field's."""
    upper = text.upper()
    if kind is WEEKDAY and re.fullmatch(r"L[0-7]", upper):
        return ValueError(f"{kind.name} {text!r}: write {upper[1]}L for the last one of the month")
    if upper == "?":
        return ValueError(f"{kind.name} {text!r}: ? stands for * in the day fields only; write *")
    if re.fullmatch(r"(\w+|L)W|L(-\d+)?", upper, re.ASCII):
        return ValueError(f"{kind.name} {text!r}: L and W belong to the day of month, 5L to the day of week")
    if "#" in text:
        return ValueError(f"{kind.name} {text!r}: # belongs to the day of week, as in 5#2, the second Friday")
    return ValueError(
        f"{kind.name} {text!r} is not a number, a range, a list or a step of {kind.low}-{kind.high}, or *"
    )
