"""From when to when definitions were in force, and the ticks they implied (G5)."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dcron_core.jobs.replay import Replay
from dcron_core.jobs.windows import Window, of_entry, of_step, windows_of
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobRestored,
    JobResumed,
    JobUpdated,
)
from dcron_schemas.job import JobSpec, Run, Schedule

START = datetime(2026, 3, 1, tzinfo=UTC)
SECONDLY = JobSpec(name="a", run=Run(shell="true"), schedule=Schedule(cron="* * * * * *"))
EVEN = replace(SECONDLY, schedule=Schedule(cron="*/2 * * * * *"))
EVERY = replace(SECONDLY, schedule=Schedule(every="3s"))


def s(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def windows(*happened: tuple[float, EventData]) -> list[Window]:
    """Return the windows of a job to which these events happened, by second."""
    replay = Replay()
    definitions = []
    for position, (at, data) in enumerate(happened):
        event = JobEvent(event_id=f"e{position}", job_id="j", actor="ada", request_id="r", at=s(at), data=data)
        if definition := of_step(replay.step(position, event)):
            definitions.append(definition)
    return windows_of("job", definitions)


def ticks(found: list[Window], after: float = 0, until: float = 60) -> list[float]:
    return [(tick - START).total_seconds() for window in found for tick in window.ticks(s(after), s(until))]


def versions(found: list[Window], until: float) -> list[int]:
    return [window.version_at(tick) for window in found for tick in window.ticks(s(0), s(until))]


CREATED = (0.5, JobCreated(SECONDLY))


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([CREATED], [1, 2, 3, 4, 5, 6, 7, 8]),
        ([CREATED, (3.5, JobPaused())], [1, 2, 3]),
        ([CREATED, (3, JobPaused())], [1, 2, 3]),
        ([CREATED, (3.5, JobPaused()), (6, JobResumed())], [1, 2, 3, 7, 8]),
        ([CREATED, (3.5, JobUpdated(EVEN))], [1, 2, 3, 4, 6, 8]),
        ([CREATED, (3.25, JobUpdated(EVERY))], [1, 2, 3, 6.25]),
        ([(0.5, JobCreated(EVERY)), (4, JobUpdated(replace(EVERY, description="x")))], [3.5, 6.5]),
        ([(0.5, JobCreated(EVERY)), (4, JobPaused()), (5, JobResumed())], [3.5, 8]),
        ([CREATED, (2.5, JobUpdated(replace(SECONDLY, name="b")))], [1, 2, 3, 4, 5, 6, 7, 8]),
        ([CREATED, (2.5, JobUpdated(replace(SECONDLY, schedule=None)))], [1, 2]),
        ([CREATED, (2.5, JobDeleted())], [1, 2]),
        ([CREATED, (2.5, JobDeleted()), (5.5, JobRestored(SECONDLY, 2))], [1, 2, 6, 7, 8]),
        ([(0.5, JobCreated(replace(SECONDLY, enabled=False))), (6, JobResumed())], [7, 8]),
        ([CREATED, (2, JobPaused()), (3, JobUpdated(replace(EVEN, enabled=False))), (4, JobResumed())], [1, 2, 6, 8]),
        ([CREATED, (2.5, JobUpdated(SECONDLY))], [1, 2, 3, 4, 5, 6, 7, 8]),
        ([(0.5, JobCreated(replace(SECONDLY, schedule=Schedule(cron="of another release"))))], []),
    ],
    ids=[
        "standing", "paused", "paused on a tick", "resumed", "rescheduled", "to an interval",
        "interval kept by an edit", "interval from the resume", "renamed", "unscheduled", "deleted", "restored",
        "created paused", "edited while paused", "an edit that changes nothing", "a schedule that no worker can read",
    ],
)  # fmt: skip
def test_each_definition_implies_its_ticks_while_it_is_in_force(
    happened: list[tuple[float, EventData]], expected: list[float]
) -> None:
    assert ticks(windows(*happened), until=8) == expected


def test_a_version_that_leaves_the_ticks_alone_stays_in_its_window() -> None:
    """G5: the anchor is kept as in the fold, and each tick has the version that stood as it came."""
    found = windows(
        CREATED, (2.5, JobUpdated(replace(SECONDLY, name="b"))), (4, JobUpdated(replace(SECONDLY, description="x")))
    )
    assert len(found) == 1
    assert versions(found, 6) == [1, 1, 2, 2, 3, 3]
    assert (found[0].first_version, found[0].last_version) == (1, 3)


def test_a_window_says_what_ended_it() -> None:
    [first, second] = windows(CREATED, (2.5, JobUpdated(EVEN)), (7.5, JobDeleted()))
    assert first.ending is not None
    assert (first.ending.kind, first.ending.position, first.ending.at) == ("JobUpdated", 1, s(2.5))
    assert second.ending is not None
    assert (second.ending.kind, second.ending.position, second.ending.at) == ("JobDeleted", 2, s(7.5))


def test_the_clocks_of_masters_may_differ_and_no_tick_is_in_two_windows() -> None:
    """The resuming master is two seconds behind the pausing one: workers begin from its anchor."""
    found = windows(CREATED, (6, JobPaused()), (4, JobResumed()))
    assert ticks(found, until=8) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [len(list(window.ticks(s(0), s(8)))) for window in found] == [4, 4]


def test_a_range_is_open_at_its_start_and_closed_at_its_end() -> None:
    assert ticks(windows(CREATED), after=3, until=6) == [4, 5, 6]
    assert ticks(windows(CREATED, (4.5, JobPaused())), after=5, until=9) == []


@pytest.mark.parametrize(
    ("cron", "expected"),
    [("30 2 * * *", ["00:30"]), ("30 * * * *", ["00:30", "01:30"])],
)
def test_the_night_that_has_an_hour_twice(cron: str, expected: list[str]) -> None:
    """A fixed-time job has one tick, one with a wildcard two."""
    spec = replace(SECONDLY, schedule=Schedule(cron=cron), timezone="Europe/Berlin")
    found = windows((0, JobCreated(spec)))
    night = datetime(2026, 10, 25, tzinfo=UTC)
    shown = [f"{tick:%H:%M}" for tick in found[0].ticks(night, night + timedelta(hours=2))]
    assert shown == expected


def test_a_job_that_stands_is_a_window_by_itself() -> None:
    """What has not changed since the range began need not be read from the log."""
    replay = Replay()
    event = JobEvent(event_id="e", job_id="j", actor="a", request_id="r", at=s(0.5), data=JobCreated(EVERY))
    replay.step(0, event)
    entry = replay.table.get("j")
    assert entry is not None
    assert ticks(windows_of("job", [of_entry(entry)]), until=8) == [3.5, 6.5]
