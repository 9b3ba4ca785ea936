"""How the adapter reaches Kafka, and what Kafka's errors mean to a user of the port."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.errors import OffsetOutOfRangeError as KafkaOffsetOutOfRangeError
from msgspec import Struct

from dcron_core.errors import LogUnavailableError, OffsetOutOfRangeError
from dcron_core.telemetry import get_logger

log = get_logger()


class Connection(Struct, frozen=True):
    """Where Kafka is, and how long to wait for it."""

    bootstrap: str  # host:port, several with commas
    timeout_s: float  # for an answer to anything

    def options(self) -> dict[str, Any]:
        """Return what all of aiokafka's clients take."""
        return {
            "bootstrap_servers": [server.strip() for server in self.bootstrap.split(",")],
            "request_timeout_ms": int(self.timeout_s * 1000),
            "retry_backoff_ms": 100,
        }

    @asynccontextmanager
    async def answering(self, operation: str) -> AsyncIterator[None]:
        """Give what is done inside `timeout_s`, and raise the port's errors for Kafka's."""
        with self.translating(operation):
            async with asyncio.timeout(self.timeout_s):
                yield

    @contextmanager
    def translating(self, operation: str) -> Iterator[None]:
        """Raise the port's errors for Kafka's."""
        try:
            yield
        except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
            raise self.meaning(error, operation) from error

    def meaning(self, error: BaseException, operation: str) -> Exception:
        """Return the port's error for one of Kafka's."""
        if isinstance(error, KafkaOffsetOutOfRangeError):
            return OffsetOutOfRangeError(f"{operation}: Kafka does not hold the offset: {error}")
        if isinstance(error, MessageSizeTooLargeError):
            return ValueError(f"{operation}: {error}")
        return LogUnavailableError(f"{operation}: no answer from Kafka at {self.bootstrap}: {error!r}")


async def let_go(consumer: Any, timeout_s: float = 5.0) -> None:
    """Stop one of aiokafka's consumers, whatever state it is in.

    While Kafka is down, its `stop` lets the CancelledError of its own fetching task escape: taken for a
    cancellation of ours, that would end the task that reads, and nobody would know why. It may also wait for
    a coordinator that does not answer.
    """
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait((stopping,), timeout=timeout_s)
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait((stopping,))
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.info("a consumer did not stop cleanly", action="log.consumer_stop", error=repr(error))
