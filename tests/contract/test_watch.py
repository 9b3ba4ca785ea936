"""The store port: watches, and the mirror on top of them."""

import asyncio
from contextlib import aclosing

import pytest

from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.errors import CompactedError
from dcron_core.mirror import Mirror, Snapshot, follow
from dcron_core.ports.store import Changes, Delete, KeyValue, KeyValueStore, Put, Removed, Transaction
from tests.contract.conftest import Compact
from tests.contract.writing import put

PATIENCE_S = 10.0


async def test_a_watch_begins_at_the_revision_it_is_given(store: KeyValueStore, prefix: str) -> None:
    await put(store, f"{prefix}a", b"1")
    second = await put(store, f"{prefix}a", b"2")
    await store.transact(Transaction((), (Delete(f"{prefix}a"),)))
    await put(store, "/elsewhere" + prefix)
    last = await put(store, f"{prefix}b")
    events: list[KeyValue | Removed] = []
    async with aclosing(store.watch(prefix, second)) as changes, asyncio.timeout(PATIENCE_S):
        async for batch in changes:
            events.extend(batch.events)
            if batch.revision == last:
                break
    assert [(type(event), event.key.removeprefix(prefix), event.mod_revision) for event in events] == [
        (KeyValue, "a", second),
        (Removed, "a", second + 1),
        (KeyValue, "b", last),
    ]


async def test_a_watch_sees_every_change_once_and_whole_while_others_write(store: KeyValueStore, prefix: str) -> None:
    """G2, G5: from the revision after a snapshot on, without gap or double; a transaction comes in one piece."""
    snapshot = await store.read_prefix(prefix)

    async def write(writer: int) -> None:
        for number in range(50):
            value = str(number).encode()
            await store.transact(
                Transaction((), (Put(f"{prefix}{writer}/a", value), Put(f"{prefix}{writer}/b", value)))
            )

    writing = asyncio.gather(*(write(writer) for writer in range(4)))
    seen: dict[str, list[int]] = {}
    async with aclosing(store.watch(prefix, snapshot.revision + 1)) as changes, asyncio.timeout(PATIENCE_S):
        async for batch in changes:
            assert len(batch.events) % 2 == 0
            assert batch.revision == batch.events[-1].mod_revision
            for event in batch.events:
                assert isinstance(event, KeyValue)
                seen.setdefault(event.key, []).append(int(event.value))
            if sum(map(len, seen.values())) == 400:
                break
    await writing
    assert seen == {f"{prefix}{writer}/{half}": list(range(50)) for writer in range(4) for half in "ab"}


async def test_a_watch_wakes_for_a_change_that_comes_later(store: KeyValueStore, prefix: str) -> None:
    revision = await put(store, f"{prefix}a")
    async with aclosing(store.watch(prefix, revision + 1)) as changes, asyncio.timeout(PATIENCE_S):
        waiting = asyncio.ensure_future(anext(changes))
        await put(store, "/elsewhere" + prefix)
        written = await put(store, f"{prefix}a", b"later")
        assert (await waiting).revision == written


async def test_a_waiting_watch_can_be_ended(store: KeyValueStore, prefix: str) -> None:
    changes = store.watch(prefix, 1 + await put(store, f"{prefix}a"))
    waiting = asyncio.ensure_future(anext(changes))
    await put(store, "/elsewhere" + prefix)
    waiting.cancel()
    async with asyncio.timeout(1):
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await changes.aclose()


async def test_a_watch_from_a_forgotten_revision_says_so(store: KeyValueStore, prefix: str, compact: Compact) -> None:
    first = await put(store, f"{prefix}a", b"1")
    last = await put(store, f"{prefix}a", b"2")
    await compact(last)
    async with aclosing(store.watch(prefix, first)) as changes, asyncio.timeout(PATIENCE_S):
        with pytest.raises(CompactedError) as raised:
            await anext(changes)
    assert raised.value.revision == last
    async with aclosing(store.watch(prefix, last)) as changes, asyncio.timeout(PATIENCE_S):
        assert (await anext(changes)).revision == last


async def test_following_gives_a_snapshot_then_what_changes(store: KeyValueStore, prefix: str) -> None:
    await put(store, f"{prefix}a")
    async with aclosing(follow(store, prefix)) as updates, asyncio.timeout(PATIENCE_S):
        snapshot = await anext(updates)
        assert isinstance(snapshot, Snapshot)
        assert [item.key for item in snapshot.items] == [f"{prefix}a"]
        written = await put(store, f"{prefix}b")
        changes = await anext(updates)
        assert isinstance(changes, Changes)
        assert changes.revision == written > snapshot.revision


async def test_following_reads_again_after_a_compaction(store: KeyValueStore, prefix: str, compact: Compact) -> None:
    """G5: a worker that was away for too long takes in the whole table anew, the removals included."""
    mirror = Mirror()
    for name in "abc":
        await put(store, prefix + name, b"old")
    async with aclosing(follow(store, prefix)) as updates, asyncio.timeout(PATIENCE_S):
        assert mirror.apply(await anext(updates)) == [f"{prefix}a", f"{prefix}b", f"{prefix}c"]
        await store.transact(Transaction((), (Delete(f"{prefix}a"), Put(f"{prefix}b", b"new"))))
        last = await put(store, f"{prefix}d")
        await compact(last)
        again = await anext(updates)
        assert isinstance(again, Snapshot)
        assert sorted(mirror.apply(again)) == [f"{prefix}a", f"{prefix}b", f"{prefix}d"]
        assert sorted(mirror.items) == [f"{prefix}b", f"{prefix}c", f"{prefix}d"]
        written = await put(store, f"{prefix}e")
        reached = asyncio.create_task(mirror.reached(written))
        assert mirror.apply(await anext(updates)) == [f"{prefix}e"]
        await reached
    assert mirror.revision == written


async def test_following_waits_for_a_store_that_does_not_answer() -> None:
    """G10: it heals without a hand."""
    store = MemoryStore(SystemClock())
    await put(store, "/a")
    store.down = True
    async with aclosing(follow(store, "/")) as updates, asyncio.timeout(PATIENCE_S):
        waiting = asyncio.ensure_future(anext(updates))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        store.down = False
        assert isinstance(await waiting, Snapshot)
