"""Each port twice: in memory, and on the real server. A test of the contract runs against both."""

from collections.abc import AsyncIterator, Awaitable, Callable

import grpc.aio
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from etcd3 import etcdrpc

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.adapters.memory import MemoryLog, MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.ports.log import Log
from dcron_core.ports.store import KeyValueStore
from tests.names import Names

Compact = Callable[[int], Awaitable[None]]
Trim = Callable[[str, int, int], Awaitable[None]]


@pytest.fixture(params=["memory", pytest.param("etcd", marks=pytest.mark.servers)])
def etcd(request: pytest.FixtureRequest) -> str | None:
    """Where etcd answers; None for the store in memory."""
    return request.getfixturevalue("servers").etcd if request.param == "etcd" else None


@pytest.fixture
async def store(etcd: str | None) -> AsyncIterator[KeyValueStore]:
    if etcd is None:
        yield MemoryStore(SystemClock())
        return
    async with EtcdStore.open(etcd) as opened:
        yield opened


@pytest.fixture
def prefix(names: Names) -> str:
    """The test's own part of the store."""
    return names.etcd_prefix


@pytest.fixture
def compact(store: KeyValueStore, etcd: str | None) -> Compact:
    """Make the store forget what came before a revision."""

    async def call(revision: int) -> None:
        if isinstance(store, MemoryStore):
            store.compact(revision)
            return
        async with grpc.aio.insecure_channel(etcd) as channel:
            await etcdrpc.KVStub(channel).Compact(etcdrpc.CompactionRequest(revision=revision))

    return call


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.servers)])
def kafka(request: pytest.FixtureRequest) -> str | None:
    """Where Kafka answers; None for the log in memory."""
    return request.getfixturevalue("servers").kafka if request.param == "kafka" else None


@pytest.fixture
async def log(kafka: str | None) -> AsyncIterator[Log]:
    if kafka is None:
        yield MemoryLog(SystemClock())
        return
    async with KafkaLog.open(kafka) as opened:
        yield opened


@pytest.fixture
def topic(names: Names) -> str:
    """The name of a topic of the test's own; not created yet."""
    return f"{names.topic_prefix}records"


@pytest.fixture
def trim(log: Log, kafka: str | None) -> Trim:
    """Make the log forget the records of a partition before an offset."""

    async def call(topic: str, partition: int, start: int) -> None:
        if isinstance(log, MemoryLog):
            log.trim(topic, partition, start)
            return
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=start)})
        finally:
            await admin.close()

    return call
