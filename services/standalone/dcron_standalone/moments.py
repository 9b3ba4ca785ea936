"""Instants and spans as people read them in a terminal."""

import re
from datetime import datetime, timedelta

from dcron_core.clock import SystemClock
from dcron_core.durations import parse_duration
from dcron_core.errors import WrongInstantError
from dcron_schemas.types import DURATION_PATTERN


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


def span_s(seconds: float) -> str:
    """Return a number of seconds as `span` does."""
    return span(timedelta(seconds=seconds))


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


def instant_in(flag: str, text: str) -> str:
    """Return the instant that `text` names, as the API takes it: as for `parse_moment`, or such as `2h`, how long ago.

    Empty: none. Raises WrongInstantError.
    """
    if not text:
        return ""
    now = SystemClock().now()
    is_span = re.match(DURATION_PATTERN, text) is not None
    return parse_moment(flag, f"{text} ago" if is_span else text, now).isoformat()
