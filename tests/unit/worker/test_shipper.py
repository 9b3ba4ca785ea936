"""The shipper: every record of the spool reaches the log, in order, through any failure (G8)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random

import pytest

from dcron_core.adapters.memory.log import MemoryLog, MemoryProducer, submit_each
from dcron_core.clock import SystemClock
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.log import Topic
from dcron_worker import shipper as shipper_module
from dcron_worker.shipper import Shipper
from dcron_worker.spool import Spool
from dcron_worker.spool_segment import SpoolRecord
from tests.virtual_time import VirtualLoop

TOPIC = "cron.executions"


class FailingProducer:
    """Passes on to a memory producer; from a random record on all fails, as with an idempotent Kafka producer.

    Of the records that fail, some have reached the log all the same: the first ones, since order is kept.
    """

    def __init__(self, inner: MemoryProducer, random: Random) -> None:
        self._inner = inner
        self._good = random.randrange(200)
        self._unsure = random.randrange(20)
        self._raises_at_once = random.random() < 0.5

    async def submit(
        self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Awaitable[int]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        if self._good > 0:
            self._good -= 1
            offset = await self._inner.append(topic, key, value, headers)
            loop.call_soon(answer.set_result, offset)
            return answer
        if self._unsure > 0:
            self._unsure -= 1
            await self._inner.append(topic, key, value, headers)
        elif self._raises_at_once:
            raise LogUnavailableError("injected")
        loop.call_soon(answer.set_exception, LogUnavailableError("injected"))
        return answer

    async def submit_all(self, topic: str, records: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
        return await submit_each(self, topic, records)

    async def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> int:
        return await (await self.submit(topic, key, value, headers))


class FailingLog(MemoryLog):
    """A memory log whose producers fail after a while."""

    def __init__(self, seed: int) -> None:
        super().__init__(SystemClock())
        self._random = Random(seed)

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[FailingProducer]:  # type: ignore[override]  # another producer
        if self._random.random() < 0.2:
            raise LogUnavailableError("injected: no producer")
        async with super().producer() as inner:
            yield FailingProducer(inner, self._random)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    async with Spool(tmp_path, SystemClock(), segment_bytes=20_000) as opened:
        yield opened


@pytest.fixture
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipper_module, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(shipper_module, "MOST_DELAY_S", 0.002)


@asynccontextmanager
async def shipping(spool: Spool, log: MemoryLog, in_flight: int = 500) -> AsyncIterator[Shipper]:
    shipper = Shipper(spool, log, TOPIC, in_flight)
    task = asyncio.create_task(shipper.run())
    try:
        async with asyncio.timeout(30):
            yield shipper
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def memory_log(partitions: int = 3) -> MemoryLog:
    log = MemoryLog(SystemClock())
    await log.ensure_topics([Topic(TOPIC, partitions)])
    return log


async def arrived(log: MemoryLog) -> dict[str, list[bytes]]:
    """Return key → values, first arrivals only, in the order of the log."""
    found: dict[str, list[bytes]] = {}
    async with log.reader(TOPIC, dict.fromkeys(range(len(log.partitions(TOPIC))), 0)) as reader:
        while records := await reader.poll(0):
            for record in records:
                values = found.setdefault(record.key, [])
                if record.value not in values:
                    values.append(record.value)
    return found


def runs(count: int, length: int) -> tuple[list[SpoolRecord], dict[str, list[bytes]]]:
    """Return the records of interleaved runs, and what is to arrive of each."""
    records = [
        SpoolRecord(f"run {run}", b"%d" % number, closes=number == length - 1)
        for number in range(length)
        for run in range(count)
    ]
    return records, {f"run {run}": [b"%d" % number for number in range(length)] for run in range(count)}


async def test_all_arrives_in_order_and_closed_runs_are_told_once(spool: Spool) -> None:
    log = await memory_log()
    records, expected = runs(10, 30)
    spool.append_all(records[:100])
    async with shipping(spool, log, in_flight=7) as shipper:
        for record in records[100:]:
            spool.append(record)
        await shipper.drained()
        assert await arrived(log) == expected
        assert sorted(await shipper.acknowledged()) == sorted(expected)
        assert spool.depth.records == 0
        asking = asyncio.create_task(shipper.acknowledged())
        spool.append(SpoolRecord("late", b"end", closes=True))
        assert await asking == ["late"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.usefixtures("short_delays")
async def test_order_and_completeness_hold_through_failures(spool: Spool, seed: int) -> None:
    log = FailingLog(seed)
    await log.ensure_topics([Topic(TOPIC, 3)])
    records, expected = runs(8, 100)
    closed: list[str] = []
    async with shipping(spool, log, in_flight=50) as shipper:
        for number, record in enumerate(records):
            spool.append(record)
            if number % 50 == 0:
                await asyncio.sleep(0)
        while len(closed) < 8:
            closed += await shipper.acknowledged()
        await shipper.drained()
    assert await arrived(log) == expected
    assert sorted(closed) == sorted(expected)


@pytest.mark.usefixtures("short_delays")
async def test_while_the_log_is_down_records_wait_and_then_all_arrive(spool: Spool) -> None:
    log = await memory_log()
    log.down = True
    records, expected = runs(5, 10)
    async with shipping(spool, log) as shipper:
        spool.append_all(records)
        draining = asyncio.create_task(shipper.drained())
        await asyncio.sleep(0.02)
        assert not draining.done()
        assert spool.depth.records == len(records)
        log.down = False
        await draining
        assert await arrived(log) == expected


async def test_a_shipper_after_a_restart_goes_on_where_the_last_one_was(tmp_path: Path) -> None:
    log = await memory_log(partitions=1)
    records, expected = runs(2, 10)
    async with Spool(tmp_path, SystemClock()) as spool, shipping(spool, log) as shipper:
        spool.append_all(records[:8])
        await shipper.drained()
    async with Spool(tmp_path, SystemClock()) as spool, shipping(spool, log) as shipper:
        spool.append_all(records[8:])
        await shipper.drained()
    assert await arrived(log) == expected
    assert (await log.bounds(TOPIC)).end == len(records), "nothing was sent twice"


async def test_an_idle_shipper_never_wakes(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    log = await memory_log()
    async with shipping(spool, log) as shipper:
        spool.append(SpoolRecord("run", b"x"))
        await shipper.drained()
        reads = 0
        real_read = spool.read

        def counted_read(position: int, limit_bytes: int) -> list[tuple[int, SpoolRecord]]:
            nonlocal reads
            reads += 1
            return real_read(position, limit_bytes)

        await asyncio.sleep(0.01)
        monkeypatch.setattr(spool, "read", counted_read)
        await asyncio.sleep(0.1)
        assert reads == 0


async def test_damage_at_the_spools_end_does_not_hold_up_the_drain(tmp_path: Path) -> None:
    async with Spool(tmp_path, SystemClock()) as spool:
        spool.append_all([SpoolRecord("run", b"%d" % number) for number in range(5)])
    segment = next(tmp_path.glob("*.segment"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0xFF
    segment.write_bytes(content)
    log = await memory_log()
    async with Spool(tmp_path, SystemClock()) as spool, shipping(spool, log) as shipper:
        await shipper.drained()
        assert await arrived(log) == {"run": [b"0", b"1"]}
        spool.append(SpoolRecord("run", b"new"))
        await shipper.drained()
        assert await arrived(log) == {"run": [b"0", b"1", b"new"]}


def test_an_hour_without_kafka_costs_nothing_but_disk(tmp_path: Path) -> None:
    """G8, G10: records wait in order, Kafka is asked seldom, and a few seconds after its return it has them all."""
    asked = 0

    class Counted(MemoryLog):
        @asynccontextmanager
        async def producer(self) -> AsyncIterator[MemoryProducer]:
            nonlocal asked
            asked += 1
            async with super().producer() as producer:
                yield producer

    log = Counted(SystemClock())
    records, expected = runs(10, 360)

    async def scenario() -> dict[str, list[bytes]]:
        await log.ensure_topics([Topic(TOPIC, 3)])
        async with Spool(tmp_path, SystemClock()) as spool:
            shipping = asyncio.create_task(Shipper(spool, log, TOPIC).run())
            log.down = True
            for record in records:
                spool.append(record)
                await asyncio.sleep(1.0)
            assert spool.depth.records == 3600
            log.down = False
            await asyncio.sleep(6.0)
            assert spool.depth.records == 0
            shipping.cancel()
            with suppress(asyncio.CancelledError):
                await shipping
        return await arrived(log)

    loop = VirtualLoop()
    try:
        outcome = loop.create_task(scenario())
        loop.advance(3610.0)
        assert outcome.result() == expected
        assert asked < 3600 / 5 + 20
    finally:
        loop.finish()
