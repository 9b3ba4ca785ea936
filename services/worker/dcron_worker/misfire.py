"""What becomes of ticks that nobody could start in time (`misfire`). Pure.

A tick that is later than `start_deadline` is missed. `skip` leaves all of them out; `once` runs the last one,
`all` the last `limit` ones, in order; what comes before those is left out, in one range. Both are decided
from the tick that stands next, so a crash in between, or another worker, goes on where this one was.

No part of it walks through a long downtime tick by tick: a month of ticks each second costs about as much as
`limit` of them.
"""

from collections import deque
from datetime import datetime, timedelta

from msgspec import Struct

from dcron_core.durations import parse_duration
from dcron_core.schedule import Timetable
from dcron_schemas.job import Misfire

COUNT_AT_MOST = 1000  # missed ticks that are counted one by one
SECOND = timedelta(seconds=1)  # no two ticks of a job are closer than this


class Missed(Struct, frozen=True):
    """Ticks in a row that nobody started in time."""

    last: datetime
    count: int  # 0: more than COUNT_AT_MOST


class Backlog(Struct, frozen=True):
    """How many missed ticks there are at most from `tick` on, so that they are not counted before each run."""

    tick: datetime
    most: int
    at: datetime


class Verdict(Struct, frozen=True):
    """What is to be done about a tick."""

    skip: Missed | None = None  # from the tick on; None: it is to be run
    late: bool = False  # it is a missed one that is made up for
    backlog: Backlog | None = None  # to be shown with the next tick


def judge(
    timetable: Timetable, tick: datetime, now: datetime, misfire: Misfire, backlog: Backlog | None = None
) -> Verdict:
    """Return what is to be done at `now` about `tick`, the job's next one."""
    before = now - parse_duration(misfire.start_deadline)
    if tick >= before:
        return Verdict()
    if misfire.policy == "skip":
        return Verdict(missed_ticks(timetable, tick, before))
    if misfire.policy == "once":
        last = missed_ticks(timetable, tick, before).last
        return Verdict(late=True) if last == tick else Verdict(missed_ticks(timetable, tick, last))
    return _judge_all(timetable, tick, before, now, misfire.limit, backlog)


def _judge_all(
    timetable: Timetable, tick: datetime, before: datetime, now: datetime, limit: int, backlog: Backlog | None
) -> Verdict:
    if backlog is not None and backlog.tick <= tick:
        most = backlog.most - (tick > backlog.tick) + (now - backlog.at) // SECOND + 1
        if most <= limit:
            # `at` stays as it is while it can, so that the seconds are not rounded up again and again.
            return Verdict(late=True, backlog=Backlog(tick, backlog.most - (tick > backlog.tick), backlog.at))
    kept = last_ticks(timetable, tick, before, limit)
    if kept[0] == tick:
        return Verdict(late=True, backlog=Backlog(tick, len(kept), now))
    return Verdict(missed_ticks(timetable, tick, kept[0]))


def missed_ticks(timetable: Timetable, first: datetime, before: datetime) -> Missed:
    """Return the ticks from `first` (one of them) to the last one before `before`.

    They are counted one by one up to COUNT_AT_MOST; beyond that the last one is found by halving the time
    that it can be in, so that a month of ticks each second costs no more than an hour of them.
    """
    last, count = first, 1
    while count <= COUNT_AT_MOST:
        tick = timetable.next_after(last)
        if tick is None or tick >= before:
            return Missed(last, count)
        last, count = tick, count + 1
    end = before  # no tick from here on
    while end - last > SECOND:
        middle = last + (end - last) / 2
        tick = timetable.next_after(middle)
        if tick is not None and tick < before:
            last = tick
        else:
            end = middle
    while (tick := timetable.next_after(last)) is not None and tick < before:
        last = tick
    return Missed(last, 0)


def last_ticks(timetable: Timetable, first: datetime, before: datetime, limit: int) -> list[datetime]:
    """Return the last `limit` ticks from `first` (one of them) on and before `before`, in order.

    The time before `before` is looked at in pieces, the latest first, each twice as long as the one after it. A
    piece with more ticks than are wanted still is halved, which happens no more often than ticks are close
    enough: a piece of n seconds has no more than n ticks.
    """
    found: deque[datetime] = deque()
    end, width = before, SECOND * limit
    while end > first and len(found) < limit:
        start = max(first, end - width)
        wanted = limit - len(found)
        ticks = _between(timetable, start, end, wanted)
        if len(ticks) <= wanted:
            found.extendleft(reversed(ticks))
            end, width = start, 2 * width
        else:
            width = (end - start) / 2
    return list(found)


def _between(timetable: Timetable, start: datetime, end: datetime, wanted: int) -> list[datetime]:
    """Return the ticks from `start` on and before `end`: all of them, or as soon as it is seen more than `wanted`."""
    ticks: list[datetime] = []
    tick = timetable.next_after(start - timedelta(microseconds=1))
    while tick is not None and tick < end and len(ticks) <= wanted:
        ticks.append(tick)
        tick = timetable.next_after(tick)
    return ticks
