"""The log-ingester's store by TLS, on a MongoDB that wants certificates and a login. (Here SecantusDB, by SCRAM.)"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from dcron_core.security import TlsFiles
from dcron_log_ingester.errors import MongoUnavailableError
from dcron_log_ingester.store import open_store
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.server import Server
from tests.certificates import Authority, Pair
from tests.names import Names
from tests.secured_servers import PASSWORD, USER, SecuredMongodb, running

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mongodb")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory / "certificates")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign("mongodb")


@pytest.fixture(scope="module")
def server(directory: Path, tools: Path, authority: Authority, pair: Pair) -> Iterator[Server]:
    kind = SecuredMongodb(directory / "data", tools, authority, pair)
    with running(kind, directory / "data") as server:
        with kind.client(server.address) as client:
            roles = [{"role": "root", "db": "admin"}]
            client.admin.command("createUser", USER, pwd=PASSWORD, roles=roles)
        kind.users = True
        server.restart()
        yield server


def url(server: Server, password: str = PASSWORD, host: str = LOOPBACK) -> str:
    address = server.address.removeprefix("mongodb://").replace(LOOPBACK, host)
    return f"mongodb://{USER}:{quote_plus(password)}@{address}/?authMechanism=SCRAM-SHA-256"


def files(authority: Authority, pair: Pair) -> TlsFiles:
    return TlsFiles("DCRON_MONGODB", str(authority.file), str(pair.cert), str(pair.key))


async def refusal(url: str, tls: TlsFiles) -> str:
    async with open_store(url, "refused", tls) as store, asyncio.timeout(20):
        with pytest.raises(MongoUnavailableError) as refused:
            await store.prepare()
    assert PASSWORD not in str(refused.value)
    assert quote_plus(PASSWORD) not in str(refused.value)
    return str(refused.value)


async def test_with_a_certificate_and_a_login(server: Server, authority: Authority, pair: Pair, names: Names) -> None:
    async with open_store(url(server), names.database, files(authority, pair)) as store:
        await store.prepare()
        assert await store.execution("none") is None


async def test_as_the_connection_string_says(server: Server, authority: Authority, pair: Pair, names: Names) -> None:
    options = f"tls=true&tlsCAFile={quote_plus(str(authority.file))}&tlsCertificateKeyFile={quote_plus(str(pair.both))}"
    async with open_store(f"{url(server)}&{options}", names.database) as store:
        assert await store.execution("none") is None


async def test_each_refusal_says_what_to_do(server: Server, authority: Authority, pair: Pair, tmp_path: Path) -> None:
    """Never plaintext, never another host, and never the password in the text."""
    good, plain = files(authority, pair), TlsFiles("DCRON_MONGODB")
    no_login = server.address
    elsewhere = f"{url(server, host='localhost')}&directConnection=true"  # the certificate is for 127.0.0.1
    said = await asyncio.gather(
        refusal(url(server, "a wrong one"), good),
        refusal(no_login, good),
        refusal(url(server), TlsFiles("DCRON_MONGODB", str(authority.file))),
        refusal(url(server), files(Authority(tmp_path, "stranger"), pair)),
        refusal(elsewhere, good),
        refusal(url(server), plain),
    )
    assert "wrong+one" not in said[0]
    remedies = [
        "user and password stand in DCRON_MONGODB",
        "user and password stand in DCRON_MONGODB",
        "DCRON_MONGODB_CERT and DCRON_MONGODB_KEY",
        "its certificate is not of an authority in DCRON_MONGODB_CA",
        "it must have the host that DCRON_MONGODB says",
        "if it speaks TLS there, set DCRON_MONGODB_CA",
    ]
    for text, remedy in zip(said, remedies, strict=True):
        assert remedy in text
