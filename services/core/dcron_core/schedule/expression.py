"""What a cron expression may say in this release: 5 fields, 6 with leading seconds, and `@daily` and kin."""

import re

from msgspec import Struct

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
FIELD_NAMES = ("second", "minute", "hour", "day of month", "month", "day of week")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_BOUNDS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day of month": (1, 31),
    "month": (1, 12),
    "day of week": (0, 7),
}
_PART = re.compile(r"^(\*|(?P<low>\w+)(-(?P<high>\w+))?)(/(?P<step>\d+))?$", re.ASCII)
_LATER = re.compile(r"[LWHR#?]|^@", re.IGNORECASE)


class Expression(Struct, frozen=True):
    """A checked expression: six fields, seconds first."""

    fields: tuple[str, ...]  # of *, steps of it and numbers: croniter reads 0-0 as the whole week

    @property
    def fixed_time(self) -> bool:
        """True if neither hour nor minute has a wildcard: vixie cron's fixed-time jobs."""
        return "*" not in self.fields[1] and "*" not in self.fields[2]


def parse_expression(text: str) -> Expression:
    """Return the checked expression; raise ValueError that names the field and what would be right."""
    parts = ALIASES.get(text.strip().lower(), text).split()
    if len(parts) == 1 and parts[0].startswith("@"):
        raise ValueError(f"{text!r} is not known; known are {', '.join(ALIASES)}")
    if len(parts) not in (5, 6):
        raise ValueError(
            f"{text!r} has {len(parts)} fields; write 5 (minute hour day-of-month month day-of-week) "
            "or 6 with seconds in front"
        )
    fields = ("0", *parts) if len(parts) == 5 else tuple(parts)
    return Expression(
        tuple(
            ",".join(_spelt_out(name, part) for part in field.split(","))
            for name, field in zip(FIELD_NAMES, fields, strict=True)
        )
    )


def _spelt_out(name: str, part: str) -> str:
    """Return a checked part of a field, its names and ranges as numbers."""
    match = _PART.match(part)
    low, high = _BOUNDS[name]
    bounds = [_number(name, match[group]) for group in ("low", "high") if match[group]] if match else []
    if match is None or None in bounds:
        if _LATER.search(part):
            raise ValueError(f"{name} {part!r}: L, W, #, ? and H are not supported in this release")
        raise ValueError(f"{name} {part!r} is not a number, a range, a list or a step of {low}-{high}, or *")
    numbers = [number for number in bounds if number is not None]
    for number in numbers:
        if not low <= number <= high:
            raise ValueError(f"{name} {part!r}: {number} is outside {low}-{high}")
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        ends = f"{numbers[0]}-7" if name == "day of week" and numbers[1] == 0 else f"{numbers[1]}-{numbers[0]}"
        raise ValueError(f"{name} {part!r}: the range runs backwards; write {ends}, or a list")
    if match["step"] is not None and int(match["step"]) < 1:
        raise ValueError(f"{name} {part!r}: a step is 1 or more")
    if not numbers:
        return part
    last = numbers[-1] if match["high"] or not match["step"] else high
    return ",".join(str(number) for number in range(numbers[0], last + 1, int(match["step"] or 1)))


def _number(name: str, text: str) -> int | None:
    if text.isdecimal():
        return int(text)
    names = {"month": _MONTHS, "day of week": _DAYS}.get(name, [])
    if text.lower() not in names:
        return None
    return names.index(text.lower()) + (1 if name == "month" else 0)
