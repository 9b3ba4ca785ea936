"""`MemoryLog`: the Log port in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from zlib import crc32

from dcron_core.adapters.memory.group import Group
from dcron_core.adapters.memory.partition import Partition
from dcron_core.adapters.memory.wakeup import Wakeup
from dcron_core.clock import Clock
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.log import Bounds, Producer, Record, Topic


class MemoryLog:
    """A Log for one process. While `down` is set, calls raise LogUnavailableError and readers get nothing."""

    def __init__(self, clock: Clock) -> None:
        self.down = False
        self.appended = Wakeup()
        self._clock = clock
        self._topics: dict[str, list[Partition]] = {}
        self._groups: dict[tuple[str, str], Group] = {}

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        await self.turn()
        for topic in topics:
            self._topics.setdefault(topic.name, [Partition(topic.name, each) for each in range(topic.partitions)])

    async def bounds(self, topic: str, partition: int = 0) -> Bounds:
        await self.turn()
        return self.partitions(topic)[partition].bounds

    @asynccontextmanager
    async def producer(self) -> AsyncIterator["MemoryProducer"]:
        await self.turn()
        yield MemoryProducer(self)

    @asynccontextmanager
    async def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AsyncIterator["MemoryReader"]:
        await self.turn()
        ends = {number: each.bounds.end for number, each in enumerate(self.partitions(topic))}
        yield MemoryReader(self, topic, dict(ends if offsets is None else offsets))

    @asynccontextmanager
    async def group_reader(self, topic: str, group: str) -> AsyncIterator["MemoryGroupReader"]:
        await self.turn()
        shared = self._groups.setdefault((topic, group), Group(len(self.partitions(topic))))
        member = MemoryGroupReader(self, topic, shared)
        shared.join(member)
        try:
            yield member
        finally:
            shared.leave(member)

    def trim(self, topic: str, partition: int, start: int) -> None:
        """Forget the records before `start`, as retention does."""
        self.partitions(topic)[partition].trim(start)

    def partitions(self, topic: str) -> list[Partition]:
        """Return the partitions of a topic."""
        if topic not in self._topics:
            raise LogUnavailableError(f"there is no topic {topic!r}; create it with ensure_topics")
        return self._topics[topic]

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        """Take in a record; return its offset."""
        partitions = self.partitions(topic)
        partition = partitions[crc32(key.encode()) % len(partitions)]
        offset = partition.append(key, value, tuple(headers), self._clock.now())
        self.appended.wake()
        return offset

    async def turn(self) -> None:
        """Let others run, as a call to a server does, then see whether the log answers."""
        await asyncio.sleep(0)
        if self.down:
            raise LogUnavailableError("the memory log is down")


class MemoryProducer:
    """Appends at once; the answer is there when it is asked for."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def submit(
        self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Awaitable[int]:
        await self._log.turn()
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        answer.set_result(self._log.append(topic, key, value, headers))
        return answer

    async def submit_all(self, topic: str, records: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
        return await submit_each(self, topic, records)

    async def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> int:
        return await (await self.submit(topic, key, value, headers))


async def submit_each(producer: Producer, topic: str, records: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
    """Do what `submit_all` promises, for a producer that takes one record after the other."""
    answers: list[asyncio.Future[int]] = []
    try:
        for key, value in records:
            answers.append(asyncio.ensure_future(await producer.submit(topic, key, value)))
    except BaseException:
        asyncio.gather(*answers, return_exceptions=True)  # they have been heard
        raise
    return asyncio.gather(*answers)


class MemoryReader:
    """Reads from explicit positions."""

    def __init__(self, log: MemoryLog, topic: str, positions: dict[int, int]) -> None:
        self._log = log
        self._topic = topic
        self._positions = positions

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        partitions = self._log.partitions(self._topic)
        return await _poll(self._log, lambda: _take(partitions, self._positions, limit), timeout_s)

    async def seek(self, partition: int, offset: int) -> None:
        self._positions[partition] = offset


class MemoryGroupReader:
    """Reads what the group gives this member, from what the group has committed."""

    def __init__(self, log: MemoryLog, topic: str, group: Group) -> None:
        self._log = log
        self._topic = topic
        self._group = group
        self._generation = -1  # the one that the positions belong to
        self._positions: dict[int, int] = {}

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        return await _poll(self._log, lambda: self._take(limit), timeout_s)

    async def commit(self) -> None:
        await self._log.turn()
        if self._generation == self._group.generation:
            self._group.committed.update(self._positions)

    async def rewind(self) -> None:
        await self._log.turn()
        self._generation = -1
        self._follow_group()

    async def lag(self) -> dict[int, int]:
        await self._log.turn()
        self._follow_group()
        partitions = self._log.partitions(self._topic)
        return {number: partitions[number].bounds.end - position for number, position in self._positions.items()}

    def _take(self, limit: int) -> list[Record]:
        self._follow_group()
        return _take(self._log.partitions(self._topic), self._positions, limit)

    def _follow_group(self) -> None:
        if self._generation == self._group.generation:
            return
        self._generation = self._group.generation
        partitions = self._log.partitions(self._topic)
        self._positions = {
            number: max(partitions[number].bounds.start, self._group.committed.get(number, 0))
            for number in self._group.partitions_of(self)
        }


async def _poll(log: MemoryLog, take: Callable[[], list[Record]], timeout_s: float) -> list[Record]:
    """Return what `take` finds, looking again after each append, until the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    await asyncio.sleep(0)
    while True:
        records = [] if log.down else take()
        left_s = deadline - loop.time()
        if records or left_s <= 0:
            return records
        await log.appended.wait(left_s)


def _take(partitions: list[Partition], positions: dict[int, int], limit: int) -> list[Record]:
    """Return at most `limit` records, and move the positions past them; who gave some comes last next time."""
    records: list[Record] = []
    for number in list(positions):
        taken = partitions[number].read(positions[number], limit - len(records))
        if taken:
            positions[number] = positions.pop(number) + len(taken)
            records.extend(taken)
    return records
