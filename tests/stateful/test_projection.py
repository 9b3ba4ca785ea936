"""Any order of events, faults and masters that Hypothesis can think of, and at every revision etcd equals the log.

Held against `tests/naive_fold.py`, which shares no code with the fold:

* G2: etcd's job table is the fold of the log up to the position that stands beside it, at every revision;
* G3: the position grows, unless etcd was emptied; every master, a replay from zero, and any former state of etcd
  with the rest of the log come to the same jobs.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dcron_core.access import effects as effects_module
from dcron_core.errors import LogMismatchError
from dcron_core.job_log import JobLog
from dcron_core.jobs import table as table_module
from dcron_core.jobs.fold import Applied, Rejected, Repeated, fold
from dcron_core.jobs.table import JobTable, restored_by
from dcron_core.ports.store import KeyValue
from dcron_master import pending as pending_module
from dcron_master import projector as projector_module
from dcron_master.directory_state import decoded_entry, directory_of, entries_of, key_of
from dcron_master.rebuild import CLAIM_S
from dcron_schemas.codec import decode_event, decode_state, encode
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobRestored,
    JobResumed,
    JobReverted,
    JobUpdated,
    KillRequested,
    LogOpened,
    RunRequested,
)
from dcron_schemas.job import After, JobSpec, Run, Schedule
from dcron_schemas.state import JobEntry
from tests.naive_directory import Bounds, People
from tests.naive_fold import Jobs
from tests.services import JOB_EVENTS, KEYS
from tests.stateful.connections import ALL, LATE_S, Fault
from tests.stateful.identity_stories import identity_changes
from tests.stateful.projection_world import Running, World, event, skip_of

WINDOW = 4  # of repetitions; small, so that ids leave it
BATCH = 3  # operations in a transaction; small, so that a few events need several
MASTERS = 3
JOBS = ("job-1", "job-2", "job-3")
OUTCOMES = {Applied: "applied", Rejected: "refused", Repeated: "repeated"}

specs = st.builds(
    lambda name, cron, enabled, after: JobSpec(
        name=name, run=Run(shell="true"), schedule=Schedule(cron=cron), enabled=enabled, after=after
    ),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["0 0 * * *", "0 1 * * *"]),
    st.sampled_from([True, True, False]),
    st.sampled_from([(), (), (), (After(job="a"),), (After(job="b"),), (After(job="b"), After(job="c"))]),
)
versions = st.integers(1, 4)
BOUNDS = Bounds(sessions=2, links=2, tokens=2, secrets=2)
KILL = KillRequested("a run of the job")
changes: st.SearchStrategy[EventData] = st.one_of(
    *[st.builds(JobCreated, specs)] * 4,
    st.builds(JobUpdated, specs),
    st.builds(JobReverted, specs, versions),
    st.builds(JobRestored, specs, versions, st.one_of(st.none(), st.integers(0, 12))),
    st.sampled_from([JobPaused(), JobResumed(), JobDeleted(), RunRequested(), KILL, LogOpened("a-second-log")]),
    *[st.sampled_from([RunRequested(), KILL])] * 2,
    *[identity_changes] * 6,
)
expected = st.sampled_from([None] * 6 + [1, 2, 3])
repeats = st.sampled_from([0] * 14 + [1, 2, WINDOW, WINDOW, WINDOW + 1, WINDOW + 1])
times = st.integers(0, 9)
which = st.integers(0, MASTERS - 1)


@dataclass(frozen=True)
class Wanted:
    """An event to be appended."""

    data: EventData
    job_id: str
    expected: int | None
    repeats: int
    at_s: int


class Projection(RuleBasedStateMachine):
    """One log, one store, up to three masters."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(WINDOW, BOUNDS)
        self.events = 0
        self.emptied_at = 0

    def teardown(self) -> None:
        try:
            self.everybody_comes_to_the_same()
        finally:
            self.world.close()

    # ---- What happens to the log

    @rule(
        wanted=st.lists(
            st.builds(Wanted, changes, st.sampled_from(JOBS), expected, repeats, times), min_size=1, max_size=8
        )
    )
    def append(self, wanted: list[Wanted]) -> None:
        """Append events; one that `repeats` has the id of the record so many positions back."""
        for each in wanted:
            self.events += 1
            event_id = self._id_back(each.repeats) or f"event-{self.events}"
            data = KillRequested(f"{each.job_id}.t0.1") if each.data == KILL else each.data
            self.world.say(event(event_id, each.job_id, data, at_s=each.at_s, expected=each.expected))

    @precondition(lambda self: not self.world.naive.stuck_at())
    @rule(value=st.sampled_from([b"", b"not json", b'{"event_id":"e"}', b"\xff\x00"]))
    def append_what_cannot_be_read(self, value: bytes) -> None:
        self.world.append(value)

    @precondition(lambda self: self.world.naive.stuck_at())
    @rule(right=st.sampled_from([True, True, False]), number=st.integers(0, 3))
    def step_over(self, right: bool, number: int) -> None:
        """Say that a record is to be stepped over; with the digest of another, nobody does."""
        stuck = self.world.naive.stuck_at()
        self._step_over(stuck[number % len(stuck)], right=right)

    @rule()
    def let_time_pass(self) -> None:
        """Leases of kills end, and whoever stood still goes on."""
        self.world.loop.advance(LATE_S + 1)

    # ---- What happens to masters

    @initialize(masters=st.integers(1, MASTERS))
    def open_log(self, masters: int) -> None:
        """The first masters find an empty log; each would name it."""
        for _ in range(masters):
            self.world.start_master()
        self.world.loop.settle()

    @precondition(lambda self: len(self.world.masters) < MASTERS)
    @rule()
    def start_master(self) -> None:
        self.world.start_master()

    @precondition(lambda self: self.world.masters)
    @rule(number=which, turns=st.integers(0, 12))
    def crash(self, number: int, turns: int) -> None:
        """A master dies wherever it is: before a transaction, after it, before it knows the answer."""
        self.go_on_a_little(turns)
        self.world.crash(self._master(number))

    @precondition(lambda self: self.world.masters)
    @rule(number=which, faults=st.lists(st.sampled_from(Fault), min_size=1, max_size=4))
    def fail_transactions(self, number: int, faults: list[Fault]) -> None:
        self._master(number).store.faults.extend(faults)

    @precondition(lambda self: self.world.masters)
    @rule(number=which)
    def hold(self, number: int) -> None:
        """A master's calls to the store get stuck for a while: the others go ahead of it."""
        self._master(number).store.gate.clear()

    @precondition(lambda self: self.world.masters)
    @rule(number=which, most=st.sampled_from([1, 2, 3, ALL]), again=st.integers(0, 5))
    def read_otherwise(self, number: int, most: int, again: int) -> None:
        """A master gets few records at once, and some of them again."""
        log = self._master(number).log
        log.most, log.again = most, again

    # ---- What happens to etcd

    @rule(server=st.sampled_from(["store", "log"]), turns=st.integers(1, 12), seconds=st.sampled_from([0.0, 2.0]))
    def outage(self, server: str, turns: int, seconds: float) -> None:
        """It comes in the middle of something."""
        self.go_on_a_little(turns)
        port = self.world.store if server == "store" else self.world.log
        port.down = True
        self.world.loop.advance(seconds)
        port.down = False

    @rule(back=st.integers(0, 5))
    def compact(self, back: int) -> None:
        self.world.store.compact(self.world.witness.revision - back)

    @precondition(lambda self: self.world.witness.position > self.emptied_at + 12)
    @rule()
    def empty_store(self) -> None:
        """Not all the time: what is asked for before is not asked for again."""
        self.emptied_at = self.world.witness.position
        self.world.empty_store()

    # ---- When it happens

    @rule(turns=st.integers(1, 12))
    def go_on_a_little(self, turns: int) -> None:
        for _ in range(turns):
            self.world.loop.turn()

    @rule(seconds=st.sampled_from([0.0, 0.0, 2.0, 10.0]))
    def go_on(self, seconds: float) -> None:
        for master in self.world.masters:
            master.store.gate.set()
        self.world.loop.advance(seconds)

    # ---- What always holds

    @invariant()
    def nothing_is_wrong(self) -> None:
        """G2, G3, at every revision so far."""
        assert not self.world.problems(), self.world.problems()[0]

    def everybody_comes_to_the_same(self) -> None:
        """G2, G3: once all is well again, whoever goes on, and whoever starts anew."""
        world = self.world
        self._mend()
        world.loop.advance(LATE_S + 20)
        for master in list(world.masters):
            if master.projector.stopped is None:
                self._agrees(master)
            else:  # only a lost or emptied etcd is left as a reason; a restart mends that
                assert isinstance(master.projector.stopped, LogMismatchError)
                assert "gone" in str(master.projector.stopped) or "fell" in str(master.projector.stopped)
                world.crash(master)
        world.start_master()
        world.loop.advance(CLAIM_S + 10)  # one that crashed may have been making the table
        self._agrees(world.masters[-1])
        self.nothing_is_wrong()
        assert world.witness.position == world.naive.end - 1
        assert world.mirrored() == world.witness.jobs
        self._replay_agrees()
        for position, jobs, people in world.witness.states:
            self._rest_agrees(position, jobs, people)

    def _mend(self) -> None:
        world = self.world
        for master in world.masters:
            master.store.faults.clear()
            master.store.gate.set()
        for offset in world.naive.stuck_at():
            self._step_over(offset, right=True)

    def _step_over(self, offset: int, *, right: bool) -> None:
        self.events += 1
        value = self.world.record(offset).value if right else b"another"
        self.world.say(event(f"skip-{self.events}", "", skip_of(offset, value)))

    def _master(self, number: int) -> Running:
        return self.world.masters[number % len(self.world.masters)]

    def _id_back(self, back: int) -> str:
        """Return the id of the event so many positions back; empty: there is none."""
        steps = self.world.naive.steps
        step = steps[-back] if 0 < back <= len(steps) else None
        return str(step.event["event_id"]) if step and step.event else ""

    def _agrees(self, master: Running) -> None:
        """A master knows the jobs, and what came of each event that it folded."""
        naive, projector = self.world.naive, master.projector
        assert projector.projected == projector.table.position == naive.end - 1
        assert as_stored(projector.table) == naive.jobs_at(naive.end - 1)
        assert people_as_stored(projector.table) == naive.people_at(naive.end - 1)
        for position, step in enumerate(naive.steps):
            if handled := projector.handled(position):
                assert OUTCOMES[type(handled.outcome)] == step.outcome, position

    def _replay_agrees(self) -> None:
        """From zero."""
        world = self.world
        replay = world.loop.run_until_complete(JobLog(world.log, JOB_EVENTS).replayed(world.naive.end))
        assert as_stored(replay.table) == world.naive.jobs_at(world.naive.end - 1)
        assert people_as_stored(replay.table) == world.naive.people_at(world.naive.end - 1)

    def _rest_agrees(self, position: int, jobs: Jobs, people: People) -> None:
        """From what etcd was once, and the window of repetitions before it."""
        naive = self.world.naive
        entries = [decode_state(JobEntry, json.dumps(job).encode()) for job in jobs.values()]
        items = [KeyValue(KEYS.prefix + key, json.dumps(value).encode(), 1, 1) for key, value in people.items()]
        directory = directory_of(decoded_entry(item, KEYS) for item in items)
        log_id = naive.log_id if position >= 0 else ""
        table = JobTable(log_id=log_id, position=position, entries=entries, directory=directory)
        for each, step in enumerate(naive.steps):
            happened = None if step.event is None else decode_event(self.world.record(each).value)
            if happened is None:
                if each > position:
                    table.step_over(each)
                continue
            assert isinstance(happened, JobEvent)
            if each > position:
                outcome = fold(table, each, happened)
                changes = outcome.changes if isinstance(outcome, Applied) else ()
                table.absorb(each, happened.event_id, changes, restored_by(happened))
            elif each > position - WINDOW:
                table.remember(each, happened.event_id, restored_by(happened))
        assert as_stored(table) == naive.jobs_at(naive.end - 1)
        assert people_as_stored(table) == naive.people_at(naive.end - 1)


def as_stored(table: JobTable) -> Jobs:
    return {entry.job_id: json.loads(encode(entry)) for entry in table.entries()}


def people_as_stored(table: JobTable) -> People:
    return {
        key_of(entry, KEYS).removeprefix(KEYS.prefix): json.loads(encode(entry))
        for entry in entries_of(table.directory)
    }


@pytest.fixture(autouse=True)
def small_and_quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bounds so small that a short story crosses them; the services' logs would be most of the work."""
    for module in (table_module, projector_module):
        monkeypatch.setattr(module, "REPETITION_WINDOW", WINDOW)
    monkeypatch.setattr(pending_module, "MOST_OPERATIONS", BATCH)
    for name in ("sessions", "links", "tokens", "secrets"):
        monkeypatch.setattr(effects_module, f"MOST_{name.upper()}", getattr(BOUNDS, name))
    with structlog.testing.capture_logs():
        yield


@pytest.mark.parametrize(
    ("examples", "the_same_ones"),
    [(200, True), pytest.param(5_000, False, marks=pytest.mark.robustness)],
    ids=["short", "long"],
)
def test_etcd_is_the_fold_of_the_log_whatever_happens(examples: int, the_same_ones: bool) -> None:
    """G2, G3: see above."""
    run_state_machine_as_test(
        Projection,
        settings=settings(
            max_examples=examples,
            derandomize=the_same_ones,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
