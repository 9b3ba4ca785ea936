"""Topics: which there are, with how many partitions, and making those that are missing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

from dcron_core.adapters.kafka.connection import Connection
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.log import Topic

_LOOK_AGAIN_S = 0.05


async def ensure(connection: Connection, topics: Sequence[Topic]) -> None:
    """Create the topics that do not exist, and return when all can be used."""
    operation = f"create the topics {', '.join(topic.name for topic in topics)}"
    async with connection.answering(operation), opened_admin(connection) as admin:
        response = await admin.create_topics([_new(topic) for topic in topics])
        for name, code, *message in response.topic_errors:
            if for_code(code) not in (NoError, TopicAlreadyExistsError):
                raise LogUnavailableError(f"create the topic {name}: {for_code(code).__name__}: {message}")
        for topic in topics:
            while not await _partitions(admin, topic.name):  # noqa: ASYNC110  Kafka does not tell: it must be asked
                await asyncio.sleep(_LOOK_AGAIN_S)


async def partitions(connection: Connection, topic: str) -> list[int]:
    """Return the numbers of the topic's partitions, in order."""
    async with connection.answering(f"look up the topic {topic}"), opened_admin(connection) as admin:
        found = await _partitions(admin, topic)
    if not found:
        raise LogUnavailableError(
            f"there is no topic {topic!r} in Kafka; the masters create it: check DCRON_KAFKA and DCRON_TOPIC_PREFIX"
        )
    return found


async def _partitions(admin: Any, topic: str) -> list[int]:
    """Return the partitions, or none if there is no such topic, or if a partition has no leader yet."""
    (description,) = await admin.describe_topics([topic])
    found = description["partitions"]
    if for_code(description["error_code"]) is not NoError or any(each["leader"] < 0 for each in found):
        return []
    return sorted(each["partition"] for each in found)


def _new(topic: Topic) -> Any:
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication,
        topic_configs={
            "cleanup.policy": "delete",
            "retention.ms": str(topic.retention_ms),
            "retention.bytes": "-1",
            # Record.at is when the log took the record in, not what the producer's clock said.
            "message.timestamp.type": "LogAppendTime",
            # An acknowledged record is on so many replicas: one may be lost.
            "min.insync.replicas": str(max(1, topic.replication - 1)),
        },
    )


@asynccontextmanager
async def opened_admin(connection: Connection) -> AsyncIterator[Any]:
    """Open a client that asks and changes what Kafka is like."""
    admin = AIOKafkaAdminClient(**connection.options())
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
