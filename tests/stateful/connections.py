"""One master's own connections to the store and the log that all share: slow, failing, and repeating themselves."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum

from dcron_core.errors import StoreUnavailableError
from dcron_core.ports.log import Bounds, GroupReader, Log, Producer, Reader, Record, Topic
from dcron_core.ports.store import Changes, KeyValue, KeyValueStore, Range, Transaction, TransactionResult

LATE_S = 90.0  # longer than any lease
ALL = 1000  # records at once, as many as the port gives


class Fault(Enum):
    """What befalls a transaction."""

    REFUSED = "it does not reach the store"
    ANSWER_LOST = "it is done, and the answer is lost"
    LATE = "its master stood still before it"


class StoreConnection:
    """A KeyValueStore. Closing `gate` holds every call back; `faults` befall the next transactions, in order."""

    def __init__(self, store: KeyValueStore) -> None:
        self.faults: deque[Fault] = deque()
        self.gate = asyncio.Event()
        self.gate.set()
        self._store = store

    async def get(self, key: str) -> KeyValue | None:
        await self.gate.wait()
        return await self._store.get(key)

    async def read_prefix(self, *prefixes: str) -> Range:
        await self.gate.wait()
        return await self._store.read_prefix(*prefixes)

    async def transact(self, transaction: Transaction) -> TransactionResult:
        await self.gate.wait()
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.REFUSED:
            raise StoreUnavailableError(fault.value)
        if fault is Fault.LATE:
            await asyncio.sleep(LATE_S)
        result = await self._store.transact(transaction)
        await asyncio.sleep(0)  # the answer is under way; its master may die now
        if fault is Fault.ANSWER_LOST:
            raise StoreUnavailableError(fault.value)
        return result

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        await self.gate.wait()
        return await self._store.transact_all(transactions)

    def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        return self._store.watch(prefix, from_revision)

    async def grant_lease(self, ttl_s: int) -> int:
        await self.gate.wait()
        return await self._store.grant_lease(ttl_s)

    async def keep_lease(self, lease: int) -> float:
        await self.gate.wait()
        return await self._store.keep_lease(lease)

    async def revoke_lease(self, lease: int) -> None:
        await self.gate.wait()
        await self._store.revoke_lease(lease)


class LogConnection:
    """A Log. Its readers give at most `most` records at once; to who takes all, the last `again` ones once more."""

    def __init__(self, log: Log) -> None:
        self.most = ALL
        self.again = 0
        self._log = log

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        await self._log.ensure_topics(topics)

    async def bounds(self, topic: str, partition: int = 0) -> Bounds:
        return await self._log.bounds(topic, partition)

    def producer(self) -> AbstractAsyncContextManager[Producer]:
        return self._log.producer()

    @asynccontextmanager
    async def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AsyncIterator[Reader]:
        async with self._log.reader(topic, offsets) as reader:
            yield RepeatingReader(self, reader)

    def group_reader(self, topic: str, group: str) -> AbstractAsyncContextManager[GroupReader]:
        return self._log.group_reader(topic, group)


class RepeatingReader:
    """A Reader of one partition, on a LogConnection."""

    def __init__(self, connection: LogConnection, reader: Reader) -> None:
        self._connection = connection
        self._reader = reader
        self._given: list[int] = []  # offsets

    async def poll(self, timeout_s: float, limit: int = ALL) -> list[Record]:
        again = min(self._connection.again, len(self._given))
        if again and limit == ALL:
            self._connection.again = 0
            await self._reader.seek(0, self._given[-again])
        records = await self._reader.poll(timeout_s, min(limit, self._connection.most))
        self._given += [record.offset for record in records]
        return records

    async def seek(self, partition: int, offset: int) -> None:
        await self._reader.seek(partition, offset)
