"""The log by TLS: on listeners that want nothing, a certificate, or a user and a password of their clients."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from dcron_core.adapters.kafka import KafkaLog
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.log import Topic
from dcron_core.security import Security, TlsFiles
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.server import Server
from tests.certificates import DAY, Authority, Pair
from tests.contract.test_log import read
from tests.contract.test_outages import commit_until_done, next_value
from tests.names import Names
from tests.secured_servers import MECHANISMS, PASSWORD, SCRAM_512, USER, SecuredKafka, running

pytestmark = pytest.mark.servers

PATIENCE_S = 60.0
TIMEOUT_S = 2.0
At = Callable[[str], str]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory / "certificates")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Pair:
    return authority.sign("dcron", hosts=())


@pytest.fixture(scope="module")
def server(directory: Path, tools: Path, authority: Authority) -> Iterator[Server]:
    expired = authority.sign("expired", begins=-2 * DAY, ends=-DAY)
    kind = SecuredKafka(directory / "data", tools, authority, authority.sign("kafka"), expired)
    with running(kind, directory / "data") as server:
        yield server


@pytest.fixture
def at(server: Server) -> At:
    """Where a listener is."""
    return lambda listener: f"{LOOPBACK}:{server._ports[listener]}"


@pytest.fixture
def topic(names: Names) -> str:
    return f"{names.topic_prefix}records"


def security(
    authority: Authority, pair: Pair | None = None, user: str = "", password: str = "", mechanism: str = SCRAM_512
) -> Security:
    cert, key = (str(pair.cert), str(pair.key)) if pair else ("", "")
    return Security(TlsFiles("DCRON_KAFKA", str(authority.file), cert, key), user, password, mechanism)


def log_at(address: str, how: Security, timeout_s: float = TIMEOUT_S) -> AbstractAsyncContextManager[KafkaLog]:
    return KafkaLog.open(address, timeout_s=timeout_s, security=how)


async def refusal(address: str, how: Security) -> str:
    """Return why no topic can be made, nothing appended and nothing read; each says the same, and in time."""
    reasons = []
    async with log_at(address, how) as log, log.producer() as producer, asyncio.timeout(6 * TIMEOUT_S):
        for attempt in (log.ensure_topics([Topic("t", 1)]), producer.append("t", "k", b""), log.bounds("t")):
            with pytest.raises(LogUnavailableError) as refused:
                await attempt
            reasons.append(str(refused.value))
    assert len({reason.partition(": ")[2] for reason in reasons}) == 1, reasons
    return reasons[0]


async def append_and_read(log: KafkaLog, topic: str) -> None:
    await log.ensure_topics([Topic(topic, 2)])
    async with log.producer() as producer, log.reader(topic, {0: 0, 1: 0}) as reader:
        await producer.append(topic, "key", b"value")
        assert [record.value for record in await read(reader, 1)] == [b"value"]


async def test_by_tls_alone(at: At, authority: Authority, topic: str) -> None:
    async with log_at(at("tls"), security(authority)) as log, asyncio.timeout(PATIENCE_S):
        await append_and_read(log, topic)


async def test_with_a_certificate_of_ours(at: At, authority: Authority, ours: Pair, topic: str) -> None:
    async with log_at(at("mutual"), security(authority, ours)) as log, asyncio.timeout(PATIENCE_S):
        await append_and_read(log, topic)


@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_with_a_user(at: At, authority: Authority, topic: str, mechanism: str) -> None:
    how = security(authority, None, USER, PASSWORD, mechanism)
    async with log_at(at("sasl"), how) as log, asyncio.timeout(PATIENCE_S):
        await append_and_read(log, topic)


async def test_all_goes_on_when_kafka_was_killed(server: Server, at: At, authority: Authority, topic: str) -> None:
    """G8, G9: producer, reader and group come again by TLS and with their user; nothing acknowledged is lost."""
    how = security(authority, None, USER, PASSWORD)
    async with asyncio.timeout(PATIENCE_S), log_at(at("sasl"), how) as log:
        await log.ensure_topics([Topic(topic, 1)])
        async with (
            log.producer() as producer,
            log.reader(topic, {0: 0}) as reader,
            log.group_reader(topic, "group") as group,
        ):
            await producer.append(topic, "key", b"0")
            assert await next_value(group) == b"0"
            server.kill()
            with pytest.raises(LogUnavailableError):
                await producer.append(topic, "key", b"lost or not")
            await asyncio.to_thread(server.start)
            await append_until_done(producer.append, topic, b"1")
            values: list[bytes] = []
            while b"1" not in values:
                values += [record.value for record in await read(reader, 1)]
            assert values[0] == b"0"
            await commit_until_done(group)
            await group.rewind()
            assert await next_value(group) in {b"1", b"lost or not"}


async def append_until_done(append: Callable[[str, str, bytes], object], topic: str, value: bytes) -> None:
    while True:
        try:
            await append(topic, "key", value)  # type: ignore[misc]
            return
        except LogUnavailableError:
            await asyncio.sleep(0.1)


async def test_a_wrong_password_is_an_error_that_says_so(at: At, authority: Authority) -> None:
    for mechanism in MECHANISMS:
        said = await refusal(at("sasl"), security(authority, None, USER, "a wrong one", mechanism))
        assert "it refuses DCRON_KAFKA_USER with its DCRON_KAFKA_PASSWORD" in said
        assert "a wrong one" not in said


async def test_a_user_where_a_certificate_is_wanted(at: At, authority: Authority) -> None:
    assert "DCRON_KAFKA_CERT and DCRON_KAFKA_KEY" in await refusal(at("mutual"), security(authority))


async def test_no_user_where_one_is_wanted(at: At, authority: Authority) -> None:
    assert "or a user with a password from us" in await refusal(at("sasl"), security(authority))


async def test_a_certificate_of_another_authority(at: At, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").sign("stranger")
    said = await refusal(at("mutual"), security(authority, stranger))
    assert "DCRON_KAFKA_CERT and DCRON_KAFKA_KEY" in said


async def test_a_kafka_of_another_authority(at: At, tmp_path: Path) -> None:
    said = await refusal(at("tls"), security(Authority(tmp_path, "stranger")))
    assert "its certificate is not of an authority in DCRON_KAFKA_CA" in said


async def test_a_host_that_the_certificate_does_not_name(at: At, authority: Authority) -> None:
    said = await refusal(at("tls").replace(LOOPBACK, "localhost"), security(authority))
    assert "it must have the host that DCRON_KAFKA says" in said


async def test_a_certificate_that_has_expired(at: At, authority: Authority) -> None:
    assert "its certificate must be renewed there" in await refusal(at("expired"), security(authority))


async def test_tls_to_a_plaintext_port(at: At, authority: Authority) -> None:
    said = await refusal(at("client"), security(authority))
    assert "it speaks plaintext there, which DCRON_KAFKA_CA rules out" in said


async def test_plaintext_to_a_tls_port(at: At, topic: str) -> None:
    said = await refusal(at("tls"), Security(TlsFiles("DCRON_KAFKA")))
    assert "if it speaks TLS there, set DCRON_KAFKA_CA" in said
