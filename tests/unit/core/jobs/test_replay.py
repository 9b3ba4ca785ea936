"""G2, G3: however the log is read, in one go or from a snapshot on, the job table is the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.jobs import table as table_module
from dcron_core.jobs.fold import Applied, Outcome, Repeated, fold
from dcron_core.jobs.table import JobTable
from dcron_schemas.events import (
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobResumed,
    JobUpdated,
    KillRequested,
    LogOpened,
    RunRequested,
)
from dcron_schemas.state import JobEntry
from tests.unit.core.jobs.events import event, folded, job, step

WINDOW = 4  # small, so that ids leave it

specs = st.builds(
    job,
    st.sampled_from(["a", "b", "c"]),
    cron=st.sampled_from(["0 0 * * *", "0 1 * * *"]),
    enabled=st.booleans(),
)
data = st.one_of(
    st.builds(JobCreated, specs),
    st.builds(JobUpdated, specs),
    st.builds(LogOpened, st.sampled_from(["log-1", "log-2"])),
    st.sampled_from([JobPaused(), JobResumed(), JobDeleted(), RunRequested(), KillRequested("job-1.t0.1")]),
)
logs = st.lists(
    st.builds(
        event,
        data,
        st.sampled_from(["job-1", "job-2", "job-3"]),
        event_id=st.sampled_from([f"event-{number}" for number in range(6)]),
        minute=st.integers(0, 9),
        expected=st.sampled_from([None, None, 1, 2]),
    ),
    min_size=8,
    max_size=25,
)


@pytest.fixture(autouse=True, scope="module")
def small_window() -> object:
    patch = pytest.MonkeyPatch()
    patch.setattr(table_module, "REPETITION_WINDOW", WINDOW)
    yield
    patch.undo()


def told(table: JobTable) -> tuple[str, int, list[JobEntry]]:
    return table.log_id, table.position, table.entries()


def restarted(log: list[JobEvent], known: JobTable) -> JobTable:
    """A master that starts from what etcd holds of `known`, and reads the window before it, as the projector does.

    Records that it reads there are delivered to the table a second time: all they do is to be remembered.
    """
    table = JobTable(log_id=known.log_id, position=known.position, entries=known.entries())
    for position in range(max(0, known.position - WINDOW + 1), known.position + 1):
        table.remember(position, log[position].event_id)
    return table


def effect(outcome: Outcome) -> object:
    """What an outcome does; the text of a refusal, and where a repetition was first, are for people."""
    return outcome.changes if isinstance(outcome, Applied) else type(outcome)


@settings(max_examples=200, deadline=None)
@given(log=logs, cuts=st.sets(st.integers(0, 24), max_size=4))
def test_masters_that_start_from_snapshots_decide_like_one_that_has_read_everything(
    log: list[JobEvent], cuts: set[int]
) -> None:
    """G3, over any number of restarts at any positions; the window of repetitions included."""
    whole, outcomes = folded(log)
    table, again = JobTable(), list[Outcome]()
    for position, happened in enumerate(log):
        again.append(step(table, position, happened))
        if position in cuts:
            table = restarted(log, table)
    assert told(table) == told(whole)
    assert [effect(outcome) for outcome in again] == [effect(outcome) for outcome in outcomes]


@settings(max_examples=100, deadline=None)
@given(log=logs)
def test_names_are_unique_and_versions_grow(log: list[JobEvent]) -> None:
    table = JobTable()
    for position, happened in enumerate(log):
        before = table.get(happened.job_id)
        step(table, position, happened)
        now = table.get(happened.job_id)
        if before and now and before != now:
            assert (now.version, now.position) == (before.version + 1, position)
            assert now.anchor >= before.anchor
        names = [(entry.spec.namespace, entry.spec.name) for entry in table.entries()]
        assert names == sorted(set(names))
        assert all(table.named(*name) in table.entries() for name in names)


def test_a_repetition_keeps_its_id_in_the_window() -> None:
    """The bug: an id first seen before the window and repeated in it was forgotten by those who had read both."""
    log = [
        event(JobCreated(job()), event_id="same"),
        *(event(JobPaused(), "job-9", event_id=f"between-{n}") for n in range(WINDOW - 2)),
        event(JobCreated(job()), event_id="same"),
        event(JobDeleted(), event_id="deleted"),
    ]
    again = event(JobCreated(job()), event_id="same")
    whole, _ = folded(log)
    snapshot = restarted(log, whole)
    assert effect(fold(whole, len(log), again)) is effect(fold(snapshot, len(log), again)) is Repeated


def test_an_id_leaves_the_window_in_the_end() -> None:
    table, _ = folded(event(JobPaused(), event_id=f"event-{number}") for number in range(WINDOW + 1))
    assert table.position_of("event-0") is None
    assert table.position_of("event-1") == 1
