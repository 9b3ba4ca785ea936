"""A schedule in words.

Numbers are said as the sets they stand for, so that any way to write an expression gets the same words; what `H`
chose is said too, since it is known once the job is. A few shapes that people write often (`every 5 minutes`,
`at 02:30`) have words of their own, all others are said as numbers of a unit of the next larger unit.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from dcron_core.schedule.expression import Expression, parse_expression
from dcron_core.schedule.fields import Field, LastDay, LastOf, LastWorkday, Nearest, Nth, Part
from dcron_schemas.job import JobSpec

_MONTHS = (
    "", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_COUNTS = ("", "first", "second", "third", "fourth", "fifth")
_TIMES_SPELT_OUT = 6  # so many times of day are listed one by one


def schedule_words(spec: JobSpec, job_id: str) -> str:
    """Return when the job runs, with its window, jitter and days of rest."""
    if spec.schedule is None:
        return f"after {_listed([after.job for after in spec.after])}" if spec.after else "on request only"
    if spec.schedule.cron is not None:
        words = f"{cron_words(spec.schedule.cron, job_id)} ({spec.timezone})"
    elif spec.schedule.every is not None:
        words = f"every {spec.schedule.every}"
    else:
        words = f"once, at {spec.schedule.at}"
    if spec.jitter is not None:
        words += f", up to {spec.jitter} later"
    if spec.start is not None:
        words += f", from {spec.start} on"
    if spec.end is not None:
        words += f", until {spec.end}"
    return words + (f", but not on {_listed(spec.exclude)}" if spec.exclude else "")


def cron_words(text: str, job_id: str) -> str:
    """Return a cron expression in words; raise ValueError if it is none."""
    expression = parse_expression(text)
    time, goes_on = _time(expression, job_id)
    date = _date(expression, job_id, "" if goes_on else " every day")
    chosen = "; H is chosen by the job's id" if expression.hashed else ""
    return f"{time}{date}{_years(expression, job_id)}{chosen}"


def _time(expression: Expression, job_id: str) -> tuple[str, bool]:
    """Return the times of day in words, and whether they go on through the day."""
    seconds, minutes, hours = (
        sorted(set(field.numbers(job_id))) for field in (expression.second, expression.minute, expression.hour)
    )
    if len(hours) < 24 and len(hours) * len(minutes) * len(seconds) <= _TIMES_SPELT_OUT:
        times = [(h, m, s) for h in hours for m in minutes for s in seconds]
        with_seconds = seconds != [0]
        return "at " + _listed([f"{h:02}:{m:02}" + (f":{s:02}" if with_seconds else "") for h, m, s in times]), False
    rate = _rate(minutes, "minute") if seconds == [0] else _rate(seconds, "second") if len(minutes) == 60 else ""
    if rate:
        return rate + _span_of_hours(hours), True
    at = "" if seconds == [0] else f"{_among(seconds, 'second')} of "
    phrase = f"{at}{_among(minutes, 'minute')}"
    if len(minutes) < 60 or len(hours) < 24:
        phrase += f" of {_among(hours, 'hour')}"
    return phrase if phrase.startswith("every") else f"at {phrase}", True


def _rate(numbers: list[int], unit: str) -> str:
    """Return `every 5 minutes` if the numbers are evenly spread over the hour; else nothing."""
    step = 60 // len(numbers)
    if len(numbers) == 1 or numbers != list(range(0, 60, step)) or 60 % step:
        return ""
    return f"every {unit}" if step == 1 else f"every {step} {unit}s"


def _span_of_hours(hours: list[int]) -> str:
    if len(hours) == 24:
        return ""
    if hours == list(range(hours[0], hours[-1] + 1)):
        return f" from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return f" of {_among(hours, 'hour')}"


def _date(expression: Expression, job_id: str, every_day: str) -> str:
    """Return the days and months in words; `every_day` is what is said if all days match."""
    days, month = _days(expression.day, job_id), _months(expression, job_id)
    weekdays, one_of = (_weekdays(expression.weekday, job_id, plural) for plural in ("s", ""))
    either = not (expression.day.starred or expression.weekday.starred)
    if either and not (days and weekdays):  # one of them says every day
        days, weekdays = "", []
    if days and not weekdays:
        return f" on {days} of {month or 'the month'}"
    phrase = f" on {_listed(weekdays)}" if weekdays else every_day
    if days:
        also = f"and on {_listed(weekdays)}" if either else f"if it is {_listed(one_of, 'or')}"
        phrase = f" on {days} of the month, {also}"
    if not month:
        return phrase
    return f"{phrase}, only in {month}" if weekdays else f"{phrase} in {month}"


def _days(field: Field, job_id: str) -> str:
    """Return the chosen days of the month in words; nothing if they are all."""
    numbers = sorted(set(field.numbers(job_id)))
    if len(numbers) == 31:
        return ""
    step = _step(numbers)
    if step > 1:
        plain = [f"every {_ordinal(step)} day from the {_ordinal(numbers[0])} to the {_ordinal(numbers[-1])}"]
    else:
        plain = [f"the {run}" for run in _runs(numbers, _ordinal)]
    return _listed([*plain, *(_special_day(part) for part in field.parts if not _is_plain(part))])


def _special_day(part: Part) -> str:
    match part:
        case LastDay(0):
            return "the last day"
        case LastDay(1):
            return "the day before the last"
        case LastDay(back):
            return f"the day {back} days before the last"
        case Nearest(day):
            return f"the Monday-to-Friday day nearest to the {_ordinal(day)}"
    return "the last Monday-to-Friday day"


def _weekdays(field: Field, job_id: str, plural: str) -> list[str]:
    """Return the chosen days of the week in words, Monday first; nothing if they are all."""
    numbers = sorted({number % 7 or 7 for number in field.numbers(job_id)})
    if len(numbers) == 7:
        return []
    words = _runs(numbers, lambda number: _WEEKDAYS[number % 7] + plural)
    for part in field.parts:
        match part:
            case LastOf(weekday):
                words.append(f"the last {_WEEKDAYS[weekday]} of the month")
            case Nth(weekday, count):
                words.append(f"the {_COUNTS[count]} {_WEEKDAYS[weekday]} of the month")
    return words


def _months(expression: Expression, job_id: str) -> str:
    """Return the chosen months in words; nothing if they are all."""
    months = sorted(set(expression.month.numbers(job_id)))
    return "" if len(months) == 12 else _listed(_runs(months, lambda month: _MONTHS[month]))


def _years(expression: Expression, job_id: str) -> str:
    """Return what is said at the end about years; nothing if they are all."""
    if expression.year.text == "*":
        return ""
    years = sorted(set(expression.year.numbers(job_id)))
    step = _step(years)
    every = f"every {_ordinal(step)} year from {years[0]} to {years[-1]}"
    return f", in {every if step > 1 else _listed(_runs(years, str))}"


def _is_plain(part: Part) -> bool:
    return not isinstance(part, LastDay | LastWorkday | Nearest)


def _among(numbers: list[int], unit: str) -> str:
    """Return numbers of a unit in words: `minute 7`, `minutes 0 to 29`, `every 7th minute from 0 to 56`."""
    step = _step(numbers)
    if len(numbers) == 60 or (unit == "hour" and len(numbers) == 24):
        return f"every {unit}"
    if step > 1:
        return f"every {_ordinal(step)} {unit} from {numbers[0]} to {numbers[-1]}"
    return f"{unit}{'s' if len(numbers) > 1 else ''} {_listed(_runs(numbers, str))}"


def _step(numbers: Sequence[int]) -> int:
    """Return the distance between four or more numbers that are evenly spread; else 0."""
    steps = {high - low for low, high in pairwise(numbers)}
    return steps.pop() if len(numbers) > 3 and len(steps) == 1 else 0


def _runs(numbers: Sequence[int], say: Callable[[int], str]) -> list[str]:
    """Return the numbers in words, three or more in a row as `a to b`."""
    words: list[str] = []
    start = 0
    for i in range(1, len(numbers) + 1):
        if i < len(numbers) and numbers[i] == numbers[i - 1] + 1:
            continue
        run = numbers[start:i]
        words += [f"{say(run[0])} to {say(run[-1])}"] if len(run) > 2 else [say(number) for number in run]
        start = i
    return words


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
