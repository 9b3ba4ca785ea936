"""etcd's job table made from the log where there is none (G2, G3), beside masters and workers that run on."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.errors import LogMismatchError
from dcron_core.job_log import JobLog
from dcron_core.ports.store import Changes, Delete, KeyValue, Put, Transaction, TransactionResult
from dcron_master.drift import drift_of
from dcron_master.projector import read_snapshot
from dcron_master.rebuild import AlreadyProjectedError, RebuildUnderWayError, rebuild
from dcron_schemas.codec import encode
from dcron_schemas.events import JobCreated, JobDeleted, JobEvent
from dcron_schemas.records import ExecutionFinished
from tests.services import JOB_EVENTS, KEYS, Ports
from tests.unit.master.test_projector import OPENING, STORY, World, assert_projected, event, spec


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.stop()


async def filled(world: World, *more: JobEvent) -> JobLog:
    await world.append(OPENING, *STORY, *more)
    return JobLog(world.log, JOB_EVENTS)


async def emptied(store: MemoryStore) -> None:
    """Remove all job keys and the position, as a loss of etcd's data does; leases and workers stay."""
    for item in (await store.read_prefix(KEYS.prefix)).items:
        if item.key == KEYS.projection or item.key.startswith((KEYS.jobs, KEYS.runs)):
            await store.transact(Transaction((), (Delete(item.key),)))


async def test_the_table_is_the_fold_and_no_request_is_repeated(world: World) -> None:
    """G2, G3."""
    done = await rebuild(world.store, await filled(world), KEYS)
    assert (done.position, done.jobs, done.written, done.removed) == (len(STORY), 2, 2, 0)
    assert await assert_projected(world) == len(STORY)
    assert (await read_snapshot(world.store, KEYS)).projection.requests_from == len(STORY) + 1
    assert not (await world.store.read_prefix(KEYS.runs)).items
    assert await world.store.get(KEYS.rebuild) is None


async def test_workers_never_see_a_job_as_it_was_once(world: World) -> None:
    """G4, G5: a job that was deleted or edited long ago is not shown to them: they would run it."""
    job_log = await filled(world)
    await rebuild(world.store, job_log, KEYS)
    seen: list[KeyValue] = []
    async for changes in world.store.watch(KEYS.jobs, 1):
        assert isinstance(changes, Changes)
        seen += [item for item in changes.events if isinstance(item, KeyValue)]
        if len(seen) >= 2:
            break
    replay = await job_log.replayed(len(STORY) + 1)
    assert drift_of(replay.table, seen, KEYS) == []


async def test_the_position_comes_last_and_what_was_left_is_corrected(world: World) -> None:
    """G2: a rebuild that dies half-way leaves no position; the next one mends what it left."""
    job_log = await filled(world)
    stale = event(99, "z", JobCreated(spec("ghost")))
    await world.store.transact(
        Transaction((), (Put(KEYS.job("a"), b"junk"), Put(KEYS.job("z"), encode(stale)), Put(KEYS.tick("z"), b"{}")))
    )
    done = await rebuild(world.store, job_log, KEYS)
    assert (done.written, done.removed) == (2, 1)
    await assert_projected(world)
    assert await world.store.get(KEYS.tick("z")) is None


async def test_a_table_that_is_there_is_not_made_anew(world: World) -> None:
    job_log = await filled(world)
    await rebuild(world.store, job_log, KEYS)
    with pytest.raises(AlreadyProjectedError, match="dcron log repair"):
        await rebuild(world.store, job_log, KEYS)


async def test_an_empty_log_is_refused_with_what_to_do(world: World) -> None:
    await world.append()
    with pytest.raises(LogMismatchError, match="dcron log import"):
        await rebuild(world.store, JobLog(world.log, JOB_EVENTS), KEYS)


async def test_two_at_once_make_one_table(world: World) -> None:
    """One of them holds the claim; the other one is told so, and nothing of either is lost."""
    job_log = await filled(world)
    outcomes = await asyncio.gather(*(rebuild(world.store, job_log, KEYS) for _ in range(5)), return_exceptions=True)
    failures = [each for each in outcomes if isinstance(each, BaseException)]
    assert len(failures) < 5
    assert all(isinstance(each, RebuildUnderWayError | AlreadyProjectedError) for each in failures)
    await assert_projected(world)


async def test_whoever_finds_the_claim_taken_waits_for_its_end(world: World) -> None:
    """A master that starts meanwhile tries again; a holder that died leaves the claim for its lease's time only."""
    job_log = await filled(world)
    lease = await world.store.grant_lease(30)
    await world.store.transact(Transaction((), (Put(KEYS.rebuild, b"{}", lease),)))
    with pytest.raises(RebuildUnderWayError, match="their claim ends within 30 s"):
        await rebuild(world.store, job_log, KEYS)
    projector = await world.projector()
    for _ in range(50):
        await asyncio.sleep(0)
    assert not projector.started.is_set()
    await world.store.revoke_lease(lease)
    async with asyncio.timeout(10):
        await projector.caught_up.wait()
    await assert_projected(world)


class StoreThatLosesTheClaim(MemoryStore):
    """Somebody else's claim stands in place of ours before the first job is written."""

    async def transact(self, transaction: Transaction) -> TransactionResult:
        if any(isinstance(each, Put) and each.key.startswith(KEYS.jobs) for each in transaction.success):
            await super().transact(Transaction((), (Put(KEYS.rebuild, b"{}"),)))
        return await super().transact(transaction)


async def test_whoever_lost_the_claim_writes_nothing(world: World) -> None:
    """G2: fenced in the transaction itself."""
    world.store = StoreThatLosesTheClaim(SystemClock())
    job_log = await filled(world)
    with pytest.raises(RebuildUnderWayError):
        await rebuild(world.store, job_log, KEYS)
    assert not (await world.store.read_prefix(KEYS.jobs)).items
    assert await world.store.get(KEYS.projection) is None


class StoreThatIsLate(MemoryStore):
    """The first write under a lease comes after the lease's end."""

    late = True

    async def transact(self, transaction: Transaction) -> TransactionResult:
        leases = [each.lease for each in transaction.success if isinstance(each, Put) and each.lease]
        if leases and self.late:
            self.late = False
            await self.revoke_lease(leases[0])
        return await super().transact(transaction)


async def test_a_claim_that_comes_too_late_is_made_again(world: World) -> None:
    """G2: a master that stood still as it began does not end for that."""
    world.store = StoreThatIsLate(SystemClock())
    await filled(world)
    projector = await world.projector()
    async with asyncio.timeout(10):
        await projector.caught_up.wait()
    assert not world.store.late
    await assert_projected(world)


async def test_a_log_with_an_unreadable_record_is_rebuilt_up_to_it(world: World) -> None:
    """What masters would have projected, and not more."""
    job_log = await filled(world)
    async with world.log.producer() as producer:
        await producer.append(JOB_EVENTS, "x", b"junk")
    await world.append(event(30, "a", JobDeleted()))
    done = await rebuild(world.store, job_log, KEYS)
    assert done.position == len(STORY)
    assert f"offset {len(STORY) + 1}" in done.stopped
    assert "dcron log skip" in done.stopped
    assert await assert_projected(world) == len(STORY)


async def test_a_running_master_stops_when_etcd_is_emptied_and_goes_on_when_it_was_rebuilt(world: World) -> None:
    """G2, G3: by itself, also when nothing is asked of it meanwhile."""
    projector = await world.ready_projector()
    await projector.passed(await world.append(*STORY))
    await emptied(world.store)
    async with asyncio.timeout(10):
        while projector.stopped is None:
            await asyncio.sleep(0.01)
        assert "dcron log rebuild" in str(projector.stopped)
        await rebuild(world.store, JobLog(world.log, JOB_EVENTS), KEYS)
        await projector.caught_up.wait()
        last = await world.append(event(40, "a", JobDeleted()))
        await projector.passed(last)
    assert await assert_projected(world) == last
    assert not (await world.store.read_prefix(KEYS.runs)).items


async def test_a_command_caught_by_the_loss_of_etcd_is_unknown_and_takes_effect_once() -> None:
    """G1: it is in the log; repeated with its key after the rebuild, it has the answer that it was going to have."""
    ports = Ports()
    body = {"name": "one", "run": {"argv": ["/bin/true"]}}
    async with ports.master() as (master, client), asyncio.timeout(20):
        await emptied(ports.store)
        answer = await client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 503
        assert "/api/v1/commands/" in answer.json()["detail"]
        assert "dcron log rebuild" in answer.json()["detail"]
        await rebuild(ports.store, JobLog(ports.log, JOB_EVENTS), KEYS)
        await master.projector.caught_up.wait()
        again = await client.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "k"})
        assert again.status_code == 201, again.text
        assert set(await ports.job_table()) == {again.json()["job_id"]}


async def test_job_keys_without_a_position_do_not_mislead_a_master(world: World) -> None:
    """G2: it makes the table from the log instead of folding onto them."""
    projector = await world.ready_projector()
    await projector.passed(await world.append(*STORY))
    await world.stop()
    await world.store.transact(Transaction((), (Delete(KEYS.projection), Put(KEYS.job("ghost"), b"{}"))))
    second = await world.projector()
    await second.caught_up.wait()
    assert await assert_projected(world) == len(STORY)


@asynccontextmanager
async def seconds_job(ports: Ports, data: Path) -> AsyncIterator[str]:
    """A master and a worker that run a job each second; gives the job's id."""
    async with ports.master() as (_, client), ports.worker(data):
        body = {"name": "second", "run": {"argv": ["/bin/true"]}, "schedule": {"cron": "* * * * * *"}}
        job_id = (await client.post("/api/v1/jobs", json=body)).json()["job_id"]
        yield str(job_id)


async def test_a_worker_goes_on_with_its_ticks_over_a_rebuild(tmp_path: Path) -> None:
    """G4, G5: no tick is run twice, and none is left out."""
    ports = Ports()
    async with seconds_job(ports, tmp_path), asyncio.timeout(30):
        before = await ports.wait_for(ExecutionFinished, 2)
        await emptied(ports.store)
        with suppress(AlreadyProjectedError):
            await rebuild(ports.store, JobLog(ports.log, JOB_EVENTS), KEYS)
        after = await ports.wait_for(ExecutionFinished, len(before) + 3)
    ids = [record.execution.execution_id for record in after if isinstance(record, ExecutionFinished)]
    assert len(ids) == len(set(ids)), "a tick ran twice"
    ticks = sorted(record.execution.due_at for record in after if isinstance(record, ExecutionFinished))
    gaps = {(later - earlier).total_seconds() for earlier, later in itertools.pairwise(ticks)}
    assert gaps <= {1.0}, gaps
