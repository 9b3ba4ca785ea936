"""What became of each tick (G4, G5): nothing that must not be passes, and nothing that may be is blamed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dcron_core.executions import tick_execution_id, worker_run_prefix
from dcron_core.jobs.replay import Replay
from dcron_core.jobs.windows import Definition, of_step, windows_of
from dcron_log_ingester.ledger import (
    JobRecords,
    Run,
    Skip,
    Tally,
    WindowTicks,
    account,
    is_double,
    is_wrong,
    page_of,
    tick_key,
)
from dcron_schemas.audit import LedgerTick, LedgerTotals
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
from dcron_schemas.job import Dst, JobSpec, Misfire, Placement, Schedule
from dcron_schemas.job import Run as What
from dcron_schemas.records import SkipReason
from tests.unit.log_ingester.perfect_worker import PerfectWorker, records_of

START = datetime(2026, 3, 1, tzinfo=UTC)
SECONDLY = JobSpec(name="a", run=What(shell="true"), schedule=Schedule(cron="* * * * * *"))
LATER = 10_000  # seconds: nothing is under way any more


def s(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def definitions(happened: Sequence[tuple[float, EventData]]) -> list[Definition]:
    """Return the definitions of a job to which these events happened, by second."""
    replay = Replay()
    found = []
    for position, (at, data) in enumerate(happened):
        event = JobEvent(event_id=f"e{position}", job_id="job", actor="ada", request_id="r", at=s(at), data=data)
        if definition := of_step(replay.step(position, event)):
            found.append(definition)
    return found


def ledger(
    happened: Sequence[tuple[float, EventData]], records: JobRecords, *, until: float, now: float = LATER
) -> list[LedgerTick]:
    spans = [
        WindowTicks(window, tuple(window.ticks(START, s(until))), tuple(window.excluded(START, s(until))))
        for window in windows_of("job", definitions(happened))
    ]
    return account("job", spans, records, start=START, end=s(until), now=s(now))


def run(
    second: float, *claims: int, version: int = 1, status: str = "succeeded", started: bool = True, attempt: int = 1
) -> Run:
    name = tick_execution_id("job", s(second), attempt)
    return Run(name, tick_key(s(second)), attempt, version, status, started, frozenset(claims or (int(second),)))


def skip(
    first: float, last: float | None = None, reason: SkipReason = "missed", *, version: int = 1, claim: int = 0
) -> Skip:
    return Skip(tick_key(s(first)), tick_key(s(first if last is None else last)), version, reason, claim=claim)


def outcomes(lines: Sequence[LedgerTick]) -> list[str]:
    return [line.reason or line.outcome for line in lines]


CREATED = (0.5, JobCreated(SECONDLY))


@pytest.mark.parametrize(
    ("happened", "records", "until", "expected"),
    [
        ([CREATED], [run(1), run(2), run(3)], 3, ["run", "run", "run"]),
        ([CREATED], [run(1), run(3)], 3, ["run", "unaccounted", "run"]),
        ([CREATED], [run(1), skip(2, reason="overlap"), run(3)], 3, ["run", "overlap", "run"]),
        ([CREATED], [run(1), skip(2, 4), run(5)], 5, ["run", "missed", "missed", "missed", "run"]),
        ([CREATED], [run(2), skip(1, 4), run(5)], 5, ["missed", "run", "missed", "missed", "run"]),
        ([CREATED], [skip(1, 9), skip(2, reason="overlap")], 3, ["missed", "overlap", "missed"]),
        ([CREATED], [skip(-40, 2), run(3)], 3, ["missed", "missed", "run"]),
        ([CREATED, (3.5, JobPaused())], [run(1), run(2)], 5, ["run", "run", "withdrawn"]),
        ([CREATED, (3.5, JobPaused())], [run(1), run(3)], 5, ["run", "unaccounted", "run"]),
        ([CREATED, (3.5, JobPaused())], [run(1), run(2), run(4)], 5, ["run", "run", "unaccounted", "beyond"]),
        ([CREATED, (3.5, JobPaused())], [run(1), run(2)], 3, ["run", "run", "withdrawn"]),
        ([CREATED, (2.5, JobDeleted())], [run(1)], 5, ["run", "withdrawn"]),
        ([CREATED, (2.5, JobPaused()), (4.5, JobResumed())], [run(1), run(2), run(5, version=3)], 5, ["run"] * 3),
        (
            [CREATED, (2.5, JobUpdated(replace(SECONDLY, schedule=Schedule(every="2s"))))],
            [run(1), run(2), run(3), run(4.5, version=2)],
            5,
            ["run", "run", "beyond", "run"],
        ),
        (
            [(0.3, JobCreated(replace(SECONDLY, schedule=Schedule(every="1s")))), (1.8, JobUpdated(SECONDLY))],
            [run(1.3), skip(2.3, reason="edited", claim=7), run(3, version=2)],
            3,
            ["run", "withdrawn", "run"],
        ),
        ([CREATED, (90, JobPaused())], [run(1)], 3, ["run", "withdrawn", "withdrawn"]),
        ([CREATED, (95, JobPaused())], [run(1)], 3, ["run", "unaccounted", "unaccounted"]),
        ([CREATED], [run(1, status="lost", started=False), skip(1, reason="edited", claim=1)], 1, ["edited"]),
        ([CREATED], [run(1, status="lost", started=False)], 1, ["run"]),
    ],
    ids=[
        "all run", "one is not there", "a skip", "a range", "a run stands above a range", "the narrower skip counts",
        "a range that began before", "paused before a worker took it", "taken ticks before a pause are not withdrawn",
        "claimed while it was paused", "the range ends before the pause", "deleted", "resumed",
        "rescheduled: a claim of the old schedule", "a tick passed over by a claim ahead",
        "the deadline of the tick was not over at the pause", "the deadline was over", "lost, and given up as it shows",
        "lost before it started",
    ],
)  # fmt: skip
def test_each_tick_becomes(
    happened: list[tuple[float, EventData]], records: list[Run | Skip], until: float, expected: list[str]
) -> None:
    """G5: with a record, or a reason for having none, or UNACCOUNTED."""
    runs = tuple(record for record in records if isinstance(record, Run))
    skips = tuple(record for record in records if isinstance(record, Skip))
    assert outcomes(ledger(happened, JobRecords(runs, skips), until=until)) == expected


@pytest.mark.parametrize(
    ("records", "claims"),
    [
        (JobRecords((run(1, 7),)), 1),
        (JobRecords((run(1, 7, 8),)), 2),
        (JobRecords((run(1, 7),), (skip(1, claim=8, reason="edited"),)), 2),
        (JobRecords((run(1, 7),), (skip(1, claim=7, reason="edited"),)), 1),
        (JobRecords((run(1, 7, started=False, status="killed"),), (skip(1, claim=8, reason="edited"),)), 1),
        (JobRecords((run(1, 7),), (skip(1, 5),)), 1),
        (JobRecords((run(1, 7), run(1, 9, attempt=2))), 1),
        (JobRecords((run(1, 7, 8), run(1, 9, attempt=2))), 2),
    ],
    ids=[
        "one claim", "two claims ran it", "ran, and given up by another claim", "ran and given up by one claim",
        "never started, and given up by another", "ran, and missed again after a lost etcd", "a second attempt",
        "the first attempt had two",
    ],
)  # fmt: skip
def test_a_double_is_a_tick_with_more_than_one_claim(records: JobRecords, claims: int) -> None:
    """G4: told from the fencing tokens."""
    [line] = ledger([CREATED], records, until=1)
    assert line.claims == claims
    assert is_double(line) == is_wrong(line) == (claims > 1)


def test_the_last_attempt_is_the_run_that_is_shown() -> None:
    [line] = ledger([CREATED], JobRecords((run(1, 9, attempt=2), run(1, 7, status="failed"))), until=1)
    assert (line.execution_id, line.status) == (tick_execution_id("job", s(1), 2), "succeeded")


@pytest.mark.parametrize(
    ("records", "age", "expected"),
    [
        ([], 10, "pending"),
        ([], 90, "pending"),
        ([], 91, "unaccounted"),
        ([run(2)], 30, "pending"),
        ([run(2)], 31, "unaccounted"),
    ],
    ids=["young", "a worker may still take it", "too old", "taken, its record under way", "taken, and no record"],
)
def test_a_young_tick_is_pending(records: list[Run], age: float, expected: str) -> None:
    """Until a worker has to have taken it, and its record is here; that takes less once a later tick was taken."""
    assert ledger([CREATED], JobRecords(tuple(records)), until=1, now=1 + age)[0].outcome == expected


@pytest.mark.parametrize(
    ("spec", "records", "expected"),
    [
        (replace(SECONDLY, overlap="queue"), [run(1)], ["run", "pending", "pending"]),
        (replace(SECONDLY, overlap="queue"), [run(1), run(3)], ["run", "unaccounted", "run"]),
        (replace(SECONDLY, overlap="queue"), [run(1), skip(3, reason="overlap")], ["run", "pending", "overlap"]),
        (replace(SECONDLY, misfire=Misfire(policy="all")), [run(1)], ["run", "pending", "pending"]),
        (SECONDLY, [run(1)], ["run", "unaccounted", "unaccounted"]),
    ],
)
def test_a_tick_may_wait_for_its_turn_while_no_later_one_has_run(
    spec: JobSpec, records: list[Run | Skip], expected: list[str]
) -> None:
    """G5: ticks that wait run in order; one that was overtaken is lost."""
    stored = JobRecords(
        runs=tuple(each for each in records if isinstance(each, Run)),
        skips=tuple(each for each in records if isinstance(each, Skip)),
    )
    created: tuple[float, EventData] = (0.5, JobCreated(spec))
    assert outcomes(ledger([created], stored, until=3)) == expected
    assert "pending" not in outcomes(ledger([created, (100.0, JobDeleted())], stored, until=3)), "skipped, on record"


def test_withdrawn_says_by_what() -> None:
    [_, line] = ledger([CREATED, (2.5, JobDeleted())], JobRecords((run(1),)), until=5)
    assert line.detail == "JobDeleted at position 1, before a worker took it"


def test_ticks_of_an_interval_are_found_although_the_store_keeps_milliseconds() -> None:
    """Anchors have microseconds; execution ids and MongoDB have none."""
    created = (0.500_123, JobCreated(replace(SECONDLY, schedule=Schedule(every="1s"))))
    lines = ledger([created], JobRecords((run(1.5), run(2.5))), until=2.6)
    assert outcomes(lines) == ["run", "run"]


def test_a_run_beyond_is_counted_apart_and_its_double_counts() -> None:
    lines = ledger([CREATED, (1.5, JobPaused())], JobRecords((run(1), run(2, 5, 6))), until=5)
    tally = Tally()
    tally.add(lines)
    assert tally.totals() == LedgerTotals(
        ticks=1, runs=1, skips={}, withdrawn=0, pending=0, doubles=1, unaccounted=0, beyond=1
    )


RESTING = replace(SECONDLY, exclude=("2026-03-01..2026-03-02",), start=s(2 * 86_400 - 3), end=s(2 * 86_400 + 2))
TWO_DAYS = 2 * 86_400


@pytest.mark.parametrize("recorded", [True, False])
def test_what_a_calendar_excludes_is_one_line_recorded_or_not(recorded: bool) -> None:
    """G5: it is no tick, so nothing is owed for it; who looks sees why nothing ran."""
    of_rest = [skip(TWO_DAYS - 3, TWO_DAYS - 1, "calendar")] if recorded else []
    records = JobRecords((run(TWO_DAYS), run(TWO_DAYS + 1)), tuple(of_rest))
    first, *others = ledger([(0.5, JobCreated(RESTING))], records, until=TWO_DAYS + 9, now=2 * TWO_DAYS)
    assert (first.outcome, first.reason, first.detail) == ("excluded", "calendar", "2026-03-01..2026-03-02")
    assert (first.tick, first.last_tick, first.count) == (s(TWO_DAYS - 3), s(TWO_DAYS - 1), 3)
    assert first.recorded == recorded
    assert outcomes(others) == ["run", "run"]
    tally = Tally()
    tally.add([first, *others])
    assert (tally.totals().ticks, tally.totals().excluded, tally.totals().skips) == (2, {"calendar": 1}, {})


def test_a_run_on_a_day_of_rest_is_beyond_the_definition() -> None:
    """The record of what is excluded does not hide it."""
    records = JobRecords((run(TWO_DAYS - 2),), (skip(TWO_DAYS - 3, TWO_DAYS - 1, "calendar"),))
    lines = ledger([(0.5, JobCreated(RESTING))], records, until=TWO_DAYS - 1, now=2 * TWO_DAYS)
    assert outcomes(lines) == ["calendar", "beyond"]


def test_what_a_clock_change_leaves_out_is_a_line() -> None:
    spec = replace(SECONDLY, schedule=Schedule(cron="30 2 * * *"), timezone="Europe/Berlin", dst=Dst(gap="skip"))
    month = 40 * 86_400
    found = ledger([(0.5, JobCreated(spec))], JobRecords(), until=month, now=2 * month)
    [line] = [line for line in found if line.outcome == "excluded"]
    assert (line.reason, line.tick, line.count) == ("dst", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), 1)
    assert "02:30 does not exist on 2026-03-29" in line.detail


ON_EVERY = replace(SECONDLY, placement=Placement(workers="every"))


R = TypeVar("R", Run, Skip)


def of_worker(record: R, worker_id: str, *, recorded_by: str = "") -> R:
    own = worker_run_prefix("job", worker_id).split(".")[1]
    return replace(record, own=own, worker_id=recorded_by or worker_id)


def test_a_job_on_every_worker_has_a_line_for_each_worker_and_tick() -> None:
    """G4, G5: two workers at one tick are no double, and what one ran does not stand for the other."""
    runs = [
        *(of_worker(run(second), "a") for second in (1, 2, 4)),
        *(of_worker(run(second), "b") for second in (2, 3, 4)),
    ]
    skips = [of_worker(skip(5, reason="overlap"), "b", recorded_by="a")]
    lines = ledger([(0.5, JobCreated(ON_EVERY))], JobRecords(tuple(runs), tuple(skips)), until=6)
    assert [(line.worker_id, line.tick, line.reason or line.outcome) for line in lines] == [
        ("a", s(1), "run"),
        ("a", s(2), "run"),
        ("b", s(2), "run"),
        ("a", s(3), "unaccounted"),
        ("b", s(3), "run"),
        ("a", s(4), "run"),
        ("b", s(4), "run"),
        ("b", s(5), "overlap"),
        ("", s(6), "unaccounted"),
    ]
    assert not any(is_double(line) for line in lines)
    doubled = ledger([(0.5, JobCreated(ON_EVERY))], JobRecords((*runs, of_worker(run(2, 7, 8), "a")), ()), until=2)
    assert [line.worker_id for line in doubled if is_double(line)] == ["a"]


def test_a_page_does_not_tear_a_tick_of_several_workers() -> None:
    runs = [of_worker(run(second), worker) for second in (1, 2, 3) for worker in "abc"]
    lines = ledger([(0.5, JobCreated(ON_EVERY))], JobRecords(tuple(runs)), until=3)
    seen: list[LedgerTick] = []
    more = True
    while more:
        page, more = page_of(lines, seen[-1].tick if seen else None, 2)
        seen += page
    assert seen == lines
    assert len(seen) == 9


def test_pages_have_each_line_once() -> None:
    lines = ledger([CREATED], JobRecords(), until=25)
    seen: list[LedgerTick] = []
    more, after = True, None
    while more:
        page, more = page_of(lines, after, 10)
        seen += page
        after = page[-1].tick
    assert seen == lines


specs = st.sampled_from(
    [
        SECONDLY,
        replace(SECONDLY, description="x"),
        replace(SECONDLY, name="b"),
        replace(SECONDLY, schedule=Schedule(cron="*/3 * * * * *")),
        replace(SECONDLY, schedule=Schedule(every="1s")),
        replace(SECONDLY, schedule=Schedule(every="7s")),
        replace(SECONDLY, schedule=None),
    ]
)
edits = st.one_of(
    st.sampled_from([JobPaused(), JobResumed(), JobDeleted()]),
    st.builds(JobUpdated, specs),
    st.builds(JobRestored, specs, st.just(0)),
)
gaps = st.one_of(st.integers(1, 3000), st.integers(1, 40_000))  # ms


class Life:
    """A job to which anything happened, and what a perfect worker left of it."""

    def __init__(
        self, happened: Sequence[tuple[int, EventData]], delay_ms: int, away_ms: tuple[int, int] | None
    ) -> None:
        at, version = 500, 1
        self.happened: list[tuple[float, EventData]] = [(at / 1000, JobCreated(SECONDLY))]
        for gap, data in happened:
            at += gap
            version += 1  # no less than the job's
            self.happened.append(
                (at / 1000, JobRestored(data.spec, version) if isinstance(data, JobRestored) else data)
            )
        self.end = at / 1000 + 5
        away = (s(away_ms[0] / 1000), s(sum(away_ms) / 1000)) if away_ms else None
        worker = PerfectWorker(definitions(self.happened), timedelta(milliseconds=delay_ms), away)
        self.claims = worker.claims(START, s(self.end + 120))

    def lines(self, records: JobRecords | None = None) -> list[LedgerTick]:
        return ledger(self.happened, records_of(self.claims) if records is None else records, until=self.end)


lives = st.builds(
    Life,
    st.lists(st.tuples(gaps, edits), max_size=8),
    st.integers(0, 300),
    st.none() | st.tuples(st.integers(0, 60_000), st.integers(1, 55_000)),
)


@given(life=lives)
@settings(max_examples=150, deadline=None)
def test_of_a_perfect_worker_nothing_is_wrong(life: Life) -> None:
    """G4, G5: whatever happened to the job, and although the worker learns of it late and was away for a while."""
    assert [line for line in life.lines() if is_wrong(line)] == []


@given(life=lives, data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_record_that_is_taken_away_makes_its_tick_unaccounted_and_no_other(life: Life, data: st.DataObject) -> None:
    """G5: unless it was the last one before the definition ended, which may have been withdrawn."""
    plain = {line.tick: line for line in life.lines() if line.outcome != "beyond"}
    later = {claim.timetable: claim.tick for claim in life.claims}
    could = [claim for claim in life.claims if claim.tick in plain and claim.tick < later[claim.timetable]]
    assume(could)
    gone = data.draw(st.sampled_from(could))
    lines = life.lines(records_of([claim for claim in life.claims if claim is not gone]))
    after = {line.tick: line for line in lines if line.outcome != "beyond"}
    assert after.pop(gone.tick).outcome == "unaccounted"
    del plain[gone.tick]
    assert after == plain


@given(life=lives, data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_rival_claim_makes_one_double(life: Life, data: st.DataObject) -> None:
    """G4."""
    runs = [claim for claim in life.claims if isinstance(claim.record, Run) and claim.tick <= s(life.end)]
    assume(runs)
    rival = data.draw(st.sampled_from(runs))
    records = records_of(life.claims)
    doubled = tuple(
        replace(each, claims=each.claims | {99_999}) if each is rival.record else each for each in records.runs
    )
    wrong = [line for line in life.lines(JobRecords(doubled, records.skips)) if is_wrong(line)]
    assert [(tick_key(line.tick), line.claims) for line in wrong] == [(tick_key(rival.tick), 2)]
