"""The store port: leases."""

import asyncio
from contextlib import aclosing

import pytest

from dcron_core.errors import LeaseLostError
from dcron_core.ports.store import KeyValueStore, Put, Removed, Transaction
from tests.contract.writing import put

TTL_S = 2  # etcd gives no less


async def test_a_lease_that_ends_takes_its_keys_along(store: KeyValueStore, prefix: str) -> None:
    """G4, G6: whoever watches sees the keys of a dead worker go, all in one revision, and others stay."""
    lease = await store.grant_lease(TTL_S)
    await put(store, f"{prefix}stays")
    await put(store, f"{prefix}b", b"", lease)
    revision = await put(store, f"{prefix}a", b"", lease)
    async with aclosing(store.watch(prefix, revision + 1)) as changes, asyncio.timeout(10):
        gone = await anext(changes)
    assert gone.events == (Removed(f"{prefix}a", gone.revision), Removed(f"{prefix}b", gone.revision))
    assert [item.key for item in (await store.read_prefix(prefix)).items] == [f"{prefix}stays"]
    with pytest.raises(LeaseLostError):
        await store.keep_lease(lease)


async def test_a_lease_that_is_kept_lives_on(store: KeyValueStore, prefix: str) -> None:
    lease = await store.grant_lease(TTL_S)
    await put(store, f"{prefix}a", b"", lease)
    for _ in range(3):
        await asyncio.sleep(TTL_S / 2)
        assert await store.keep_lease(lease) == TTL_S
    item = await store.get(f"{prefix}a")
    assert item is not None
    assert item.lease == lease


async def test_a_revoked_lease_is_gone_at_once(store: KeyValueStore, prefix: str) -> None:
    lease = await store.grant_lease(60)
    await put(store, f"{prefix}a", b"", lease)
    await store.revoke_lease(lease)
    await store.revoke_lease(lease)  # nothing more happens
    assert await store.get(f"{prefix}a") is None
    with pytest.raises(LeaseLostError):
        await store.keep_lease(lease)


async def test_nothing_is_written_under_a_lease_that_is_gone(store: KeyValueStore, prefix: str) -> None:
    """G4: a claim of a worker whose lease has ended does not happen, not even in part."""
    lease = await store.grant_lease(60)
    await store.revoke_lease(lease)
    claim = Transaction((), (Put(f"{prefix}tick", b""), Put(f"{prefix}active", b"", lease)))
    with pytest.raises(LeaseLostError):
        await store.transact(claim)
    with pytest.raises(LeaseLostError):
        await store.transact_all([Transaction((), (Put(f"{prefix}other", b""),)), claim])
    assert await store.get(f"{prefix}tick") is None


async def test_a_key_written_without_its_lease_outlives_it(store: KeyValueStore, prefix: str) -> None:
    lease = await store.grant_lease(60)
    await put(store, f"{prefix}a", b"", lease)
    await put(store, f"{prefix}a", b"kept")
    await store.revoke_lease(lease)
    assert await store.get(f"{prefix}a") is not None
