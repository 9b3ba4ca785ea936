"""What etcd remembers of claims, every revision of it: a judge that needs neither Kafka nor MongoDB."""

import asyncio
import itertools
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, KeyValue, Put, Transaction
from dcron_schemas.codec import decode_state
from dcron_schemas.state import ExecutionEntry, TickCursor
from tests.cluster import Cluster


class ClaimHistory(NamedTuple):
    """Every write of a cursor, every first write of an entry, and how many entries are left."""

    cursors: list[KeyValue]
    opened: list[KeyValue]
    left: int


async def revision_now(cluster: Cluster) -> int:
    """Return where etcd's history is. Ask before the cluster starts: etcd forgets what is older than ten minutes."""
    async with EtcdStore.open(cluster.servers.etcd) as store:
        return (await store.read_prefix(cluster.names.etcd_prefix)).revision


async def claim_history(cluster: Cluster, since: int) -> ClaimHistory:
    """Read what came after that revision, when all is over."""
    keys = Keys(cluster.names.etcd_prefix)
    async with EtcdStore.open(cluster.servers.etcd) as store:
        end = (await store.read_prefix(keys.prefix)).revision
        cursors: list[KeyValue] = []
        opened: list[KeyValue] = []
        for prefix, found in ((keys.ticks, cursors), (keys.executions, opened)):
            last = await _last_revision(store, prefix, end)
            async for changes in store.watch(prefix, since + 1):
                found += [event for event in changes.events if isinstance(event, KeyValue)]
                if changes.revision >= last:
                    break
        left = -1
        for _ in range(200):  # entries are removed as Kafka acknowledges their records
            left = len((await store.read_prefix(keys.executions)).items)
            if not left:
                break
            await asyncio.sleep(0.05)
    return ClaimHistory(cursors, [item for item in opened if item.create_revision == item.mod_revision], left)


async def _last_revision(store: EtcdStore, prefix: str, end: int) -> int:
    """Return the last revision up to which the prefix may have changes: mark it with a write of our own."""
    mark = f"{prefix}zz-mark"
    result = await store.transact(Transaction((), (Put(mark, b"{}"),)))
    await store.transact(Transaction((), (Delete(mark),)))
    assert result.revision > end
    return result.revision


def check_claims(history: ClaimHistory, expected: set[str]) -> None:
    """G4, G5: each expected run was opened once, no cursor left out a second, and no entry is left."""
    claims = Counter(
        decode_state(ExecutionEntry, item.value).execution.execution_id
        for item in history.opened
        if len(item.value) > 2
    )
    assert {id_: n for id_, n in claims.items() if n != 1} == {}, "an execution was opened twice"
    assert expected <= set(claims)
    by_job: dict[str, list[datetime]] = {}
    for item in history.cursors:
        if len(item.value) > 2:
            by_job.setdefault(item.key, []).append(decode_state(TickCursor, item.value).tick)
    for key, ticks in by_job.items():
        assert ticks == sorted(set(ticks)), f"the cursor {key} stood still or went back"
        steps = {after - before for before, after in itertools.pairwise(ticks)}
        assert steps == {timedelta(seconds=1)}, f"the cursor {key} leapt: {steps}"
    assert history.left == 0, "an entry is left after Kafka has its record"
