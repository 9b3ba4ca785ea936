"""etcd and Kafka of the simulation: the memory adapters, which remember all that ever happened for the judges."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dcron_core.adapters.memory import MemoryLog, MemoryStore
from dcron_core.clock import Clock
from dcron_core.errors import CompactedError
from dcron_core.ports.store import Changes, KeyValue, Operation, Removed, Transaction
from tests.simulation.lanes import LaneLoop

LEASES_END_EVERY_S = 0.25  # how exact the store is about the end of leases; etcd: 0.5 s


class Revision(NamedTuple):
    """What one revision of the store wrote."""

    at_s: float
    events: tuple[KeyValue | Removed, ...]


class Subscriber(Protocol):
    """Who is told of changes at once."""

    def see(self, changes: Changes) -> None: ...


class SimulatedStore(MemoryStore):
    """A MemoryStore that tells subscribers: waking every watch for every key would take most of the time."""

    def __init__(self, clock: Clock, loop: LaneLoop) -> None:
        super().__init__(clock)
        self.revisions: list[Revision] = []
        self._loop = loop
        self._subscribers: dict[Subscriber, str] = {}  # → prefix
        self._end_leases()

    def subscribe(self, subscriber: Subscriber, prefix: str, from_revision: int) -> Changes | None:
        """Tell the subscriber of what changes under the prefix; return what has since `from_revision`."""
        if from_revision < self._compacted:
            raise CompactedError(self._compacted)
        self._subscribers[subscriber] = prefix
        return self._changes_from(from_revision, prefix)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.pop(subscriber, None)

    def forget_history(self) -> None:
        """Compact all but the last few revisions."""
        self.compact(max(1, self._revision - 5))

    @property
    def leases(self) -> int:
        """How many leases have not ended."""
        return len(self._leases._ends)

    def under(self, prefix: str) -> list[KeyValue]:
        """Return all keys of a prefix, at once."""
        return list(self._under(prefix))

    def do(self, *operations: Operation) -> None:
        """Write at once."""
        self._apply(Transaction((), operations))

    def _record(self, events: list[KeyValue | Removed]) -> None:
        super()._record(events)
        if not events:
            return
        self.revisions.append(Revision(self._loop.time(), tuple(events)))
        for subscriber, prefix in list(self._subscribers.items()):
            seen = tuple(event for event in events if event.key.startswith(prefix))
            if seen:
                subscriber.see(Changes(self._revision, seen))

    def _end_leases(self) -> None:
        self.tick()
        self._loop.world_calls_later(LEASES_END_EVERY_S, self._end_leases)


class Appended(NamedTuple):
    """A record that the log took in."""

    at_s: float
    topic: str
    value: bytes


class SimulatedLog(MemoryLog):
    """A MemoryLog that keeps all records in the order they came."""

    def __init__(self, clock: Clock, loop: LaneLoop) -> None:
        super().__init__(clock)
        self.records: list[Appended] = []
        self._loop = loop

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        self.records.append(Appended(self._loop.time(), topic, value))
        return super().append(topic, key, value, headers)
