"""What a cron expression may say, and what is said to one that may not."""

import pytest

from dcron_core.schedule.expression import parse_expression


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("* * * * *", "0 * * * * * *"),
        ("5 * * * * *", "5 * * * * * *"),
        ("5 * * * * * 2030", "5 * * * * * 2030"),
        ("  0\t4  * * *\n", "0 0 4 * * * *"),
        ("@hourly", "0 0 * * * * *"),
    ],
)
def test_there_are_seven_fields_of_which_seconds_and_year_may_be_left_out(text: str, fields: str) -> None:
    assert [field.text for field in parse_expression(text).fields] == fields.split()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("*/5,7 1-4 */2 jan-mar mon,5-7", [{*range(0, 60, 5), 7}, {1, 2, 3, 4}, {*range(1, 32, 2)}, {1, 2, 3}]),
        ("50/4 0-10/5 3-3 DEC sun-sun", [{50, 54, 58}, {0, 5, 10}, {3}, {12}, {0}]),
        ("0 0 1 1 fri-7", [{0}, {0}, {1}, {1}, {5, 6, 7}]),
        ("0 0 ? * ?", [{0}, {0}, {*range(1, 32)}, {*range(1, 13)}, {*range(8)}]),
    ],
)
def test_lists_ranges_steps_and_names_stand_for_numbers(text: str, numbers: list[set[int]]) -> None:
    found = [set(field.numbers("")) for field in parse_expression(text).fields[1:6]]
    assert found[: len(numbers)] == numbers


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("30 2 * * *", True),
        ("0,30 1-5 * * 1", True),
        ("* 30 2 * * *", True),  # seconds do not count
        ("@daily", True),
        ("H H(0-5) * * *", True),
        ("*/5 2 * * *", False),
        ("30 * * * *", False),
        ("30 */2 * * *", False),
        ("30 1,*/2 * * *", False),
        ("H/15 2 * * *", False),
        ("@hourly", False),
    ],
)
def test_a_fixed_time_has_no_wildcard_in_hour_and_minute(text: str, fixed: bool) -> None:
    assert parse_expression(text).fixed_time is fixed


@pytest.mark.parametrize("text", ["H * * * *", "0 H/6 * * *", "0 0 * * 1,H(2-5)", "0 0 0 H * * 2030"])
def test_an_expression_with_an_h_is_hashed(text: str) -> None:
    assert parse_expression(text).hashed
    assert not parse_expression(text.replace("H/6", "6").replace("H(2-5)", "5").replace("H", "1")).hashed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 fields; write 5"),
        ("* * * *", "has 4 fields"),
        ("0 0 0 1 1 * 2025 x", "has 8 fields; write 5 (minute hour day-of-month month day-of-week), 6 with seconds"),
        ("@reboot", "'@reboot' is refused: a job belongs to no machine whose start it could follow; let that machine"),
        ("@every 5m", "'@every 5m' is refused; write schedule.every with a duration, such as 5m"),
        ("@fortnightly", "'@fortnightly' is not known; known are @yearly"),
        ("60 * * * *", "minute '60': 60 is outside 0-59"),
        ("61 0 * * * *", "second '61': 61 is outside 0-59"),
        ("* 24 * * *", "hour '24': 24 is outside 0-23"),
        ("* * 0 * *", "day of month '0': 0 is outside 1-31"),
        ("* * 32 * *", "day of month '32'"),
        ("* * * 13 *", "month '13': 13 is outside 1-12"),
        ("* * * * 8", "day of week '8': 8 is outside 0-7"),
        ("0 0 0 1 1 * 1969", "year '1969': 1969 is outside 1970-2199"),
        ("30-10 * * * *", "minute '30-10': the range runs backwards; write 10-30, or a list"),
        ("* * * * fri-sun", "day of week 'fri-sun': the range runs backwards; write 5-7, or a list"),
        ("*/0 * * * *", "minute '*/0': a step is 1 or more"),
        ("H/0 * * * *", "minute 'H/0': a step is 1 or more"),
        ("1,,2 * * * *", "minute '' is not a number"),
        ("-5 * * * *", "minute '-5' is not a number"),
        ("1.5 * * * *", "minute '1.5' is not a number"),
        ("a * * * *", "minute 'a' is not a number, a range, a list or a step of 0-59"),
        ("jan * * * *", "minute 'jan' is not a number"),
        ("* * * * monday", "day of week 'monday' is not a number"),
        ("٣ * * * *", "minute '٣' is not a number"),
        ("L * * * *", "minute 'L': L and W belong to the day of month, 5L to the day of week"),
        ("0 0 L-31 * *", "day of month 'L-31': no month has a day so long before its last"),
        ("0 0 32W * *", "day of month '32W': 32 is outside 1-31"),
        ("0 0 5L * *", "day of month '5L' is not a number"),
        ("0 0 1-5W * *", "day of month '1-5W' is not a number"),
        ("0 0 5#2 * *", "day of month '5#2': # belongs to the day of week, as in 5#2, the second Friday"),
        ("0 0 * * L", "day of week 'L': the last of which day? Write 5L or friL"),
        ("0 0 * * L5", "day of week 'L5': write 5L for the last one"),
        ("0 0 * * 5#6", "day of week '5#6': after # stands which one of the month it is, 1 to 5"),
        ("0 0 * * 8#1", "day of week '8#1': 8 is outside 0-7"),
        ("0 0 * * fooL", "day of week 'fooL'"),
        ("0 0 * * 15W", "day of week '15W': L and W belong to the day of month"),
        ("? 3 * * *", "minute '?': ? stands for * in the day fields only; write *"),
        ("0 0 ?/2 * *", "day of month '?/2' is not a number"),
        ("H(0-60) 3 * * *", "minute 'H(0-60)': 60 is outside 0-59"),
        ("H(30-10) 3 * * *", "minute 'H(30-10)': the range runs backwards"),
        ("H(3) 3 * * *", "minute 'H(3)' is not a number"),
        ("0 0 0 1 1 * H", "year 'H': a year is not hashed"),
    ],
)
def test_a_refusal_names_the_field_and_its_value(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_expression(text)
    assert message in str(refusal.value)
