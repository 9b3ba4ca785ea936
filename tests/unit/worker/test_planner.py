"""The planner looks at each due job once for each state of it, and counts what was missed without walking a month."""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.schedule import Timetable
from dcron_core.schedule.cron import cron_timetable
from dcron_core.schedule.timetable import IntervalTimetable
from dcron_worker.planner import COUNT_AT_MOST, Candidate, Missed, Planner, missed_ticks
from tests.unit.worker.candidates import JOB_ID, START, at, job

AHEAD = timedelta(milliseconds=500)


@pytest.fixture
def planner() -> Planner:
    return Planner(AHEAD)


def ticks(candidates: list[Candidate]) -> list[tuple[str, datetime]]:
    return [(candidate.entry.job_id, candidate.tick) for candidate in candidates]


def test_a_job_is_looked_at_ahead_of_its_first_tick_after_the_anchor(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    assert planner.next_look() == at(10) - AHEAD
    assert planner.ready(at(9.4)) == []
    (found,) = planner.ready(at(9.5))
    assert (found.tick, found.job_revision, found.cursor_revision, found.looks) == (at(10), 5, 0, 1)


def test_a_job_without_ticks_has_no_look(planner: Planner) -> None:
    planner.job_stands(job(every=None), revision=5)
    assert planner.next_look() is None
    assert planner.job(JOB_ID) == (job(every=None), 5)


def test_looks_come_in_the_order_of_their_instants(planner: Planner) -> None:
    for number, every in enumerate(("30s", "10s", "20s")):
        planner.job_stands(job(f"job-{number}", every=every), revision=5 + number)
    assert ticks(planner.ready(at(25))) == [("job-1", at(10)), ("job-2", at(20))]
    assert planner.next_look() == at(30) - AHEAD


def test_a_job_that_was_looked_at_rests_until_something_changes(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    planner.ready(at(10))
    assert planner.ready(at(1000)) == []
    assert planner.next_look() is None


def test_the_cursor_moves_the_next_tick_on(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (first,) = planner.ready(at(10))
    planner.cursor_stands(JOB_ID, at(10), revision=8)
    assert not planner.is_current(first)
    (second,) = planner.ready(at(20))
    assert (second.tick, second.cursor_revision) == (at(20), 8)


def test_a_cursor_that_is_older_than_the_known_one_changes_nothing(planner: Planner) -> None:
    """The watch brings what a claim of our own has told already."""
    planner.job_stands(job(), revision=5)
    planner.cursor_stands(JOB_ID, at(20), revision=9)
    for revision in (8, 9):
        planner.cursor_stands(JOB_ID, at(10), revision)
    assert ticks(planner.ready(at(100))) == [(JOB_ID, at(30))]


def test_the_effective_cursor_is_the_later_of_cursor_and_anchor(planner: Planner) -> None:
    """A job that was rescheduled does not make up for ticks before that; one that was not goes on where it was."""
    planner.cursor_stands("before", at(10), revision=3)
    planner.job_stands(job("before", anchor=at(100)), revision=5)
    planner.cursor_stands("after", at(100), revision=4)
    planner.job_stands(job("after"), revision=6)
    assert sorted(ticks(planner.ready(at(1000)))) == [("after", at(110)), ("before", at(110))]


def test_a_cursor_may_come_before_its_job(planner: Planner) -> None:
    planner.cursor_stands(JOB_ID, at(50), revision=4)
    planner.job_stands(job(), revision=5)
    (found,) = planner.ready(at(60))
    assert (found.tick, found.cursor_revision) == (at(60), 4)


def test_a_new_definition_voids_what_was_planned_and_what_is_under_way(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (stale,) = planner.ready(at(10))
    planner.job_stands(job(every="60s", version=2), revision=7)
    assert not planner.is_current(stale)
    planner.look_again(stale, at(11))
    (found,) = planner.ready(at(100))
    assert (found.tick, found.job_revision, found.entry.version) == (at(60), 7, 2)


def test_an_older_definition_changes_nothing(planner: Planner) -> None:
    planner.job_stands(job(version=2, every="60s"), revision=7)
    planner.job_stands(job(), revision=5)
    planner.job_stands(job(), revision=7)
    assert ticks(planner.ready(at(100))) == [(JOB_ID, at(60))]


def test_a_job_that_is_gone_is_never_looked_at_again(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (stale,) = planner.ready(at(10))
    planner.look_again(stale, at(11))
    planner.job_gone(JOB_ID)
    assert (planner.ready(at(100)), planner.next_look(), len(planner)) == ([], None, 0)
    assert planner.job(JOB_ID) is None
    planner.job_gone(JOB_ID)
    planner.look_again(stale, at(12))
    assert planner.next_look() is None


def test_a_definition_that_cannot_be_understood_costs_that_job_only(planner: Planner) -> None:
    """And its former version, which holds no longer, does not run on."""
    planner.job_stands(job("good"), revision=4)
    planner.job_stands(job(), revision=5)
    with pytest.raises(ValueError, match="fields"):
        planner.job_stands(job(cron="nonsense", version=2), revision=6)
    assert ticks(planner.ready(at(10))) == [("good", at(10))]


def test_look_again_counts_the_looks_at_one_tick(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (first,) = planner.ready(at(10))
    planner.look_again(first, at(10.15))
    assert planner.next_look() == at(10.15)
    assert planner.ready(at(10.1)) == []
    (second,) = planner.ready(at(10.15))
    assert (second.looks, second.tick) == (2, first.tick)
    planner.cursor_stands(JOB_ID, at(10), revision=8)
    (next_tick,) = planner.ready(at(20))
    assert next_tick.looks == 1


def test_a_cursor_that_is_gone_is_compared_as_gone(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    planner.cursor_stands(JOB_ID, at(10), revision=8)
    planner.cursor_gone(JOB_ID)
    (found,) = planner.ready(at(20))
    assert found.cursor_revision == 0


@pytest.mark.parametrize(
    ("now", "missed"),
    [
        (10, None),
        (70, None),  # to the instant
        (70.001, Missed(at(10), 1)),
        (80.001, Missed(at(20), 2)),
        (129, Missed(at(60), 6)),
    ],
)
def test_ticks_later_than_the_deadline_are_missed(planner: Planner, now: float, missed: Missed | None) -> None:
    planner.job_stands(job(), revision=5)
    (found,) = planner.ready(at(10))
    assert planner.missed(found, at(now), timedelta(minutes=1)) == missed


def test_nothing_is_missed_of_a_job_that_is_gone(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (found,) = planner.ready(at(10))
    planner.job_gone(JOB_ID)
    assert planner.missed(found, at(1000), timedelta(minutes=1)) is None


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
