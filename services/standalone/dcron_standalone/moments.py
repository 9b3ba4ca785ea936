"""Instants and spans as people read them in a terminal."""

from datetime import datetime, timedelta

from dcron_core.durations import parse_duration
from dcron_core.errors import WrongInstantError


def span(duration: timedelta) -> str:
    """Return a duration in its two largest units, such as `1h 5m` or `0.4s`."""
    seconds = duration.total_seconds()
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    parts = []
    rest = round(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def local(instant: datetime) -> str:
    """Return the instant in the reader's own time zone."""
    return instant.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ahead(instant: datetime, now: datetime) -> str:
    """Return a future instant as `in 5m 3s`; `now` if it has come."""
    return f"in {span(instant - now)}" if instant > now else "now"


def ago(instant: datetime, now: datetime) -> str:
    """Return a past instant as `5m 3s ago`."""
    return f"{span(now - instant)} ago"


def parse_moment(flag: str, text: str, now: datetime) -> datetime:
    """Return the instant that `text` names: ISO 8601 with a zone, or such as `2h ago`; raise WrongInstantError."""
    if text.endswith(" ago"):
        try:
            return now - parse_duration(text.removesuffix(" ago").strip())
        except (ValueError, OverflowError) as error:
            raise WrongInstantError(f"{flag} {text!r}: {error}") from None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise WrongInstantError(
            f"{flag} {text!r} is not an instant; write it such as 2026-11-24T09:30:00Z, 2026-11-24T10:30+01:00 or "
            "'2h ago'"
        ) from None
    if instant.tzinfo is None:
        raise WrongInstantError(f"{flag} {text!r} has no zone; write Z or an offset such as +02:00 behind it")
    return instant
