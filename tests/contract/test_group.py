"""The log port: consumer groups."""

import asyncio

from dcron_core.ports.log import GroupReader, Log, Record
from tests.contract.test_log import PATIENCE_S, fill
from tests.names import Names

PARTITIONS = 4


async def take(reader: GroupReader, count: int, limit: int = 1000) -> list[int]:
    """Return the next records' numbers, `count` or more."""
    numbers: list[int] = []
    async with asyncio.timeout(3 * PATIENCE_S):
        while len(numbers) < count:
            numbers.extend(numbers_of(await reader.poll(1, limit)))
    return numbers


def numbers_of(records: list[Record]) -> list[int]:
    return [int(record.value) for record in records]


async def test_a_group_goes_on_where_it_committed(log: Log, topic: str, names: Names) -> None:
    """G8: what was returned and not committed comes again; what was committed does not."""
    await fill(log, topic, 10)
    async with log.group_reader(topic, names.consumer_group) as reader:
        assert await take(reader, 4, limit=4) == [0, 1, 2, 3]
        await reader.commit()
        assert await take(reader, 3, limit=3) == [4, 5, 6]
    async with log.group_reader(topic, names.consumer_group) as reader:
        assert await take(reader, 6) == [4, 5, 6, 7, 8, 9]
        assert sum((await reader.lag()).values()) == 0


async def test_a_rewind_goes_back_to_what_is_committed(log: Log, topic: str, names: Names) -> None:
    """G8: MongoDB did not take the batch, so it is read again; also before anything was ever committed."""
    await fill(log, topic, 10)
    async with log.group_reader(topic, names.consumer_group) as reader:
        assert await take(reader, 4, limit=4) == [0, 1, 2, 3]
        await reader.rewind()
        await reader.commit()  # nothing was returned since
        assert await take(reader, 4, limit=4) == [0, 1, 2, 3]
        await reader.commit()
        assert await take(reader, 6) == [4, 5, 6, 7, 8, 9]
        await reader.rewind()
        assert sum((await reader.lag()).values()) == 6
        assert await take(reader, 6) == [4, 5, 6, 7, 8, 9]


async def test_groups_do_not_share(log: Log, topic: str, names: Names) -> None:
    await fill(log, topic, 3)
    for group in ("one", "two"):
        async with log.group_reader(topic, f"{names.consumer_group}-{group}") as reader:
            assert await take(reader, 3) == [0, 1, 2]
            await reader.commit()


async def test_members_share_the_partitions_and_lose_nothing(log: Log, topic: str, names: Names) -> None:
    """G8: a second ingester takes over a part of the work; the first takes it all back when the second goes."""
    await fill(log, topic, 0, PARTITIONS)
    every = set(range(PARTITIONS))
    seen: set[int] = set()
    async with log.group_reader(topic, names.consumer_group) as first, asyncio.timeout(6 * PATIENCE_S):
        async with log.group_reader(topic, names.consumer_group) as second:
            shared = False
            while not shared:
                await fill(log, topic, 40)
                mine, yours = await asyncio.gather(drain(first, seen), drain(second, seen))
                shared = bool(mine and yours) and mine.isdisjoint(yours) and mine | yours == every
        seen.clear()
        await fill(log, topic, 40)
        while seen != set(range(40)):
            await drain(first, seen)


async def drain(reader: GroupReader, seen: set[int]) -> set[int]:
    """Take and commit what is there; return from which partitions it came."""
    partitions: set[int] = set()
    while records := await reader.poll(0.2):
        partitions |= {record.partition for record in records}
        seen.update(numbers_of(records))
        await reader.commit()
    return partitions


async def test_a_commit_after_the_partitions_went_elsewhere_does_no_harm(log: Log, topic: str, names: Names) -> None:
    """G8: the slow member's commit returns, and what it had not committed comes again."""
    await fill(log, topic, 40, PARTITIONS)
    async with log.group_reader(topic, names.consumer_group) as slow:
        assert sorted(await take(slow, 40)) == list(range(40))
        async with log.group_reader(topic, names.consumer_group) as other:
            taken = await take(other, 1)
            await slow.commit()
            await other.commit()
        again = await take(slow, 40 - len(set(taken)))
        assert set(taken) | set(again) == set(range(40))
