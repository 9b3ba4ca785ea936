"""What a cron expression may say: 5 fields, 6 with seconds in front, 7 with the year at the end, `@daily` and kin."""

from msgspec import Struct

from dcron_core.schedule.fields import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, YEAR, Field, parse_field

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Expression(Struct, frozen=True):
    """A checked expression."""

    second: Field
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field
    year: Field

    @property
    def fields(self) -> tuple[Field, ...]:
        """All seven, in the order in which they are written."""
        return (self.second, self.minute, self.hour, self.day, self.month, self.weekday, self.year)

    @property
    def fixed_time(self) -> bool:
        """True if neither hour nor minute has a wildcard: vixie cron's fixed-time jobs."""
        return not (self.minute.wild or self.hour.wild)

    @property
    def hashed(self) -> bool:
        """True if its ticks depend on the job's id."""
        return any(field.hashed for field in self.fields)


def parse_expression(text: str) -> Expression:
    """Return the checked expression; raise ValueError that names the field and what would be right."""
    parts = ALIASES.get(text.strip().lower(), text).split()
    if parts and parts[0].startswith("@"):
        raise _unknown_alias(text.strip(), parts[0].lower())
    if len(parts) not in (5, 6, 7):
        raise ValueError(
            f"{text!r} has {len(parts)} fields; write 5 (minute hour day-of-month month day-of-week), "
            "6 with seconds in front, or 7 with the year at the end too"
        )
    if len(parts) == 5:
        parts = ["0", *parts]
    if len(parts) == 6:
        parts = [*parts, "*"]
    kinds = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR)
    return Expression(*(parse_field(kind, part) for kind, part in zip(kinds, parts, strict=True)))


def _unknown_alias(text: str, alias: str) -> ValueError:
    if alias == "@reboot":
        return ValueError(
            f"{text!r} is refused: a job belongs to no machine whose start it could follow; "
            "let that machine's own cron or systemd run it, or ask for a run with `dcron job run`"
        )
    if alias == "@every":
        return ValueError(f"{text!r} is refused; write schedule.every with a duration, such as 5m, instead of cron")
    return ValueError(f"{text!r} is not known; known are {', '.join(ALIASES)}")
