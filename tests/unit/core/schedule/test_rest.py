"""Windows and days of rest: what lies outside is no tick, and what a calendar takes away is told."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.schedule import Excluded, JobTimetable, due, excluded, timetable_of
from dcron_core.schedule.calendars import calendar_of
from dcron_core.schedule.cron import cron_timetable
from dcron_core.schedule.rest import RestingTimetable
from dcron_core.schedule.ticks import COUNT_AT_MOST, Occurrence
from dcron_schemas.job import Dst, JobSpec, Run, Schedule

FRIDAY = datetime(2024, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def job(schedule: Schedule, **fields: Any) -> JobSpec:
    return JobSpec(name="job", run=Run(shell="true"), schedule=schedule, **fields)


@pytest.mark.parametrize(
    ("names", "rests", "works"),
    [
        (["weekends"], ["2024-05-04", "2024-05-05"], ["2024-05-03", "2024-05-06"]),
        (["2024-12-25"], ["2024-12-25"], ["2025-12-25", "2024-12-24"]),
        (["12-25"], ["2024-12-25", "2025-12-25"], ["2024-12-24"]),
        (["02-29"], ["2024-02-29"], ["2023-02-28", "2023-03-01"]),
        (["2024-12-24..2025-01-01"], ["2024-12-24", "2025-01-01"], ["2024-12-23", "2025-01-02", "2025-12-24"]),
        (["12-24..01-01"], ["2024-12-24", "2025-01-01", "2025-12-31"], ["2024-12-23", "2025-01-02"]),
        (["07-01..08-31"], ["2024-07-01", "2024-08-31"], ["2024-06-30", "2024-09-01"]),
        (["holidays-DE"], ["2024-10-03", "2024-12-25", "2024-04-01"], ["2024-03-08", "2024-06-20"]),
        (["holidays-DE-BE"], ["2024-03-08", "2024-10-03"], ["2024-05-30"]),  # Women's Day; Corpus Christi is Bavaria's
        (["holidays-US"], ["2024-07-04", "2024-11-28"], ["2024-07-05"]),
        (["weekends", "12-25"], ["2024-05-04", "2024-12-25"], ["2024-05-03"]),
        ([], [], ["2024-05-04"]),
    ],
)
def test_a_calendar_is_known_from_its_name(names: list[str], rests: list[str], works: list[str]) -> None:
    calendar = calendar_of(tuple(names))
    assert [day for day in rests + works if calendar.rests_on(date.fromisoformat(day))] == rests


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("weekend", "'weekend' is no calendar; did you mean weekends?"),
        ("bank-holidays", "'bank-holidays' is no calendar; known are weekends, 2026-12-25"),
        ("2024-13-01", "there is no day 2024-13-01; write year-month-day"),
        ("02-30", "there is no day 02-30"),
        ("2024-12-31..2024-01-01", "runs backwards; write 2024-01-01..2024-12-31"),
        ("2024-12-24..01-01", "both ends are days of the same form"),
        ("12-24..", "both ends are days of the same form"),
        ("holidays-XX", "no holidays are known of that country"),
        ("holidays-DE-XX", "no such part of the country; known are BB, BE"),
        ("holidays-SM-XX", "no such part of the country; write holidays-SM"),
    ],
)
def test_a_name_that_is_no_calendar_is_told_what_would_be(name: str, message: str) -> None:
    with pytest.raises(ValueError) as refusal:
        calendar_of((name,))
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("zone", "last", "first"),
    [("Europe/Berlin", "03T21", "05T22"), ("UTC", "03T23", "06T00"), ("America/New_York", "04T03", "06T04")],
)
def test_a_job_rests_by_the_calendar_of_its_own_zone(zone: str, last: str, first: str) -> None:
    spec = job(Schedule(cron="0 * * * *"), timezone=zone, exclude=("weekends",))
    found = [f"{tick:%dT%H}" for tick in due(spec, FRIDAY, FRIDAY, FRIDAY + 4 * DAY, "")]
    assert found[found.index(last) + 1] == first


def may(day: int, hour: int) -> datetime:
    return datetime(2024, 5, day, hour, tzinfo=UTC)


def test_what_a_calendar_takes_away_is_one_row_for_a_stretch_without_ticks() -> None:
    """G5: every tick that does not run has its reason."""
    spec = job(Schedule(cron="0 */6 * * *"), exclude=("weekends", "2024-05-06", "05-09"))
    rows = excluded(spec, FRIDAY, FRIDAY, FRIDAY + 7 * DAY, "")
    assert rows == [
        Excluded(may(4, 0), may(5, 18), 8, "calendar", "weekends"),
        Excluded(may(6, 0), may(6, 18), 4, "calendar", "2024-05-06"),
        Excluded(may(9, 0), may(9, 18), 4, "calendar", "05-09"),
    ]
    ticks = due(spec, FRIDAY, FRIDAY, FRIDAY + 7 * DAY, "")
    everything = due(job(Schedule(cron="0 */6 * * *")), FRIDAY, FRIDAY, FRIDAY + 7 * DAY, "")
    assert len(ticks) + sum(row.count for row in rows) == len(everything)
    assert set(ticks) < set(everything)


def test_rows_hold_only_what_lies_in_the_time_asked_about() -> None:
    spec = job(Schedule(every="1h"), exclude=("weekends",))
    (row,) = excluded(spec, FRIDAY, FRIDAY + DAY, FRIDAY + DAY + timedelta(hours=3), "")
    assert (row.first, row.last, row.count) == (
        FRIDAY + DAY + timedelta(hours=1),
        FRIDAY + DAY + timedelta(hours=3),
        3,
    )


class Counted(JobTimetable):
    """Counts how often it is asked."""

    def __init__(self, of: JobTimetable) -> None:
        self._of = of
        self.asked = 0

    def following(self, after: datetime) -> Occurrence | None:
        self.asked += 1
        return self._of.following(after)

    def clear_until(self, after: datetime, until: datetime) -> datetime:
        return self._of.clear_until(after, until)


def test_a_weekend_of_a_job_that_runs_each_second_is_not_walked_through() -> None:
    """172,800 occurrences: the next tick is found at once, the last excluded one by halving."""
    counted = Counted(cron_timetable("* * * * * *", "Europe/Berlin"))
    timetable = RestingTimetable(counted, "Europe/Berlin", calendar_of(("weekends",)))
    saturday, monday = datetime(2024, 5, 3, 22, tzinfo=UTC), datetime(2024, 5, 5, 22, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert timetable.next_after(saturday - second) == monday
    assert counted.asked < 5
    assert timetable.excluded(saturday - second, monday - second) == [
        Excluded(saturday, monday - second, 0, "calendar", "weekends")
    ]
    assert counted.asked < 2 * COUNT_AT_MOST + 100


def walked(timetable: JobTimetable, after: datetime, until: datetime) -> list[Excluded]:
    """Return what `excluded` would, one occurrence after the other."""
    rows: list[Excluded] = []
    found, joins = timetable.following(after), False
    while found is not None and found.at <= until:
        if found.reason is not None:
            before = (
                rows.pop() if joins and (rows[-1].reason, rows[-1].detail) == (found.reason, found.detail) else None
            )
            first, count = (before.first, before.count) if before else (found.at, 0)
            rows.append(Excluded(first, found.at, count + 1, found.reason, found.detail))
        joins = found.reason is not None
        found = timetable.following(found.at)
    return rows


@settings(max_examples=150, deadline=None)
@given(
    cron=st.sampled_from(
        ["*/20 * * * *", "30 2 * * *", "15,45 1-3 * * *", "0 0 * * 0,6", "0 */5 * * *", "59 23 * * *"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana"]),
    exclude=st.lists(st.sampled_from(["weekends", "03-29..04-02", "2026-03-10", "holidays-US", "11-01"]), max_size=3),
    gap=st.sampled_from(["default", "skip", "shift"]),
    jitter=st.sampled_from([None, "7m", "3h"]),
    first=st.integers(0, 300 * 24),
    length=st.integers(0, 20 * 24 * 60),
)
def test_what_is_excluded_is_found_by_leaps_as_by_a_walk(
    cron: str, zone: str, exclude: list[str], gap: Any, jitter: str | None, first: int, length: int
) -> None:
    """G5: nothing that is excluded is passed over because nothing near it is."""
    spec = job(Schedule(cron=cron), timezone=zone, exclude=tuple(sorted(set(exclude))), dst=Dst(gap=gap), jitter=jitter)
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=first)
    until = after + timedelta(minutes=length)
    timetable = timetable_of(spec, after, "a-job")
    assert timetable is not None
    assert timetable.excluded(after, until) == walked(timetable, after, until)


def test_a_year_of_a_job_that_runs_each_second_is_looked_through_by_its_days() -> None:
    """31.5 million ticks between the days of rest are leapt over."""
    counted = Counted(cron_timetable("* * * * * *", "UTC"))
    timetable = RestingTimetable(counted, "UTC", calendar_of(("12-24..12-26", "05-01")))
    rows = timetable.excluded(FRIDAY, FRIDAY + 366 * DAY)
    assert [(row.first, row.detail) for row in rows] == [
        (datetime(2024, 12, 24, tzinfo=UTC), "12-24..12-26"),
        (datetime(2025, 5, 1, tzinfo=UTC), "05-01"),
    ]
    assert counted.asked < 2 * COUNT_AT_MOST + 200


def test_the_jittered_instant_is_the_one_that_must_not_fall_on_a_day_of_rest() -> None:
    spec = job(Schedule(cron="30 23 * * *"), jitter="1h", exclude=("weekends",))
    for n in range(40):
        found = due(spec, FRIDAY, FRIDAY, FRIDAY + 14 * DAY, f"job-{n}")
        assert all(tick.isoweekday() < 6 for tick in found)
        assert len(found) + sum(r.count for r in excluded(spec, FRIDAY, FRIDAY, FRIDAY + 14 * DAY, f"job-{n}")) >= 13


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        (Schedule(cron="0 * * * *"), [2, 3, 4]),  # the start is in the window, the end is not
        (Schedule(every="1h"), [2, 3, 4]),
        (Schedule(at=FRIDAY + timedelta(hours=2)), [2]),
        (Schedule(at=FRIDAY + timedelta(hours=5)), []),
        (Schedule(at=FRIDAY + timedelta(hours=1)), []),
    ],
)
def test_no_tick_lies_before_the_start_or_at_or_after_the_end(schedule: Schedule, hours: list[int]) -> None:
    spec = job(schedule, start=FRIDAY + timedelta(hours=2), end=FRIDAY + timedelta(hours=5))
    expected = [FRIDAY + timedelta(hours=hour) for hour in hours]
    assert due(spec, FRIDAY, FRIDAY, FRIDAY + DAY, "") == expected


def test_once_is_once_and_only_after_the_anchor() -> None:
    spec = job(Schedule(at=FRIDAY + DAY))
    assert due(spec, FRIDAY, FRIDAY, FRIDAY + 9 * DAY, "") == [FRIDAY + DAY]
    assert due(spec, FRIDAY + DAY, FRIDAY, FRIDAY + 9 * DAY, "") == []
