"""`KafkaLog`: the Log port on Kafka."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from dcron_core.adapters.kafka import topics
from dcron_core.adapters.kafka.connection import Connection
from dcron_core.adapters.kafka.description import describe
from dcron_core.adapters.kafka.group_reader import KafkaGroupReader
from dcron_core.adapters.kafka.producer import KafkaProducer
from dcron_core.adapters.kafka.reader import KafkaReader, assigned_consumer, bounds_of
from dcron_core.descriptions import LogDescription
from dcron_core.ports.log import Bounds, Topic
from dcron_core.security import Security, plaintext

_PLAINTEXT = plaintext("DCRON_KAFKA")


class KafkaLog:
    """A Log. Each producer and reader has connections of its own, and makes them again when it must."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def open(
        cls, bootstrap: str, timeout_s: float = 10.0, security: Security = _PLAINTEXT
    ) -> AsyncIterator["KafkaLog"]:
        """Open the log at `host:port`, several with commas; `timeout_s` is for each answer."""
        _quieten()
        yield cls(Connection(bootstrap, timeout_s, security, security.tls.client_context()))

    async def ensure_topics(self, wanted: Sequence[Topic]) -> None:
        await topics.ensure(self._connection, wanted)

    async def describe(self, names: Sequence[str]) -> LogDescription:
        """Return how Kafka and these topics are set up. Not of the port: other logs have no such settings."""
        return await describe(self._connection, names)

    async def bounds(self, topic: str, partition: int = 0) -> Bounds:
        async with assigned_consumer(self._connection, topic, [partition]) as consumer:
            return (await bounds_of(self._connection, consumer, topic))[partition]

    def producer(self) -> AbstractAsyncContextManager[KafkaProducer]:
        return KafkaProducer.open(self._connection)

    @asynccontextmanager
    async def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AsyncIterator[KafkaReader]:
        partitions = await topics.partitions(self._connection, topic) if offsets is None else list(offsets)
        async with KafkaReader.open(self._connection, topic, partitions, offsets) as reader:
            yield reader

    def group_reader(self, topic: str, group: str) -> AbstractAsyncContextManager[KafkaGroupReader]:
        return KafkaGroupReader.open(self._connection, topic, group)


def _quieten() -> None:
    """Leave out what aiokafka says about each attempt to connect while Kafka is down: ten lines a second and client.

    What comes of the attempts reaches the caller as LogUnavailableError, or is logged by the producer.
    """
    # the client logs as plain "aiokafka"
    for name in ("aiokafka", "aiokafka.consumer.group_coordinator", "aiokafka.consumer.fetcher"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ("aiokafka.consumer", "aiokafka.producer"):
        logging.getLogger(name).setLevel(logging.ERROR)
