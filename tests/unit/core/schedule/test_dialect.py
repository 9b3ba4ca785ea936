"""The ticks of what goes beyond crontab(5): L, W, #, ?, H and years; and each job's own rules for clock changes."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from dcron_core.schedule.cron import cron_timetable
from dcron_schemas.job import Dst

BERLIN, NEW_YORK, LORD_HOWE, APIA = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"
JOB = "019e0000-0000-7000-8000-000000000001"


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(text: str, zone: str, after: str, count: int, dst: Dst | None = None) -> list[str]:
    """The next ticks after a UTC instant, in UTC: with the year, or of the same year and with the time."""
    timetable, tick, found = cron_timetable(text, zone, JOB, dst or Dst()), instant(after), []
    for _ in range(count):
        following = timetable.next_after(tick)
        assert following is not None
        tick = following
        found.append(f"{tick:%Y-%m-%d}" if dst is None else f"{tick:%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 0 L * *", "2024-01-15", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("0 0 L 2 *", "2023-01-01", ["2023-02-28", "2024-02-29", "2025-02-28"]),
        ("0 0 L-1 * *", "2024-02-01", ["2024-02-28", "2024-03-30"]),
        ("0 0 L-29 * *", "2024-01-03", ["2024-03-02", "2024-04-01", "2024-05-02"]),  # February has none
        ("0 0 LW * *", "2024-02-01", ["2024-02-29", "2024-03-29", "2024-04-30", "2024-05-31", "2024-06-28"]),
        ("0 0 15W * *", "2024-06-01", ["2024-06-14", "2024-07-15", "2024-08-15", "2024-09-16"]),  # Saturday; Sunday
        ("0 0 1W * *", "2024-05-15", ["2024-06-03", "2024-07-01", "2024-08-01", "2024-09-02"]),  # not into May
        ("0 0 31W * *", "2024-02-01", ["2024-03-29", "2024-05-31", "2024-07-31", "2024-08-30"]),  # not into April
        ("0 0 1,L * *", "2024-01-15", ["2024-01-31", "2024-02-01", "2024-02-29"]),
        ("0 0 * * 5L", "2024-02-01", ["2024-02-23", "2024-03-29", "2024-04-26"]),
        ("0 0 * * friL", "2024-02-01", ["2024-02-23", "2024-03-29", "2024-04-26"]),
        ("0 0 ? * 7L", "2024-02-01", ["2024-02-25", "2024-03-31"]),
        ("0 0 * * 2#1", "2024-10-15", ["2024-11-05", "2024-12-03"]),
        ("0 0 * 11 thu#4", "2024-01-01", ["2024-11-28", "2025-11-27"]),
        ("0 0 * * 5#5", "2024-01-01", ["2024-03-29", "2024-05-31", "2024-08-30"]),
        ("0 0 L * 5L", "2024-02-01", ["2024-02-23", "2024-02-29", "2024-03-29", "2024-03-31"]),  # a union
        ("0 0 13 * ?", "2024-01-01", ["2024-01-13", "2024-02-13"]),
        ("0 0 ? * 5", "2024-01-01", ["2024-01-05", "2024-01-12"]),
        ("0 0 0 29 2 ? 2023-2032", "2020-01-01", ["2024-02-29", "2028-02-29", "2032-02-29"]),
        ("0 0 0 1 1 * 2030,2199", "2024-01-01", ["2030-01-01", "2199-01-01"]),
        ("0 0 0 1 1 * */50", "2024-01-01", ["2070-01-01", "2120-01-01"]),
        ("0 0 29 2 */7", "2070-01-01", ["2088-02-29", "2128-02-29"]),  # a Sunday: 40 years, since 2100 is no leap year
        ("59 59 23 31 12 *", "2024-01-01", ["2024-12-31", "2025-12-31"]),
    ],
)
def test_days_and_years(text: str, after: str, expected: list[str]) -> None:
    assert ticks(text, "UTC", after, len(expected)) == expected


@pytest.mark.parametrize("text", ["0 0 0 1 1 * 2023", "0 0 30W 2 *", "0 0 0 29 2 * 2100"])
def test_an_expression_may_never_fire_again(text: str) -> None:
    assert cron_timetable(text, "UTC").next_after(instant("2024-03-01")) is None


@pytest.mark.parametrize("zone", ["UTC", BERLIN, APIA])
def test_there_is_an_end_of_time(zone: str) -> None:
    """And a job that is asked about an instant beyond it, or long before there were jobs, costs no more than itself."""
    timetable = cron_timetable("0 0 1 1 *", zone)
    last = timetable.next_after(instant("2199-01-01"))
    assert last is None or last.year <= 2200
    assert timetable.next_after(instant("9999-12-31")) is None
    assert timetable.next_after(instant("0001-01-01")) == timetable.next_after(instant("1969-12-30"))


def test_an_h_is_the_jobs_own_and_stays_the_same() -> None:
    """Pinned: another release that hashed otherwise would move every such job."""
    after = instant("2024-05-01")
    jobs = [f"019e0000-0000-7000-8000-{n:012}" for n in range(300)]
    found = [cron_timetable("H H * * *", "UTC", job).next_after(after) for job in jobs]
    assert [f"{tick:%H:%M}" for tick in found[:4] if tick] == ["02:21", "06:40", "14:15", "04:18"]
    assert found == [cron_timetable("H H * * *", "UTC", job).next_after(after) for job in jobs]
    hours = Counter(tick.hour for tick in found if tick)
    assert len(hours) == 24
    assert max(hours.values()) < 35


@pytest.mark.parametrize("job", [f"job-{n}" for n in range(40)])
def test_an_h_stays_in_its_range_and_keeps_its_step(job: str) -> None:
    after = instant("2024-05-01")

    def minutes(text: str) -> list[int]:
        timetable, tick, found = cron_timetable(text, "UTC", job), after - timedelta(seconds=1), []
        while (tick := timetable.next_after(tick) or tick) < after + timedelta(hours=1):
            found.append(tick.minute)
        return found

    assert 10 <= minutes("H(10-19) * * * *")[0] <= 19
    first, *rest = minutes("H/15 * * * *")
    assert first < 15
    assert rest == [first + 15, first + 30, first + 45]
    assert minutes("H(30-59)/10 * * * *")[0] in range(30, 40)
    assert minutes("H/90 * * * *")[0] < 60
    monthly = cron_timetable("0 0 H * *", "UTC", job).next_after(after)
    assert monthly is not None
    assert monthly.day <= 28
    assert cron_timetable("H H * * *", "UTC", job).next_after(after) is not None


FIRST, LAST, BOTH = Dst(overlap="first"), Dst(overlap="last"), Dst(overlap="both")
SKIP, SHIFT = Dst(gap="skip"), Dst(gap="shift")


@pytest.mark.parametrize(
    ("text", "zone", "after", "dst", "expected"),
    [
        # 02:00 CET → 03:00 CEST
        ("30 2 * * *", BERLIN, "2024-03-30 12:00", SKIP, ["04-01 00:30"]),
        ("30 2 * * *", BERLIN, "2024-03-30 12:00", SHIFT, ["03-31 01:30", "04-01 00:30"]),
        ("30 2,3 * * *", BERLIN, "2024-03-30 12:00", SKIP, ["03-31 01:30", "04-01 00:30"]),
        ("*/30 2 * * *", BERLIN, "2024-03-30 12:00", SHIFT, ["03-31 01:00", "03-31 01:30", "04-01 00:00"]),
        ("30 * * * *", BERLIN, "2024-03-31 00:00", SHIFT, ["03-31 00:30", "03-31 01:30", "03-31 02:30"]),
        ("*/30 2 * * *", BERLIN, "2024-03-30 12:00", SKIP, ["04-01 00:00", "04-01 00:30"]),
        # 03:00 CEST → 02:00 CET
        ("30 2 * * *", BERLIN, "2024-10-26 12:00", FIRST, ["10-27 00:30", "10-28 01:30"]),
        ("30 2 * * *", BERLIN, "2024-10-26 12:00", LAST, ["10-27 01:30", "10-28 01:30"]),
        ("30 2 * * *", BERLIN, "2024-10-26 12:00", BOTH, ["10-27 00:30", "10-27 01:30", "10-28 01:30"]),
        ("30 * * * *", BERLIN, "2024-10-26 23:00", FIRST, ["10-26 23:30", "10-27 00:30", "10-27 02:30"]),
        ("30 * * * *", BERLIN, "2024-10-26 23:00", LAST, ["10-26 23:30", "10-27 01:30", "10-27 02:30"]),
        ("30 1 * * *", NEW_YORK, "2024-11-02 12:00", LAST, ["11-03 06:30", "11-04 06:30"]),
        # half an hour; and a day
        ("45 1 * * *", LORD_HOWE, "2024-04-06 00:00", LAST, ["04-06 15:15", "04-07 15:15"]),
        ("15 2 * * *", LORD_HOWE, "2024-10-05 00:00", SKIP, ["10-06 15:15"]),
        ("0 8 * * *", APIA, "2011-12-29 00:00", SKIP, ["12-29 18:00", "12-30 18:00"]),
        ("0 8 30 12 *", APIA, "2011-12-29 00:00", SKIP, ["12-29 18:00"]),  # of 2012
        ("30 */12 * * *", APIA, "2011-12-30 00:00", SHIFT, ["12-30 10:30", "12-30 22:30"]),
    ],
)
def test_a_job_says_what_becomes_of_times_that_do_not_exist_or_come_twice(
    text: str, zone: str, after: str, dst: Dst, expected: list[str]
) -> None:
    assert ticks(text, zone, after, len(expected), dst) == expected


@pytest.mark.parametrize(
    ("text", "dst", "expected"),
    [
        ("30 2 * * *", SKIP, [("01:30", "01:30", 1)]),
        ("0-59 2 * * *", SKIP, [("01:00", "01:59", 60)]),
        ("* * 2 * * *", SKIP, [("01:00", "01:59", 0)]),  # more than are counted
        ("30 2,3 * * *", SKIP, []),  # it runs then anyway
        ("30 2 * * *", SHIFT, []),
        ("30 2 * * *", Dst(), []),
        ("30 * * * *", Dst(), []),  # follows the clock: there is nothing to leave out
    ],
)
def test_what_skip_leaves_out_is_told_at_the_instant_at_which_shift_would_run_it(
    text: str, dst: Dst, expected: list[tuple[str, str, int]]
) -> None:
    """G5: every tick that does not run has its reason."""
    rows = cron_timetable(text, BERLIN, dst=dst).excluded(instant("2024-03-30 12:00"), instant("2024-04-02"))
    assert [(f"{row.first:%H:%M}", f"{row.last:%H:%M}", row.count) for row in rows] == expected
    for row in rows:
        assert (row.reason, row.first.date().isoformat()) == ("dst", "2024-03-31")
        assert "does not exist on 2024-03-31: the clock goes from 02:00 to 03:00" in row.detail
