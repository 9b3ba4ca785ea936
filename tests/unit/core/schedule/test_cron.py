"""The ticks of cron expressions: calendars, and the nights when the clock changes, as vixie cron has them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dcron_core.schedule.cron import cron_timetable


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(text: str, zone: str, after: str, count: int) -> list[str]:
    """The next ticks after a UTC instant, as `03-31 01:30` in UTC, with seconds where there are any."""
    timetable, tick, found = cron_timetable(text, zone), instant(after), []
    for _ in range(count):
        following = timetable.next_after(tick)
        assert following is not None
        tick = following
        found.append(f"{tick:%m-%d %H:%M}" + (f":{tick:%S}" if tick.second else ""))
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("*/15 * * * *", "2024-05-01 10:07", ["05-01 10:15", "05-01 10:30", "05-01 10:45", "05-01 11:00"]),
        ("5/20 * * * *", "2024-05-01 10:07", ["05-01 10:25", "05-01 10:45", "05-01 11:05"]),
        ("10-14/2 3 * * *", "2024-05-01 10:07", ["05-02 03:10", "05-02 03:12", "05-02 03:14", "05-03 03:10"]),
        ("0 9,17 * * *", "2024-05-01 09:00", ["05-01 17:00", "05-02 09:00"]),
        ("59 23 31 12 *", "2024-05-01 00:00", ["12-31 23:59", "12-31 23:59"]),
        ("* * * * *", "2024-12-31 23:58", ["12-31 23:59", "01-01 00:00", "01-01 00:01"]),
        ("0 0 29 2 *", "2024-02-28 00:00", ["02-29 00:00", "02-29 00:00"]),
        ("0 0 31 * *", "2024-01-31 00:00", ["03-31 00:00", "05-31 00:00", "07-31 00:00"]),
        ("0 0 28-31 2 *", "2023-02-01 00:00", ["02-28 00:00", "02-28 00:00", "02-29 00:00", "02-28 00:00"]),
        ("0 0 * feb,NOV mon", "2024-02-20 00:00", ["02-26 00:00", "11-04 00:00", "11-11 00:00"]),
        ("0 0 * jan-mar *", "2024-03-30 12:00", ["03-31 00:00", "01-01 00:00"]),
        ("0 0 * * MON-FRI", "2024-05-03 00:00", ["05-06 00:00", "05-07 00:00"]),
        ("0 0 * * 0", "2024-05-01 00:00", ["05-05 00:00", "05-12 00:00"]),
        ("0 0 * * 7", "2024-05-01 00:00", ["05-05 00:00", "05-12 00:00"]),
        ("0 0 * * sun", "2024-05-01 00:00", ["05-05 00:00", "05-12 00:00"]),
        ("0 0 * * 0-0", "2024-05-01 00:00", ["05-05 00:00", "05-12 00:00"]),  # one day, not the whole week
        ("0 0 * * 5-7", "2024-05-01 00:00", ["05-03 00:00", "05-04 00:00", "05-05 00:00", "05-10 00:00"]),
        ("15 30 4 * * *", "2024-05-01 00:00", ["05-01 04:30:15", "05-02 04:30:15"]),
        ("*/25 * * * * *", "2024-05-01 00:00", ["05-01 00:00:25", "05-01 00:00:50", "05-01 00:01"]),
        ("@hourly", "2024-05-01 10:07", ["05-01 11:00", "05-01 12:00"]),
        ("@daily", "2024-05-01 10:07", ["05-02 00:00", "05-03 00:00"]),
        ("@midnight", "2024-05-01 10:07", ["05-02 00:00"]),
        ("@weekly", "2024-05-01 10:07", ["05-05 00:00", "05-12 00:00"]),
        ("@monthly", "2024-05-01 10:07", ["06-01 00:00", "07-01 00:00"]),
        ("@yearly", "2024-05-01 10:07", ["01-01 00:00"]),
        (" @Annually ", "2024-05-01 10:07", ["01-01 00:00"]),
    ],
)
def test_calendar(text: str, after: str, expected: list[str]) -> None:
    assert ticks(text, "UTC", after, len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 13 * 5", ["05-03 00:00", "05-10 00:00", "05-13 00:00", "05-17 00:00"]),  # the 13th, and Fridays
        ("0 0 1-31 * 1", ["05-02 00:00", "05-03 00:00", "05-04 00:00", "05-05 00:00"]),
        ("0 0 * * 1", ["05-06 00:00", "05-13 00:00"]),
        ("0 0 13 * *", ["05-13 00:00", "06-13 00:00"]),
        ("0 0 */2 * 1", ["05-13 00:00", "05-27 00:00", "06-03 00:00"]),  # Mondays that are odd days
        ("0 0 13 * */5", ["09-13 00:00", "10-13 00:00", "12-13 00:00"]),  # 13ths that are Sundays or Fridays
    ],
)
def test_day_of_month_and_day_of_week_are_a_union_unless_one_begins_with_a_star(text: str, expected: list[str]) -> None:
    """crontab(5): either field is enough when both are restricted, that is, when neither begins with *."""
    assert ticks(text, "UTC", "2024-05-01 00:00", len(expected)) == expected


BERLIN, NEW_YORK, LORD_HOWE, APIA = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        # 02:00 CET → 03:00 CEST: 02:30 does not exist and runs an hour "late", at 03:30 CEST
        ("30 2 * * *", BERLIN, "2024-03-30 00:00", ["03-30 01:30", "03-31 01:30", "04-01 00:30"]),
        ("30 3 * * *", BERLIN, "2024-03-30 00:00", ["03-30 02:30", "03-31 01:30", "04-01 01:30"]),
        ("30 2,3 * * *", BERLIN, "2024-03-30 12:00", ["03-31 01:30", "04-01 00:30", "04-01 01:30"]),  # both: once
        ("0,20,40 2 * * *", BERLIN, "2024-03-30 12:00", ["03-31 01:00", "03-31 01:20", "03-31 01:40", "04-01 00:00"]),
        ("30 2 31 3 *", BERLIN, "2024-03-30 12:00", ["03-31 01:30", "03-31 00:30"]),  # in 2025 the 30th is the night
        ("15 30 2 * * *", BERLIN, "2024-03-30 12:00", ["03-31 01:30:15", "04-01 00:30:15"]),
        # 03:00 CEST → 02:00 CET: 02:30 comes twice, and runs the first time only
        ("30 2 * * *", BERLIN, "2024-10-26 00:00", ["10-26 00:30", "10-27 00:30", "10-28 01:30"]),
        ("0 2,3 * * *", BERLIN, "2024-10-26 12:00", ["10-27 00:00", "10-27 02:00", "10-28 01:00"]),
        ("59 1 * * *", BERLIN, "2024-10-26 12:00", ["10-26 23:59", "10-28 00:59"]),
        ("30 2 27 10 *", BERLIN, "2024-01-01 00:00", ["10-27 00:30", "10-27 01:30"]),  # asked in winter, long before
        ("30 2 31 3 *", BERLIN, "2023-10-30 00:00", ["03-31 01:30"]),
        ("30 2 * * *", NEW_YORK, "2024-03-09 12:00", ["03-10 07:30", "03-11 06:30"]),
        ("30 1 * * *", NEW_YORK, "2024-11-02 12:00", ["11-03 05:30", "11-04 06:30"]),
        # half an hour: 02:00 → 02:30 in October, 02:00 → 01:30 in April
        ("15 2 * * *", LORD_HOWE, "2024-10-05 00:00", ["10-05 15:45", "10-06 15:15"]),
        ("45 1 * * *", LORD_HOWE, "2024-04-06 00:00", ["04-06 14:45", "04-07 15:15"]),
        # 30 December 2011 was left out: what was due on it runs a day "late", with what is due then
        ("0 8 * * *", APIA, "2011-12-29 00:00", ["12-29 18:00", "12-30 18:00", "12-31 18:00"]),
        ("0 8 30 12 *", APIA, "2011-12-29 00:00", ["12-30 18:00", "12-29 18:00"]),
    ],
)
def test_a_job_at_a_fixed_time_runs_once_on_the_night_when_the_clock_changes(
    text: str, zone: str, after: str, expected: list[str]
) -> None:
    assert ticks(text, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        ("0 * * * *", BERLIN, "2024-03-31 00:00", ["03-31 01:00", "03-31 02:00"]),  # 01:00, 03:00, 04:00
        ("30 */2 * * *", BERLIN, "2024-03-30 22:00", ["03-30 23:30", "03-31 02:30"]),  # 00:30; 02:30 is not; 04:30
        ("*/30 2 * * *", BERLIN, "2024-03-30 22:00", ["04-01 00:00", "04-01 00:30"]),  # rests that night
        ("0 * * * *", BERLIN, "2024-10-26 23:00", ["10-27 00:00", "10-27 01:00", "10-27 02:00"]),  # 02:00 twice
        ("*/30 2 * * *", BERLIN, "2024-10-26 23:00", ["10-27 00:00", "10-27 00:30", "10-27 01:00", "10-27 01:30"]),
        ("*/30 2 27 10 *", BERLIN, "2024-01-01 00:00", ["10-27 00:00", "10-27 00:30", "10-27 01:00", "10-27 01:30"]),
        ("*/30 2 * * 0", BERLIN, "2024-10-27 00:00", ["10-27 00:30", "10-27 01:00", "10-27 01:30", "11-03 01:00"]),
        ("*/30 1 * * *", NEW_YORK, "2024-11-03 00:00", ["11-03 05:00", "11-03 05:30", "11-03 06:00", "11-03 06:30"]),
        ("*/10 2 * * *", LORD_HOWE, "2024-10-05 15:00", ["10-05 15:30", "10-05 15:40", "10-05 15:50"]),  # from 02:30
        ("*/10 1 * * *", LORD_HOWE, "2024-04-06 14:35", ["04-06 14:40", "04-06 14:50", "04-06 15:00", "04-06 15:10"]),
        ("0 */12 * * *", APIA, "2011-12-29 12:00", ["12-29 22:00", "12-30 10:00", "12-30 22:00"]),
    ],
)
def test_a_job_with_a_wildcard_hour_or_minute_follows_the_clock(
    text: str, zone: str, after: str, expected: list[str]
) -> None:
    assert ticks(text, zone, after, len(expected)) == expected


def test_a_wildcard_second_does_not_make_a_job_a_wildcard_one() -> None:
    """02:30 each second: an hour later on the spring night, only the first time on the autumn night."""
    assert ticks("* 30 2 * * *", BERLIN, "2024-03-30 12:00", 60)[::59] == ["03-31 01:30", "03-31 01:30:59"]
    assert ticks("* 30 2 * * *", BERLIN, "2024-10-26 12:00", 61)[::60] == ["10-27 00:30", "10-28 01:30"]


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 4,6,9,11 *"])
def test_an_expression_without_a_date_never_fires(text: str) -> None:
    assert cron_timetable(text, BERLIN).next_after(instant("2024-01-01 00:00")) is None


def test_a_tick_is_after_the_instant_asked_about_to_the_microsecond() -> None:
    timetable = cron_timetable("0 12 * * *", "UTC")
    noon = instant("2024-05-01 12:00")
    assert timetable.next_after(noon - timedelta(microseconds=1)) == noon
    assert timetable.next_after(noon) == noon + timedelta(days=1)
    assert timetable.next_after(noon + timedelta(microseconds=1)) == noon + timedelta(days=1)


def test_the_zone_of_the_instant_asked_about_does_not_matter() -> None:
    timetable = cron_timetable("0 12 * * *", BERLIN)
    after = instant("2024-05-01 00:00")
    tick = timetable.next_after(after.astimezone(ZoneInfo("Asia/Tokyo")))
    assert tick == timetable.next_after(after) == instant("2024-05-01 10:00")
    assert tick is not None
    assert tick.tzinfo is UTC
