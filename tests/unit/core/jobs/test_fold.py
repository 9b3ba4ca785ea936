"""What each event does to the job table, and why it is refused."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from dcron_core.errors import (
    CommandRejectedError,
    DependencyCircleError,
    NameTakenError,
    NotPossibleError,
    RivalRestoreError,
    UnknownJobError,
    VersionConflictError,
)
from dcron_core.jobs import table as table_module
from dcron_core.jobs.changes import JobGone, JobStands, KillAsked, LogNamed, RunAsked
from dcron_core.jobs.fold import Applied, Outcome, Rejected, Repeated, fold
from dcron_core.jobs.table import JobTable, restored_by
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobRestored,
    JobResumed,
    JobUpdated,
    KillRequested,
    LogOpened,
    RunRequested,
)
from dcron_schemas.job import After, Dst, JobSpec
from tests.unit.core.jobs.events import START, event, folded, job


def applied(outcome: Outcome) -> Applied:
    assert isinstance(outcome, Applied), outcome
    return outcome


def rejected(outcome: Outcome) -> CommandRejectedError:
    assert isinstance(outcome, Rejected), outcome
    return outcome.error


def after(*datas: EventData) -> tuple[JobTable, Outcome]:
    """The table and the last outcome after `job-1` was created as `a` at minute 0 and these events, one a minute."""
    events = [event(JobCreated(job())), *(event(data, minute=n) for n, data in enumerate(datas, 1))]
    table, outcomes = folded(events)
    return table, outcomes[-1]


def test_a_job_is_created_as_version_1_and_has_no_tick_before_that() -> None:
    table, outcome = after()
    entry = table.get("job-1")
    assert entry is not None
    assert applied(outcome) == Applied((JobStands(entry),), entry)
    assert (entry.version, entry.anchor, entry.position, entry.updated_by) == (1, START, 0, "ada")
    assert table.named("default", "a") is entry


def test_of_two_rivals_for_a_name_the_first_in_the_log_wins() -> None:
    table, outcomes = folded(event(JobCreated(job()), f"job-{number}", event_id=f"event-{number}") for number in (1, 2))
    error = rejected(outcomes[1])
    assert isinstance(error, NameTakenError)
    assert "'a' is taken in namespace 'default' by job job-1" in str(error)
    assert [entry.job_id for entry in table.entries()] == ["job-1"]


def linked(name: str, *after: str) -> JobSpec:
    return replace(job(name), after=tuple(After(job=each) for each in after))


def rivals(schema_version: int) -> list[JobEvent]:
    """Two masters' edits, each right on what its master had read: `b` is after `a`, `a` after `c`, `c` after `b`."""
    happened = [
        event(JobCreated(linked("a")), "job-a", event_id="e0"),
        event(JobCreated(linked("b", "a")), "job-b", event_id="e1"),
        event(JobCreated(linked("c")), "job-c", event_id="e2"),
        event(JobUpdated(linked("a", "c")), "job-a", event_id="e3", expected=1),
        event(JobUpdated(linked("c", "b")), "job-c", event_id="e4", expected=1),
    ]
    return [replace(each, schema_version=schema_version) for each in happened]


def test_of_two_rivals_that_close_a_circle_the_first_in_the_log_wins() -> None:
    table, outcomes = folded(rivals(3))
    assert isinstance(outcomes[3], Applied)
    error = rejected(outcomes[4])
    assert isinstance(error, DependencyCircleError)
    assert error.circle == ("c", "b", "a", "c")
    assert "c after b after a after c" in str(error)
    entry = table.get("job-c")
    assert entry is not None
    assert entry.version == 1


def test_a_circle_that_an_older_release_let_into_the_log_stays_what_it_was() -> None:
    """G3: its masters may still be there, and have to come to the same; what mends it is not refused."""
    table, outcomes = folded(rivals(2))
    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    later: list[EventData] = [JobPaused(), JobResumed(), JobUpdated(linked("c"))]
    for number, data in enumerate(later):
        happened = event(data, "job-c", event_id=f"later-{number}")
        outcome = fold(table, table.position + 1, happened)
        table.absorb(table.position + 1, happened.event_id, applied(outcome).changes)


@pytest.mark.parametrize(
    ("spec", "circle"),
    [
        (linked("c", "c"), ("c", "c")),
        (linked("a", "c"), ()),  # the name is taken, which is said first
        (linked("x", "b"), ()),
        (linked("up", "b"), ("up", "b", "a", "up")),  # a name that somebody waited for
    ],
)
def test_a_circle_goes_by_the_names_after_the_event(spec: JobSpec, circle: tuple[str, ...]) -> None:
    table, _ = folded(
        [
            event(JobCreated(linked("a", "up")), "job-a", event_id="e0"),
            event(JobCreated(linked("b", "a")), "job-b", event_id="e1"),
            event(JobCreated(linked("c")), "job-c", event_id="e2"),
        ]
    )
    outcome = fold(table, 3, event(JobUpdated(spec), "job-c", event_id="e3"))
    found = (
        outcome.error.circle
        if isinstance(outcome, Rejected) and isinstance(outcome.error, DependencyCircleError)
        else ()
    )
    assert found == circle


def restored(version: int, seen: int | None) -> JobRestored:
    return JobRestored(job(), version, seen)


def test_of_two_rivals_that_restore_a_job_the_second_gets_no_number_that_was_there() -> None:
    """Restored, deleted again, and restored by somebody who had seen only the first deletion."""
    _, outcome = after(JobDeleted(), restored(2, 1), JobDeleted(), restored(2, 1))
    assert isinstance(rejected(outcome), RivalRestoreError)
    table, outcome = after(JobDeleted(), restored(2, 1), JobDeleted(), restored(2, 1), restored(3, 4))
    entry = table.get("job-1")
    assert applied(outcome).job is entry
    assert entry is not None
    assert entry.version == 3


def test_a_restore_that_an_older_release_wrote_is_what_it_was() -> None:
    _, outcome = after(JobDeleted(), restored(2, None), JobDeleted(), restored(2, None))
    assert isinstance(outcome, Applied)


def test_a_restore_that_looked_too_long_ago_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who began with a snapshot could know what was restored since then."""
    monkeypatch.setattr(table_module, "REPETITION_WINDOW", 3)
    others: list[EventData] = [LogOpened("x")] * 2
    _, outcome = after(JobDeleted(), *others, restored(2, 1))
    assert isinstance(outcome, Applied)
    _, outcome = after(JobDeleted(), *others, LogOpened("x"), restored(2, 1))
    assert isinstance(rejected(outcome), RivalRestoreError)


def test_a_master_that_began_with_a_snapshot_knows_of_the_same_restores() -> None:
    """G3: from the window before it."""
    datas: list[EventData] = [JobCreated(job()), JobDeleted(), restored(2, 1), JobDeleted(), restored(2, 1)]
    log = [event(data, event_id=f"e{n}", minute=n) for n, data in enumerate(datas)]
    whole, outcomes = folded(log)
    half = JobTable(position=3)
    for position, each in enumerate(log[:4]):
        half.remember(position, each.event_id, restored_by(each))
    assert isinstance(outcomes[4], Rejected)
    assert type(fold(half, 4, log[4])) is Rejected
    assert whole.entries() == half.entries() == []


def test_a_job_id_is_used_once() -> None:
    _, outcome = after(JobCreated(job("b")))
    assert isinstance(rejected(outcome), NotPossibleError)


def test_a_rename_frees_the_old_name_and_takes_the_new_one() -> None:
    table, _ = after(JobUpdated(job("b")))
    assert table.named("default", "a") is None
    table, outcomes = folded(
        [
            event(JobCreated(job("b")), "job-2", minute=10),
            event(JobCreated(job("a")), "job-3", minute=11),
            event(JobUpdated(job("b")), "job-3", minute=12),
        ],
        table,
    )
    assert isinstance(rejected(outcomes[0]), NameTakenError)
    assert applied(outcomes[1]).job is table.named("default", "a")
    assert isinstance(rejected(outcomes[2]), NameTakenError)


def test_a_deleted_jobs_name_is_free_and_its_id_is_unknown() -> None:
    table, outcome = after(JobDeleted())
    assert [type(change) for change in applied(outcome).changes] == [JobGone]
    assert (len(table), table.entries(), table.named("default", "a")) == (0, [], None)
    _, outcomes = folded([event(JobCreated(job()), "job-2", minute=9)], table)
    assert applied(outcomes[0]).job is not None


@pytest.mark.parametrize(
    "data", [JobUpdated(job()), JobPaused(), JobResumed(), JobDeleted(), RunRequested(), KillRequested("job-9.t0.1")]
)
def test_what_is_asked_of_an_unknown_job_is_refused(data: EventData) -> None:
    _, outcomes = folded([event(data, "job-9")])
    assert isinstance(rejected(outcomes[0]), UnknownJobError)


@pytest.mark.parametrize("data", [JobUpdated(job("b")), JobPaused(), JobDeleted(), RunRequested()])
def test_a_command_meant_for_another_version_is_refused_with_both(data: EventData) -> None:
    table, _ = after(JobUpdated(job(description="second")))
    error = rejected(fold(table, 2, event(data, minute=5, expected=1)))
    assert isinstance(error, VersionConflictError)
    assert (error.expected, error.current) == (1, 2)
    assert applied(fold(table, 2, event(data, minute=5, expected=2))).changes


@pytest.mark.parametrize("data", [JobUpdated(job()), JobResumed()])
def test_what_changes_nothing_is_applied_without_a_change(data: EventData) -> None:
    table, outcome = after(data)
    assert applied(outcome) == Applied((), table.get("job-1"))
    assert [entry.version for entry in table.entries()] == [1]


@pytest.mark.parametrize(
    ("spec", "moves"),
    [
        (job(description="other"), False),
        (job("renamed"), False),
        (job(cron="0 1 * * *"), True),
        (job(enabled=False), False),
        (replace(job(), timezone="Europe/Berlin"), True),
        (replace(job(), dst=Dst(gap="skip")), True),
        (replace(job(), start=START), True),
        (replace(job(), end=START), True),
        (replace(job(), jitter="1m"), True),
        (replace(job(), exclude=("weekends",)), True),
    ],
)
def test_the_anchor_moves_when_the_ticks_are_others(spec: JobSpec, moves: bool) -> None:
    """A change of the schedule must not make up for ticks that the new one would have had."""
    table, _ = after(JobUpdated(spec))
    entry = table.get("job-1")
    assert entry is not None
    assert entry.version == 2
    assert entry.anchor == START + timedelta(minutes=1 if moves else 0)


def test_the_zone_and_the_dst_policy_are_of_the_schedule() -> None:
    for spec in (
        replace(job(), timezone="Europe/Berlin"),
        replace(job(), dst=Dst(gap="skip")),
    ):
        table, _ = after(JobUpdated(spec))
        assert [entry.anchor for entry in table.entries()] == [START + timedelta(minutes=1)]


def test_pause_keeps_the_anchor_and_resume_moves_it() -> None:
    table, outcome = after(JobPaused("holidays"), JobResumed())
    entry = applied(outcome).job
    assert entry is table.get("job-1")
    assert entry is not None
    assert (entry.version, entry.anchor, entry.spec.enabled) == (3, START + timedelta(minutes=2), True)


def test_the_anchor_never_goes_back() -> None:
    """A master whose clock is behind resumes the job."""
    table, _ = folded([event(JobCreated(job()), minute=10), event(JobPaused(), minute=11)])
    _, outcomes = folded([event(JobResumed(), minute=3)], table)
    entry = applied(outcomes[0]).job
    assert entry is not None
    assert entry.anchor == START + timedelta(minutes=10)


def test_a_run_has_an_id_that_follows_from_the_event() -> None:
    _, outcome = after(RunRequested())
    (change,) = applied(outcome).changes
    assert isinstance(change, RunAsked)
    assert change.run.execution_id == applied(outcome).execution_id == "job-1.revent-1.1"
    assert (change.run.requested_by, change.run.trigger) == ("ada", "request")


def test_a_kill_is_for_a_run_of_the_job() -> None:
    _, outcome = after(KillRequested("job-1.t0.1"))
    (change,) = applied(outcome).changes
    assert isinstance(change, KillAsked)
    assert change.execution_id == "job-1.t0.1"
    for other in ("job-2.t0.1", "job-10.t0.1", "nonsense", ""):
        assert isinstance(rejected(after(KillRequested(other))[1]), NotPossibleError)


def test_a_log_has_one_id() -> None:
    table, outcomes = folded([event(LogOpened("log-1"), "", minute=0), event(LogOpened("log-2"), "", minute=1)])
    assert applied(outcomes[0]).changes == (LogNamed("log-1"),)
    assert isinstance(rejected(outcomes[1]), NotPossibleError)
    assert table.log_id == "log-1"


def test_an_event_id_that_was_there_is_a_repetition_even_if_the_first_was_refused() -> None:
    """A retried command has no second effect, and gets the first answer."""
    created = event(JobCreated(job()), event_id="same")
    table, outcomes = folded([created, created, event(JobDeleted(), minute=5), created])
    assert outcomes[1] == outcomes[3] == Repeated(0)
    assert len(table) == 0


def test_the_fold_changes_nothing_itself() -> None:
    table, _ = after()
    before = (table.entries(), table.position, table.position_of("event-9"))
    fold(table, 7, event(JobDeleted(), minute=9))
    assert (table.entries(), table.position, table.position_of("event-9")) == before
