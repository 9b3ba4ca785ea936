"""Each port in memory, and on the real server: a test of the contract runs against both.

The store a third time, by TLS and with a user, since each call there has to show who makes it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

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
from dcron_core.security import Security, TlsFiles, plaintext
from tests.certificates import Authority
from tests.names import Names
from tests.secured_servers import PASSWORD, USER, EtcdUsers, SecuredEtcd, running

Compact = Callable[[int], Awaitable[None]]
Trim = Callable[[str, int, int], Awaitable[None]]


@pytest.fixture(scope="session")
def etcd_with_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Security]]:
    """etcd that is spoken to by TLS, and by users only: where it is, and how to reach it."""
    directory = tmp_path_factory.mktemp("etcd-with-users")
    authority = Authority(directory)
    kind = SecuredEtcd(directory, authority, authority.sign("etcd"), client_certificates=False)
    with running(kind, directory) as server:
        users = EtcdUsers(server.address, authority.file)
        users.enable("")
        users.close()
        yield server.address, Security(TlsFiles("DCRON_ETCD", str(authority.file)), USER, PASSWORD)


@pytest.fixture(
    params=[
        "memory",
        pytest.param("etcd", marks=pytest.mark.servers),
        pytest.param("etcd-with-users", marks=pytest.mark.servers),
    ]
)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[KeyValueStore]:
    if request.param == "memory":
        yield MemoryStore(SystemClock())
        return
    if request.param == "etcd":
        address, security = request.getfixturevalue("servers").etcd, plaintext("DCRON_ETCD")
    else:
        address, security = request.getfixturevalue("etcd_with_users")
    async with EtcdStore.open(address, security=security) as opened:
        yield opened


@pytest.fixture
def prefix(names: Names) -> str:
    """The test's own part of the store."""
    return names.etcd_prefix


@pytest.fixture
def compact(store: KeyValueStore) -> Compact:
    """Make the store forget what came before a revision."""

    async def call(revision: int) -> None:
        if isinstance(store, MemoryStore):
            store.compact(revision)
            return
        assert isinstance(store, EtcdStore)
        cluster, request = store._cluster, etcdrpc.CompactionRequest(revision=revision)
        endpoint = await cluster.endpoint()
        await cluster.login.call(endpoint, lambda shown: endpoint.keys.Compact(request, metadata=shown))

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
