"""What a schedule comes to, before it is saved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dcron_core.schedule.preview import preview
from dcron_schemas.api import Preview
from dcron_schemas.job import Dst, JobSpec, Run, Schedule

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
JOB = "019e0000-0000-7000-8000-000000000001"


def shown(cron: str, zone: str = "Europe/Berlin", count: int = 3, **fields: Any) -> Preview:
    spec = JobSpec(name="job", run=Run(shell="true"), schedule=Schedule(cron=cron), timezone=zone, **fields)
    return preview(spec, NOW, NOW, count, JOB)


def test_ticks_are_told_in_the_jobs_zone_and_in_utc_for_a_paused_job_too() -> None:
    came = shown("30 2 29-31 3 *", enabled=False)
    assert came.words == "at 02:30 on the 29th to 31st of March (Europe/Berlin)"
    assert [(f"{tick.at:%d %H:%M}", tick.local) for tick in came.ticks] == [
        ("29 01:30", "2026-03-29T03:30:00+02:00"),
        ("30 00:30", "2026-03-30T02:30:00+02:00"),
        ("31 00:30", "2026-03-31T02:30:00+02:00"),
    ]
    assert not came.depends_on_job


@pytest.mark.parametrize(
    ("cron", "zone", "fields", "expected"),
    [
        (
            "30 2 * * *",
            "Europe/Berlin",
            {},
            [
                ("2026-03-29 02:00 → 03:00", "02:30 does not exist: runs at 03:30 instead"),
                ("2026-10-25 03:00 → 02:00", "02:30 comes twice: runs the first time"),
            ],
        ),
        (
            "30 2 * * *",
            "Europe/Berlin",
            {"dst": Dst(gap="skip", overlap="last")},
            [
                ("2026-03-29 02:00 → 03:00", "02:30 does not exist: left out"),
                ("2026-10-25 03:00 → 02:00", "02:30 comes twice: runs the second time"),
            ],
        ),
        (
            "*/20 * * * *",
            "America/New_York",
            {},
            [
                ("2026-03-08 02:00 → 03:00", "02:00, 02:20 and 02:40 do not exist: no run"),
                ("2026-11-01 02:00 → 01:00", "01:00, 01:20 and 01:40 come twice: runs both times"),
            ],
        ),
        (
            "* * * * *",
            "Australia/Lord_Howe",
            {},
            [
                ("2026-04-05 02:00 → 01:30", "01:30 to 01:59 (30 times) come twice: runs both times"),
                ("2026-10-04 02:00 → 02:30", "02:00 to 02:29 (30 times) do not exist: no run"),
            ],
        ),
        ("0 12 * * *", "Europe/Berlin", {}, []),
        ("30 2 * * *", "UTC", {}, []),
        ("30 2 * * *", "Europe/Berlin", {"exclude": ("weekends",)}, []),  # both are Sundays
        ("30 2 * * *", "Europe/Berlin", {"end": datetime(2026, 3, 1, tzinfo=UTC)}, []),
    ],
)
def test_clock_changes_of_the_year_to_come_are_named_if_the_job_feels_them(
    cron: str, zone: str, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert [(odd.clock, odd.effect) for odd in shown(cron, zone, **fields).odd_dates] == expected


def test_what_the_odd_dates_say_is_what_the_ticks_do() -> None:
    came = preview(
        JobSpec(
            name="job", run=Run(shell="true"), schedule=Schedule(cron="30 2 25 10 *"), timezone="Europe/Berlin",
            dst=Dst(overlap="both"),
        ),
        NOW, NOW, 2, JOB,
    )  # fmt: skip
    (odd,) = came.odd_dates
    assert odd.effect == "02:30 comes twice: runs both times"
    assert [tick.at for tick in came.ticks] == [odd.at - timedelta(minutes=30), odd.at + timedelta(minutes=30)]


def test_what_is_excluded_before_the_last_tick_is_told() -> None:
    came = shown("0 0 * * *", "UTC", 3, exclude=("weekends",))
    assert [f"{tick.at:%d}" for tick in came.ticks] == ["16", "19", "20"]
    (row,) = came.excluded
    assert (row.first.day, row.last.day, row.count, row.reason, row.detail) == (17, 18, 2, "calendar", "weekends")


def test_a_schedule_that_depends_on_the_job_says_so() -> None:
    assert shown("H 3 * * *").depends_on_job
    assert shown("0 3 * * *", jitter="5m").depends_on_job


def test_a_job_on_request_and_one_whose_time_is_over_have_no_ticks() -> None:
    spec = JobSpec(name="job", run=Run(shell="true"))
    over = JobSpec(name="job", run=Run(shell="true"), schedule=Schedule(at=NOW))
    for each, words in ((spec, "on request only"), (over, "once, at 2026-01-15 12:00:00+00:00")):
        came = preview(each, NOW, NOW, 5, JOB)
        assert (came.words, came.ticks, came.excluded, came.odd_dates) == (words, (), (), ())
