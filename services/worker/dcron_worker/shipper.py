"""The shipper: sends what is in the spool to Kafka, in order, and tells which runs are closed.

It sends some records at a time, and keeps a window of such groups in flight. When Kafka does not answer, it waits,
longer each time, and sends again from the first group that was not acknowledged, through a new producer; so records
can arrive twice, but the first arrivals of one key are in order and none is left out. While Kafka is down nothing
grows but the spool. While there is nothing to send it sleeps.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from dcron_core.errors import LogUnavailableError
from dcron_core.ports.log import Log, Producer
from dcron_core.telemetry import get_logger
from dcron_worker.spool import Spool

IN_FLIGHT = 20  # groups of records sent and not answered, at most
AT_A_TIME = 50  # records in a group, at most
READ_BYTES = 256 << 10  # taken from the spool at once: a group is no larger
FIRST_DELAY_S = 0.1
MOST_DELAY_S = 5.0

log = get_logger()


class _Sent(NamedTuple):
    """A group of records in flight."""

    next_position: int  # the spool is acknowledged up to here once the answer has come
    answer: asyncio.Future[object]
    closes: Sequence[str]  # the executions that they close


class Shipper:
    """Ships one spool to one topic. `run` is the task."""

    def __init__(self, spool: Spool, log: Log, topic: str, in_flight: int = IN_FLIGHT) -> None:
        self._spool = spool
        self._log = log
        self._topic = topic
        self._in_flight = in_flight
        self._closed: list[str] = []  # as many as there are closed runs that nobody has asked for yet
        self._some_closed = asyncio.Event()
        self._drains: list[tuple[int, asyncio.Future[None]]] = []

    async def run(self) -> None:
        """Ship until cancelled. Raises an ExceptionGroup of SpoolError when the spool cannot be read."""
        delay_s = FIRST_DELAY_S
        while True:
            before = self._spool.acknowledged
            try:
                await self._ship()
            except LogUnavailableError as error:
                if self._spool.acknowledged > before:
                    delay_s = FIRST_DELAY_S
                log.warning(
                    "the log does not take records; they wait on disk",
                    action="shipper.waiting",
                    error=str(error),
                    delay_s=delay_s,
                    waiting=self._spool.end - self._spool.acknowledged,
                )
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, MOST_DELAY_S)

    async def acknowledged(self) -> list[str]:
        """Wait until Kafka has the closing record of some execution; return all such, each once, oldest first."""
        await self._some_closed.wait()
        self._some_closed.clear()
        closed, self._closed = self._closed, []
        return closed

    async def drained(self) -> None:
        """Wait until everything that is in the spool now is in Kafka."""
        if self._spool.acknowledged < self._spool.end:
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drains.append((self._spool.end, reached))
            await reached

    async def _ship(self) -> None:
        """Send and take answers until the log fails; leave no answer unheard."""
        window: asyncio.Queue[_Sent] = asyncio.Queue(self._in_flight)
        sent: set[asyncio.Future[object]] = set()
        failures: list[BaseException] = []
        try:
            async with self._log.producer() as producer, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send(producer, window, sent), name="shipper sends")
                tasks.create_task(self._take_answers(window, sent), name="shipper takes answers")
        except* LogUnavailableError as group:
            failures.extend(group.exceptions)
        finally:
            # The producer is closed, so these are settled: what is in the log by now is before what comes next.
            await asyncio.gather(*sent, return_exceptions=True)
        if failures:
            raise LogUnavailableError("; ".join({str(failure) for failure in failures}))

    async def _send(self, producer: Producer, window: asyncio.Queue[_Sent], sent: set[asyncio.Future[object]]) -> None:
        position = self._spool.acknowledged
        while True:
            self._spool.arrived.clear()
            records = self._spool.read(position, READ_BYTES)
            for begin in range(0, len(records), AT_A_TIME):
                group = records[begin : begin + AT_A_TIME]
                submitted = await producer.submit_all(self._topic, [(record.key, record.value) for _, record in group])
                answer = asyncio.ensure_future(submitted)
                sent.add(answer)
                position = group[-1][0] + 1
                await window.put(_Sent(position, answer, [record.key for _, record in group if record.closes]))
            if not records:
                if position < self._spool.end:  # what is left cannot be read
                    position = self._spool.end
                    await window.put(_Sent(position, _answered(), ()))
                await self._spool.arrived.wait()

    async def _take_answers(self, window: asyncio.Queue[_Sent], sent: set[asyncio.Future[object]]) -> None:
        while True:
            oldest = await window.get()
            if not oldest.answer.done():
                await asyncio.wait((oldest.answer,))  # unlike a bare await, cancels nothing when cancelled
            oldest.answer.result()
            sent.discard(oldest.answer)
            self._spool.acknowledge(oldest.next_position)
            if oldest.closes:
                self._closed += oldest.closes
                self._some_closed.set()
            if self._drains:
                self._settle_drains()

    def _settle_drains(self) -> None:
        for end, reached in self._drains:
            if end <= self._spool.acknowledged and not reached.done():
                reached.set_result(None)
        self._drains = [(end, reached) for end, reached in self._drains if not reached.done()]


def _answered() -> asyncio.Future[object]:
    answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    answer.set_result(None)
    return answer
