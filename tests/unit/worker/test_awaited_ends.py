"""The ends of runs elsewhere are heard of, so that what waits for them starts at once (G5, G7)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import Clock, SystemClock
from dcron_core.ports.store import Changes, Delete, Operation, Put, Transaction
from dcron_schemas.codec import encode
from dcron_schemas.job import JobSpec
from dcron_schemas.records import ExecutionStarted
from dcron_schemas.state import ActiveRun, DrainWanted
from dcron_worker.awaited_ends import MOST_WATCHED, AwaitedEnds
from tests.services import KEYS, Ports
from tests.unit.worker.test_policies import until_finished
from tests.unit.worker.test_service import PATIENCE_S, each_second, job, on_request, put, put_job, want_run

NEVER = timedelta(hours=1)
AT_ONCE = timedelta(milliseconds=400)  # a loaded machine's 100


@pytest.fixture
def no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that waits looks again by itself."""
    for name in ("FIRST_WAIT", "MOST_WAIT", "TOLD_WAIT"):
        monkeypatch.setattr(f"dcron_worker.claiming.{name}", NEVER)


@pytest.mark.usefixtures("no_second_look")
@pytest.mark.parametrize(
    "spec",
    [
        each_second("queued", "sleep 1.5", overlap="queue"),
        each_second("late", "sleep 1.5", misfire={"policy": "all", "start_deadline": "1s"}),
    ],
    ids=lambda spec: spec.name,
)
async def test_a_tick_that_waits_starts_as_soon_as_the_run_elsewhere_is_over(tmp_path: Path, spec: JobSpec) -> None:
    """G5, G7: also when the worker whose run it was claims nothing more."""
    ports = Ports()
    since = timedelta(seconds=30 if spec.name == "late" else 0)
    entry = await put_job(ports, spec, ports.clock.now() - since)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a") as a:
        await ports.wait_for(ExecutionStarted)
        wish = DrainWanted(requested_by="test", requested_at=ports.clock.now())
        await put(ports, Put(KEYS.drain(a.worker_id), encode(wish)))
        async with ports.worker(tmp_path / "b"):
            first, second = sorted(await until_finished(ports, entry.job_id, 2), key=lambda run: run.finished_at)[:2]
    assert first.execution.worker_id == a.worker_id != second.execution.worker_id
    assert second.started_at is not None
    assert timedelta() <= second.started_at - first.finished_at < AT_ONCE


@pytest.mark.usefixtures("no_second_look")
async def test_a_run_that_waits_starts_when_the_lease_of_a_dead_worker_ends(tmp_path: Path) -> None:
    """G5, G7: the liveness key goes with it, and nothing else tells."""
    ports = Ports()
    ports.store = store = ListeningStore(ports.clock)
    entry = job(ports, on_request("asked", "true"))
    lease = await ports.store.grant_lease(60)
    alive = Put(KEYS.active(entry.job_id, "of-a-dead-worker"), encode(ActiveRun(worker_id="dead")), lease)
    await put(ports, alive, Put(KEYS.job(entry.job_id), encode(entry)))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await want_run(ports, entry)
        await store.listens.wait()
        ended_at = ports.clock.now()
        await ports.store.revoke_lease(lease)
        [start] = await ports.wait_for(ExecutionStarted)
    assert isinstance(start, ExecutionStarted)
    assert timedelta() <= start.started_at - ended_at < AT_ONCE


class ListeningStore(MemoryStore):
    """Tells when somebody watches the end of a run."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.listens = asyncio.Event()

    def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        if prefix.startswith(KEYS.all_active):
            self.listens.set()
        return super().watch(prefix, from_revision)


class World:
    """A store with runs that are alive, and whose ends were told."""

    def __init__(self) -> None:
        self.store = MemoryStore(SystemClock())
        self.told: asyncio.Queue[str] = asyncio.Queue()

    @asynccontextmanager
    async def ends(self) -> AsyncIterator[AwaitedEnds]:
        ends = AwaitedEnds(self.store, KEYS, self.told.put_nowait)
        async with asyncio.timeout(PATIENCE_S):
            try:
                yield ends
            finally:
                await ends.stop()

    async def write(self, *operations: Operation) -> int:
        return (await self.store.transact(Transaction((), operations))).revision

    def alive(self, execution_id: str) -> Put:
        return Put(KEYS.active("job", execution_id), b"{}")

    def over(self, execution_id: str) -> Delete:
        return Delete(KEYS.active("job", execution_id))


async def test_an_end_at_the_very_revision_is_told() -> None:
    """G5: the transaction that found the run alive may have shared its call with the one that ended it."""
    world = World()
    await world.write(world.alive("t1.1"))
    revision = await world.write(world.over("t1.1"))
    async with world.ends() as ends:
        assert ends.watch("job", "t1.1", revision)
        assert await world.told.get() == "job"


async def test_an_end_that_cannot_be_seen_any_more_is_told() -> None:
    """G5: after a compaction, whoever waits looks."""
    world = World()
    revision = await world.write(world.alive("t1.1"))
    await world.write(world.over("t1.1"))
    world.store.compact(await world.write(world.alive("t2.1")))
    async with world.ends() as ends:
        assert ends.watch("job", "t1.1", revision)
        assert await world.told.get() == "job"


async def test_only_the_end_of_that_run_is_told_and_once() -> None:
    world = World()
    revision = await world.write(world.alive("t1.1"), world.alive("t1.10"), world.alive("t2.1"))
    async with world.ends() as ends:
        assert ends.watch("job", "t1.1", revision)
        assert ends.watch("job", "t1.1", revision)
        await world.write(world.over("t1.10"), world.over("t2.1"))
        await world.write(world.alive("t1.1"))
        ended = asyncio.create_task(world.told.get())
        assert not (await asyncio.wait((ended,), timeout=0.1))[0]
        await world.write(world.over("t1.1"))
        assert await ended == "job"
    assert world.told.empty()


async def test_only_so_many_are_watched() -> None:
    """The queue of watches has a bound; who waits for one beyond it looks again and again."""
    world = World()
    revision = await world.write(*(world.alive(f"t{number}.1") for number in range(MOST_WATCHED + 1)))
    async with world.ends() as ends:
        watched = [ends.watch("job", f"t{number}.1", revision) for number in range(MOST_WATCHED + 1)]
        assert watched == [True] * MOST_WATCHED + [False]
        await world.write(world.over("t0.1"))
        await world.told.get()
        assert ends.watch("job", f"t{MOST_WATCHED}.1", revision)
