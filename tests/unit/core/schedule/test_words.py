"""Every expression in words that are right."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dcron_core.schedule.words import cron_words, schedule_words
from dcron_schemas.job import JobSpec, Run, Schedule

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/5 * * * *", "every 5 minutes"),
        ("0-59/20 * * * *", "every 20 minutes"),
        ("0,30 * * * *", "every 30 minutes"),
        ("*/7 * * * *", "every 7th minute from 0 to 56 of every hour"),
        ("30 * * * *", "at minute 30 of every hour"),
        ("7,37 * * * *", "at minutes 7 and 37 of every hour"),
        ("0-29 * * * *", "at minutes 0 to 29 of every hour"),
        ("@hourly", "at minute 0 of every hour"),
        ("30 2 * * *", "at 02:30 every day"),
        ("@daily", "at 00:00 every day"),
        ("0 9,17 * * *", "at 09:00 and 17:00 every day"),
        ("*/20 2 * * *", "at 02:00, 02:20 and 02:40 every day"),
        ("0 9-17 * * *", "at minute 0 of hours 9 to 17"),
        ("15 */2 * * *", "at minute 15 of every 2nd hour from 0 to 22"),
        ("5,10,20 9-17 * * *", "at minutes 5, 10 and 20 of hours 9 to 17"),
        ("*/5 9-17 * * *", "every 5 minutes from 09:00 to 17:59"),
        ("*/5 0,12 * * *", "every 5 minutes of hours 0 and 12"),
        # seconds
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("*/10 * 3 * * *", "every 10 seconds from 03:00 to 03:59"),
        ("15 * * * * *", "at second 15 of every minute"),
        ("15 30 4 * * *", "at 04:30:15 every day"),
        ("* 30 * * * *", "every second of minute 30 of every hour"),
        ("0,20 */5 * * * *", "at seconds 0 and 20 of every 5th minute from 0 to 55 of every hour"),
        # days of the week
        ("@weekly", "at 00:00 on Sundays"),
        ("0 0 * * 7", "at 00:00 on Sundays"),
        ("0 9 * * mon-fri", "at 09:00 on Mondays to Fridays"),
        ("0 9 * * 0,6", "at 09:00 on Saturdays and Sundays"),
        ("* * * * 1", "every minute on Mondays"),
        ("0 12 ? * 5#2", "at 12:00 on the second Friday of the month"),
        ("0 12 ? * friL,1", "at 12:00 on Mondays and the last Friday of the month"),
        ("0 0 * * 0-6", "at 00:00 every day"),
        # days of the month
        ("@monthly", "at 00:00 on the 1st of the month"),
        ("0 0 1,15 * *", "at 00:00 on the 1st and the 15th of the month"),
        ("0 0 1-5,11,22-31 * *", "at 00:00 on the 1st to 5th, the 11th and the 22nd to 31st of the month"),
        ("0 0 */2 * *", "at 00:00 on every 2nd day from the 1st to the 31st of the month"),
        ("0 0 L * *", "at 00:00 on the last day of the month"),
        ("0 0 1,L-1 * ?", "at 00:00 on the 1st and the day before the last of the month"),
        ("0 0 L-3 * *", "at 00:00 on the day 3 days before the last of the month"),
        ("0 0 LW * *", "at 00:00 on the last Monday-to-Friday day of the month"),
        ("0 0 15W * *", "at 00:00 on the Monday-to-Friday day nearest to the 15th of the month"),
        ("0 0 1-31 * 1", "at 00:00 every day"),  # either is enough, and one of them always is
        ("0 0 13 * 0-7", "at 00:00 every day"),
        # both
        ("0 0 13 * 5", "at 00:00 on the 13th of the month, and on Fridays"),
        ("0 0 L * 5L", "at 00:00 on the last day of the month, and on the last Friday of the month"),
        ("0 0 */2 * 1", "at 00:00 on every 2nd day from the 1st to the 31st of the month, if it is Monday"),
        ("0 0 13 * */5", "at 00:00 on the 13th of the month, if it is Friday or Sunday"),
        # months and years
        ("@yearly", "at 00:00 on the 1st of January"),
        ("0 0 1 */3 *", "at 00:00 on the 1st of January, April, July and October"),
        ("0 0 * 1-3 *", "at 00:00 every day in January to March"),
        ("* * * 12 *", "every minute in December"),
        ("0 22 * 1,7 1-3,5", "at 22:00 on Mondays to Wednesdays and Fridays, only in January and July"),
        ("0 0 1 3 1", "at 00:00 on the 1st of the month, and on Mondays, only in March"),
        ("0 0 0 1 1 * 2030", "at 00:00 on the 1st of January, in 2030"),
        ("0 0 0 * * * 2030-2035", "at 00:00 every day, in 2030 to 2035"),
        ("0 0 0 1 1 * 2030-2040/2", "at 00:00 on the 1st of January, in every 2nd year from 2030 to 2040"),
        # hashed: what it comes to for this job
        ("H H * * *", "at 04:21 every day; H is chosen by the job's id"),
        ("H/15 * * * *", "every 15th minute from 6 to 51 of every hour; H is chosen by the job's id"),
    ],
)
def test_a_cron_expression_in_words(text: str, words: str) -> None:
    assert cron_words(text, "job") == words


@pytest.mark.parametrize(
    ("schedule", "fields", "words"),
    [
        (None, {}, "on request only"),
        (Schedule(every="90s"), {}, "every 90s"),
        (Schedule(at=NOON), {}, "once, at 2026-05-01 12:00:00+00:00"),
        (Schedule(cron="@daily"), {"timezone": "Europe/Berlin"}, "at 00:00 every day (Europe/Berlin)"),
        (
            Schedule(every="1h"),
            {"jitter": "5m", "start": NOON, "end": NOON.replace(year=2027), "exclude": ("weekends", "12-25")},
            f"every 1h, up to 5m later, from {NOON} on, until {NOON.replace(year=2027)}, but not on weekends and 12-25",
        ),
    ],
)
def test_a_whole_schedule_in_words(schedule: Schedule | None, fields: dict[str, Any], words: str) -> None:
    assert schedule_words(JobSpec(name="job", run=Run(shell="true"), schedule=schedule, **fields), "job") == words
