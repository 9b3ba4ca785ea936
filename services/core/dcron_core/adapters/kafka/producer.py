"""The producer: records in order, each with an answer in bounded time.

aiokafka's idempotent producer retries for ever, and once one of its batches has failed its sequence numbers no
longer fit. So here it is a part that is thrown away: at the first failure, or when a record is not acknowledged
in time, all records under way fail together, and the next submit begins with a new one (and a new producer id).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from msgspec import Struct

from dcron_core.adapters.kafka.abandoned import bury, silence
from dcron_core.adapters.kafka.connection import Connection
from dcron_core.errors import LogUnavailableError
from dcron_core.telemetry import get_logger

log = get_logger()

_BATCH_BYTES = 256 * 1024
_LINGER_MS = 0


class Submitted(Struct, eq=False):
    """A record under way."""

    answer: asyncio.Future[int]
    due: float  # when it is to be acknowledged, on the loop's clock
    sent_ahead: bool  # whether its caller may submit more before it awaits the answer


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
        self._under_way: dict[Any, Submitted] = {}  # by aiokafka's future, oldest first
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

    async def submit(
        self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Awaitable[int]:
        async with self._turn:
            notice, self._notice = self._notice, None
            if notice is not None:
                raise notice
            return await self._send(topic, key, value, headers, sent_ahead=True)

    async def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> int:
        async with self._turn:
            answer = await self._send(topic, key, value, headers, sent_ahead=False)
        return await answer

    async def _send(
        self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]], *, sent_ahead: bool
    ) -> asyncio.Future[int]:
        inner = None
        try:
            async with self._connection.answering(f"append to {topic}"):
                inner = await self._started()
                sent = await inner.send(topic, value, key.encode(), headers=list(headers))
        except LogUnavailableError as error:
            self._break(inner, error)
            raise
        due = self._loop.time() + self._connection.timeout_s
        submitted = Submitted(answer=self._loop.create_future(), due=due, sent_ahead=sent_ahead)
        self._under_way[sent] = submitted
        sent.add_done_callback(lambda done: self._answered(inner, done))
        self._set_alarm()
        return submitted.answer

    async def _started(self) -> Any:
        if self._inner is None:
            inner = AIOKafkaProducer(
                **self._connection.options(),
                enable_idempotence=True,
                acks="all",
                linger_ms=_LINGER_MS,
                max_batch_size=_BATCH_BYTES,
            )
            try:
                await inner.start()
            except BaseException:
                await inner.stop()
                raise
            self._inner = inner
        return self._inner

    def _answered(self, inner: Any, sent: Any) -> None:
        error = KafkaError("cancelled") if sent.cancelled() else sent.exception()
        submitted = self._under_way.get(sent)
        if submitted is None:
            return  # it failed with the others before
        if error is not None:
            self._break(inner, self._connection.meaning(error, "append"))
            return
        del self._under_way[sent]
        if not submitted.answer.done():
            submitted.answer.set_result(sent.result().offset)

    def _set_alarm(self) -> None:
        """See to it that the oldest record under way is looked at when it is due."""
        if self._alarm is None and self._under_way:
            oldest = next(iter(self._under_way.values()))
            self._alarm = self._loop.call_at(oldest.due, self._look, self._inner)

    def _look(self, inner: Any) -> None:
        self._alarm = None
        oldest = next(iter(self._under_way.values()), None)
        if oldest is not None and oldest.due <= self._loop.time():
            why = TimeoutError(f"a record was not acknowledged within {self._connection.timeout_s:g} s")
            self._break(inner, self._connection.meaning(why, "append"))
        self._set_alarm()

    def _break(self, inner: Any, error: Exception) -> None:
        """Give up the inner producer, and fail all records under way: what is sent again must come after them."""
        if inner is None or inner is not self._inner:
            return
        self._inner = None
        silence(inner)
        failed, self._under_way = list(self._under_way.values()), {}
        log.warning("the producer is given up", action="log.producer_broken", records=len(failed), error=str(error))
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
        answers = [submitted.answer for submitted in self._under_way.values()]
        if answers:
            await asyncio.wait(answers)  # each has an answer when it is due
        if self._alarm is not None:
            self._alarm.cancel()
        if self._inner is not None:
            await self._inner.stop()
        if self._burials:
            _, pending = await asyncio.wait(self._burials, timeout=self._connection.timeout_s)
            for burial in pending:
                burial.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
