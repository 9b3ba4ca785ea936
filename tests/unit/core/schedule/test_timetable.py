"""From definitions to ticks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcron_core.schedule import describe, due, timetable_of
from dcron_schemas.job import JobSpec, Run, Schedule

ANCHOR = datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)
JOB = "019e0000-0000-7000-8000-000000000001"


def job(schedule: Schedule | None, **fields: Any) -> JobSpec:
    return JobSpec(name="job", run=Run(shell="true"), schedule=schedule, **fields)


def seconds(*counts: float) -> list[datetime]:
    return [ANCHOR + timedelta(seconds=count) for count in counts]


@pytest.mark.parametrize(
    ("after", "until", "expected"),
    [
        (0, 95, [30, 60, 90]),
        (30, 90, [60, 90]),  # after is not in it, until is
        (30.000001, 59.999999, []),
        (-1000, 30, [30]),  # never at or before the anchor
        (10, 10, []),
        (60, 30, []),
    ],
)
def test_due_is_what_lies_after_one_instant_up_to_another(after: float, until: float, expected: list[float]) -> None:
    after_, until_ = seconds(after, until)
    assert due(job(Schedule(every="30s")), ANCHOR, after_, until_, JOB) == seconds(*expected)


def test_a_cron_job_is_due_after_its_anchor_only() -> None:
    spec = job(Schedule(cron="0 * * * *"))
    day = timedelta(days=1)
    ticks = due(spec, ANCHOR, ANCHOR - day, ANCHOR + timedelta(hours=2), JOB)
    assert ticks == [datetime(2024, 5, 1, 11, tzinfo=UTC), datetime(2024, 5, 1, 12, tzinfo=UTC)]


@pytest.mark.parametrize(
    "spec", [job(None), job(Schedule(every="1s"), enabled=False), job(Schedule(cron="0 0 30 2 *"))]
)
def test_a_job_on_request_a_paused_one_and_one_that_never_fires_have_no_ticks(spec: JobSpec) -> None:
    assert due(spec, ANCHOR, ANCHOR, ANCHOR + timedelta(days=400), JOB) == []


@given(every_s=st.integers(1, 10**7), after_s=st.floats(-(10**8), 10**8, allow_nan=False))
def test_the_ticks_of_every_are_whole_intervals_after_the_anchor(every_s: int, after_s: float) -> None:
    timetable = timetable_of(job(Schedule(every=f"{every_s}s")), ANCHOR, JOB)
    assert timetable is not None
    after = ANCHOR + timedelta(seconds=after_s)
    tick = timetable.next_after(after)
    assert tick is not None
    intervals, rest = divmod(tick - ANCHOR, timedelta(seconds=every_s))
    assert (rest, tick > after, intervals >= 1) == (timedelta(), True, True)
    assert intervals == 1 or tick - timedelta(seconds=every_s) <= after


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (job(Schedule(every="0s")), ValueError),
        (job(Schedule(cron="bad")), ValueError),
        (job(Schedule(at=datetime(2024, 5, 1))), ValueError),  # noqa: DTZ001 - that is what is wrong with it
        (job(Schedule(every="4000d")), ValueError),
        (job(Schedule(every="1s"), exclude=("bank-holidays",)), ValueError),
        (job(Schedule(every="1s"), exclude=("weekends",), timezone="Mars/Olympus"), KeyError),
        (job(Schedule(every="1s"), end=datetime(2024, 5, 1)), ValueError),  # noqa: DTZ001
        (job(Schedule()), ValueError),
        (job(Schedule(cron="* * * * *"), timezone="Mars/Olympus"), KeyError),
        (job(Schedule(cron="* * * * *"), timezone="../etc/passwd"), ValueError),
    ],
)
def test_a_definition_that_validation_would_refuse_raises_what_workers_expect(
    spec: JobSpec, error: type[Exception]
) -> None:
    """A worker may meet one in etcd; it must cost that job only."""
    with pytest.raises(error):
        timetable_of(spec, ANCHOR, JOB)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (job(None), "on request"),
        (job(Schedule(every="90s")), "every 90s"),
        (job(Schedule(cron="0 3 * * *"), timezone="Europe/Berlin"), "0 3 * * * (Europe/Berlin)"),
    ],
)
def test_a_schedule_in_a_few_words(spec: JobSpec, text: str) -> None:
    assert describe(spec) == text
