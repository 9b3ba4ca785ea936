"""What a cron expression may say, and what is said to one that may not."""

import pytest

from dcron_core.schedule.expression import parse_expression


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("* * * * *", "0 * * * * *"),
        ("5 * * * * *", "5 * * * * *"),
        ("  0\t4  * * *\n", "0 0 4 * * *"),
        ("@hourly", "0 0 * * * *"),
        ("*/5,7 1-4 */2 jan-mar mon,5-7", "0 */5,7 1,2,3,4 */2 1,2,3 1,5,6,7"),
        ("50/4 0-10/5 3-3 * sun-sun", "0 50,54,58 0,5,10 3 * 0"),
    ],
)
def test_there_are_six_fields_seconds_first_with_names_and_ranges_spelt_out(text: str, fields: str) -> None:
    assert parse_expression(text).fields == tuple(fields.split())


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("30 2 * * *", True),
        ("0,30 1-5 * * 1", True),
        ("* 30 2 * * *", True),  # seconds do not count
        ("@daily", True),
        ("*/5 2 * * *", False),
        ("30 * * * *", False),
        ("30 */2 * * *", False),
        ("@hourly", False),
    ],
)
def test_a_fixed_time_has_no_wildcard_in_hour_and_minute(text: str, fixed: bool) -> None:
    assert parse_expression(text).fixed_time is fixed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 fields; write 5"),
        ("* * * *", "has 4 fields"),
        ("0 0 0 1 1 * 2025", "has 7 fields"),
        ("@reboot", "'@reboot' is not known; known are @yearly"),
        ("60 * * * *", "minute '60': 60 is outside 0-59"),
        ("61 0 * * * *", "second '61': 61 is outside 0-59"),
        ("* 24 * * *", "hour '24': 24 is outside 0-23"),
        ("* * 0 * *", "day of month '0': 0 is outside 1-31"),
        ("* * 32 * *", "day of month '32'"),
        ("* * * 13 *", "month '13': 13 is outside 1-12"),
        ("* * * * 8", "day of week '8': 8 is outside 0-7"),
        ("30-10 * * * *", "minute '30-10': the range runs backwards; write 10-30, or a list"),
        ("* * * * fri-sun", "day of week 'fri-sun': the range runs backwards; write 5-7, or a list"),
        ("*/0 * * * *", "minute '*/0': a step is 1 or more"),
        ("1,,2 * * * *", "minute '' is not a number"),
        ("-5 * * * *", "minute '-5' is not a number"),
        ("1.5 * * * *", "minute '1.5' is not a number"),
        ("a * * * *", "minute 'a' is not a number, a range, a list or a step of 0-59"),
        ("jan * * * *", "minute 'jan' is not a number"),
        ("* * * * monday", "day of week 'monday' is not a number"),
        ("٣ * * * *", "minute '٣' is not a number"),
        ("0 0 L * *", "day of month 'L': L, W, #, ? and H are not supported in this release"),
        ("0 0 15W * *", "day of month '15W': L, W"),
        ("0 0 * * 5#2", "day of week '5#2': L, W"),
        ("0 0 ? * *", "day of month '?': L, W"),
        ("H 3 * * *", "minute 'H': L, W"),
    ],
)
def test_a_refusal_names_the_field_and_its_value(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_expression(text)
    assert message in str(refusal.value)
