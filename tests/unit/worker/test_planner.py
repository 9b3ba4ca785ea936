"""The planner looks at each due job once for each state of it."""

import gc
import tracemalloc
from datetime import datetime, timedelta
from typing import Literal

import msgspec
import pytest
from msgspec.structs import replace

from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import After, JobSpec, Misfire, Placement
from dcron_schemas.state import JobEntry
from dcron_worker.misfire import Missed, Verdict
from dcron_worker.planner import TRUST_AHEAD, Candidate, Planner
from tests.unit.worker.candidates import JOB_ID, at, job

AHEAD = timedelta(milliseconds=500)


@pytest.fixture
def planner() -> Planner:
    return Planner(AHEAD)


def ticks(candidates: list[Candidate]) -> list[tuple[str, datetime]]:
    return [(candidate.entry.job_id, candidate.tick) for candidate in candidates]


def test_signatures_are_looked_at_once_for_a_version_and_not_before_something_is_to_be_done() -> None:
    """G12: of 100,000 jobs few are looked at in a minute."""
    asked: list[str] = []

    def trusted(job_id: str, proof: bytes, revision: int) -> bool:
        asked.append(f"{job_id} {proof!r} {revision}")
        return True

    planner = Planner(AHEAD, trusted=trusted)
    for number in range(3):
        planner.job_stands(job(f"job-{number}", cron="* * * * * *"), number + 1, b"proof")
    assert asked == []
    for tick in range(1, 4):
        for candidate in planner.ready(at(tick)):
            planner.cursor_stands(candidate.entry.job_id, candidate.tick, 100 + tick)
    assert planner.job("job-2") is not None
    assert sorted(asked) == ["job-0 b'proof' 1", "job-1 b'proof' 2", "job-2 b'proof' 3"]
    planner.job_stands(job("job-1", cron="* * * * * *"), 9, b"other")
    planner.ready(at(200))
    assert asked[3:] == ["job-1 b'other' 9"]


def test_a_signature_is_looked_at_some_seconds_before_the_first_tick() -> None:
    """G12: of a thousand jobs that are due together, that must not make the first start late."""
    asked: list[str] = []

    def trusted(job_id: str, *_: object) -> bool:
        asked.append(job_id)
        return job_id != "forged"

    planner = Planner(AHEAD, trusted=trusted)
    planner.job_stands(job("good", every="60s"), 1, b"proof")
    planner.job_stands(job("forged", every="60s"), 2, b"proof")
    first = planner.next_look()
    assert first is not None
    assert first == at(60) - AHEAD - TRUST_AHEAD
    assert planner.ready(first) == []
    assert sorted(asked) == ["forged", "good"]
    assert planner.next_look() == at(60) - AHEAD
    assert ticks(planner.ready(at(60) - AHEAD)) == [("good", at(60))]
    planner.cursor_stands("good", at(60), 3)
    assert planner.next_look() == at(120) - AHEAD, "the next ones need no second look"


def test_jobs_that_are_not_trusted_are_forgotten_and_keep_no_other_from_its_tick() -> None:
    """G12, G5: a thousand forged jobs that are due do not hold up the others, and are not looked at again."""
    asked: list[str] = []

    def trusted(job_id: str, *_: object) -> bool:
        asked.append(job_id)
        return not job_id.startswith("forged")

    planner = Planner(AHEAD, trusted=trusted)
    for number in range(1000):
        planner.job_stands(job(f"forged-{number}", cron="* * * * * *"), number + 1, b"proof")
    planner.job_stands(job("good", cron="* * * * * *"), 2000, b"proof")
    found = []
    while (look := planner.next_look()) is not None and look <= at(1):
        before = len(asked)
        found += planner.ready(at(1), limit=20)
        assert len(asked) - before <= 20, "a look takes as many as it may, trusted or not"
    assert [candidate.entry.job_id for candidate in found] == ["good"]
    assert len(asked) == 1001
    assert len(planner) == 1
    planner.cursor_stands("forged-7", at(5), 3000)
    assert planner.next_look() is None


def test_a_job_is_looked_at_ahead_of_its_first_tick_after_the_anchor(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    assert planner.next_look() == at(10) - AHEAD
    assert planner.ready(at(9.4)) == []
    (found,) = planner.ready(at(9.5))
    assert (found.tick, found.job_revision, found.cursor_revision, found.looks) == (at(10), 5, 0, 1)


def test_a_job_without_ticks_has_no_look(planner: Planner) -> None:
    planner.job_stands(job(every=None), revision=5)
    assert planner.next_look() is None
    assert planner.job(JOB_ID) == (job(every=None), 5)


def test_looks_come_in_the_order_of_their_instants(planner: Planner) -> None:
    for number, every in enumerate(("30s", "10s", "20s")):
        planner.job_stands(job(f"job-{number}", every=every), revision=5 + number)
    assert ticks(planner.ready(at(25))) == [("job-1", at(10)), ("job-2", at(20))]
    assert planner.next_look() == at(30) - AHEAD


def test_a_job_that_was_looked_at_rests_until_something_changes(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    planner.ready(at(10))
    assert planner.ready(at(1000)) == []
    assert planner.next_look() is None


def test_the_cursor_moves_the_next_tick_on(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (first,) = planner.ready(at(10))
    planner.cursor_stands(JOB_ID, at(10), revision=8)
    assert not planner.is_current(first)
    (second,) = planner.ready(at(20))
    assert (second.tick, second.cursor_revision) == (at(20), 8)


def test_a_cursor_that_is_older_than_the_known_one_changes_nothing(planner: Planner) -> None:
    """The watch brings what a claim of our own has told already."""
    planner.job_stands(job(), revision=5)
    planner.cursor_stands(JOB_ID, at(20), revision=9)
    for revision in (8, 9):
        planner.cursor_stands(JOB_ID, at(10), revision)
    assert ticks(planner.ready(at(100))) == [(JOB_ID, at(30))]


def test_the_effective_cursor_is_the_later_of_cursor_and_anchor(planner: Planner) -> None:
    """A job that was rescheduled does not make up for ticks before that; one that was not goes on where it was."""
    planner.cursor_stands("before", at(10), revision=3)
    planner.job_stands(job("before", anchor=at(100)), revision=5)
    planner.cursor_stands("after", at(100), revision=4)
    planner.job_stands(job("after"), revision=6)
    assert sorted(ticks(planner.ready(at(1000)))) == [("after", at(110)), ("before", at(110))]


def test_a_cursor_may_come_before_its_job(planner: Planner) -> None:
    planner.cursor_stands(JOB_ID, at(50), revision=4)
    planner.job_stands(job(), revision=5)
    (found,) = planner.ready(at(60))
    assert (found.tick, found.cursor_revision) == (at(60), 4)


def test_a_new_definition_voids_what_was_planned_and_what_is_under_way(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (stale,) = planner.ready(at(10))
    planner.job_stands(job(every="60s", version=2), revision=7)
    assert not planner.is_current(stale)
    planner.look_again(stale, at(11))
    (found,) = planner.ready(at(100))
    assert (found.tick, found.job_revision, found.entry.version) == (at(60), 7, 2)


def test_an_older_definition_changes_nothing(planner: Planner) -> None:
    planner.job_stands(job(version=2, every="60s"), revision=7)
    planner.job_stands(job(), revision=5)
    planner.job_stands(job(), revision=7)
    assert ticks(planner.ready(at(100))) == [(JOB_ID, at(60))]


def test_a_job_that_is_gone_is_never_looked_at_again(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (stale,) = planner.ready(at(10))
    planner.look_again(stale, at(11))
    planner.job_gone(JOB_ID)
    assert (planner.ready(at(100)), planner.next_look(), len(planner)) == ([], None, 0)
    assert planner.job(JOB_ID) is None
    planner.job_gone(JOB_ID)
    planner.look_again(stale, at(12))
    assert planner.next_look() is None


def test_a_definition_that_cannot_be_understood_costs_that_job_only(planner: Planner) -> None:
    """And its former version, which holds no longer, does not run on."""
    planner.job_stands(job("good"), revision=4)
    planner.job_stands(job(), revision=5)
    with pytest.raises(ValueError, match="fields"):
        planner.job_stands(job(cron="nonsense", version=2), revision=6)
    assert ticks(planner.ready(at(10))) == [("good", at(10))]


def test_look_again_counts_the_looks_at_one_tick(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (first,) = planner.ready(at(10))
    planner.look_again(first, at(10.15))
    assert planner.next_look() == at(10.15)
    assert planner.ready(at(10.1)) == []
    (second,) = planner.ready(at(10.15))
    assert (second.looks, second.tick) == (2, first.tick)
    planner.cursor_stands(JOB_ID, at(10), revision=8)
    (next_tick,) = planner.ready(at(20))
    assert next_tick.looks == 1


def test_a_cursor_that_is_gone_is_compared_as_gone(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    planner.cursor_stands(JOB_ID, at(10), revision=8)
    planner.cursor_gone(JOB_ID)
    (found,) = planner.ready(at(20))
    assert found.cursor_revision == 0


def test_what_is_to_be_done_is_asked_of_the_jobs_own_misfire(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (found,) = planner.ready(at(10))
    assert planner.verdict(found, at(70)) == Verdict(), "to the instant"
    assert planner.verdict(found, at(80.001)) == Verdict(Missed(at(20), 2))


@pytest.mark.parametrize("policy", ["once", "all"])
def test_a_job_that_lost_its_cursor_with_etcd_makes_up_for_nothing(
    planner: Planner, policy: Literal["once", "all"]
) -> None:
    """G4: nobody knows which of its ticks ran, and what was done must not be done again."""
    lost = job(version=7)
    lost = replace(lost, spec=replace(lost.spec, misfire=Misfire(policy=policy)))
    planner.job_stands(lost, revision=5)
    (found,) = planner.ready(at(10))
    assert planner.verdict(found, at(80.001)) != Verdict(Missed(at(20), 2)), "it was never run yet: it is made up for"
    planner.rebuilt_from = 8
    assert planner.verdict(found, at(80.001)) == Verdict(Missed(at(20), 2))
    planner.cursor_stands(JOB_ID, at(10), revision=9)
    (found,) = planner.ready(at(20))
    assert planner.verdict(found, at(100.001)) != Verdict(Missed(at(40), 3)), "from then on its cursor is known"


def test_nothing_is_missed_of_a_job_that_is_gone(planner: Planner) -> None:
    planner.job_stands(job(), revision=5)
    (found,) = planner.ready(at(10))
    planner.job_gone(JOB_ID)
    assert planner.verdict(found, at(1000)) == Verdict()


def test_a_job_is_woken_only_while_it_waits_for_another_look(planner: Planner) -> None:
    """Never while its tick is being claimed, nor twice: a second claim would take the first one's for its own (G4)."""
    planner.job_stands(job(), revision=5)
    planner.wake(JOB_ID, at(3))
    assert planner.ready(at(5)) == [], "it has not been looked at yet"
    (found,) = planner.ready(at(10))
    planner.wake(JOB_ID, at(10))
    assert planner.ready(at(11)) == [], "it is being claimed"
    planner.look_again(found, at(60))
    planner.wake(JOB_ID, at(11))
    planner.wake(JOB_ID, at(11))
    assert [candidate.looks for candidate in planner.ready(at(12))] == [2]
    assert planner.ready(at(100)) == [], "the place that it had is void"


def on_every_worker(entry: JobEntry) -> JobEntry:
    return replace(entry, spec=replace(entry.spec, placement=Placement(workers="every")))


def test_a_job_on_every_worker_has_a_cursor_of_this_one(planner: Planner) -> None:
    """And one that has none yet begins when the worker registered, not at the job's anchor."""
    planner = Planner(AHEAD, "w1", since=at(100))
    planner.job_stands(on_every_worker(job()), revision=5)
    assert planner.next_look() == at(110) - AHEAD
    planner.cursor_stands(JOB_ID, at(500), revision=6)
    planner.cursor_stands(f"{JOB_ID}/w2", at(500), revision=7)
    assert planner.next_look() == at(110) - AHEAD, "those are not its own"
    planner.cursor_stands(f"{JOB_ID}/w1", at(20), revision=8)
    (found,) = planner.ready(at(110))
    assert (found.tick, found.cursor_revision) == (at(30), 8), "what it missed since is accounted for"


def test_a_job_on_one_worker_begins_at_its_anchor_whenever_the_worker_came() -> None:
    planner = Planner(AHEAD, "w1", since=at(100))
    planner.job_stands(job(), revision=5)
    assert planner.next_look() == at(10) - AHEAD


def test_the_planner_knows_who_comes_after_whom(planner: Planner) -> None:
    entry = job("b")
    entry = replace(entry, spec=replace(entry.spec, after=(After(job="job-a"),)))
    planner.job_stands(entry, revision=5)
    assert planner.dependants_of("default", "job-a") == [entry]
    planner.job_gone("b")
    assert planner.dependants_of("default", "job-a") == []


def test_a_job_that_nobody_looks_at_takes_little_more_memory_than_its_definition() -> None:
    """100,000 jobs fit into a worker: what is known of each is packed until it is looked at."""
    spec = {
        "schedule": {"cron": "7 3 * * *"},
        "run": {"argv": ["/bin/true"] * 6},
        "env": {"A": "1"},
        "retry": {"attempts": 3},
        "description": "x" * 100,
    }
    values = [
        encode(replace(job(f"job-{number}"), spec=msgspec.convert({"name": f"n-{number}", **spec}, JobSpec)))
        for number in range(1000)
    ]
    planner = Planner(AHEAD)
    tracemalloc.start()
    try:
        for number, value in enumerate(values, 1):
            planner.job_stands(decode_state(JobEntry, value), number)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(values) < len(values[0]) + 700
    entry, _ = planner.job("job-7") or (None, 0)
    assert entry == decode_state(JobEntry, values[7])


def test_of_many_jobs_some_are_looked_at_and_the_others_after_them(planner: Planner) -> None:
    """G5: nothing is taken out that is not handed out."""
    for number in range(5):
        planner.job_stands(job(f"job-{number}", every=f"{10 + number}s"), revision=5 + number)
    found = [ticks(planner.ready(at(100), limit=2)) for _ in range(4)]
    assert [len(each) for each in found] == [2, 2, 1, 0]
    assert [each for some in found for each in some] == [(f"job-{number}", at(10 + number)) for number in range(5)]
