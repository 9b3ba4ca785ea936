"""How the adapter reaches Kafka, and what Kafka's errors mean to a user of the port."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from aiokafka.errors import OffsetOutOfRangeError as KafkaOffsetOutOfRangeError
from aiokafka.protocol.metadata import MetadataRequest
from msgspec import Struct

from dcron_core.errors import LogUnavailableError, OffsetOutOfRangeError
from dcron_core.security import Security
from dcron_core.telemetry import get_logger

log = get_logger()

_WHY_NOT_S = 2.0


class Connection(Struct, frozen=True):
    """Where Kafka is, and how long to wait for it."""

    bootstrap: str  # host:port, several with commas
    timeout_s: float  # for an answer to anything
    security: Security
    context: ssl.SSLContext | None  # what its TLS files make; None: plaintext

    def options(self) -> dict[str, Any]:
        """Return what all of aiokafka's clients take."""
        return {
            "bootstrap_servers": self._servers(),
            "request_timeout_ms": int(self.timeout_s * 1000),
            "retry_backoff_ms": 100,
            **self._protection(),
        }

    def _servers(self) -> list[str]:
        return [server.strip() for server in self.bootstrap.split(",")]

    def _protection(self) -> dict[str, Any]:
        if self.context is None:
            return {}
        if not self.security.user:
            return {"security_protocol": "SSL", "ssl_context": self.context}
        return {
            "security_protocol": "SASL_SSL",
            "ssl_context": self.context,
            "sasl_mechanism": self.security.mechanism,
            "sasl_plain_username": self.security.user,
            "sasl_plain_password": self.security.password,
        }

    @asynccontextmanager
    async def answering(self, operation: str) -> AsyncIterator[None]:
        """Give what is done inside `timeout_s`, and raise the port's errors for Kafka's."""
        with self.translating(operation):
            try:
                async with asyncio.timeout(self.timeout_s):
                    yield
            except KafkaConnectionError as error:  # aiokafka logs why, and does not tell
                raise await self._why_not() or error from error

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
        said = repr(error)
        return LogUnavailableError(
            f"{operation}: no answer from Kafka at {self.bootstrap}: {said}{self.security.remedy(said)}"
        )

    async def _why_not(self) -> KafkaError | OSError | None:
        """Return why the first of the servers that we know cannot be spoken to; None: it can."""
        host, _, port = self._servers()[0].rpartition(":")
        if not port.isdecimal():
            return None
        options = {"request_timeout_ms": int(_WHY_NOT_S * 1000), **self._protection()}
        try:
            async with asyncio.timeout(_WHY_NOT_S):
                connection = await create_conn(host.strip("[]"), int(port), **options)
                try:
                    await connection.send(MetadataRequest([]))
                finally:
                    connection.close()
        except (KafkaError, OSError) as error:
            return error
        return None


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
