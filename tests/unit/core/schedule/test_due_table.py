"""The ticks of the days that go wrong elsewhere, written out, and beside them what `cronsim` finds.

`cronsim` is an implementation of its own of the same dialect. On nights when a clock goes forward it runs what does not
exist at the instant of the change, where a job at a fixed time runs at the shifted time here: such rows say so.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from dcron_core.schedule import due
from dcron_schemas.job import JobSpec, Run, Schedule

# Expression, zone, first and last wall-clock time looked at, the ticks by the clock on the wall with their offsets,
# and whether cronsim finds the same.
ROWS = [
    # Berlin, 2026-03-29: 02:00 becomes 03:00; 2026-10-25: 03:00 becomes 02:00.
    ("30 2 * * *", "Europe/Berlin", "2026-03-28T03:00", "2026-03-30T03:00", "29T03:30+02 30T02:30+02", False),
    ("30 2 * * *", "Europe/Berlin", "2026-10-24T03:00", "2026-10-26T03:00", "25T02:30+02 26T02:30+01", True),
    ("0 */2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T06:00", "29T04:00+02 29T06:00+02", True),
    ("30 * * * *", "Europe/Berlin", "2026-10-25T01:00", "2026-10-25T03:45",
     "25T01:30+02 25T02:30+02 25T02:30+01 25T03:30+01", True),
    # New York, 2026-03-08 and 2026-11-01: at 02:00.
    ("15 2 * * *", "America/New_York", "2026-03-07T12:00", "2026-03-09T12:00", "08T03:15-04 09T02:15-04", False),
    ("30 1 * * *", "America/New_York", "2026-10-31T12:00", "2026-11-02T12:00", "01T01:30-04 02T01:30-05", True),
    ("45 * * * *", "America/New_York", "2026-03-08T00:00", "2026-03-08T04:00", "08T00:45-05 08T01:45-05 08T03:45-04",
     True),
    # Lord Howe, 2026-10-04: 02:00 becomes 02:30; 2026-04-05: 02:00 becomes 01:30.
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-05T12:00", "04T02:45+11 05T02:15+11", False),
    ("*/15 * * * *", "Australia/Lord_Howe", "2026-10-04T01:20", "2026-10-04T02:50",
     "04T01:30+10:30 04T01:45+10:30 04T02:30+11 04T02:45+11", True),
    ("40 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", "2026-04-06T12:00", "05T01:40+11 06T01:40+10:30", True),
    ("*/20 * * * *", "Australia/Lord_Howe", "2026-04-05T01:10", "2026-04-05T02:10",
     "05T01:20+11 05T01:40+11 05T01:40+10:30 05T02:00+10:30", True),
    # Apia: there was no 2011-12-30. Shifted by a day, its tick is that of the 31st.
    ("0 12 * * *", "Pacific/Apia", "2011-12-28T13:00", "2012-01-01T13:00",
     "29T12:00-10 31T12:00+14 01T12:00+14", False),
    ("0 * * * *", "Pacific/Apia", "2011-12-29T21:30", "2011-12-31T02:30",
     "29T22:00-10 29T23:00-10 31T00:00+14 31T01:00+14 31T02:00+14", True),
    # Leap days, and a year that is none although it can be divided by four.
    ("0 0 29 2 *", "UTC", "2024-01-01T00:00", "2033-01-01T00:00", "29T00:00+00 29T00:00+00 29T00:00+00", True),
    ("0 0 29 2 *", "UTC", "2096-03-01T00:00", "2104-03-01T00:00", "29T00:00+00", True),
    ("0 0 L 2 *", "Europe/Berlin", "2027-01-01T00:00", "2029-01-01T00:00", "28T00:00+01 29T00:00+01", True),
    # Turns of the year.
    ("59 23 31 12 *", "America/New_York", "2026-12-01T00:00", "2028-01-02T00:00", "31T23:59-05 31T23:59-05", True),
    ("0 0 1 1 *", "Australia/Lord_Howe", "2026-12-31T00:00", "2028-01-02T00:00", "01T00:00+11 01T00:00+11", True),
    ("*/30 * * * *", "UTC", "2026-12-31T23:00", "2027-01-01T00:45", "31T23:30+00 01T00:00+00 01T00:30+00", True),
    ("0 9 * * mon#1", "Europe/Berlin", "2026-12-08T00:00", "2027-02-02T00:00", "04T09:00+01 01T09:00+01", True),
]  # fmt: skip


def instant(wall: str, zone: str) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def told(tick: datetime, zone: str) -> str:
    """Return the tick by the clock on the wall, such as 29T03:30+02."""
    local = tick.astimezone(ZoneInfo(zone))
    return local.strftime("%dT%H:%M") + local.isoformat()[19:].removesuffix(":00")


@pytest.mark.parametrize(("cron", "zone", "first", "last", "expected", "agreed"), ROWS)
def test_the_ticks_of_the_days_that_go_wrong(
    cron: str, zone: str, first: str, last: str, expected: str, agreed: bool
) -> None:
    """G5: which instants are ticks is known for every day."""
    start, end = instant(first, zone), instant(last, zone)
    spec = JobSpec(name="job", run=Run(shell="true"), schedule=Schedule(cron=cron), timezone=zone)
    ticks = due(spec, start, start, end, "")
    assert " ".join(told(tick, zone) for tick in ticks) == expected
    assert ticks == sorted(set(ticks))
    found = []
    for tick in CronSim(cron, start.astimezone(ZoneInfo(zone))):
        if tick.astimezone(UTC) > end or tick - start > timedelta(days=4000):
            break
        found.append(tick.astimezone(UTC))
    assert (found == ticks) == agreed, [told(tick, zone) for tick in found]
