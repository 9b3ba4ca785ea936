"""The way between one process and etcd and Kafka: it takes time, is cut and heals, and a call may be in doubt.

A call has two ways, there and back. What is under way goes on by itself, in the world and not in the caller's lane:
a caller that stands still, gives up or dies does not take its request back. So a call may take effect and not be
answered, or take effect long after its caller gave it up.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from dcron_core.adapters.memory.log import submit_each
from dcron_core.errors import CompactedError, LogUnavailableError, StoreUnavailableError
from dcron_core.ports.log import Bounds, GroupReader, Producer, Reader, Topic
from dcron_core.ports.store import Changes, KeyValue, Range, Transaction, TransactionResult
from tests.simulation.lanes import LaneLoop
from tests.simulation.servers import SimulatedLog, SimulatedStore

T = TypeVar("T")

CALL_TIMEOUT_S = 2.5  # half of what it is in production, as is the lease's time
REFUSED = 0.3  # the share of calls over a cut link that fail at once; the others hang
HELD = 0.3  # the share of the others that arrive after all, when the link has healed
APART_S = 1e-6  # between two arrivals of a stream: what is due at the same instant has no order


@dataclass(frozen=True)
class Pace:
    """How long one way takes."""

    least_s: float
    most_s: float
    slow: float  # the share of ways that are slower
    slowest_s: float


QUICK = Pace(0.001, 0.010, 0.02, 0.1)
SLOW = Pace(0.02, 0.4, 0.1, 4.0)  # some calls are not answered in time


class Link:
    """One process's way to the servers."""

    def __init__(self, loop: LaneLoop, chance: random.Random) -> None:
        self.loop = loop
        self.chance = chance
        self.pace = QUICK
        self.cut = False  # the way to etcd
        self.log_cut = False  # the way to Kafka
        self.healed = asyncio.Event()
        self._streams: list[_Stream] = []

    def way_s(self) -> float:
        """Return how long the next way takes."""
        pace = self.pace
        most_s = pace.slowest_s if self.chance.random() < pace.slow else pace.most_s
        return self.chance.uniform(pace.least_s, most_s)

    def break_off(self, *, from_store: bool = True, from_log: bool = True) -> None:
        """Nothing comes through any more, to the one or to both."""
        self.log_cut = self.log_cut or from_log
        if not from_store or self.cut:
            return
        self.cut = True
        self.healed.clear()
        for stream in self._streams:
            stream.break_off()

    def heal(self) -> None:
        """It does again."""
        self.log_cut = False
        if not self.cut:
            return
        self.cut = False
        self.healed.set()
        self.heal_watches()

    def break_off_watch(self, prefix: str) -> None:
        """Nothing of this one prefix comes through any more, until `heal_watches`."""
        for stream in self._streams:
            if stream.prefix == prefix:
                stream.break_off()

    def heal_watches(self) -> None:
        for stream in self._streams:
            stream.connect()

    def close(self) -> None:
        """Whoever held this end is gone."""
        for stream in list(self._streams):
            stream.close()

    def opened(self, stream: "_Stream") -> None:
        self._streams.append(stream)

    def closed(self, stream: "_Stream") -> None:
        if stream in self._streams:
            self._streams.remove(stream)


class StoreConnection:
    """A KeyValueStore at the far end of a link."""

    def __init__(self, store: SimulatedStore, link: Link) -> None:
        self._store = store
        self._link = link

    async def get(self, key: str) -> KeyValue | None:
        return await self._call(lambda: self._store.get(key))

    async def read_prefix(self, *prefixes: str) -> Range:
        return await self._call(lambda: self._store.read_prefix(*prefixes))

    async def transact(self, transaction: Transaction) -> TransactionResult:
        return await self._call(lambda: self._store.transact(transaction))

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        return await self._call(lambda: self._store.transact_all(transactions))

    async def grant_lease(self, ttl_s: int) -> int:
        return await self._call(lambda: self._store.grant_lease(ttl_s))

    async def keep_lease(self, lease: int) -> float:
        return await self._call(lambda: self._store.keep_lease(lease))

    async def revoke_lease(self, lease: int) -> None:
        await self._call(lambda: self._store.revoke_lease(lease))

    async def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        stream = _Stream(self._store, self._link, prefix, from_revision)
        try:
            while True:
                found = await stream.arrived.get()
                if isinstance(found, CompactedError):
                    raise found
                yield found
        finally:
            stream.close()

    async def _call(self, operation: Callable[[], Awaitable[T]]) -> T:
        link = self._link
        answer: asyncio.Future[T] = link.loop.create_future()
        link.loop.in_world(_deliver(link, operation, answer))
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise StoreUnavailableError(f"etcd did not answer within {CALL_TIMEOUT_S:g} s") from None


async def _deliver(link: Link, operation: Callable[[], Awaitable[T]], answer: "asyncio.Future[T]") -> None:
    """Take a call to the store and its answer back, as far as the link lets it."""
    await asyncio.sleep(link.way_s())
    if link.cut:
        if link.chance.random() < REFUSED:
            _answer(answer, StoreUnavailableError("etcd cannot be reached"))
            return
        if link.chance.random() >= HELD:
            return
        await link.healed.wait()
        await asyncio.sleep(link.way_s())
    outcome = (await asyncio.gather(operation(), return_exceptions=True))[0]
    await asyncio.sleep(link.way_s())
    if not link.cut:
        _answer(answer, outcome)


def _answer(answer: "asyncio.Future[T]", outcome: T | BaseException) -> None:
    if answer.done():
        return
    if isinstance(outcome, BaseException):
        answer.set_exception(outcome)
        answer.exception()  # whoever waits is told; if nobody does any more, that is as it should be
    else:
        answer.set_result(outcome)


class _Stream:
    """A watch: all changes of a prefix in their order, each a way later. A healed link goes on where it was cut."""

    def __init__(self, store: SimulatedStore, link: Link, prefix: str, from_revision: int) -> None:
        self.arrived: asyncio.Queue[Changes | CompactedError] = asyncio.Queue()
        self._store = store
        self._link = link
        self.prefix = prefix
        self._next_revision = from_revision
        self._connection = 0  # counted: what an earlier one had under way is lost
        self._last_at = 0.0
        link.opened(self)
        self.connect()

    def connect(self) -> None:
        if self._link.cut:
            return
        self._connection += 1
        try:
            found = self._store.subscribe(self, self.prefix, self._next_revision)
        except CompactedError as error:
            self._send(error)
            return
        if found is not None:
            self._send(found)

    def see(self, changes: Changes) -> None:
        """The store has changed."""
        self._send(changes)

    def break_off(self) -> None:
        self._connection += 1
        self._store.unsubscribe(self)

    def close(self) -> None:
        self.break_off()
        self._link.closed(self)

    def _send(self, found: Changes | CompactedError) -> None:
        loop = self._link.loop
        self._last_at = max(self._last_at + APART_S, loop.time() + self._link.way_s())
        loop.world_calls_at(self._last_at, self._arrive, found, self._connection)

    def _arrive(self, found: Changes | CompactedError, connection: int) -> None:
        if connection != self._connection:
            return
        if isinstance(found, Changes):
            self._next_revision = found.revision + 1
        self.arrived.put_nowait(found)


class LogConnection:
    """A Log whose producers are at the far end of a link."""

    def __init__(self, log: SimulatedLog, link: Link) -> None:
        self._log = log
        self._link = link

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        await self._log.ensure_topics(topics)

    async def bounds(self, topic: str, partition: int = 0) -> Bounds:
        return await self._log.bounds(topic, partition)

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[Producer]:
        producer = _Producer(self._log, self._link)
        try:
            yield producer
        finally:
            await producer.settled()

    def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AbstractAsyncContextManager[Reader]:
        return self._log.reader(topic, offsets)

    def group_reader(self, topic: str, group: str) -> AbstractAsyncContextManager[GroupReader]:
        return self._log.group_reader(topic, group)


class _Submitted(NamedTuple):
    topic: str
    key: str
    value: bytes
    answer: "asyncio.Future[int]"


class _Producer:
    """Appends in order; when one fails all that are under way do, and so does the next submit."""

    def __init__(self, log: SimulatedLog, link: Link) -> None:
        self._log = log
        self._link = link
        self._under_way: list[_Submitted] = []
        self._sending = False
        self._notice = ""

    async def submit(
        self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Awaitable[int]:
        assert not headers, "nobody here sends any"
        await asyncio.sleep(0)
        if self._notice:
            notice, self._notice = self._notice, ""
            raise LogUnavailableError(notice)
        submitted = _Submitted(topic, key, value, self._link.loop.create_future())
        self._under_way.append(submitted)
        if not self._sending:
            self._sending = True
            self._link.loop.in_world(self._send())
        return submitted.answer

    async def submit_all(self, topic: str, records: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
        return await submit_each(self, topic, records)

    async def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> int:
        return await (await self.submit(topic, key, value, headers))

    async def settled(self) -> None:
        await asyncio.gather(*(each.answer for each in self._under_way), return_exceptions=True)

    async def _send(self) -> None:
        link = self._link
        while self._under_way:
            oldest = self._under_way[0]
            await asyncio.sleep(link.way_s())
            lost = link.log_cut and link.chance.random() < 0.5  # before it arrived, or only its answer
            offset = None if lost else self._log.append(oldest.topic, oldest.key, oldest.value, ())
            await asyncio.sleep(link.way_s())
            if offset is None or link.log_cut:
                await asyncio.sleep(CALL_TIMEOUT_S)
                self._fail()
            else:
                self._under_way.pop(0)
                _answer(oldest.answer, offset)
        self._sending = False

    def _fail(self) -> None:
        self._notice = "Kafka did not acknowledge a record in time"
        failed, self._under_way = self._under_way, []
        for each in failed:
            _answer(each.answer, LogUnavailableError(self._notice))
