"""The store by TLS: on etcd that wants certificates of its clients, and on one that wants a user and a password."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path

import pytest

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.errors import StoreUnavailableError
from dcron_core.ports.store import KeyValue, Put, Transaction
from dcron_core.security import Security, TlsFiles
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.server import Server
from tests.certificates import Authority, Pair
from tests.contract.writing import put
from tests.secured_servers import OTHER_LOOPBACK, PASSWORD, USER, EtcdUsers, SecuredEtcd, running

pytestmark = pytest.mark.servers

PATIENCE_S = 60.0
PREFIX = "/cron/"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("etcd")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory / "certificates")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.sign("etcd")


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Pair:
    return authority.sign("dcron", hosts=())


@pytest.fixture(scope="module")
def mutual(directory: Path, authority: Authority, pair: Pair) -> Iterator[Server]:
    """It wants certificates."""
    kind = SecuredEtcd(directory / "mutual", authority, pair, client_certificates=True)
    with running(kind, directory / "mutual") as server:
        yield server


@pytest.fixture(scope="module")
def with_users(directory: Path, authority: Authority, pair: Pair) -> Iterator[Server]:
    """It wants users."""
    kind = SecuredEtcd(directory / "users", authority, pair, client_certificates=False)
    with running(kind, directory / "users") as server:
        yield server


@pytest.fixture(scope="module")
def users(with_users: Server, authority: Authority) -> Iterator[EtcdUsers]:
    users = EtcdUsers(with_users.address, authority.file)
    users.enable(PREFIX)
    yield users
    users.close()


def by_certificate(authority: Authority, pair: Pair | None) -> Security:
    cert, key = (str(pair.cert), str(pair.key)) if pair else ("", "")
    return Security(TlsFiles("DCRON_ETCD", str(authority.file), cert, key))


def by_password(authority: Authority, password: str = PASSWORD) -> Security:
    return Security(TlsFiles("DCRON_ETCD", str(authority.file)), USER, password)


def store_at(address: str, security: Security) -> AbstractAsyncContextManager[EtcdStore]:
    return EtcdStore.open(address, timeout_s=1, security=security)


async def refusal(address: str, security: Security) -> str:
    """Return why nothing can be read; that it takes no longer than a call may is part of it."""
    async with store_at(address, security) as store, asyncio.timeout(10):
        with pytest.raises(StoreUnavailableError) as refused:
            await store.get(f"{PREFIX}a")
    return str(refused.value)


@pytest.fixture(params=["mutual", "users"])
async def store(
    request: pytest.FixtureRequest, authority: Authority, ours: Pair
) -> AsyncIterator[tuple[EtcdStore, Server]]:
    """The store on each of the two, and the server."""
    if request.param == "mutual":
        server, security = request.getfixturevalue("mutual"), by_certificate(authority, ours)
    else:
        request.getfixturevalue("users")
        server, security = request.getfixturevalue("with_users"), by_password(authority)
    # the address of one that is down before it: calls go through the choice of a member too
    async with EtcdStore.open(f"127.0.0.1:1,{server.address}", security=security) as opened:
        yield opened, server


async def test_all_of_the_port_works(store: tuple[EtcdStore, Server]) -> None:
    """Calls, a watch and a lease, with a member that is down beside it."""
    opened, _ = store
    async with asyncio.timeout(PATIENCE_S):
        revision = await put(opened, f"{PREFIX}a", b"1")
        assert (await opened.read_prefix(PREFIX)).items[0].value == b"1"
        async with aclosing(opened.watch(PREFIX, revision)) as changes:
            assert (await anext(changes)).revision == revision
        lease = await opened.grant_lease(10)
        leased = Put(f"{PREFIX}leased", b"", lease)
        assert (await opened.transact(Transaction((), (leased,)))).succeeded
        assert await opened.keep_lease(lease) > 0
        await opened.revoke_lease(lease)
        assert await opened.get(f"{PREFIX}leased") is None


async def test_a_watch_and_calls_go_on_when_etcd_was_killed(store: tuple[EtcdStore, Server]) -> None:
    """G5, G10: as without TLS."""
    opened, server = store
    async with asyncio.timeout(PATIENCE_S):
        begin = await put(opened, f"{PREFIX}w", b"begin")
        seen: list[bytes] = []
        watching = asyncio.create_task(watch_until(opened, begin, seen, b"end"))
        server.kill()
        await asyncio.to_thread(server.start)
        lease = None
        while lease is None:
            try:
                lease = await opened.grant_lease(10)
                await put(opened, f"{PREFIX}w", b"end")
            except StoreUnavailableError:
                await asyncio.sleep(0.05)
        assert await opened.keep_lease(lease) > 0
        await watching
    assert (seen[0], seen[-1]) == (b"begin", b"end")


async def watch_until(store: EtcdStore, revision: int, seen: list[bytes], last: bytes) -> None:
    async with aclosing(store.watch(f"{PREFIX}w", revision)) as changes:
        async for batch in changes:
            seen += [event.value for event in batch.events if isinstance(event, KeyValue)]
            if seen[-1] == last:
                return


async def test_a_token_that_has_ended_is_renewed(with_users: Server, users: EtcdUsers, authority: Authority) -> None:
    """A lease is kept, a call made and a watch begun with a token that etcd does not know any more."""
    async with store_at(with_users.address, by_password(authority)) as opened, asyncio.timeout(PATIENCE_S):
        revision = await put(opened, f"{PREFIX}a")
        lease = await opened.grant_lease(30)
        users.end_tokens()
        assert await opened.get(f"{PREFIX}a") is not None
        users.end_tokens()
        assert await opened.keep_lease(lease) > 0
        users.end_tokens()
        async with aclosing(opened.watch(PREFIX, revision)) as changes:
            assert (await anext(changes)).revision == revision
        users.end_tokens()
        await asyncio.gather(*(put(opened, f"{PREFIX}{number}") for number in range(20)))


async def test_what_the_user_may_not_is_an_error(with_users: Server, users: EtcdUsers, authority: Authority) -> None:
    async with store_at(with_users.address, by_password(authority)) as opened:
        with pytest.raises(StoreUnavailableError, match="permission denied"):
            await opened.get("/other")


async def test_a_wrong_password_is_an_error_that_names_the_settings(
    with_users: Server, users: EtcdUsers, authority: Authority
) -> None:
    said = await refusal(with_users.address, by_password(authority, "a wrong one"))
    assert "refuses DCRON_ETCD_USER='dcron' with its DCRON_ETCD_PASSWORD" in said
    assert "a wrong one" not in said


async def test_without_a_user_the_error_says_what_to_set(
    with_users: Server, users: EtcdUsers, authority: Authority
) -> None:
    assert "set DCRON_ETCD_USER and DCRON_ETCD_PASSWORD" in await refusal(
        with_users.address, by_certificate(authority, None)
    )


async def test_a_user_where_there_are_none_is_an_error_that_names_it(
    mutual: Server, authority: Authority, ours: Pair
) -> None:
    security = Security(by_certificate(authority, ours).tls, USER, PASSWORD)
    assert "refuses DCRON_ETCD_USER='dcron'" in await refusal(mutual.address, security)


@pytest.mark.parametrize("others", ["", ",127.0.0.1:1"], ids=["one", "several"])
async def test_each_refusal_is_in_time_and_says_what_to_do(
    mutual: Server, authority: Authority, ours: Pair, tmp_path: Path, others: str
) -> None:
    """Whether there is one address or several; never plaintext, and never another host."""
    stranger = Authority(tmp_path, "stranger")
    other_host = mutual.address.replace(LOOPBACK, OTHER_LOOPBACK)
    plain_port = f"{LOOPBACK}:{probe_port(mutual)}"
    cases = [
        (mutual.address, by_certificate(authority, None), "see DCRON_ETCD_CERT and DCRON_ETCD_KEY"),
        (mutual.address, by_certificate(authority, stranger.sign("ours")), "see DCRON_ETCD_CERT and DCRON_ETCD_KEY"),
        (mutual.address, by_certificate(stranger, ours), "its certificate is not of an authority in DCRON_ETCD_CA"),
        (other_host, by_certificate(authority, ours), "it must have the host that DCRON_ETCD says"),
        (plain_port, by_certificate(authority, ours), "it speaks plaintext there, which DCRON_ETCD_CA rules out"),
        (mutual.address, Security(TlsFiles("DCRON_ETCD")), "if it speaks TLS there, set DCRON_ETCD_CA"),
    ]
    refusals = await asyncio.gather(*(refusal(address + others, how) for address, how, _ in cases))
    for said, (_, _, remedy) in zip(refusals, cases, strict=True):
        assert remedy in said


def probe_port(server: Server) -> int:
    return server._ports["probe"]
