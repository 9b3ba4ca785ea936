"""The claim transactions over a store: at most one claim of a tick for ever (G4), no overlap (G7), fenced ends."""

from datetime import datetime

import pytest
from msgspec.structs import replace

from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.follow_ups import FollowUps
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, ModRevisionIs, Put, Transaction, TransactionResult
from dcron_core.schedule import Excluded
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import Placement
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionLost, TickSkipped
from dcron_schemas.state import ActiveRun, ExecutionEntry, JobEntry, RunWanted, TickCursor
from dcron_worker.claims import (
    claim_run,
    claim_tick,
    end_run,
    excluded_records,
    execution_of_run,
    execution_of_tick,
    in_the_way,
    queue_tick,
    remove_entries,
    skip_run,
    skip_tick,
)
from dcron_worker.planner import Candidate
from tests.unit.worker.candidates import JOB_ID, at, candidate, job

KEYS = Keys("/test/")


class Cluster:
    """A store with one job, and what workers do to it."""

    def __init__(self, entry: JobEntry) -> None:
        self.store = MemoryStore(SystemClock())
        self.entry = entry
        self.revision = 0

    async def put_job(self, entry: JobEntry) -> None:
        """The projector writes the job."""
        self.entry = entry
        put = Transaction((), (Put(KEYS.job(entry.job_id), encode(entry)),))
        self.revision = (await self.store.transact(put)).revision

    def candidate(self, tick: datetime, cursor_revision: int = 0) -> Candidate:
        return candidate(self.entry, job_revision=self.revision, cursor_revision=cursor_revision, tick=tick)

    async def claim(self, of: Candidate, worker: str = "w1") -> tuple[TransactionResult, Execution]:
        execution = execution_of_tick(of, worker, at(9))
        lease = await self.store.grant_lease(60)
        result = await self.store.transact(claim_tick(KEYS, of, execution, lease))
        return result, replace(execution, fencing_token=result.revision)

    async def entry_of(self, execution: Execution) -> ExecutionEntry | None:
        item = await self.store.get(KEYS.execution(execution.execution_id))
        return None if item is None else decode_state(ExecutionEntry, item.value)

    async def cursor(self) -> TickCursor | None:
        item = await self.store.get(KEYS.tick(self.entry.job_id))
        return None if item is None else decode_state(TickCursor, item.value)

    async def alive(self) -> list[str]:
        return [item.key for item in (await self.store.read_prefix(KEYS.active_of(self.entry.job_id))).items]


@pytest.fixture
async def cluster() -> Cluster:
    cluster = Cluster(job())
    await cluster.put_job(job())
    return cluster


def finished(execution: Execution) -> ExecutionFinished:
    return ExecutionFinished(
        execution=execution, outcome="succeeded", started_at=at(10), finished_at=at(11), output_chunks=0, exit_code=0
    )


def skipped(execution: Execution) -> TickSkipped:
    return TickSkipped(execution=execution, reason="missed", at=at(100))


async def test_a_claim_writes_cursor_open_entry_and_liveness_together(cluster: Cluster) -> None:
    result, execution = await cluster.claim(cluster.candidate(at(10)))
    assert result.succeeded
    assert await cluster.cursor() == TickCursor(tick=at(10), worker_id="w1", execution_id=execution.execution_id)
    assert await cluster.entry_of(execution) == ExecutionEntry(execution=replace(execution, fencing_token=0))
    items = (await cluster.store.read_prefix(KEYS.prefix)).items
    written = {item.key: item for item in items if item.mod_revision == result.revision}
    assert set(written) == {
        KEYS.tick(JOB_ID), KEYS.execution(execution.execution_id), KEYS.active(JOB_ID, execution.execution_id),
    }  # fmt: skip
    alive = written[KEYS.active(JOB_ID, execution.execution_id)]
    assert decode_state(ActiveRun, alive.value) == ActiveRun(worker_id="w1")
    assert [bool(item.lease) for item in written.values() if item is not alive] == [False, False]
    assert alive.lease


@pytest.mark.parametrize("overlap", ["skip", "allow"])
async def test_of_two_claims_of_a_tick_one_wins(cluster: Cluster, overlap: str) -> None:
    """G4, overlap allowed or not; the loser learns by whom it was overtaken."""
    await cluster.put_job(job(overlap="allow" if overlap == "allow" else "skip"))
    tick = cluster.candidate(at(10))
    first, winner = await cluster.claim(tick, "w1")
    second, _ = await cluster.claim(tick, "w2")
    assert (first.succeeded, second.succeeded) == (True, False)
    cursors, jobs, alive, queue, _, own = second.reads
    assert decode_state(TickCursor, cursors[0].value).worker_id == "w1"
    assert cursors[0].mod_revision == first.revision
    assert [item.mod_revision for item in jobs] == [cluster.revision]
    assert [item.key for item in alive] == [KEYS.active(JOB_ID, winner.execution_id)]
    assert (queue, own) == ((), alive)
    assert len(await cluster.alive()) == 1


async def test_a_tick_is_not_claimed_again_after_its_run_is_over(cluster: Cluster) -> None:
    """G4: whoever slept through it all compares a cursor that has moved."""
    tick = cluster.candidate(at(10))
    _, execution = await cluster.claim(tick)
    await cluster.store.transact(end_run(KEYS, execution, finished(execution)))
    await cluster.store.transact(remove_entries(KEYS, [execution.execution_id]))
    late, _ = await cluster.claim(tick, "w2")
    assert not late.succeeded
    assert (await cluster.store.read_prefix(KEYS.executions)).items == ()


async def test_a_claim_of_a_job_that_was_changed_or_deleted_fails(cluster: Cluster) -> None:
    tick = cluster.candidate(at(10))
    await cluster.put_job(job(version=2))
    result, _ = await cluster.claim(tick)
    assert not result.succeeded
    assert [item.mod_revision for item in result.reads[1]] == [cluster.revision]
    assert (await cluster.cursor(), await cluster.alive()) == (None, [])


async def test_a_run_that_is_alive_keeps_the_next_tick_from_being_claimed(cluster: Cluster) -> None:
    """G7."""
    first, running = await cluster.claim(cluster.candidate(at(10)))
    following = cluster.candidate(at(20), first.revision)
    refused, _ = await cluster.claim(following, "w2")
    assert not refused.succeeded
    assert [item.key for item in refused.reads[2]] == [KEYS.active(JOB_ID, running.execution_id)]
    await cluster.store.transact(end_run(KEYS, running, finished(running)))
    assert (await cluster.claim(following, "w2"))[0].succeeded


async def test_with_overlap_allowed_it_does_not(cluster: Cluster) -> None:
    await cluster.put_job(job(overlap="allow"))
    first, _ = await cluster.claim(cluster.candidate(at(10)))
    second, _ = await cluster.claim(cluster.candidate(at(20), first.revision))
    assert second.succeeded
    assert len(await cluster.alive()) == 2


async def test_another_job_whose_id_begins_alike_is_not_in_the_way(cluster: Cluster) -> None:
    """The liveness keys of a job are those under its id and a slash."""
    other = KEYS.active(f"{JOB_ID}0", f"{JOB_ID}0.t0.1")
    await cluster.store.transact(Transaction((), (Put(other, b"{}"),)))
    assert (await cluster.claim(cluster.candidate(at(10))))[0].succeeded


async def test_a_run_whose_workers_lease_has_ended_is_not_in_the_way(cluster: Cluster) -> None:
    first, execution = await cluster.claim(cluster.candidate(at(10)))
    alive = await cluster.store.get(KEYS.active(JOB_ID, execution.execution_id))
    assert alive is not None
    await cluster.store.revoke_lease(alive.lease)
    assert (await cluster.claim(cluster.candidate(at(20), first.revision), "w2"))[0].succeeded
    assert await cluster.entry_of(execution) is not None, "the open entry waits for the sweeper"


async def test_a_skip_moves_the_cursor_and_leaves_the_reason(cluster: Cluster) -> None:
    """G5: also while a run is alive."""
    first, _ = await cluster.claim(cluster.candidate(at(10)))
    tick = cluster.candidate(at(20), first.revision)
    record = skipped(execution_of_tick(tick, "w2", at(100)))
    assert (await cluster.store.transact(skip_tick(KEYS, tick, at(90), record))).succeeded
    cursor = await cluster.cursor()
    assert cursor is not None
    assert (cursor.tick, cursor.execution_id) == (at(90), record.execution.execution_id)
    entry = await cluster.entry_of(record.execution)
    assert entry is not None
    assert (entry.skipped, entry.finished) == (record, None)
    assert len(await cluster.alive()) == 1


def at_rest(of: Candidate, worker: str = "w1") -> tuple[TickSkipped, ...]:
    rows = [Excluded(at(3), at(5), 3, "calendar", "weekends"), Excluded(at(7), at(7), 1, "dst", "a gap")]
    return excluded_records(rows, of, worker, at(9))


@pytest.mark.parametrize("move", ["claim", "skip", "queue"])
async def test_what_is_excluded_is_written_with_the_move_of_the_cursor_past_it_once(
    cluster: Cluster, move: str
) -> None:
    """G5: with whatever moves the cursor; whoever comes second writes nothing."""
    of = cluster.candidate(at(10))
    for worker in ("w1", "w2"):
        excluded = at_rest(of, worker)
        execution = execution_of_tick(of, worker, at(9))
        transaction = {
            "claim": claim_tick(KEYS, of, execution, await cluster.store.grant_lease(60), excluded),
            "skip": skip_tick(KEYS, of, at(10), skipped(execution), *excluded),
            "queue": queue_tick(KEYS, of, execution, excluded),
        }[move]
        result = await cluster.store.transact(transaction)
        assert result.succeeded == (worker == "w1")
    entries = [decode_state(ExecutionEntry, i.value) for i in (await cluster.store.read_prefix(KEYS.executions)).items]
    records = [entry.skipped for entry in entries if entry.skipped and entry.skipped.reason != "missed"]
    assert records == list(at_rest(of))
    assert [(each.execution.due_at, each.last_tick, each.count) for each in records] == [
        (at(3), at(5), 3),
        (at(7), None, 1),
    ]


async def test_a_tick_is_either_claimed_or_skipped(cluster: Cluster) -> None:
    """G4, G5: whichever comes second fails and reads why."""
    tick = cluster.candidate(at(10))
    await cluster.claim(tick)
    record = skipped(execution_of_tick(tick, "w2", at(100)))
    result = await cluster.store.transact(skip_tick(KEYS, tick, at(90), record))
    assert not result.succeeded
    assert decode_state(TickCursor, result.reads[0][0].value).worker_id == "w1"

    later = cluster.candidate(at(20), result.reads[0][0].mod_revision)
    record = skipped(execution_of_tick(later, "w2", at(100)))
    assert (await cluster.store.transact(skip_tick(KEYS, later, at(90), record))).succeeded
    assert not (await cluster.claim(later))[0].succeeded


async def test_an_end_closes_the_entry_and_lets_the_job_go(cluster: Cluster) -> None:
    """G6."""
    _, execution = await cluster.claim(cluster.candidate(at(10)))
    record = finished(execution)
    assert (await cluster.store.transact(end_run(KEYS, execution, record))).succeeded
    assert await cluster.alive() == []
    assert await cluster.entry_of(execution) == ExecutionEntry(execution=execution, finished=record)


async def test_an_end_that_is_not_this_claims_is_fenced_off(cluster: Cluster) -> None:
    """The sweeper has closed or removed the entry: its word stands in etcd; the true record goes by Kafka."""
    _, execution = await cluster.claim(cluster.candidate(at(10)))
    swept = TickSkipped(execution=execution, reason="edited", at=at(11))
    await cluster.store.transact(end_run(KEYS, execution, swept))
    closed = await cluster.entry_of(execution)
    assert not (await cluster.store.transact(end_run(KEYS, execution, finished(execution)))).succeeded
    assert await cluster.entry_of(execution) == closed

    await cluster.store.transact(remove_entries(KEYS, [execution.execution_id]))
    assert not (await cluster.store.transact(end_run(KEYS, execution, finished(execution)))).succeeded
    assert await cluster.entry_of(execution) is None


async def test_an_end_that_is_fenced_off_lets_the_job_go_all_the_same(cluster: Cluster) -> None:
    _, execution = await cluster.claim(cluster.candidate(at(10)))
    await cluster.store.transact(remove_entries(KEYS, [execution.execution_id]))
    assert len(await cluster.alive()) == 1
    await cluster.store.transact(end_run(KEYS, execution, finished(execution)))
    assert await cluster.alive() == []


WANTED = RunWanted(
    execution_id=f"{JOB_ID}.rrequest.1", job_id=JOB_ID, trigger="request", requested_at=at(5), requested_by="ada"
)


async def wanted(cluster: Cluster) -> int:
    put = Transaction((), (Put(KEYS.run(WANTED.execution_id), encode(WANTED)),))
    return (await cluster.store.transact(put)).revision


async def test_of_two_claims_of_a_wanted_run_one_wins_and_the_other_reads_whose_it_is(cluster: Cluster) -> None:
    """G4; the winner finds its own claim like that too, when the answer was lost."""
    revision = await wanted(cluster)
    results = []
    for worker in ("w1", "w2"):
        execution = execution_of_run(WANTED, cluster.entry, worker, at(6))
        lease = await cluster.store.grant_lease(60)
        results.append(await cluster.store.transact(claim_run(KEYS, revision, cluster.entry, execution, lease)))
    assert [result.succeeded for result in results] == [True, False]
    entries, own, alive = results[1].reads
    assert decode_state(ExecutionEntry, entries[0].value).execution.worker_id == "w1"
    assert (entries[0].mod_revision, len(own), own) == (results[0].revision, 1, alive)
    assert await cluster.store.get(KEYS.run(WANTED.execution_id)) is None
    assert await cluster.cursor() is None, "a run outside the ticks consumes no tick"


async def test_a_wanted_run_waits_for_the_one_that_is_alive_and_stays_wanted(cluster: Cluster) -> None:
    """G7."""
    await cluster.claim(cluster.candidate(at(10)))
    revision = await wanted(cluster)
    execution = execution_of_run(WANTED, cluster.entry, "w2", at(6))
    result = await cluster.store.transact(claim_run(KEYS, revision, cluster.entry, execution, 0))
    assert not result.succeeded
    entries, own, alive = result.reads
    assert (entries, own, len(alive)) == ((), (), 1)
    assert await cluster.store.get(KEYS.run(WANTED.execution_id)) is not None


async def test_a_wanted_run_is_given_up_once_on_record(cluster: Cluster) -> None:
    revision = await wanted(cluster)
    record = skipped(execution_of_run(WANTED, cluster.entry, "w1", at(400)))
    results = [await cluster.store.transact(skip_run(KEYS, revision, record, job_gone=False)) for _ in range(2)]
    assert [result.succeeded for result in results] == [True, False]
    entry = await cluster.entry_of(record.execution)
    assert entry is not None
    assert entry.skipped == record


def test_executions_say_what_they_came_from() -> None:
    tick = execution_of_tick(candidate(job(version=3), job_revision=7), "w1", at(9))
    assert (tick.trigger, tick.due_at, tick.attempt, tick.job_version) == ("tick", at(10), 1, 3)
    assert (tick.job_name, tick.namespace, tick.claimed_at) == ("job-1", "default", at(9))
    asked = execution_of_run(WANTED, job(), "w1", at(9))
    assert (asked.execution_id, asked.trigger, asked.due_at) == (WANTED.execution_id, "request", at(5))
    delayed = execution_of_run(replace(WANTED, trigger="retry", attempt=2, not_before=at(60)), job(), "w1", at(61))
    assert (delayed.trigger, delayed.due_at, delayed.attempt) == ("retry", at(60), 2)


def with_policy(entry: JobEntry, **fields: object) -> JobEntry:
    """The job, with these fields of its definition."""
    return replace(entry, spec=replace(entry.spec, **fields))


async def queue(cluster: Cluster, of: Candidate, worker: str = "w1") -> TransactionResult:
    return await cluster.store.transact(queue_tick(KEYS, of, execution_of_tick(of, worker, at(9))))


async def test_a_tick_that_waits_is_a_wanted_run_and_is_consumed(cluster: Cluster) -> None:
    """G4, G5: it is queued, claimed or skipped, whichever comes first."""
    await cluster.put_job(with_policy(job(), overlap="queue"))
    first, _ = await cluster.claim(cluster.candidate(at(10)))
    tick = cluster.candidate(at(20), first.revision)
    queued = await queue(cluster, tick)
    assert queued.succeeded
    cursor = await cluster.cursor()
    assert cursor is not None
    assert cursor.tick == at(20)
    (item,) = (await cluster.store.read_prefix(KEYS.runs)).items
    run = decode_state(RunWanted, item.value)
    assert (run.execution_id, run.trigger, run.not_before) == (cursor.execution_id, "tick", at(20))
    assert execution_of_run(run, cluster.entry, "w2", at(21)).due_at == at(20)
    assert not (await queue(cluster, tick, "w2")).succeeded
    assert not (await cluster.claim(tick))[0].succeeded


@pytest.mark.parametrize("overlap", ["queue", "replace"])
async def test_a_tick_does_not_overtake_one_that_waits(cluster: Cluster, overlap: str) -> None:
    """Also when the run they waited for is over; the claim reads what is before it."""
    await cluster.put_job(with_policy(job(), overlap=overlap))
    first, running = await cluster.claim(cluster.candidate(at(10)))
    queued = await queue(cluster, cluster.candidate(at(20), first.revision))
    await cluster.store.transact(end_run(KEYS, running, finished(running)))
    later = cluster.candidate(at(30), queued.revision)
    refused, _ = await cluster.claim(later)
    assert not refused.succeeded
    _, _, alive, waiting, _, _ = refused.reads
    assert (alive, len(waiting)) == ((), 1)

    run = decode_state(RunWanted, waiting[0].value)
    execution = execution_of_run(run, cluster.entry, "w1", at(25))
    claimed = await cluster.store.transact(claim_run(KEYS, waiting[0].mod_revision, cluster.entry, execution, 0))
    assert claimed.succeeded
    assert not (await cluster.claim(later))[0].succeeded, "now it is alive"
    execution = replace(execution, fencing_token=claimed.revision)
    await cluster.store.transact(end_run(KEYS, execution, finished(execution)))
    assert (await cluster.claim(later))[0].succeeded


@pytest.mark.parametrize("overlap", ["queue", "replace"])
async def test_two_waiting_ticks_are_never_alive_at_once(cluster: Cluster, overlap: str) -> None:
    """G7."""
    await cluster.put_job(with_policy(job(), overlap=overlap))
    revision = 0
    for tick in (10, 20):
        revision = (await queue(cluster, cluster.candidate(at(tick), revision))).revision
    claims = []
    for item in (await cluster.store.read_prefix(KEYS.runs)).items:
        execution = execution_of_run(decode_state(RunWanted, item.value), cluster.entry, "w1", at(25))
        claims.append(claim_run(KEYS, item.mod_revision, cluster.entry, execution, 0))
    results = await cluster.store.transact_all(claims)
    assert [result.succeeded for result in results] == [True, False]


async def test_on_every_worker_a_tick_is_claimed_once_by_each(cluster: Cluster) -> None:
    """G4, G7: a cursor for each; a run of another worker is not in the way, one of its own is."""
    await cluster.put_job(with_policy(job(), placement=Placement(workers="every")))
    tick = cluster.candidate(at(10))
    first, _ = await cluster.claim(tick, "w1")
    second, running = await cluster.claim(tick, "w2")
    again, _ = await cluster.claim(tick, "w2")
    assert (first.succeeded, second.succeeded, again.succeeded) == (True, True, False)
    cursors = (await cluster.store.read_prefix(KEYS.ticks_of(JOB_ID))).items
    assert [item.key.rpartition("/")[2] for item in cursors] == ["w1", "w2"]
    refused, _ = await cluster.claim(cluster.candidate(at(20), second.revision), "w2")
    assert not refused.succeeded
    assert in_the_way(KEYS, cluster.entry, "w2", refused.reads[2]) == running.execution_id
    assert in_the_way(KEYS, cluster.entry, "w3", refused.reads[2]) == ""


@pytest.mark.parametrize("kind", ["r", "d", "t"])
async def test_on_every_worker_a_run_that_is_no_workers_own_is_in_the_way_of_all(cluster: Cluster, kind: str) -> None:
    """G7: run by hand, after another job, or claimed before the job was placed so."""
    await cluster.put_job(with_policy(job(), placement=Placement(workers="every")))
    other = f"{JOB_ID}.{kind}5.1"
    await cluster.store.transact(Transaction((), (Put(KEYS.active(JOB_ID, other), b"{}"),)))
    refused, _ = await cluster.claim(cluster.candidate(at(10)), "w1")
    assert not refused.succeeded
    assert in_the_way(KEYS, cluster.entry, "w1", refused.reads[2]) == other


async def test_what_follows_from_an_end_is_written_with_it_once(cluster: Cluster) -> None:
    """G6: not by an end that is fenced off."""
    _, execution = await cluster.claim(cluster.candidate(at(10)))
    run = replace(WANTED, execution_id=f"{JOB_ID}.t10.2", trigger="retry", attempt=2)
    following = FollowUps(operations=(Put(KEYS.run(run.execution_id), encode(run)),))
    end = end_run(KEYS, execution, finished(execution), following)
    assert (await cluster.store.transact(end)).succeeded
    await cluster.store.transact(Transaction((), (Delete(KEYS.run(run.execution_id)),)))
    assert not (await cluster.store.transact(end)).succeeded
    assert await cluster.store.get(KEYS.run(run.execution_id)) is None


async def test_an_end_that_was_decided_on_other_marks_reads_those_there_are(cluster: Cluster) -> None:
    """And leaves the entry open: it is closed together with what follows."""
    _, execution = await cluster.claim(cluster.candidate(at(10)))
    key = KEYS.marks("other")
    await cluster.store.transact(Transaction((), (Put(key, b"{}"),)))
    result = await cluster.store.transact(
        end_run(KEYS, execution, finished(execution), FollowUps((ModRevisionIs(key, 0),), (Delete(key),), (key,)))
    )
    assert not result.succeeded
    entry, marks = result.reads
    assert entry[0].mod_revision == execution.fencing_token
    assert [item.key for item in marks] == [key]
    assert await cluster.entry_of(execution) == ExecutionEntry(execution=replace(execution, fencing_token=0))


async def test_a_lost_run_is_closed_as_lost(cluster: Cluster) -> None:
    """G6: so that nobody who closes it after that writes its retry again."""
    _, execution = await cluster.claim(cluster.candidate(at(10)))
    lost = ExecutionLost(execution=execution, detected_at=at(20), detected_by="w1", reason="gone")
    assert (await cluster.store.transact(end_run(KEYS, execution, lost))).succeeded
    assert await cluster.entry_of(execution) == ExecutionEntry(execution=execution, lost=lost)
    assert await cluster.alive() == []
