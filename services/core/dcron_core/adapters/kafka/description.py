"""Asks Kafka how topics are set up: partitions, replicas, settings. For `dcron doctor`."""

from collections.abc import Sequence
from typing import Any

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, UnknownTopicOrPartitionError, for_code

from dcron_core.adapters.kafka.connection import Connection
from dcron_core.adapters.kafka.topics import opened_admin
from dcron_core.descriptions import LogDescription, TopicDescription
from dcron_core.errors import LogUnavailableError


async def describe(connection: Connection, names: Sequence[str]) -> LogDescription:
    """Return what Kafka says of itself and of these topics."""
    async with connection.answering("describe the topics"), opened_admin(connection) as admin:
        cluster = await admin.describe_cluster()
        found = {each["topic"]: each for each in await admin.describe_topics(list(names))}
        topics: dict[str, TopicDescription | None] = {}
        for name in names:
            error = for_code(found[name]["error_code"])
            if error not in (NoError, UnknownTopicOrPartitionError):
                raise LogUnavailableError(f"describe the topic {name}: {error.__name__}")
            known = error is NoError
            topics[name] = _topic(found[name]["partitions"], await _settings(admin, name)) if known else None
        return LogDescription(brokers=len(cluster["brokers"]), topics=topics)


def _topic(partitions: Sequence[Any], settings: dict[str, str]) -> TopicDescription:
    return TopicDescription(
        partitions=len(partitions),
        replicas=min((len(each["replicas"]) for each in partitions), default=0),
        in_sync=min((len(each["isr"]) for each in partitions), default=0),
        leaderless=sum(each["leader"] < 0 for each in partitions),
        settings=settings,
    )


async def _settings(admin: Any, topic: str) -> dict[str, str]:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    settings: dict[str, str] = {}
    for code, message, _kind, _name, entries in answer.resources:
        if for_code(code) is not NoError:
            raise LogUnavailableError(f"read the settings of the topic {topic}: {for_code(code).__name__}: {message}")
        settings |= {entry[0]: entry[1] or "" for entry in entries}
    return settings
