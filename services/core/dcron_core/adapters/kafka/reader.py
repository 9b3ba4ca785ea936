"""A reader of explicit positions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from dcron_core.adapters.kafka.connection import Connection, let_go
from dcron_core.adapters.kafka.records import records
from dcron_core.ports.log import Bounds, Record

# Kafka answers a fetch as soon as there is a record. But aiokafka has one fetch under way for each broker, and asks
# for a partition that has just been read only in the next one: with several, an idle fetch must not last.
IDLE_FETCH_ONE_MS = 500
IDLE_FETCH_MANY_MS = 10


@asynccontextmanager
async def assigned_consumer(connection: Connection, topic: str, partitions: list[int]) -> AsyncIterator[Any]:
    """Open a consumer of the partitions that has no position yet."""
    consumer = AIOKafkaConsumer(
        **connection.options(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_min_bytes=1,
        fetch_max_wait_ms=IDLE_FETCH_ONE_MS if len(partitions) == 1 else IDLE_FETCH_MANY_MS,
    )
    try:
        async with connection.answering(f"open a reader of {topic}"):
            consumer.assign([TopicPartition(topic, partition) for partition in partitions])
            await consumer.start()
        yield consumer
    finally:
        await let_go(consumer)


async def bounds_of(connection: Connection, consumer: Any, topic: str) -> dict[int, Bounds]:
    """Return which offsets each of the consumer's partitions holds."""
    assigned = list(consumer.assignment())
    async with connection.answering(f"look up the bounds of {topic}"):
        starts, ends = await asyncio.gather(consumer.beginning_offsets(assigned), consumer.end_offsets(assigned))
    return {each.partition: Bounds(start=starts[each], end=ends[each]) for each in assigned}


class KafkaReader:
    """Reads on from where it stands. While Kafka does not answer, nothing comes."""

    def __init__(self, connection: Connection, consumer: Any, topic: str) -> None:
        self._connection = connection
        self._consumer = consumer
        self._topic = topic

    @classmethod
    @asynccontextmanager
    async def open(
        cls, connection: Connection, topic: str, partitions: list[int], offsets: Mapping[int, int] | None
    ) -> AsyncIterator["KafkaReader"]:
        """Open a reader of the partitions from `offsets`; None: from their ends."""
        async with assigned_consumer(connection, topic, partitions) as consumer:
            if offsets is None:
                bounds = await bounds_of(connection, consumer, topic)
                offsets = {partition: each.end for partition, each in bounds.items()}
            for partition, offset in offsets.items():
                consumer.seek(TopicPartition(topic, partition), offset)
            yield cls(connection, consumer, topic)

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        timeout_ms = int(timeout_s * 1000)
        with self._connection.translating(f"read {self._topic}"):
            return records(await self._consumer.getmany(timeout_ms=timeout_ms, max_records=limit))

    async def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(TopicPartition(self._topic, partition), offset)
