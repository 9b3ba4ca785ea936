"""`MemoryStore`: the KeyValueStore port in memory, with real revisions, history and leases."""

import asyncio
from bisect import bisect_left, insort
from collections.abc import AsyncGenerator, Iterator, Sequence
from itertools import chain

from dcron_core.adapters.memory.leases import Leases
from dcron_core.adapters.memory.wakeup import Wakeup
from dcron_core.adapters.writes import check_transactions
from dcron_core.clock import Clock
from dcron_core.errors import CompactedError, LeaseLostError, StoreUnavailableError
from dcron_core.ports.store import (
    Changes,
    Comparison,
    Delete,
    DeletePrefix,
    Get,
    GetPrefix,
    KeyValue,
    ModRevisionIs,
    Operation,
    Put,
    Range,
    Removed,
    Transaction,
    TransactionResult,
)


class MemoryStore:
    """A KeyValueStore for one process.

    Leases end by `clock`: at the next call, or when a watch wakes for it; a test that moves a clock by hand
    calls `tick` afterwards. While `down` is set every call raises StoreUnavailableError and watches are silent.
    """

    def __init__(self, clock: Clock) -> None:
        self._revision = 1
        self._compacted = 0
        self._keys: list[str] = []  # sorted
        self._items: dict[str, KeyValue] = {}
        self._history: list[Changes] = []  # one for each revision since the last compaction
        self._leases = Leases(clock)
        self._changed = Wakeup()
        self._down = False

    @property
    def down(self) -> bool:
        """Whether the store is made not to answer."""
        return self._down

    @down.setter
    def down(self, down: bool) -> None:
        self._down = down
        self._changed.wake()

    def tick(self) -> None:
        """End the leases whose time is over by now."""
        for lease in self._leases.take_expired():
            self._remove_all(lease)

    def compact(self, revision: int) -> None:
        """Forget the history before `revision`."""
        self._compacted = max(self._compacted, revision)
        self._history = [changes for changes in self._history if changes.revision >= revision]
        self._changed.wake()

    async def get(self, key: str) -> KeyValue | None:
        await self._turn("get")
        return self._items.get(key)

    async def read_prefix(self, *prefixes: str) -> Range:
        await self._turn("read_prefix")
        return Range(revision=self._revision, items=tuple(chain.from_iterable(map(self._under, prefixes))))

    async def transact(self, transaction: Transaction) -> TransactionResult:
        check_transactions([transaction])
        await self._turn("transact")
        return self._apply(transaction)

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        check_transactions(transactions)
        await self._turn("transact_all")
        return [self._apply(transaction) for transaction in transactions]

    async def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        next_revision = from_revision
        while True:
            self.tick()
            if self._down:
                await self._changed.wait()
                continue
            if next_revision < self._compacted:
                raise CompactedError(self._compacted)
            batch = self._changes_from(next_revision, prefix)
            next_revision = max(next_revision, self._revision + 1)
            if batch is None:
                await self._changed.wait(self._leases.next_expiry_s())
            else:
                yield batch

    async def grant_lease(self, ttl_s: int) -> int:
        await self._turn("grant_lease")
        self._changed.wake()  # the watches have one more end to wake for
        return self._leases.grant(ttl_s)

    async def keep_lease(self, lease: int) -> float:
        await self._turn("keep_lease")
        return self._leases.keep(lease)

    async def revoke_lease(self, lease: int) -> None:
        await self._turn("revoke_lease")
        self._leases.end(lease)
        self._remove_all(lease)

    async def _turn(self, operation: str) -> None:
        """Let others run, as a call to a server does, then see whether the store answers."""
        await asyncio.sleep(0)
        if self._down:
            raise StoreUnavailableError(f"{operation}: the memory store is down")
        self.tick()

    def _apply(self, transaction: Transaction) -> TransactionResult:
        succeeded = all(self._holds(comparison) for comparison in transaction.compare)
        operations = transaction.success if succeeded else transaction.failure
        for operation in operations:
            if isinstance(operation, Put) and operation.lease and operation.lease not in self._leases:
                raise LeaseLostError(f"put {operation.key}: lease {operation.lease} has ended")
        revision = self._revision + 1
        reads: list[tuple[KeyValue, ...]] = []
        events: list[KeyValue | Removed] = []
        for operation in operations:
            self._do(operation, revision, reads, events)
        self._record(events)
        return TransactionResult(succeeded=succeeded, revision=self._revision, reads=tuple(reads))

    def _holds(self, comparison: Comparison) -> bool:
        if isinstance(comparison, ModRevisionIs):
            item = self._items.get(comparison.key)
            return comparison.revision == (item.mod_revision if item else 0)
        return next(self._under(comparison.prefix), None) is None

    def _do(
        self,
        operation: Operation,
        revision: int,
        reads: list[tuple[KeyValue, ...]],
        events: list[KeyValue | Removed],
    ) -> None:
        match operation:
            case Put():
                events.append(self._put(operation, revision))
            case Delete(key=key):
                if key in self._items:
                    events.append(self._remove(key, revision))
            case DeletePrefix(prefix=prefix):
                events.extend(self._remove(item.key, revision) for item in list(self._under(prefix)))
            case Get(key=key):
                reads.append((self._items[key],) if key in self._items else ())
            case GetPrefix(prefix=prefix, limit=limit):
                found = tuple(self._under(prefix))
                reads.append(found[:limit] if limit else found)

    def _put(self, put: Put, revision: int) -> KeyValue:
        old = self._items.get(put.key)
        if old is None:
            insort(self._keys, put.key)
        item = KeyValue(
            key=put.key,
            value=put.value,
            create_revision=old.create_revision if old else revision,
            mod_revision=revision,
            lease=put.lease,
        )
        self._items[put.key] = item
        return item

    def _remove(self, key: str, revision: int) -> Removed:
        del self._items[key]
        del self._keys[bisect_left(self._keys, key)]
        return Removed(key, revision)

    def _remove_all(self, lease: int) -> None:
        keys = sorted(key for key, item in self._items.items() if item.lease == lease)
        self._record([self._remove(key, self._revision + 1) for key in keys])

    def _record(self, events: list[KeyValue | Removed]) -> None:
        if events:
            self._revision += 1
            self._history.append(Changes(revision=self._revision, events=tuple(events)))
            self._changed.wake()

    def _under(self, prefix: str) -> Iterator[KeyValue]:
        for position in range(bisect_left(self._keys, prefix), len(self._keys)):
            key = self._keys[position]
            if not key.startswith(prefix):
                return
            yield self._items[key]

    def _changes_from(self, revision: int, prefix: str) -> Changes | None:
        start = bisect_left(self._history, revision, key=lambda changes: changes.revision)
        events = [event for each in self._history[start:] for event in each.events if event.key.startswith(prefix)]
        return Changes(revision=events[-1].mod_revision, events=tuple(events)) if events else None
