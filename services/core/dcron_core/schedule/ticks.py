"""What every timetable can tell: the next tick, and what would have been a tick and why it is none.

A timetable is a row of *occurrences* in order. One without a reason is a tick: it runs. One with a reason is
excluded: the calendar has a day of rest, or the definition leaves out what a clock change leaves out.
"""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from dcron_core.schedule.walls import YEARS_TO_LOOK
from dcron_schemas.records import SkipReason

COUNT_AT_MOST = 1000  # excluded occurrences in a row that are counted one by one
INSTANT = timedelta(microseconds=1)  # the smallest difference between two instants
_LOOK_AHEAD = timedelta(days=366 * YEARS_TO_LOOK)


class Timetable(Protocol):
    """The ticks of a job."""

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first tick after `after`; None if there is none."""
        ...


class Occurrence(Struct, frozen=True, gc=False):
    """A tick, or what would be one."""

    at: datetime
    reason: SkipReason | None = None  # None: it is a tick
    detail: str = ""  # for people: which calendar, which time of day
    until: datetime | None = None  # all occurrences before it are excluded for the same cause; None: only this one


class Excluded(Struct, frozen=True):
    """Occurrences in a row that are no ticks, all for the same cause."""

    first: datetime
    last: datetime
    count: int  # 0: more than COUNT_AT_MOST
    reason: SkipReason
    detail: str


class JobTimetable(ABC):
    """A row of occurrences; made by `timetable_of`."""

    __slots__ = ()  # there are 100,000 of them

    @abstractmethod
    def following(self, after: datetime) -> Occurrence | None:
        """Return the first occurrence after `after`; None if there is none."""

    def clear_until(self, after: datetime, until: datetime) -> datetime:
        """Return up to when nothing after `after` is excluded: `until` at most, and perhaps too early.

        So that `excluded` need not go over every tick on its way.
        """
        return min(after, until)

    def next_after(self, after: datetime) -> datetime | None:
        """Return the first tick after `after`; None if there is none."""
        found = self.following(after)
        while found is not None and found.reason is not None:
            if found.at - after > _LOOK_AHEAD:
                return None
            found = self.following(found.at if found.until is None else found.until - INSTANT)
        return None if found is None else found.at

    def excluded(self, after: datetime, until: datetime, limit: int | None = None) -> list[Excluded]:
        """Return what is excluded in `after` < t ≤ `until`, in order; what has one cause and no tick within is one.

        At most `limit` of them, the first ones. Costs about as much as there are days, not as ticks.
        """
        rows: list[Excluded] = []
        found, joins = self._next_to_look_at(after, until), False
        while found is not None and found.at <= until:
            if found.reason is None:
                found, joins = self._next_to_look_at(found.at, until), False
                continue
            joins = joins and (found.reason, found.detail) == (rows[-1].reason, rows[-1].detail)
            if not joins and len(rows) == limit:
                break
            end = min(found.until or found.at + INSTANT, until + INSTANT)
            row = self._row(found, end, rows.pop() if joins else None)
            rows.append(row)
            found, joins = self.following(row.last), True
        return rows

    def _next_to_look_at(self, after: datetime, until: datetime) -> Occurrence | None:
        """Return the first occurrence after `after` that may be excluded; None: nothing is up to `until`."""
        clear = self.clear_until(after, until)
        return None if clear >= until else self.following(max(after, clear))

    def _row(self, first: Occurrence, end: datetime, before: Excluded | None) -> Excluded:
        """Return the row of `before` and the occurrences from `first` on that lie before `end`.

        Beyond the count, the last one is found by halving.
        """
        assert first.reason is not None
        last, count = first.at, 1 if before is None else before.count and before.count + 1
        while 0 < count <= COUNT_AT_MOST and (found := self.following(last)) is not None and found.at < end:
            last, count = found.at, count + 1
        if not 0 < count <= COUNT_AT_MOST:
            last, count = self._last_before(last, end), 0
        return Excluded(before.first if before else first.at, last, count, first.reason, first.detail)

    def _last_before(self, last: datetime, end: datetime) -> datetime:
        while end - last > timedelta(seconds=1):
            middle = last + (end - last) / 2
            found = self.following(middle)
            if found is not None and found.at < end:
                last = found.at
            else:
                end = middle
        while (found := self.following(last)) is not None and found.at < end:
            last = found.at
        return last
