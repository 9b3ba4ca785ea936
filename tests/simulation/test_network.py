"""The simulated world keeps the promises that the real one keeps, and breaks those that it breaks."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from dcron_core.errors import CompactedError, LogUnavailableError, StoreUnavailableError
from dcron_core.ports.log import Topic
from dcron_core.ports.store import Changes, Put, Transaction
from tests.simulation.lanes import Lane, LaneLoop
from tests.simulation.network import SLOW, Link, LogConnection, StoreConnection
from tests.simulation.servers import SimulatedLog, SimulatedStore
from tests.virtual_time import VirtualClock


@pytest.fixture
def loop() -> Iterator[LaneLoop]:
    loop = LaneLoop()
    yield loop
    loop.bury()


def link_on(loop: LaneLoop, seed: int = 1) -> Link:
    return Link(loop, random.Random(seed))


def store_on(loop: LaneLoop) -> SimulatedStore:
    return SimulatedStore(VirtualClock(loop), loop)


def written(key: str) -> Transaction:
    return Transaction((), (Put(key, b"x"),))


def test_a_lane_stands_still_and_then_does_everything_in_its_order(loop: LaneLoop) -> None:
    lane, done = Lane(loop, "a"), []

    async def work() -> None:
        for number in range(3):
            await asyncio.sleep(1.0)
            done.append((number, loop.time()))

    lane.start(work())
    loop.advance(1.5)
    lane.stop()
    loop.advance(10.0)
    assert done == [(0, 1.0)]
    lane.go_on()
    loop.advance(5.0)
    assert done == [(0, 1.0), (1, 11.5), (2, 12.5)]


def test_what_a_lane_starts_belongs_to_it_and_what_it_sends_does_not(loop: LaneLoop) -> None:
    """A call goes on to the store while its caller stands still; the answer waits for it."""
    store, lane, answers = store_on(loop), Lane(loop, "a"), []
    connection = StoreConnection(store, link_on(loop))

    async def call() -> None:
        result = await connection.transact(written("k"))
        answers.append(result.succeeded)

    async def work() -> None:
        await asyncio.gather(call())

    lane.start(work())
    loop.turn()
    loop.turn()
    lane.stop()
    loop.advance(1.0)
    assert [item.key for item in store.under("")] == ["k"]
    assert not answers
    lane.go_on()
    loop.advance(0.1)
    assert answers == [True]


def test_over_a_cut_link_calls_fail_and_some_take_effect_all_the_same(loop: LaneLoop) -> None:
    store, link = store_on(loop), link_on(loop)
    connection = StoreConnection(store, link)
    link.break_off()
    calls = [connection.transact(written(f"k{number}")) for number in range(50)]
    outcomes: list[object] = []

    async def work() -> None:
        outcomes.extend(await asyncio.gather(*calls, return_exceptions=True))

    loop.in_world(work())
    loop.advance(10.0)
    assert len(outcomes) == 50
    assert all(isinstance(each, StoreUnavailableError) for each in outcomes)
    link.heal()
    loop.advance(1.0)
    assert 0 < len(store.under("k")) < 50


@pytest.mark.parametrize("seed", range(5))
def test_a_watch_brings_every_change_once_and_in_order_whatever_the_link_does(loop: LaneLoop, seed: int) -> None:
    store, link, chance = store_on(loop), link_on(loop, seed), random.Random(seed)
    link.pace = SLOW
    seen: list[Changes] = []

    async def follow() -> None:
        nonlocal seen
        async with aclosing(StoreConnection(store, link).watch("k", 1)) as changes:
            async for batch in changes:
                seen += [batch]

    loop.in_world(follow())
    for number in range(200):
        store.do(Put(f"k{number}", b"x"), Put(f"other{number}", b"x"))
        loop.advance(chance.uniform(0.0, 0.3))
        if chance.random() < 0.1:
            (link.heal if link.cut else link.break_off)()
    link.heal()
    loop.advance(10.0)
    assert [event.key for batch in seen for event in batch.events] == [f"k{number}" for number in range(200)]
    assert [batch.revision for batch in seen] == sorted(batch.revision for batch in seen)


def test_a_watch_that_was_cut_off_for_too_long_learns_of_the_compaction(loop: LaneLoop) -> None:
    store, link = store_on(loop), link_on(loop)
    found: list[str] = []

    async def follow() -> None:
        nonlocal found
        try:
            async for batch in StoreConnection(store, link).watch("k", 1):
                found += [event.key for event in batch.events]
        except CompactedError:
            found += ["compacted"]

    loop.in_world(follow())
    link.break_off()
    for number in range(10):
        store.do(Put(f"k{number}", b"x"))
    store.forget_history()
    link.heal()
    loop.advance(1.0)
    assert found == ["compacted"]


def test_a_producer_keeps_the_order_and_tells_of_a_failure_before_a_later_record(loop: LaneLoop) -> None:
    log, link = SimulatedLog(VirtualClock(loop), loop), link_on(loop)
    told: list[str] = []

    async def work() -> None:
        await log.ensure_topics([Topic("t", 1)])
        async with LogConnection(log, link).producer() as producer:
            first = await producer.submit("t", "k", b"1")
            assert await first == 0
            link.break_off(from_store=False)
            second = await producer.submit("t", "k", b"2")
            told.append(type((await asyncio.gather(second, return_exceptions=True))[0]).__name__)
            link.heal()
            try:
                await producer.submit("t", "k", b"3")
            except LogUnavailableError:
                told.append("told")
            await producer.append("t", "k", b"4")

    task = loop.in_world(work())
    loop.advance(20.0)
    assert task.done()
    task.result()
    assert told == ["LogUnavailableError", "told"]
    assert [each.value for each in log.records] in ([b"1", b"4"], [b"1", b"2", b"4"])
