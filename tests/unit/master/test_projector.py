"""The projector over memory ports: G2 (etcd equals the fold), G3 (the position never falls), and refusals."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dcron_core.adapters.memory import MemoryLog, MemoryStore
from dcron_core.adapters.memory.log import MemoryReader
from dcron_core.clock import SystemClock
from dcron_core.jobs.fold import Applied, fold
from dcron_core.jobs.table import JobTable, restored_by
from dcron_core.ports.log import Record, Topic
from dcron_core.ports.store import Delete, KeyValue, Put, Transaction
from dcron_master.projector import Projector, read_snapshot
from dcron_schemas.codec import decode_event, decode_state, encode
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobUpdated,
    LogOpened,
    RunRequested,
)
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.state import Projection
from tests.services import JOB_EVENTS, KEYS

START = datetime(2026, 1, 1, tzinfo=UTC)
Task = asyncio.Task[None]


def spec(name: str) -> JobSpec:
    return JobSpec(name=name, run=Run(shell="true"))


def event(number: int, job_id: str, data: EventData, expected: int | None = None) -> JobEvent:
    return JobEvent(
        event_id=f"event-{number}",
        job_id=job_id,
        actor="test",
        request_id="",
        at=START + timedelta(seconds=number),
        data=data,
        expected_version=expected,
    )


OPENING = event(0, "", LogOpened("log-1"))
STORY = [
    event(1, "a", JobCreated(spec("one"))),
    event(2, "b", JobCreated(spec("one"))),  # the name is taken: refused
    event(3, "b", JobCreated(spec("two"))),
    event(4, "a", JobUpdated(spec("uno")), expected=1),
    event(5, "a", JobUpdated(spec("ein")), expected=1),  # a rival edit: refused
    event(6, "b", JobPaused()),
    event(3, "b", JobCreated(spec("two"))),  # a repetition
    event(7, "a", RunRequested()),
    event(8, "c", JobCreated(spec("one"))),  # the name is free again
    event(9, "b", JobDeleted()),
]


class World:
    """A store and a log, and projectors on them."""

    def __init__(self) -> None:
        self.store = MemoryStore(SystemClock())
        self.log = MemoryLog(SystemClock())
        self.tasks: list[Task] = []

    async def append(self, *events: JobEvent) -> int:
        """Append events; return the last one's position."""
        await self.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
        position = -1
        async with self.log.producer() as producer:
            for each in events:
                position = await producer.append(JOB_EVENTS, each.job_id, encode(each))
        return position

    async def projector(self) -> Projector:
        await self.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
        projector = Projector(self.store, self.log, KEYS, JOB_EVENTS)
        self.tasks.append(asyncio.create_task(projector.run(OPENING)))
        return projector

    async def ready_projector(self) -> Projector:
        projector = await self.projector()
        await projector.caught_up.wait()
        return projector

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def world() -> object:
    world = World()
    yield world
    await world.stop()


def folded(events: list[JobEvent]) -> JobTable:
    """Fold the log from zero."""
    table = JobTable()
    for position, each in enumerate(events):
        outcome = fold(table, position, each)
        table.absorb(
            position, each.event_id, outcome.changes if isinstance(outcome, Applied) else (), restored_by(each)
        )
    return table


async def assert_projected(world: World) -> int:
    """G2: etcd's job table equals the fold of the log up to its position; return that."""
    snapshot = await read_snapshot(world.store, KEYS)
    records = world.log.partitions(JOB_EVENTS)[0].read(0, snapshot.projection.position + 1)
    events = [decode_event(record.value) for record in records]
    expected = folded([event for event in events if isinstance(event, JobEvent)])
    assert {entry.job_id: entry for entry in snapshot.entries} == {e.job_id: e for e in expected.entries()}
    assert snapshot.projection.log_id == "log-1"
    return snapshot.projection.position


async def test_an_empty_log_is_opened_and_projected(world: World) -> None:
    projector = await world.ready_projector()
    assert projector.table.log_id == "log-1"
    assert (await read_snapshot(world.store, KEYS)).projection.position == 0


async def test_etcd_equals_the_fold_at_every_revision(world: World) -> None:
    """G2, G3: also between batches; the position only grows."""
    projector = await world.ready_projector()
    for number, each in enumerate(STORY, start=1):
        await projector.passed(await world.append(each))
        assert await assert_projected(world) == number


@pytest.mark.parametrize("cut", range(len(STORY) + 1))
async def test_a_second_projector_from_any_snapshot_ends_in_the_same_state(world: World, cut: int) -> None:
    """G2, G3: one master projects to `cut`, dies; another starts from etcd's snapshot; both fold alike."""
    first = await world.ready_projector()
    await first.passed(await world.append(*STORY[:cut]) if cut else 0)
    await world.stop()
    last = await world.append(*STORY[cut:]) if cut < len(STORY) else len(STORY)
    second = await world.projector()
    await second.passed(last)
    await assert_projected(world)
    assert second.table.entries() == folded([OPENING, *STORY]).entries()


async def test_three_projectors_at_once_write_each_position_once(world: World) -> None:
    """G2: losing the comparison costs a look, and nothing else; a run request is written once."""
    projectors = [await world.projector() for _ in range(3)]
    await asyncio.gather(*(projector.caught_up.wait() for projector in projectors))
    for each in STORY:
        position = await world.append(each)
        outcomes = await asyncio.gather(*(projector.outcome(position) for projector in projectors))
        assert len({type(outcome) for outcome in outcomes}) == 1
    await assert_projected(world)
    runs = (await world.store.read_prefix(KEYS.runs)).items
    assert len(runs) == 1
    assert runs[0].create_revision == runs[0].mod_revision


class SlowLog(MemoryLog):
    """Gives its readers one record at a time."""

    @asynccontextmanager
    async def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AsyncIterator[MemoryReader]:
        async with super().reader(topic, offsets) as reader:
            yield SlowReader(reader)


class SlowReader(MemoryReader):
    def __init__(self, inner: MemoryReader) -> None:
        self._inner = inner

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        return await self._inner.poll(timeout_s, min(limit, 1))

    async def seek(self, partition: int, offset: int) -> None:
        await self._inner.seek(partition, offset)


async def test_a_master_that_reads_slowly_does_not_set_back_what_a_faster_one_wrote(world: World) -> None:
    """G2, G3: it has seen how far the other one came, and writes nothing until it is past that itself."""
    slow = SlowLog(SystemClock())
    await slow.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
    world.log = slow
    slow_one = await world.ready_projector()
    world.log = MemoryLog(SystemClock())
    world.log._topics = slow._topics
    world.log.appended = slow.appended
    fast_one = await world.ready_projector()
    positions: list[int] = []
    last = await world.append(*STORY)
    await asyncio.gather(slow_one.passed(last), fast_one.passed(last))
    async for changes in world.store.watch(KEYS.projection, 1):
        positions += [decode_state(Projection, e.value).position for e in changes.events if isinstance(e, KeyValue)]
        if last in positions:
            break
    assert positions == sorted(set(positions)), "the position fell, or was written twice"
    await assert_projected(world)


async def test_a_store_that_does_not_answer_is_waited_for(world: World) -> None:
    """G10: the fold goes on where it stopped; the master is not caught up meanwhile."""
    projector = await world.ready_projector()
    world.store.down = True
    position = await world.append(*STORY)
    while projector.caught_up.is_set():
        await asyncio.sleep(0)
    world.store.down = False
    await projector.passed(position)
    await assert_projected(world)


async def test_an_emptied_etcd_gets_its_jobs_again_but_no_run_twice(world: World) -> None:
    """G3: rebuilt from the log; what was asked to run before that is not asked again."""
    first = await world.ready_projector()
    await first.passed(await world.append(*STORY))
    await world.stop()
    for item in (await world.store.read_prefix(KEYS.prefix)).items:
        await world.store.transact(Transaction((), (Delete(item.key),)))
    second = await world.projector()
    await second.caught_up.wait()
    await assert_projected(world)
    assert not (await world.store.read_prefix(KEYS.runs)).items
    await second.passed(await world.append(event(20, "a", RunRequested())))
    assert len((await world.store.read_prefix(KEYS.runs)).items) == 1


async def test_a_position_that_fell_under_a_running_master_stops_it(world: World) -> None:
    """G3: etcd restored from an older snapshot is not written over a gap; a restarted master mends it."""
    first = await world.ready_projector()
    await first.passed(await world.append(*STORY[:4]))
    snapshot = (await world.store.read_prefix(KEYS.prefix)).items
    await first.passed(await world.append(*STORY[4:7]))
    for item in (await world.store.read_prefix(KEYS.prefix)).items:
        await world.store.transact(Transaction((), (Delete(item.key),)))
    await world.store.transact(Transaction((), tuple(Put(item.key, item.value) for item in snapshot)))
    last = await world.append(*STORY[7:])
    async with asyncio.timeout(5):
        while first.stopped is None:
            await asyncio.sleep(0)
    assert "fell from position 7 to 4" in str(first.stopped)
    second = await world.projector()
    await second.passed(last)
    assert await assert_projected(world) == len(STORY)


async def stopped_because(world: World) -> str:
    projector = await world.projector()
    async with asyncio.timeout(5):
        while projector.stopped is None:
            await asyncio.sleep(0)
    return str(projector.stopped)


async def test_a_log_shorter_than_the_projection_is_refused(world: World) -> None:
    first = await world.ready_projector()
    await first.passed(await world.append(*STORY))
    await world.stop()
    world.log = MemoryLog(SystemClock())
    await world.append(OPENING, STORY[0])
    why = await stopped_because(world)
    assert "shorter" in why
    assert "position 10" in why
    assert "restore" in why


async def test_another_log_is_refused(world: World) -> None:
    first = await world.ready_projector()
    await first.passed(await world.append(STORY[0]))
    await world.stop()
    world.log = MemoryLog(SystemClock())
    await world.append(event(0, "", LogOpened("log-2")), *STORY)
    why = await stopped_because(world)
    assert "log-1" in why
    assert "log-2" in why


async def test_a_log_whose_beginning_was_deleted_is_refused(world: World) -> None:
    await world.append(OPENING, *STORY)
    world.log.trim(JOB_EVENTS, 0, 3)
    assert "begins at offset 3" in await stopped_because(world)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (b"not json", "cannot be read"),
        (b'{"event_id":"x","data":{"kind":"JobTeleported","to":"mars"},"schema_version":1}', "JobTeleported"),
        (encode(replace(STORY[0], schema_version=9)), "version 9"),
    ],
)
async def test_an_event_that_cannot_be_applied_stops_the_projection_there(
    world: World, value: bytes, says: str
) -> None:
    """It never passes silently: nothing after it is projected."""
    projector = await world.ready_projector()
    await projector.passed(await world.append(STORY[0]))
    async with world.log.producer() as producer:
        await producer.append(JOB_EVENTS, "x", value)
    await world.append(STORY[2])
    async with asyncio.timeout(5):
        while projector.stopped is None:
            await asyncio.sleep(0)
    assert "offset 2" in str(projector.stopped)
    assert says in str(projector.stopped)
    assert (await read_snapshot(world.store, KEYS)).projection.position == 1


async def test_what_comes_before_an_unreadable_record_is_projected(world: World) -> None:
    """Also when both were read at once."""
    await world.append(OPENING)
    projector = await world.ready_projector()
    world.store.down = True  # so that all that follows is read in one go
    while projector.caught_up.is_set():
        await asyncio.sleep(0)
    await world.append(*STORY)
    async with world.log.producer() as producer:
        await producer.append(JOB_EVENTS, "x", b"junk")
    world.store.down = False
    async with asyncio.timeout(5):
        while projector.stopped is None:
            await asyncio.sleep(0)
    assert await assert_projected(world) == len(STORY)
