"""The validators of G4 to G7 find what they are there to find, and nothing in a history that is as it should be."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests import run_validators as validators
from tests.naive_ledger import NaiveLedger, Write, ledger_of, naive_ticks

START = datetime(2026, 1, 1, tzinfo=UTC)
SPEC: dict[str, Any] = {"name": "job", "schedule": {"every": "2s"}, "end": "2026-01-01T00:00:09Z"}
TICKS = {number: f"job.t{(1767225600 + number) * 1000}.1" for number in (2, 4, 6, 8)}


@dataclass(frozen=True)
class Process:
    execution_id: str
    worker_id: str = "w"
    fencing_token: int = 10
    started_s: float = 0.0
    ended_s: float | None = 1.0
    exit_code: int | None = 0


def at(number: float) -> str:
    return (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")


def write(key: str, value: dict[str, Any] | None, revision: int = 5) -> Write:
    return Write(float(revision), revision, key, None if value is None else json.dumps(value).encode())


def definition(version: int = 1, anchor: float = 0, **fields: Any) -> Write:
    return write("jobs/job", {"version": version, "spec": {**SPEC, **fields}, "anchor": at(anchor)})


def cursor(number: int, revision: int = 5) -> Write:
    return write("ticks/job", {"tick": at(number), "worker_id": "w"}, revision)


def opening(name: str, revision: int = 5) -> Write:
    entry = {"execution": {"execution_id": name}, "finished": None, "skipped": None}
    return write(f"executions/{name}", entry, revision)


def execution(name: str, number: int, **fields: Any) -> dict[str, Any]:
    known = {"execution_id": name, "job_id": "job", "job_version": 1, "due_at": at(number), "fencing_token": 10}
    return {**known, "trigger": "tick", **fields}


def record(kind: str, number: int, name: str = "", **fields: Any) -> bytes:
    run = execution(name or TICKS[number], number, **fields.pop("run", {}))
    return json.dumps({"kind": kind, "execution": run, **fields}).encode()


def finished(number: int, name: str = "", outcome: str = "succeeded", **fields: Any) -> bytes:
    known = {"started_at": at(number), "exit_code": 0, "outcome": outcome}
    return record("ExecutionFinished", number, name, **{**known, **fields})


WRITES = [definition(), *(write for number, name in TICKS.items() for write in (opening(name), cursor(number)))]
WRITES = [each for each in WRITES if each.key != f"executions/{TICKS[4]}" and each.key != f"executions/{TICKS[6]}"]
SKIPPED = record("TickSkipped", 4, reason="missed", last_tick=at(6), count=2)
RECORDS = [finished(2), SKIPPED, finished(8), finished(8)]
PROCESSES = [Process(TICKS[2]), Process(TICKS[8], started_s=6.0, ended_s=7.0)]


def ledger(writes: list[Write] = WRITES, records: list[bytes] = RECORDS) -> NaiveLedger:
    return ledger_of(writes, records)


def all_problems(known: NaiveLedger, processes: list[Process] = PROCESSES) -> list[str]:
    return [
        *validators.all_jobs_had_ticks(known, ["job"]),
        *validators.no_doubles(known, processes),
        *validators.every_tick_is_accounted_for(known),
        *validators.every_end_is_on_record(known, processes, []),
        *validators.exclusive_runs_do_not_overlap(known, processes, {}, 1.0),
        *validators.ends_have_what_follows(known),
        *validators.queued_ticks_run_in_order(known, processes),
    ]


def test_a_history_as_it_should_be_has_no_problems() -> None:
    """The same record twice is none either."""
    assert all_problems(ledger()) == []


def test_ticks_are_counted_out() -> None:
    assert naive_ticks(SPEC, START) == [START + timedelta(seconds=number) for number in (2, 4, 6, 8)]
    cron = {**SPEC, "schedule": {"cron": "*/3 * * * * *"}}
    assert naive_ticks(cron, START) == [START + timedelta(seconds=number) for number in (3, 6)]
    assert naive_ticks(cron, START + timedelta(seconds=2.5)) == [START + timedelta(seconds=number) for number in (3, 6)]


@pytest.mark.parametrize(
    ("writes", "records", "processes", "found"),
    [
        ([*WRITES, cursor(8)], RECORDS, PROCESSES, "a cursor fell"),
        ([*WRITES, cursor(6, revision=6)], RECORDS, PROCESSES, "a cursor fell"),
        ([*WRITES, cursor(8, revision=6), opening("job.rx.1", revision=6)], RECORDS, PROCESSES, "a cursor fell"),
        ([*WRITES, write(f"executions/{TICKS[2]}", None), opening(TICKS[2])], RECORDS, PROCESSES, "claimed 2 times"),
        (WRITES, RECORDS, [*PROCESSES, Process(TICKS[2], started_s=2, ended_s=3)], "started 2 times"),
        (WRITES, RECORDS, [*PROCESSES, Process(TICKS[4], started_s=2, ended_s=3)], "is on record as skipped"),
        (WRITES, [*RECORDS, finished(2, run={"fencing_token": 11})], PROCESSES, "several fencing tokens"),
        (WRITES, [finished(2), SKIPPED], PROCESSES[:1], f"{TICKS[8]} (00:00:08.000000) is unaccounted for"),
        (WRITES, [finished(2), finished(8)], PROCESSES, f"{TICKS[6]} (00:00:06.000000) is unaccounted for"),
        (WRITES, [*RECORDS, finished(6)], PROCESSES, "in several ways"),
        (WRITES, [*RECORDS, finished(7, "job.t1767225607000.1")], PROCESSES, "has no such tick"),
        (
            WRITES,
            [finished(2), finished(8), record("TickSkipped", 4, reason="missed", last_tick=at(6), count=3)],
            PROCESSES,
            "names 3 ticks; there are 2",
        ),
        (WRITES, [*RECORDS, finished(8, outcome="killed")], PROCESSES, "ended in several ways"),
        (WRITES, RECORDS, [replace(PROCESSES[0], exit_code=None)], "is on record as"),
        (WRITES, RECORDS, [replace(PROCESSES[0], exit_code=1)], "is on record as"),
        (WRITES, RECORDS, [replace(PROCESSES[0], fencing_token=11)], "is on record as"),
        (WRITES, RECORDS, [replace(PROCESSES[0], ended_s=None)], "never ended"),
        (WRITES, RECORDS, [*PROCESSES, Process("job.rx.1")], "has no end on record"),
        ([*WRITES, write("runs/job.rx.1", {"job_id": "job"})], RECORDS, PROCESSES, "has no end on record"),
        ([*WRITES, opening("job.rx.1")], RECORDS, PROCESSES, "has no end on record"),
        (WRITES, RECORDS, [replace(PROCESSES[0], ended_s=6.5), PROCESSES[1]], "started while there was"),
        ([], [], [], "had no tick"),
    ],
)
def test_what_is_wrong_is_found(
    writes: list[Write], records: list[bytes], processes: list[Process], found: str
) -> None:
    assert any(found in problem for problem in all_problems(ledger(writes, records), processes)), found


def test_a_cursor_may_be_written_where_it_is_with_nothing_beside_it() -> None:
    """Another job's run in the same revision is nothing of its own."""
    other = write("executions/other.rx.1", {"finished": None, "skipped": {"reason": "missed"}}, revision=6)
    assert all_problems(ledger([*WRITES, cursor(8, revision=6), other])) == []


def test_what_is_left_open_is_found() -> None:
    assert validators.every_end_is_on_record(ledger(), [], ["executions/x"]) == ["still open at the end: executions/x"]


def test_runs_may_overlap_where_it_is_allowed_or_could_not_be_helped() -> None:
    """G7's one exception is a worker that stood still as its lease ended, and no other time."""
    rivals = [replace(PROCESSES[0], ended_s=6.5), PROCESSES[1]]

    def judged(pauses: dict[str, list[tuple[float, float]]], overlap: str = "skip") -> list[str]:
        writes = [definition(overlap=overlap), *WRITES[1:]]
        return validators.exclusive_runs_do_not_overlap(ledger(writes), rivals, pauses, 1.0)

    assert judged({})
    assert not judged({"w": [(5.5, 7.0)]})
    assert not judged({"w": [(0.5, 5.2)]})
    assert judged({"w": [(0.5, 4.9)]})
    assert judged({"v": [(5.5, 7.0)]})
    assert not judged({}, "allow")


def test_a_change_of_the_schedule_withdraws_what_was_not_taken() -> None:
    """But what was taken before has to be on record, and what comes after."""
    change = definition(version=2, anchor=5.0, schedule={"every": "1s"})
    before = [definition(), opening(TICKS[2]), cursor(2), change]
    known = ledger(before, [])
    missing = [problem.partition(" ")[0] for problem in validators.every_tick_is_accounted_for(known)]
    assert missing == [TICKS[2], TICKS[6], "job.t1767225607000.1", TICKS[8]]
    paused = ledger([*before[:3], definition(version=2, enabled=False)], [])
    assert [p.partition(" ")[0] for p in validators.every_tick_is_accounted_for(paused)] == [TICKS[2]]
    touched = ledger([*before[:3], definition(version=2, overlap="queue")], [])
    assert len(validators.every_tick_is_accounted_for(touched)) == 4


def test_retries_and_dependants_that_are_missing_or_too_many_are_found() -> None:
    second = TICKS[2].removesuffix("1") + "2"
    again = {"trigger": "retry"}
    failed = finished(2, outcome="failed")

    claims = [opening(name)._replace(at_s=7.0) for name in (TICKS[2], second)]

    def judged(*records: bytes, wanted: tuple[Write, ...] = ()) -> list[str]:
        after = write("jobs/after", {"version": 1, "spec": {"name": "a", "after": [{"job": "job"}]}, "anchor": at(0)})
        return validators.ends_have_what_follows(
            ledger_of([definition(retry={"attempts": 1}), after, *claims, *wanted], records)
        )

    def starts(name: str, by: str) -> Write:
        return write(f"runs/{name}", {"job_id": "after", "requested_by": by})

    assert "was not tried again" in judged(failed)[0]
    assert not judged(failed, finished(2, second, run=again), wanted=(starts("after.da.1", second),))
    assert "started after 0 times" in judged(failed, finished(2, second, run=again))[0]
    assert "was tried again" in judged(finished(2), finished(2, second, run=again))[0]
    twice = (starts("after.da.1", TICKS[2]), starts("after.db.1", TICKS[2]))
    assert "started after 2 times" in judged(finished(2), wanted=twice)[0]
    failed_again = finished(2, second, "failed", run=again)
    assert not judged(failed, failed_again)
    assert "started after 1 times" in judged(failed, failed_again, wanted=(starts("after.da.1", second),))[0]
    claims = [each._replace(at_s=5.5) for each in claims]  # so soon not every worker knows the other job
    assert not judged(finished(2))
    both = (starts("after.da.1", TICKS[2]), write("runs/after.da.1", None), starts("after.da.1", TICKS[2]))
    assert any("was wanted 2 times" in problem for problem in judged(finished(2), wanted=both))


def test_ticks_that_overtake_in_a_queue_are_found() -> None:
    writes = [definition(overlap="queue"), *WRITES[1:]]
    swapped = [Process(TICKS[8], started_s=0.0), Process(TICKS[2], started_s=2.0, ended_s=3.0)]
    assert validators.queued_ticks_run_in_order(ledger(writes), swapped)
    assert not validators.queued_ticks_run_in_order(ledger(), swapped)
