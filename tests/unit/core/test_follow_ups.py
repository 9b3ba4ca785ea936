"""What follows from an end: one retry, or the runs of dependants; and when."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcron_core.durations import parse_duration
from dcron_core.executions import (
    dependency_execution_id,
    job_of,
    other_attempt,
    tick_execution_id,
    worker_tick_execution_id,
)
from dcron_core.follow_ups import JITTER, FollowUps, backoff, counts, follow_ups, retry_of
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, KeyValue, ModRevisionIs, Operation, Put
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import After, End, JobSpec, Retry, Run
from dcron_schemas.records import Execution
from dcron_schemas.state import DependencyMarks, JobEntry, RunWanted

KEYS = Keys("/t/")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = get_args(End)
UP = "019e0000-0000-7000-8000-000000000001"


def entry(name: str, *, after: tuple[After, ...] = (), retry: Retry | None = None, enabled: bool = True) -> JobEntry:
    spec = JobSpec(name=name, run=Run(shell="true"), after=after, retry=retry or Retry(), enabled=enabled)
    return JobEntry(
        job_id=f"id-{name}", version=1, spec=spec, anchor=NOW, position=1, created_at=NOW, updated_at=NOW,
        updated_by="ada",
    )  # fmt: skip


def execution(execution_id: str = "id-up.t5.1", attempt: int = 1, name: str = "up") -> Execution:
    return Execution(
        execution_id=execution_id, job_id=job_of(execution_id), job_name=name, namespace="default", job_version=1,
        trigger="tick", due_at=NOW, attempt=attempt, worker_id="w1", claimed_at=NOW, fencing_token=7,
    )  # fmt: skip


def runs_in(operations: tuple[Operation, ...]) -> list[RunWanted]:
    puts = [op for op in operations if isinstance(op, Put) and op.key.startswith(KEYS.runs)]
    return [decode_state(RunWanted, put.value) for put in puts]


@pytest.mark.parametrize("outcome", ENDS)
def test_a_retry_comes_after_the_ends_it_is_for(outcome: End) -> None:
    retry = Retry(attempts=2)
    found = retry_of(execution(), outcome, NOW, retry)
    assert (found is not None) == (outcome in ("failed", "timed_out", "lost"))


def test_attempts_are_those_beyond_the_first() -> None:
    retry = Retry(attempts=2, backoff="10s")
    second = retry_of(execution(), "failed", NOW, retry)
    assert second is not None
    assert (second.execution_id, second.attempt, second.trigger) == ("id-up.t5.2", 2, "retry")
    assert (second.requested_by, second.worker_id) == ("id-up.t5.1", "")
    assert retry_of(execution("id-up.t5.2", 2), "failed", NOW, retry) is not None
    assert retry_of(execution("id-up.t5.3", 3), "failed", NOW, retry) is None


def test_a_retry_of_a_run_that_is_one_workers_own_is_for_that_worker() -> None:
    own = execution(worker_tick_execution_id("id-up", "w1", NOW))
    found = retry_of(own, "failed", NOW, Retry(attempts=1))
    assert found is not None
    assert found.worker_id == "w1"
    assert job_of(found.execution_id) == "id-up"


@given(
    base=st.sampled_from(["0s", "1ms", "10s", "1h"]),
    cap=st.sampled_from(["1s", "1m", "10m", "7d"]),
    attempt=st.integers(1, 100),
    name=st.text(alphabet="abc", max_size=5),
)
def test_the_backoff_doubles_is_spread_and_has_a_cap(base: str, cap: str, attempt: int, name: str) -> None:
    retry = Retry(backoff=base, backoff_cap=cap)
    wait = backoff(retry, attempt, name)
    assert wait == backoff(retry, attempt, name), "a function of the execution"
    limit_s, plain_s = parse_duration(cap).total_seconds(), parse_duration(base).total_seconds() * 2 ** (attempt - 1)
    wait_s = wait.total_seconds()
    assert wait_s <= limit_s
    assert min(limit_s, plain_s * (1 - JITTER)) - 0.001 <= wait_s <= plain_s * (1 + JITTER) + 0.001


def test_different_executions_wait_differently() -> None:
    waits = {backoff(Retry(), 1, f"job.t{n}.1") for n in range(100)}
    assert len(waits) > 90


@pytest.mark.parametrize("outcome", ENDS)
def test_failed_is_every_end_that_is_no_success(outcome: End) -> None:
    good = outcome == "succeeded"
    assert counts(After(job="up", on="succeeded"), outcome) is good
    assert counts(After(job="up", on="failed"), outcome) is not good
    assert counts(After(job="up", on="finished"), outcome)


def test_an_end_that_is_retried_starts_nobody() -> None:
    down = entry("down", after=(After(job="up", on="finished"),))
    up = entry("up", retry=Retry(attempts=1))
    first = follow_ups(KEYS, execution(), "failed", NOW, up, [down], {})
    assert [run.trigger for run in runs_in(first.operations)] == ["retry"]
    last = follow_ups(KEYS, execution("id-up.t5.2", 2), "failed", NOW, up, [down], {})
    (run,) = runs_in(last.operations)
    assert (run.trigger, run.job_id, run.requested_by) == ("dependency", "id-down", "id-up.t5.2")
    assert run.execution_id == dependency_execution_id("id-down", "id-up.t5.2")


def test_the_end_of_a_job_that_is_gone_has_no_retry_but_dependants() -> None:
    down = entry("down", after=(After(job="up", on="failed"),))
    found = follow_ups(KEYS, execution(), "lost", NOW, None, [down], {})
    assert [run.trigger for run in runs_in(found.operations)] == ["dependency"]


def test_whoever_does_not_wait_for_this_end_or_is_paused_is_left_alone() -> None:
    dependants = [
        entry("a", after=(After(job="up", on="failed"),)),
        entry("b", after=(After(job="up"),), enabled=False),
    ]
    assert follow_ups(KEYS, execution(), "succeeded", NOW, entry("up"), dependants, {}) == FollowUps()


JOIN = entry("join", after=(After(job="up"), After(job="other")))
MARKS = KEYS.marks("id-join")


def marked(revision: int, **ended: str) -> dict[str, KeyValue]:
    return {MARKS: KeyValue(MARKS, encode(DependencyMarks(ended=ended)), 1, revision)}


def test_the_first_of_several_ends_leaves_a_mark() -> None:
    found = follow_ups(KEYS, execution(), "succeeded", NOW, entry("up"), [JOIN], {})
    assert found.compare == (ModRevisionIs(MARKS, 0),)
    assert found.marks == (MARKS,)
    (put,) = found.operations
    assert isinstance(put, Put)
    assert decode_state(DependencyMarks, put.value).ended == {"up": "id-up.t5.1"}


def test_the_last_of_several_ends_starts_the_job_and_takes_the_marks_away() -> None:
    """Marks of jobs that it does not come after any more do not count."""
    known = marked(9, other="id-other.t4.1", former="id-former.t4.1")
    found = follow_ups(KEYS, execution(), "succeeded", NOW, entry("up"), [JOIN], known)
    assert found.compare == (ModRevisionIs(MARKS, 9),)
    assert [run.job_id for run in runs_in(found.operations)] == ["id-join"]
    assert Delete(MARKS) in found.operations
    without = follow_ups(KEYS, execution(), "succeeded", NOW, entry("up"), [JOIN], marked(9, former="id-former.t4.1"))
    assert runs_in(without.operations) == []


def test_marks_that_cannot_be_read_are_replaced() -> None:
    known = {MARKS: KeyValue(MARKS, b"garbage", 1, 5)}
    found = follow_ups(KEYS, execution(), "succeeded", NOW, entry("up"), [JOIN], known)
    assert found.compare == (ModRevisionIs(MARKS, 5),)
    assert runs_in(found.operations) == []


def test_execution_ids_tell_their_job_attempt_and_worker_apart() -> None:
    ids = [
        tick_execution_id(UP, NOW),
        worker_tick_execution_id(UP, "host.example.org-1", NOW),
        worker_tick_execution_id(UP, "host", NOW),
        dependency_execution_id(UP, "x.t1.1"),
        dependency_execution_id(UP, "x.t1.2"),
    ]
    assert len(set(ids)) == len(ids)
    assert {job_of(each) for each in ids} == {UP}
    assert other_attempt(ids[1], 3) == worker_tick_execution_id(UP, "host.example.org-1", NOW, 3)
    chain = UP
    for _ in range(50):
        chain = dependency_execution_id(UP, chain)
    assert len(chain) < 100, "ids do not grow with the chain"
