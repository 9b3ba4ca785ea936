"""The log port: topics, producers, positions."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.errors import LogUnavailableError, OffsetOutOfRangeError
from dcron_core.ports.log import Bounds, Log, Reader, Record, Topic
from tests.contract.conftest import Trim

PATIENCE_S = 10.0


async def read(reader: Reader, count: int) -> list[Record]:
    """Return the next `count` records."""
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(records) < count:
            records.extend(await reader.poll(1, limit=count - len(records)))
    return records


async def fill(log: Log, topic: str, count: int, partitions: int = 1) -> None:
    """Make the topic, and append the numbers from 0, keyed by themselves."""
    await log.ensure_topics([Topic(topic, partitions)])
    async with log.producer() as producer:
        await asyncio.gather(
            *[await producer.submit(topic, str(number), str(number).encode()) for number in range(count)]
        )


async def test_a_record_comes_back_as_it_was_appended(log: Log, topic: str) -> None:
    await log.ensure_topics([Topic(topic, 1)])
    headers = (("error", b"\xff\x00"), ("again", b""))
    before = datetime.now(UTC)
    async with log.producer() as producer, log.reader(topic, {0: 0}) as reader:
        assert await producer.append(topic, "clé", b"\x00value", headers) == 0
        (record,) = await read(reader, 1)
    assert record == Record(topic, 0, 0, "clé", b"\x00value", record.at, headers)
    assert abs(record.at - before) < timedelta(seconds=5)


async def test_topics_can_be_ensured_by_many_at_once(log: Log, topic: str) -> None:
    """Two masters may start together; a topic that exists stays as it is."""
    wanted = [Topic(topic, 2, retention_ms=3_600_000), Topic(f"{topic}-more", 1)]
    await asyncio.gather(*(log.ensure_topics(wanted) for _ in range(4)))
    await log.ensure_topics([Topic(topic, 5)])
    assert await log.bounds(topic, 1) == Bounds(0, 0)
    async with log.producer() as producer:
        for number in range(20):
            await producer.append(topic, str(number), b"")
    assert sum([(await log.bounds(topic, partition)).end for partition in range(2)]) == 20


async def test_records_of_a_key_keep_the_order_of_the_submits(log: Log, topic: str) -> None:
    """G9: whatever is under way at the same time."""
    await log.ensure_topics([Topic(topic, 3)])
    async with log.producer() as producer:
        answers = [await producer.submit(topic, f"k{number % 7}", str(number).encode()) for number in range(2000)]
        offsets = await asyncio.gather(*answers)
    async with log.reader(topic, dict.fromkeys(range(3), 0)) as reader:
        records = await read(reader, 2000)
    by_value = {int(record.value): record for record in records}
    assert [by_value[number].offset for number in range(2000)] == offsets
    for key in range(7):
        mine = [int(record.value) for record in records if record.key == f"k{key}"]
        assert mine == sorted(mine) == list(range(key, 2000, 7))
        assert len({record.partition for record in records if record.key == f"k{key}"}) == 1


async def test_records_that_are_submitted_together_keep_their_order(log: Log, topic: str) -> None:
    """G9: as those that are submitted one by one; each answer comes when all of its records are in the log."""
    await log.ensure_topics([Topic(topic, 3)])
    records = [(f"k{number % 7}", str(number).encode()) for number in range(2000)]
    async with log.producer() as producer:
        answers = [await producer.submit_all(topic, records[begin : begin + 30]) for begin in range(0, 1500, 30)]
        answers += [await producer.submit(topic, key, value) for key, value in records[1500:]]
        await asyncio.gather(*answers)
        bounds = [await log.bounds(topic, partition) for partition in range(3)]
    assert sum(each.end for each in bounds) == 2000
    async with log.reader(topic, dict.fromkeys(range(3), 0)) as reader:
        found = await read(reader, 2000)
    for key in range(7):
        mine = [record for record in found if record.key == f"k{key}"]
        assert [int(record.value) for record in mine] == list(range(key, 2000, 7))
        assert len({record.partition for record in mine}) == 1


async def test_closing_a_producer_waits_for_what_was_submitted(log: Log, topic: str) -> None:
    """G8: an orderly stop loses nothing."""
    await log.ensure_topics([Topic(topic, 1)])
    async with log.producer() as producer:
        answers = [await producer.submit(topic, "k", b"") for _ in range(100)]
    assert [await answer for answer in answers] == list(range(100))


async def test_many_may_append_with_one_producer(log: Log, topic: str) -> None:
    await log.ensure_topics([Topic(topic, 1)])
    async with log.producer() as producer:
        offsets = await asyncio.gather(*(producer.append(topic, "k", b"") for _ in range(100)))
    assert sorted(offsets) == list(range(100))


async def test_a_reader_begins_where_it_is_told_and_goes_on(log: Log, topic: str) -> None:
    """G3: the projector reads from its position + 1, and then what is new."""
    await fill(log, topic, 10)
    async with log.reader(topic, {0: 7}) as reader, log.producer() as producer:
        assert [record.offset for record in await read(reader, 3)] == [7, 8, 9]
        waiting = asyncio.create_task(reader.poll(PATIENCE_S))
        await producer.append(topic, "k", b"new")
        assert [record.offset for record in await waiting] == [10]


async def test_a_reader_goes_where_it_is_told_to(log: Log, topic: str) -> None:
    """G3: back and forth, also in the middle of what it was reading; the versions of a job lie here and there."""
    await fill(log, topic, 10)
    async with log.reader(topic, {0: 2}) as reader:
        assert [record.offset for record in await read(reader, 3)] == [2, 3, 4]
        for offset in (8, 0, 5, 5, 9):
            await reader.seek(0, offset)
            (record,) = await read(reader, 1)
            assert (record.offset, record.value) == (offset, str(offset).encode())
        await reader.seek(0, 7)
        assert [record.offset for record in await read(reader, 3)] == [7, 8, 9]
        await reader.seek(0, 10)
        assert await reader.poll(0.05) == []
        await reader.seek(0, 12)
        with pytest.raises(OffsetOutOfRangeError):
            await read(reader, 1)


async def test_a_reader_moves_one_partition_and_leaves_the_others(log: Log, topic: str) -> None:
    await fill(log, topic, 30, partitions=2)
    async with log.reader(topic, {0: 0, 1: 0}) as reader:
        await read(reader, 30)
        await reader.seek(1, 0)
        end = (await log.bounds(topic, 1)).end
        assert [(each.partition, each.offset) for each in await read(reader, end)] == [(1, n) for n in range(end)]


async def test_a_reader_at_the_end_sees_only_what_is_new(log: Log, topic: str) -> None:
    await fill(log, topic, 10, partitions=3)
    async with log.reader(topic) as reader, log.producer() as producer:
        await producer.append(topic, "k", b"new")
        assert [record.value for record in await read(reader, 1)] == [b"new"]


async def test_polling_returns_empty_in_time_and_never_more_than_asked(log: Log, topic: str) -> None:
    await fill(log, topic, 10)
    async with log.reader(topic, {0: 0}) as reader:
        batches = [await reader.poll(PATIENCE_S, limit=4) for _ in range(3)]
        assert [len(batch) for batch in batches] == [4, 4, 2]
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.poll(0.05) == []


async def test_a_record_reaches_a_waiting_reader_at_once(log: Log, topic: str) -> None:
    """The live view: half of all records are there within 20 ms, whichever partition they are in."""
    await log.ensure_topics([Topic(topic, 4)])
    delays = []
    async with log.reader(topic) as reader, log.producer() as producer:
        for number in range(30):
            await producer.append(topic, str(number), b"")
            began = asyncio.get_running_loop().time()
            await read(reader, 1)
            delays.append(asyncio.get_running_loop().time() - began)
    assert sorted(delays)[15] < 0.02


@pytest.mark.parametrize("offset", [4, 11])
async def test_a_position_that_is_not_in_the_log_is_an_error(log: Log, topic: str, trim: Trim, offset: int) -> None:
    """G2: a log that is shorter than the position, or has forgotten it, is never skipped over."""
    await fill(log, topic, 10)
    await trim(topic, 0, 5)
    assert await log.bounds(topic) == Bounds(5, 10)
    async with log.reader(topic, {0: offset}) as reader:
        with pytest.raises(OffsetOutOfRangeError):
            await read(reader, 1)
    async with log.reader(topic, {0: 5}) as reader:
        assert [record.offset for record in await read(reader, 5)] == [5, 6, 7, 8, 9]


async def test_a_log_that_is_down_says_so_and_heals() -> None:
    """G10: the memory log stands in for an outage in unit tests and in the simulation."""
    log = MemoryLog(SystemClock())
    await fill(log, "t", 1)
    async with log.producer() as producer, log.reader("t", {0: 0}) as reader:
        log.down = True
        with pytest.raises(LogUnavailableError):
            await producer.append("t", "k", b"")
        assert await reader.poll(0.01) == []
        log.down = False
        assert await producer.append("t", "k", b"") == 1
        assert len(await read(reader, 2)) == 2
