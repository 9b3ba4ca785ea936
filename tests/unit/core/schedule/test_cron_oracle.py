"""Around the nights when clocks change, the ticks of any simple expression are those that a walk finds.

The oracles know nothing of `croniter` and of the search: for a job with a wildcard hour or minute they read the
wall clock at each minute of UTC; for a job at a fixed time they go over all wall-clock minutes and ask the zone
which instant each one is, the first one if there are two, the shifted one if there is none (PEP 495, fold=0).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dcron_core.schedule.cron import cron_timetable

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


def listed(number: st.SearchStrategy[int]) -> st.SearchStrategy[Field]:
    some = st.lists(number, min_size=1, max_size=3, unique=True)
    return some.map(lambda values: Field(",".join(map(str, values)), frozenset(values)))


def fields(low: int, high: int) -> st.SearchStrategy[Field]:
    number = st.integers(low, high)
    star = st.just(Field("*", frozenset(range(low, high + 1))))
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


night = st.sampled_from(TRANSITIONS)
any_day = st.one_of(st.just(Field("*", frozenset(range(1, 32)))), fields(1, 31))
any_weekday = st.one_of(st.just(Field("*", frozenset(range(7)))), fields(0, 6))
# Mostly in the hours when clocks change.
hour = st.one_of(fields(0, 23), listed(st.integers(0, 3)))
expression = st.builds(Simple, minute=fields(0, 59), hour=hour, day=any_day, weekday=any_weekday)


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Every whole minute in (start, end]."""
    instant = start.replace(second=0, microsecond=0) + MINUTE
    while instant <= end:
        yield instant
        instant += MINUTE


def walk(simple: Simple, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    if not simple.fixed_time:
        return [instant for instant in minutes(start, end) if simple.matches(instant.astimezone(zone))]
    reach = timedelta(days=2)
    walls = minutes(start.replace(tzinfo=None) - reach, end.replace(tzinfo=None) + reach)
    found = {wall.replace(tzinfo=zone).astimezone(UTC) for wall in walls if simple.matches(wall)}
    return sorted(instant for instant in found if start < instant <= end)


# An example is short as it is, and takes up to a second: it is not shrunk.
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(simple=expression, night=night, offset_s=st.integers(0, int(BEFORE.total_seconds())))
def test_the_ticks_around_a_transition_are_those_that_a_walk_finds(
    simple: Simple, night: tuple[str, str], offset_s: int
) -> None:
    transition = datetime.fromisoformat(night[1]).replace(tzinfo=UTC)
    start, end = transition - BEFORE + timedelta(seconds=offset_s), transition + AFTER
    timetable, found, tick = cron_timetable(simple.text, night[0]), [], start
    while (following := timetable.next_after(tick)) is not None and following <= end:
        assert following > tick
        found.append(following)
        tick = following
    assert found == walk(simple, ZoneInfo(night[0]), start, end)


@settings(max_examples=200, deadline=None)
@given(
    simple=expression,
    night=night,
    long_before=st.integers(0, 400 * 86_400),
    offset_s=st.floats(-2 * 86_400, 2 * 86_400, allow_nan=False),
    month_given=st.booleans(),
    seconds=fields(0, 59),
)
def test_no_tick_is_passed_over_wherever_one_begins(
    simple: Simple, night: tuple[str, str], long_before: int, offset_s: float, month_given: bool, seconds: Field
) -> None:
    """If a < b then either next(a) = next(b), or next(a) is at or before b; with seconds in front and a month too."""
    transition = datetime.fromisoformat(night[1]).replace(tzinfo=UTC)
    second = transition + timedelta(seconds=offset_s)
    first = second - timedelta(seconds=long_before)
    month = str(transition.astimezone(ZoneInfo(night[0])).month) if month_given else "*"
    timetable = cron_timetable(f"{seconds.text} {simple.in_month(month)}", night[0])
    early, late = timetable.next_after(first), timetable.next_after(second)
    if early is None or late is None:  # no such date in 30 years
        assert early is late
        return
    assert first < early
    assert second < late
    assert early == late or early <= second
