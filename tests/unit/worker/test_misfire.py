"""Misfire: what becomes of ticks nobody could start in time (G5), without walking through a month of them."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.schedule import Timetable
from dcron_core.schedule.cron import cron_timetable
from dcron_core.schedule.timetable import IntervalTimetable
from dcron_schemas.job import Misfire
from dcron_worker.misfire import COUNT_AT_MOST, Backlog, Missed, Verdict, judge, last_ticks, missed_ticks
from tests.unit.worker.candidates import START, at

TEN = IntervalTimetable(timedelta(seconds=10), START)
Policy = Literal["skip", "once", "all"]


@pytest.mark.parametrize(
    ("policy", "now", "skip", "late"),
    [
        ("skip", 10, None, False),
        ("skip", 70, None, False),  # to the instant
        ("skip", 70.001, Missed(at(10), 1), False),
        ("skip", 129, Missed(at(60), 6), False),
        ("once", 70, None, False),
        ("once", 70.001, None, True),
        ("once", 129, Missed(at(50), 5), False),
        ("all", 70, None, False),
        ("all", 70.001, None, True),
        ("all", 100, None, True),
        ("all", 129, Missed(at(30), 3), False),  # 40, 50 and 60 are made up for
    ],
)
def test_ticks_later_than_the_deadline_are_missed(policy: Policy, now: float, skip: Missed | None, late: bool) -> None:
    misfire = Misfire(policy=policy, limit=3)
    verdict = judge(TEN, at(10), at(now), misfire)
    assert (verdict.skip, verdict.late) == (skip, late)


def test_the_deadline_is_the_jobs_own() -> None:
    assert judge(TEN, at(10), at(15.5), Misfire(start_deadline="5s")).skip == Missed(at(10), 1)
    assert judge(TEN, at(10), at(3600), Misfire(start_deadline="1h")) == Verdict()


class World:
    """A job, its ticks, and a scheduler that takes a while for each decision."""

    def __init__(self, timetable: Timetable, misfire: Misfire, first: datetime, now: datetime) -> None:
        self.timetable, self.misfire, self.tick, self.now = timetable, misfire, first, now
        self.ran: list[datetime] = []
        self.left_out: list[tuple[datetime, datetime]] = []
        self.backlog: Backlog | None = None

    def catch_up(self, pause: timedelta) -> None:
        """Decide about one tick after the other until the next one is in time."""
        while True:
            verdict = judge(self.timetable, self.tick, self.now, self.misfire, self.backlog)
            self.backlog = verdict.backlog
            if verdict.skip is None and not verdict.late:
                return
            if verdict.skip is not None:
                self.left_out.append((self.tick, verdict.skip.last))
            else:
                self.ran.append(self.tick)
            last = verdict.skip.last if verdict.skip else self.tick
            following = self.timetable.next_after(last)
            if following is None:
                return
            self.tick = following
            self.now += pause


@settings(max_examples=150, deadline=None)
@given(
    policy=st.sampled_from(["skip", "once", "all"]),
    limit=st.integers(1, 30),
    gaps=st.lists(st.sampled_from([1, 2, 7, 60, 3600]), min_size=5, max_size=120),
    deadline=st.integers(1, 200),
    late=st.integers(0, 20_000),
    pause_ms=st.sampled_from([0, 10, 400, 1500]),
)
def test_every_tick_is_run_or_in_one_range(
    policy: Policy, limit: int, gaps: list[int], deadline: int, late: int, pause_ms: int
) -> None:
    """G5: whatever the gaps and however slow the catching up, no tick is lost, none is taken twice, all in order."""
    table = _Listed([at(sum(gaps[: n + 1])) for n in range(len(gaps))])
    misfire = Misfire(policy=policy, limit=limit, start_deadline=f"{deadline}s")
    now = table.ticks[-1] + timedelta(seconds=late)
    missed = [tick for tick in table.ticks if tick < now - timedelta(seconds=deadline)]
    world = World(table, misfire, table.ticks[0], now)
    world.catch_up(timedelta(milliseconds=pause_ms))
    taken = [*world.ran, *(t for first, last in world.left_out for t in table.ticks if first <= t <= last)]
    assert len(taken) == len(set(taken))
    assert set(missed) <= set(taken)
    assert world.ran == sorted(world.ran)
    if pause_ms == 0:
        kept = {"skip": 0, "once": 1, "all": limit}[policy]
        assert world.ran == missed[max(0, len(missed) - kept) :]
        assert len(world.left_out) == (1 if len(missed) > kept else 0), "the others are one range"


def test_a_month_of_ticks_each_second_costs_no_more_than_what_is_made_up_for() -> None:
    """Also while it is caught up slowly, and new ticks are missed meanwhile: they are not counted before each run."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    timetable = Counting(IntervalTimetable(timedelta(seconds=1), start))
    misfire = Misfire(policy="all", limit=100)
    world = World(timetable, misfire, start + timedelta(seconds=1), start + timedelta(days=30))
    world.catch_up(timedelta(milliseconds=200))
    assert world.left_out[0][0] == start + timedelta(seconds=1)
    assert 100 <= len(world.ran) <= 130
    assert timetable.asked < COUNT_AT_MOST + 40 * 100


@settings(max_examples=100, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 5000), min_size=1, max_size=80),
    limit=st.integers(1, 50),
    end=st.integers(2, 400_000),
)
def test_the_last_ticks_are_found_from_the_end(gaps: list[int], limit: int, end: int) -> None:
    table = _Listed([at(sum(gaps[: n + 1])) for n in range(len(gaps))])
    before = max(at(end), table.ticks[0] + timedelta(seconds=1))
    expected = [tick for tick in table.ticks if tick < before][-limit:]
    assert last_ticks(table, table.ticks[0], before, limit) == expected


class Counting:
    """Another timetable, and how often it was asked."""

    def __init__(self, inner: Timetable) -> None:
        self._inner = inner
        self.asked = 0

    def next_after(self, after: datetime) -> datetime | None:
        self.asked += 1
        return self._inner.next_after(after)


@pytest.mark.parametrize(
    ("count", "told"), [(1, 1), (2, 2), (COUNT_AT_MOST, COUNT_AT_MOST), (COUNT_AT_MOST + 1, 0), (5000, 0)]
)
def test_missed_ticks_are_counted_up_to_a_thousand(count: int, told: int) -> None:
    timetable = IntervalTimetable(timedelta(seconds=1), START)
    assert missed_ticks(timetable, at(1), at(count + 1)) == Missed(at(count), told)
    assert missed_ticks(timetable, at(1), at(count + 0.5)) == Missed(at(count), told)


@pytest.mark.parametrize(
    ("text", "downtime"),
    [
        ("* * * * * *", timedelta(days=31)),
        ("* * * * * 1", timedelta(days=3, hours=1)),  # was walked through, second by second: 18 s
        ("* * * * * 1", timedelta(days=6, hours=23)),
        ("* * 3 1 * *", timedelta(days=400)),
        ("*/7 * 0 1 1 *", timedelta(days=3000)),
    ],
)
def test_a_long_downtime_costs_little_more_than_the_count(text: str, downtime: timedelta) -> None:
    """G5: the last missed tick is found, in about as many steps as are counted anyway, whatever the gaps."""
    start = datetime(2024, 1, 1, tzinfo=UTC) - timedelta(seconds=1)  # a Monday
    timetable = Counting(cron_timetable(text, "UTC"))
    first = timetable.next_after(start)
    assert first is not None
    before = first + downtime
    missed = missed_ticks(timetable, first, before)
    following = timetable.next_after(missed.last)
    assert missed.count == 0
    assert missed.last < before
    assert following is not None
    assert following >= before
    assert timetable.asked < COUNT_AT_MOST + 60


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    long=st.integers(1, 10_000),
    skip=st.integers(0, 39),
    tail=st.integers(1, 30_000),
)
def test_the_last_missed_tick_is_the_last_one(gaps: list[int], long: int, skip: int, tail: int) -> None:
    """For bursts and pauses of any length, seen from any instant."""
    counts = [1]
    while len(counts) < COUNT_AT_MOST + 200:
        counts += [counts[-1] + sum(gaps[: n + 1]) for n in range(len(gaps))]
        counts.append(counts[-1] + long)
    table = _Listed([at(count) for count in counts])
    before = at(counts[COUNT_AT_MOST + skip] + tail)
    expected = max(tick for tick in table.ticks if tick < before)
    assert missed_ticks(table, table.ticks[0], before) == Missed(expected, 0)


class _Listed:
    def __init__(self, ticks: list[datetime]) -> None:
        self.ticks = ticks

    def next_after(self, after: datetime) -> datetime | None:
        place = bisect_right(self.ticks, after)
        return self.ticks[place] if place < len(self.ticks) else None
