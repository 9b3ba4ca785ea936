"""When the clocks of a time zone change: stretches of constant offset from UTC.

All times here are UTC without a zone attached, because that is what wall-clock times can be reckoned with.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
# A year's spans reach so far into its neighbours, so that a transition next to a turn of the year is seen from both
# sides. No offset changes by more than a day (Apia, 2011).
MARGIN = 2 * DAY


class Span(Struct, frozen=True, gc=False):
    """A stretch of time in which a zone's offset is constant, `start` ≤ t < `end`."""

    start: datetime
    end: datetime
    before: timedelta  # the offset before `start`; the same as `offset` where the year's table begins
    offset: timedelta
    after: timedelta  # the offset from `end` on


@lru_cache(maxsize=4096)
def spans_of(zone: str, year: int) -> tuple[Span, ...]:
    """Return the spans that cover the year, in order. Raises KeyError or ValueError for no zone. Costs 0.4 ms once."""
    info = ZoneInfo(zone)
    start = datetime(year, 1, 1, tzinfo=UTC) - MARGIN
    end = datetime(year + 1, 1, 1, tzinfo=UTC) + MARGIN
    changes = []
    day, offset = start, _offset(info, start)
    while day < end:
        following = _offset(info, day + DAY)
        if following != offset:
            changes.append((_transition(info, day, day + DAY).replace(tzinfo=None), following))
        day, offset = day + DAY, following
    edges = [(start.replace(tzinfo=None), _offset(info, start)), *changes, (end.replace(tzinfo=None), offset)]
    return tuple(
        Span(at, edges[i + 1][0], edges[max(i - 1, 0)][1], own, edges[i + 1][1])
        for i, (at, own) in enumerate(edges[:-1])
    )


def span_at(zone: str, instant: datetime) -> Span:
    """Return the span that `instant` is in."""
    for span in spans_of(zone, instant.year):
        if instant < span.end:
            return span
    raise AssertionError(f"the spans of {instant.year} end before {instant}")


def _transition(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the first second in (low, high] that has `high`'s offset."""
    offset = _offset(zone, high)
    while high - low > SECOND:
        middle = low + ((high - low) // 2 // SECOND) * SECOND
        if _offset(zone, middle) == offset:
            high = middle
        else:
            low = middle
    return high


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
