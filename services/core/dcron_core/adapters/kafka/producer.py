"""The producer: records in order, each with an answer in bounded time.

aiokafka's idempotent producer retries for ever, and once one of its batches has failed its sequence numbers no
longer fit. So here it is a part that is thrown away: at the first failure, or when a record is not acknowledged
in time, all records under way fail together, and the next submit begins with a new one (and a new producer id).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from msgspec import Struct

from dcron_core.adapters.kafka.abandoned import bury, silence
from dcron_core.adapters.kafka.connection import Connection
from dcron_core.errors import LogUnavailableError
from dcron_core.telemetry import get_logger

log = get_logger()

_BATCH_BYTES = 256 * 1024
_LINGER_MS = 0
_KEYS_KNOWN = 4096  # a run's records come close to each other

_Headers = Sequence[tuple[str, bytes]]


def partition_of(key: bytes, all_partitions: Sequence[int], _available: Sequence[int]) -> int:
    """Return the partition of a key: the one that Kafka's own clients choose."""
    return all_partitions[_hash_of(key) % len(all_partitions)]


@lru_cache(_KEYS_KNOWN)
def _hash_of(key: bytes) -> int:
    found: int = murmur2(key)
    return found & 0x7FFFFFFF


class Submitted(Struct, eq=False):
    """Records under way that were submitted together."""

    answer: asyncio.Future[int]  # the offset of the one that was acknowledged last
    left: int  # how many are not acknowledged yet
    due: float  # when they are to be acknowledged, on the loop's clock
    sent_ahead: bool  # whether the caller may submit more before it awaits the answer


class KafkaProducer:
    """Appends records. Usable again after every failure.

    When records that were sent ahead fail, the next submit fails too, so that a caller who has not looked at
    the answers yet learns of it before a later record overtakes the failed ones.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()  # submits go on in the order of their calls
        self._inner: Any = None
        self._under_way: dict[Submitted, None] = {}  # oldest first
        self._alarm: asyncio.TimerHandle | None = None
        self._notice: LogUnavailableError | None = None
        self._burials: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, connection: Connection) -> AsyncIterator["KafkaProducer"]:
        """Open a producer; it connects at the first submit. Closing it waits for the answers under way."""
        producer = cls(connection)
        try:
            yield producer
        finally:
            await producer._close()

    async def submit(self, topic: str, key: str, value: bytes, headers: _Headers = ()) -> Awaitable[int]:
        return await self._send(topic, ((key, value, headers),), sent_ahead=True)

    async def submit_all(self, topic: str, records: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
        return await self._send(topic, [(key, value, ()) for key, value in records], sent_ahead=True)

    async def append(self, topic: str, key: str, value: bytes, headers: _Headers = ()) -> int:
        return await (await self._send(topic, ((key, value, headers),), sent_ahead=False))

    async def _send(
        self, topic: str, records: Iterable[tuple[str, bytes, _Headers]], *, sent_ahead: bool
    ) -> asyncio.Future[int]:
        inner: Any = None
        sent: list[Any] = []
        try:
            async with self._connection.answering(f"append to {topic}"), self._turn:
                if sent_ahead:
                    self._raise_notice()
                inner = await self._started()
                for key, value, headers in records:
                    sent.append(await inner.send(topic, value, key.encode(), headers=list(headers)))
        except BaseException as error:
            if sent:  # the others of them go on, or fail with all that is under way
                self._follow(inner, sent, sent_ahead=sent_ahead)
            if isinstance(error, LogUnavailableError):
                self._break(inner, error)
            raise
        return self._follow(inner, sent, sent_ahead=sent_ahead)

    def _follow(self, inner: Any, sent: Sequence[Any], *, sent_ahead: bool) -> asyncio.Future[int]:
        """Return the answer for records that aiokafka has taken."""
        due = self._loop.time() + self._connection.timeout_s
        submitted = Submitted(self._loop.create_future(), len(sent), due, sent_ahead)
        self._under_way[submitted] = None
        answered = partial(self._answered, inner, submitted)
        for each in sent:
            each.add_done_callback(answered)
        self._set_alarm()
        return submitted.answer

    def _raise_notice(self) -> None:
        notice, self._notice = self._notice, None
        if notice is not None:
            raise notice

    async def _started(self) -> Any:
        if self._inner is None:
            inner = AIOKafkaProducer(
                **self._connection.options(),
                enable_idempotence=True,
                acks="all",
                linger_ms=_LINGER_MS,
                max_batch_size=_BATCH_BYTES,
                partitioner=partition_of,
            )
            try:
                await inner.start()
            except BaseException:
                await inner.stop()
                raise
            self._inner = inner
        return self._inner

    def _answered(self, inner: Any, submitted: Submitted, sent: Any) -> None:
        error = KafkaError("cancelled") if sent.cancelled() else sent.exception()
        if submitted not in self._under_way:
            return  # it failed with the others before
        if error is not None:
            self._break(inner, self._connection.meaning(error, "append"))
            return
        submitted.left -= 1
        if submitted.left:
            return
        del self._under_way[submitted]
        if not submitted.answer.done():
            submitted.answer.set_result(sent.result().offset)

    def _set_alarm(self) -> None:
        """See to it that the oldest record under way is looked at when it is due."""
        if self._alarm is None and self._under_way:
            oldest = next(iter(self._under_way))
            self._alarm = self._loop.call_at(oldest.due, self._look)

    def _look(self) -> None:
        self._alarm = None
        oldest = next(iter(self._under_way), None)
        if oldest is not None and oldest.due <= self._loop.time():
            why = TimeoutError(f"a record was not acknowledged within {self._connection.timeout_s:g} s")
            self._break(self._inner, self._connection.meaning(why, "append"))
        self._set_alarm()

    def _break(self, inner: Any, error: Exception) -> None:
        """Give up the inner producer, and fail all records under way: what is sent again must come after them."""
        if inner is None or inner is not self._inner:
            return
        self._inner = None
        silence(inner)
        failed, self._under_way = list(self._under_way), {}
        log.warning(
            "the producer is given up",
            action="log.producer_broken",
            records=sum(each.left for each in failed),
            error=str(error),
        )
        for submitted in failed:
            if not submitted.answer.done():
                submitted.answer.set_exception(LogUnavailableError(str(error)))
                submitted.answer.exception()  # reported above, so asyncio need not report one that nobody awaits
        if any(submitted.sent_ahead for submitted in failed):
            self._notice = LogUnavailableError(f"records submitted before this one failed: {error}")
        burial = asyncio.create_task(bury(inner))
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)

    async def _close(self) -> None:
        answers = [submitted.answer for submitted in self._under_way]
        try:
            if answers:
                await asyncio.wait(answers)  # each has an answer when it is due
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            if self._inner is not None:
                await self._inner.stop()
            await self._end_burials()

    async def _end_burials(self) -> None:
        if not self._burials:
            return
        _, pending = await asyncio.wait(self._burials, timeout=self._connection.timeout_s)
        for burial in pending:
            burial.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
