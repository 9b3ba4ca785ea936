"""Jitter moves ticks, and neither loses, doubles nor reorders one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.schedule import due, timetable_of
from dcron_schemas.job import JobSpec, Run, Schedule

START = datetime(2024, 5, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)


def jittered(schedule: Schedule, jitter: str | None, **fields: object) -> JobSpec:
    return JobSpec(name="job", run=Run(shell="true"), schedule=schedule, jitter=jitter, **fields)  # type: ignore[arg-type]


schedules = st.sampled_from(
    [Schedule(cron="* * * * *"), Schedule(cron="*/7 3,4 * * *"), Schedule(every="90s"), Schedule(cron="0 0 1 * *")]
)


@settings(max_examples=60, deadline=None)
@given(
    schedule=schedules,
    jitter=st.integers(1, 400_000),
    job=st.integers(0, 10**6),
    probe=st.floats(0, 18_000, allow_nan=False),
)
def test_each_tick_is_later_by_less_than_the_jitter_and_before_the_next_one(
    schedule: Schedule, jitter: int, job: int, probe: float
) -> None:
    """G4, G5: one tick for each that the schedule names, in order, the same ones wherever one begins to look."""
    end = START + timedelta(hours=5 if schedule.cron != "0 0 1 * *" else 9000)
    named = due(jittered(schedule, None), START, START, end, str(job))
    spec = jittered(schedule, f"{jitter}ms")
    found = due(spec, START, START, end + timedelta(hours=1), str(job))
    ticks = [tick for tick in found if tick >= named[0]][: len(named)]
    following = [*named[1:], named[-1] + timedelta(days=40)]
    for tick, nominal, then in zip(ticks, named, following, strict=True):
        assert nominal <= tick < min(nominal + jitter * MS, then)
        assert not (tick - nominal) % MS
    at = START + timedelta(seconds=probe)
    timetable = timetable_of(spec, START, str(job))
    assert timetable is not None
    later = [tick for tick in found if tick > at]
    if later:
        assert timetable.next_after(at) == later[0]


def test_jobs_that_are_due_together_are_spread_and_each_keeps_its_place() -> None:
    """Pinned: another release that hashed otherwise would run some tick twice, or not at all."""
    spec = jittered(Schedule(cron="0 0 * * *"), "1h")
    noon = START + timedelta(hours=12)
    ticks = [due(spec, noon, noon, noon + timedelta(days=1), f"job-{n}") for n in range(200)]
    delays = [(tick - START - timedelta(days=1)).total_seconds() for (tick,) in ticks]
    assert delays[:3] == [1804.011, 1436.47, 1306.722]
    assert len(set(delays)) == 200
    assert min(delays) < 120
    assert max(delays) > 3480


@pytest.mark.parametrize("text", ["12:00", "11:59:59.999"])
def test_a_tick_named_just_before_the_instant_asked_about_is_not_lost(text: str) -> None:
    spec = jittered(Schedule(at=datetime(2024, 5, 1, 12, tzinfo=UTC)), "1h")
    (tick,) = due(spec, START, START, START + timedelta(days=1), "job")
    after = datetime.fromisoformat(f"2024-05-01 {text}").replace(tzinfo=UTC)
    assert due(spec, START, after, START + timedelta(days=1), "job") == [tick]
    assert due(spec, START, tick, START + timedelta(days=1), "job") == []
