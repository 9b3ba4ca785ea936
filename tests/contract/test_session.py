"""The lease session: alive while it is open, and never trusted for too long."""

import asyncio
import signal

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.ports.store import KeyValueStore
from dcron_core.session import LeaseSession
from tests.conftest import PrivateServers
from tests.contract.writing import put

TTL_S = 2  # etcd gives no less
CLOCK = SystemClock()


async def test_a_session_outlives_the_time_of_its_lease(store: KeyValueStore, prefix: str) -> None:
    async with LeaseSession.open(store, CLOCK, TTL_S) as session:
        await put(store, f"{prefix}worker", b"", session.lease)
        first = session.trusted_until
        await asyncio.sleep(TTL_S * 1.3)
        assert session.trusted
        assert first < session.trusted_until <= CLOCK.monotonic() + TTL_S * 0.8
        assert await store.get(f"{prefix}worker") is not None


async def test_leaving_a_session_takes_its_keys_along_at_once(store: KeyValueStore, prefix: str) -> None:
    async with LeaseSession.open(store, CLOCK, 60) as session:
        await put(store, f"{prefix}worker", b"", session.lease)
    assert await store.get(f"{prefix}worker") is None
    assert not session.trusted


async def test_an_orphaned_session_leaves_its_keys_to_end_by_themselves(store: KeyValueStore, prefix: str) -> None:
    async with LeaseSession.open(store, CLOCK, 60) as session:
        await put(store, f"{prefix}worker", b"", session.lease)
        session.orphan()
    assert await store.get(f"{prefix}worker") is not None


async def test_a_session_whose_lease_is_gone_is_lost(store: KeyValueStore) -> None:
    async with LeaseSession.open(store, CLOCK, TTL_S) as session:
        await store.revoke_lease(session.lease)
        async with asyncio.timeout(TTL_S):
            await session.lost()
        assert not session.trusted


async def test_a_session_is_lost_before_its_lease_can_end() -> None:
    """G7: a worker that cannot renew knows it while the lease still lives, and a late answer changes nothing."""
    store = MemoryStore(CLOCK)
    async with LeaseSession.open(store, CLOCK, 1) as session:
        started = CLOCK.monotonic()
        store.down = True
        await session.lost()
        assert 0.5 < CLOCK.monotonic() - started < 1
        store.down = False
        assert await store.keep_lease(session.lease) == 1
        assert not session.trusted


async def test_a_session_outlives_a_short_silence() -> None:
    store = MemoryStore(CLOCK)
    async with LeaseSession.open(store, CLOCK, 1) as session:
        first = session.trusted_until
        store.down = True
        await asyncio.sleep(0.5)
        store.down = False
        await asyncio.sleep(first - CLOCK.monotonic())
        assert session.trusted


async def test_a_session_on_an_etcd_that_hangs_is_lost_in_time(private_servers: PrivateServers) -> None:
    """G7: no answer at all is as bad as a refusal."""
    servers = private_servers("etcd")
    async with (
        EtcdStore.open(servers.etcd, timeout_s=30) as store,
        LeaseSession.open(store, CLOCK, TTL_S) as session,
    ):
        servers.etcd_server.signal(signal.SIGSTOP)
        started = CLOCK.monotonic()
        await session.lost()
        assert CLOCK.monotonic() - started < TTL_S
        servers.etcd_server.signal(signal.SIGCONT)
