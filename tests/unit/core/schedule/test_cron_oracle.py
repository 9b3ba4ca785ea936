"""Around the nights when clocks change, the ticks of any simple expression are those that a walk finds.

The oracles know nothing of bits, spans and the search. For a job that follows the clock, one reads the wall clock
at each minute of UTC. For any policy, the other goes over all wall-clock minutes and asks the zone which instants
each one is (PEP 495: fold=0 is the first of two, and the shifted one of none). `cronsim` is the third.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from dcron_core.schedule.cron import cron_timetable
from dcron_schemas.job import Dst

MINUTE = timedelta(minutes=1)
BEFORE, AFTER = timedelta(hours=27), timedelta(hours=30)
# Zone, instant of the transition.
TRANSITIONS = [
    ("Europe/Berlin", "2024-03-31T01:00"),
    ("Europe/Berlin", "2024-10-27T01:00"),
    ("America/New_York", "2024-03-10T07:00"),
    ("America/New_York", "2024-11-03T06:00"),
    ("Australia/Lord_Howe", "2024-10-05T15:30"),  # half an hour
    ("Australia/Lord_Howe", "2024-04-06T15:00"),
    ("Antarctica/Troll", "2024-03-31T01:00"),  # two hours
    ("Antarctica/Troll", "2024-10-27T01:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),  # midnight does not exist
    ("America/Sao_Paulo", "2018-02-18T02:00"),  # 23:00 comes twice
    ("Asia/Kathmandu", "1985-12-31T18:30"),  # a quarter of an hour
    ("Pacific/Apia", "2011-12-30T10:00"),  # a day is left out
    ("Pacific/Kiritimati", "1994-12-31T10:00"),  # the same, and what is left out reaches into the next year of UTC
    ("Africa/Sao_Tome", "2019-01-01T01:00"),  # an overlap that begins with the year
    ("UTC", "2024-12-31T23:00"),
]


@dataclass(frozen=True)
class Field:
    """A field of an expression: its text, and what it matches."""

    text: str
    values: frozenset[int] = field(repr=False)

    @property
    def wild(self) -> bool:
        return self.text.startswith("*")


def listed_of(*values: int) -> Field:
    return Field(",".join(map(str, values)), frozenset(values))


def every(low: int, high: int) -> Field:
    return Field("*", frozenset(range(low, high + 1)))


def listed(number: st.SearchStrategy[int]) -> st.SearchStrategy[Field]:
    some = st.lists(number, min_size=1, max_size=3, unique=True)
    return some.map(lambda values: listed_of(*values))


def fields(low: int, high: int) -> st.SearchStrategy[Field]:
    number = st.integers(low, high)
    star = st.just(every(low, high))
    step = st.integers(2, 9).map(lambda n: Field(f"*/{n}", frozenset(range(low, high + 1, n))))
    values = listed(number)
    span = st.tuples(number, number).map(lambda ends: (min(ends), max(ends)))
    ranges = span.map(lambda ends: Field(f"{ends[0]}-{ends[1]}", frozenset(range(ends[0], ends[1] + 1))))
    return st.one_of(values, star, step, ranges)


@dataclass(frozen=True)
class Simple:
    """A five-field expression; the month is always *."""

    minute: Field
    hour: Field
    day: Field
    weekday: Field

    @property
    def text(self) -> str:
        return self.in_month("*")

    def in_month(self, month: str) -> str:
        return f"{self.minute.text} {self.hour.text} {self.day.text} {month} {self.weekday.text}"

    @property
    def fixed_time(self) -> bool:
        return not (self.minute.wild or self.hour.wild)

    def matches(self, wall: datetime) -> bool:
        if wall.minute not in self.minute.values or wall.hour not in self.hour.values:
            return False
        day, weekday = wall.day in self.day.values, wall.isoweekday() % 7 in self.weekday.values
        return (day and weekday) if self.day.wild or self.weekday.wild else (day or weekday)


policies = st.builds(
    Dst,
    gap=st.sampled_from(["default", "skip", "shift"]),
    overlap=st.sampled_from(["default", "first", "last", "both"]),
)
night = st.sampled_from(TRANSITIONS)
any_day = st.one_of(st.just(every(1, 31)), fields(1, 31))
any_weekday = st.one_of(st.just(every(0, 6)), fields(0, 6))
# Mostly in the hours when clocks change.
hour = st.one_of(fields(0, 23), listed(st.integers(0, 3)))
expression = st.builds(Simple, minute=fields(0, 59), hour=hour, day=any_day, weekday=any_weekday)


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Every whole minute in (start, end]."""
    instant = start.replace(second=0, microsecond=0) + MINUTE
    while instant <= end:
        yield instant
        instant += MINUTE


def read_clock(simple: Simple, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    return [instant for instant in minutes(start, end) if simple.matches(instant.astimezone(zone))]


def walk(
    simple: Simple, zone: ZoneInfo, dst: Dst, start: datetime, end: datetime
) -> tuple[list[datetime], list[datetime]]:
    """Return the ticks in (start, end], and what is left out there because the definition says `skip`."""
    gap = dst.gap if dst.gap != "default" else "shift" if simple.fixed_time else "rest"
    overlap = dst.overlap if dst.overlap != "default" else "first" if simple.fixed_time else "both"
    reach = timedelta(days=2)
    ticks: set[datetime] = set()
    left_out: set[datetime] = set()
    for wall in minutes(start.replace(tzinfo=None) - reach, end.replace(tzinfo=None) + reach):
        if not simple.matches(wall):
            continue
        first, last = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first.astimezone(zone).replace(tzinfo=None) == wall:
            ticks |= {first} if overlap == "first" else {last} if overlap == "last" else {first, last}
        elif gap == "shift":
            ticks.add(first)
        elif gap == "skip":
            left_out.add(first)
    within = [sorted(at for at in found if start < at <= end) for found in (ticks, left_out - ticks)]
    return within[0], within[1]


# An example is short as it is, and takes up to a second: it is not shrunk.
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(
    simple=Simple(listed_of(0), listed_of(8, 20), listed_of(31), every(0, 6)),
    night=("Pacific/Kiritimati", "1994-12-31T10:00"),
    dst=Dst(gap="shift"),
    offset_s=0,
)
@given(simple=expression, night=night, dst=policies, offset_s=st.integers(0, int(BEFORE.total_seconds())))
def test_the_ticks_around_a_transition_are_those_that_a_walk_finds(
    simple: Simple, night: tuple[str, str], dst: Dst, offset_s: int
) -> None:
    """G5: whatever the policies, each tick is found, in order, and what is left out is told, and nothing else."""
    zone, transition = ZoneInfo(night[0]), datetime.fromisoformat(night[1]).replace(tzinfo=UTC)
    start, end = transition - BEFORE + timedelta(seconds=offset_s), transition + AFTER
    timetable, found, tick = cron_timetable(simple.text, night[0], dst=dst), [], start
    while (following := timetable.next_after(tick)) is not None and following <= end:
        assert following > tick
        found.append(following)
        tick = following
    ticks, left_out = walk(simple, zone, dst, start, end)
    assert found == ticks
    rows = timetable.excluded(start, end)
    assert sum(row.count or len(left_out) for row in rows) == len(left_out)
    assert {row.first for row in rows} | {row.last for row in rows} <= set(left_out)
    if not simple.fixed_time and dst == Dst():
        assert ticks == read_clock(simple, zone, start, end)


@settings(max_examples=200, deadline=None)
@given(
    simple=expression,
    night=night,
    long_before=st.integers(0, 400 * 86_400),
    offset_s=st.floats(-2 * 86_400, 2 * 86_400, allow_nan=False),
    month_given=st.booleans(),
    seconds=fields(0, 59),
    dst=policies,
)
def test_no_tick_is_passed_over_wherever_one_begins(
    simple: Simple,
    night: tuple[str, str],
    long_before: int,
    offset_s: float,
    month_given: bool,
    seconds: Field,
    dst: Dst,
) -> None:
    """If a < b then either next(a) = next(b), or next(a) is at or before b; with seconds in front and a month too."""
    transition = datetime.fromisoformat(night[1]).replace(tzinfo=UTC)
    second = transition + timedelta(seconds=offset_s)
    first = second - timedelta(seconds=long_before)
    month = str(transition.astimezone(ZoneInfo(night[0])).month) if month_given else "*"
    timetable = cron_timetable(f"{seconds.text} {simple.in_month(month)}", night[0], dst=dst)
    early, late = timetable.next_after(first), timetable.next_after(second)
    if early is None or late is None:  # no such date in 30 years
        assert early is late
        return
    assert first < early
    assert second < late
    assert early == late or early <= second


last_days = st.sampled_from(["L", "LW", "1,L", "LW,15"])
special_weekdays = st.one_of(
    st.integers(0, 7).map(lambda day: f"{day}L"),
    st.tuples(st.integers(0, 7), st.integers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}"),
    st.sampled_from(["1,5#2", "5L,5#1", "mon-wed,0L"]),
)


@settings(max_examples=300, deadline=None)
@given(
    second=st.one_of(st.just(""), fields(0, 59).map(lambda field: f"{field.text} ")),
    minute=fields(0, 59),
    hour=fields(0, 23),
    day=st.one_of(any_day.map(lambda field: field.text), last_days),
    month=st.one_of(st.just("*"), fields(1, 12).map(lambda field: field.text)),
    weekday=st.one_of(any_weekday.map(lambda field: field.text), special_weekdays),
    start=st.datetimes(datetime(1999, 1, 1), datetime(2050, 1, 1)),  # noqa: DTZ001 - in UTC
)
def test_cronsim_finds_the_same_ticks(
    second: str, minute: Field, hour: Field, day: str, month: str, weekday: str, start: datetime
) -> None:
    """In its dialect and in UTC: elsewhere it runs what is left out at the transition, and we shift it."""
    text, tick = f"{second}{minute.text} {hour.text} {day} {month} {weekday}", start.replace(tzinfo=UTC)
    timetable, simulated = cron_timetable(text, "UTC"), CronSim(text, tick)
    for _ in range(20):
        expected = next(simulated, None)
        found = timetable.next_after(tick)
        if expected is None or (found is None and expected.year > start.year + 40):
            assert found is None
            return
        assert found == expected
        tick = found


def chosen(part: str, year: int, month: int) -> set[int]:
    """The days that one special part chooses, found by looking at the month's calendar."""
    weeks = calendar.Calendar(calendar.SUNDAY).monthdayscalendar(year, month)
    days = [day for week in weeks for day in week if day]
    workdays = [day for day in days if date(year, month, day).weekday() < 5]
    if part == "LW":
        return {workdays[-1]}
    if part.startswith("L"):
        return {days[-1] - int(part[2:] or 0)} & set(days)
    if part.endswith("W"):
        wanted = int(part[:-1])
        return {min(workdays, key=lambda day: abs(day - wanted))} & set(days) if wanted in days else set()
    column = [week[int(part[0]) % 7] for week in weeks if week[int(part[0]) % 7]]
    return {column[-1]} if part.endswith("L") else set(column[int(part[2:]) - 1 : int(part[2:])])


@settings(max_examples=200, deadline=None)
@given(
    day=st.one_of(
        st.sampled_from(["?", "*", "L", "LW"]),
        st.integers(0, 30).map(lambda back: f"L-{back}"),
        st.integers(1, 31).map(lambda number: f"{number}W"),
    ),
    weekday=st.one_of(st.sampled_from(["?", "*"]), special_weekdays.filter(lambda text: "," not in text)),
    year=st.integers(1970, 2199),
)
def test_the_special_days_of_a_year_are_those_that_its_calendar_shows(day: str, weekday: str, year: int) -> None:
    expected = []
    for month in range(1, 13):
        every = set(range(1, calendar.monthrange(year, month)[1] + 1))
        by_day = every if day in "?*" else chosen(day, year, month)
        by_weekday = every if weekday in "?*" else chosen(weekday, year, month)
        days = by_day & by_weekday if day in "?*" or weekday in "?*" else by_day | by_weekday
        expected += [datetime(year, month, number, 12, tzinfo=UTC) for number in sorted(days)]
    timetable, found = cron_timetable(f"0 0 12 {day} * {weekday} {year}", "UTC"), []
    tick = timetable.next_after(datetime(1970, 1, 1, tzinfo=UTC))
    while tick is not None:
        found.append(tick)
        tick = timetable.next_after(tick)
    assert found == expected
