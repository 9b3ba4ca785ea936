"""`dcron log verify` and `dcron log repair` over memory ports (G2): beside masters that project."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dcron_core.adapters.memory import MemoryLog, MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.errors import LogMismatchError, UnavailableError
from dcron_core.job_log import JobLog
from dcron_core.ports.store import Delete, KeyValue, Put, Range, Transaction
from dcron_master import recovery
from dcron_master.drift import Drift
from dcron_master.recovery import Verified
from dcron_master.snapshot import read_raw
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.events import JobCreated, JobDeleted, JobPaused, LogOpened
from dcron_schemas.state import Projection
from tests.services import JOB_EVENTS, KEYS
from tests.unit.master.test_projector import STORY, World, assert_projected, event, spec


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.stop()


async def projected(world: World) -> None:
    """The story in etcd, and no master running."""
    projector = await world.ready_projector()
    await projector.passed(await world.append(*STORY))
    await world.stop()


async def verified(world: World) -> Verified:
    return await recovery.verify(world.store, JobLog(world.log, JOB_EVENTS), KEYS)


async def repaired(world: World) -> tuple[Drift, ...]:
    return (await recovery.repair(world.store, JobLog(world.log, JOB_EVENTS), KEYS)).written


async def damaged(world: World) -> None:
    """Job `a` is junk, `c` is gone, and there is one that the log does not know."""
    await world.store.transact(
        Transaction((), (Put(KEYS.job("a"), b"junk"), Delete(KEYS.job("c")), Put(KEYS.job("x"), b"{}")))
    )


async def revisions(world: World) -> dict[str, int]:
    return {item.key: item.mod_revision for item in (await world.store.read_prefix(KEYS.prefix)).items}


async def test_a_table_as_the_log_says_is_clean_and_its_lag_is_told(world: World) -> None:
    """G2."""
    await projected(world)
    await world.append(event(50, "a", JobPaused()), event(51, "a", JobPaused()))
    seen = await verified(world)
    assert (seen.clean, seen.position, seen.log_end, seen.lag, seen.jobs) == (True, 10, 13, 2, 2)
    assert (seen.log_id, seen.problem) == ("log-1", "")


async def test_damage_is_named(world: World) -> None:
    """G2."""
    await projected(world)
    await damaged(world)
    seen = await verified(world)
    assert not seen.clean
    assert [(drift.kind, drift.job_id) for drift in seen.drifts] == [
        ("unreadable", "a"),
        ("missing", "c"),
        ("extra", "x"),
    ]


async def test_a_repair_writes_what_differs_and_nothing_else(world: World) -> None:
    """G2: keys that were right keep their revisions, the projection key too; a second repair writes nothing."""
    projector = await world.ready_projector()
    await projector.passed(await world.append(*STORY, event(60, "d", JobCreated(spec("four")))))
    await world.stop()
    before = await revisions(world)
    await damaged(world)
    assert [drift.job_id for drift in await repaired(world)] == ["a", "c", "x"]
    after = await revisions(world)
    assert {key for key in after if after[key] != before.get(key)} == {KEYS.job("a"), KEYS.job("c")}
    assert set(after) == set(before)
    assert await assert_projected(world) == len(STORY) + 1
    assert await repaired(world) == ()
    assert await revisions(world) == after


class BusyStore(MemoryStore):
    """Another master projects the next event whenever somebody has read the job table."""

    world: World
    left: int = 0

    async def read_prefix(self, *prefixes: str) -> Range:
        found = await super().read_prefix(*prefixes)
        if KEYS.jobs in prefixes and self.left:
            self.left -= 1
            position = await self.world.append(event(1000 + self.left, f"busy-{self.left}", JobCreated(spec("x"))))
            await self.project(position)
        return found

    async def project(self, position: int) -> None:
        projection = Projection(position=position, log_id="log-1")
        fold = (await JobLog(self.world.log, JOB_EVENTS).replayed(position + 1)).table
        puts = tuple(Put(KEYS.job(e.job_id), encode(e)) for e in fold.entries() if e.position == position)
        await self.transact(Transaction((), (Put(KEYS.projection, encode(projection)), *puts)))


async def busy(world: World, times: int) -> None:
    store = BusyStore(SystemClock())
    store.world = world
    world.store = store
    await projected(world)
    await damaged(world)
    store.left = times


async def test_the_snapshot_belongs_together_though_masters_project_meanwhile(world: World) -> None:
    """G2: the position is the one of the instant at which the jobs were read."""
    await busy(world, 5)
    for _ in range(5):
        raw = await read_raw(world.store, KEYS)
        assert raw.projection is not None
        position = decode_state(Projection, raw.projection.value).position
        newest = max((int(item.key.rsplit("-", 1)[1]) for item in raw.jobs if "busy" in item.key), default=None)
        assert (newest is None) == (position == len(STORY))
        assert raw.projection.mod_revision <= raw.revision


async def test_what_masters_project_during_a_verification_is_no_drift(world: World) -> None:
    await busy(world, 3)
    for _ in range(3):
        assert {drift.job_id for drift in (await verified(world)).drifts} == {"a", "c", "x"}


async def test_a_repair_never_fights_a_master_that_projects(world: World) -> None:
    """G2: it loses against the master, reads again, and wins when it can."""
    await busy(world, 4)
    assert {drift.job_id for drift in await repaired(world)} == {"a", "c", "x"}
    assert (await verified(world)).clean


async def test_a_repair_never_writes_a_job_that_a_master_has_deleted_since(world: World) -> None:
    """G2: at no revision; workers would run it."""

    class Deleting(BusyStore):
        async def project(self, position: int) -> None:
            await super().project(position)
            await super().project(await self.world.append(event(999, "c", JobDeleted())))

    store = Deleting(SystemClock())
    store.world = world
    world.store = store
    await projected(world)
    await damaged(world)  # `c` is gone, which happens to be what the master is about to do
    since = (await store.read_prefix(KEYS.prefix)).revision
    store.left = 1
    assert {drift.job_id for drift in await repaired(world)} == {"a", "x"}
    mark = await store.transact(Transaction((), (Put(KEYS.job("mark"), b"{}"),)))
    async for changes in store.watch(KEYS.jobs, since + 1):
        assert KEYS.job("c") not in {each.key for each in changes.events if isinstance(each, KeyValue)}
        if changes.revision >= mark.revision:
            break


async def test_a_repair_beside_a_real_master_ends_in_the_fold(world: World) -> None:
    """G2: the master goes on too, and is never stopped by it."""
    projector = await world.ready_projector()
    await projector.passed(await world.append(*STORY))

    async def commands() -> None:
        for number in range(200):
            await world.append(event(100 + number, f"job-{number}", JobCreated(spec(f"job-{number}"))))
            await asyncio.sleep(0)

    async def repairs() -> None:
        for _ in range(20):
            await damaged(world)
            await repaired(world)

    await asyncio.gather(commands(), repairs())
    await projector.passed(len(STORY) + 200)
    assert projector.stopped is None
    await repaired(world)
    assert await assert_projected(world) == len(STORY) + 200


async def test_an_etcd_that_somebody_else_writes_all_the_time_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "MOST_ROUNDS", 3)
    await busy(world, 100)
    with pytest.raises(UnavailableError, match="who else writes"):
        await repaired(world)


@pytest.mark.parametrize(
    ("projection", "says", "remedy"),
    [
        (None, "has no /cron/projection", "dcron log rebuild"),
        (b"junk", "cannot be read", "dcron log rebuild"),
        (encode(Projection(position=99, log_id="log-1")), "shorter", "dcron log import"),
        (encode(Projection(position=3, log_id="log-2")), "is log log-1", "DCRON_TOPIC_PREFIX"),
    ],
)
async def test_a_position_that_is_not_of_this_log_is_refused_with_what_to_do(
    world: World, projection: bytes | None, says: str, remedy: str
) -> None:
    """Neither tool guesses; a master refuses the same in the same words."""
    await projected(world)
    write = Delete(KEYS.projection) if projection is None else Put(KEYS.projection, projection)
    await world.store.transact(Transaction((), (write,)))
    seen = await verified(world)
    assert not seen.clean
    assert says in seen.problem
    assert remedy in seen.problem
    before = await revisions(world)
    with pytest.raises(LogMismatchError, match=remedy):
        await repaired(world)
    assert await revisions(world) == before
    if projection is not None:
        projector = await world.projector()
        async with asyncio.timeout(5):
            while projector.stopped is None:
                await asyncio.sleep(0)
        assert str(projector.stopped) == seen.problem


async def test_a_log_that_cannot_be_read_is_named(world: World) -> None:
    await projected(world)
    other = MemoryLog(SystemClock())
    world.log = other
    await world.append(event(0, "", LogOpened("log-1")))
    async with other.producer() as producer:
        for _ in range(len(STORY)):
            await producer.append(JOB_EVENTS, "x", b"junk")
    seen = await verified(world)
    assert "dcron log skip --offset 1" in seen.problem
    assert not seen.clean


async def test_a_record_behind_etcds_position_that_stops_every_master_is_named(world: World) -> None:
    """What etcd has is right; but nothing more will come, and that is not clean."""
    await projected(world)
    async with world.log.producer() as producer:
        await producer.append(JOB_EVENTS, "x", b"junk")
    seen = await verified(world)
    assert (seen.clean, seen.drifts, seen.lag, seen.jobs) == (False, (), 1, 2)
    assert f"dcron log skip --offset {len(STORY) + 1}" in seen.problem


async def test_a_master_that_starts_on_a_job_that_cannot_be_read_says_what_mends_it(world: World) -> None:
    await projected(world)
    await damaged(world)
    projector = await world.projector()
    async with asyncio.timeout(5):
        while projector.stopped is None:
            await asyncio.sleep(0)
    assert "dcron log repair" in str(projector.stopped)
    await repaired(world)
    await (await world.projector()).caught_up.wait()
