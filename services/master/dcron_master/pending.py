"""Changes that are folded but not yet in etcd, cut into transactions."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from dcron_core.jobs.changes import Change, JobGone, JobStands, KillAsked, LogNamed, RunAsked
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, Operation, Put
from dcron_schemas.codec import encode

MOST_OPERATIONS = 100  # etcd takes 128 in a transaction; one more is the projection's own


class Batch(Struct, frozen=True):
    """As many positions as one transaction holds."""

    position: int  # of the last
    operations: tuple[Operation, ...]


class PendingChanges:
    """A queue of (position, writes), in log order."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._queue: deque[tuple[int, tuple[Operation, ...]]] = deque()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def add(self, position: int, changes: Iterable[Change], kill_lease: int) -> None:
        """Queue what the event at `position` changes; kills are written under `kill_lease`."""
        writes = tuple(write for change in changes for write in self._writes(change, kill_lease))
        self._queue.append((position, writes))

    def forget_through(self, position: int) -> None:
        """Drop what etcd has already, up to `position`."""
        while self._queue and self._queue[0][0] <= position:
            self._queue.popleft()

    def next_batch(self) -> Batch:
        """Return the next transaction's worth. A key written twice keeps its last write."""
        writes: dict[str, Operation] = {}
        last = -1
        for position, operations in self._queue:
            if writes and len(writes) + len(operations) > MOST_OPERATIONS:
                break
            for operation in operations:
                assert isinstance(operation, Put | Delete)
                writes[operation.key] = operation
            last = position
        return Batch(last, tuple(writes.values()))

    def _writes(self, change: Change, kill_lease: int) -> tuple[Operation, ...]:
        keys = self._keys
        match change:
            case JobStands(entry):
                return (Put(keys.job(entry.job_id), encode(entry)),)
            case JobGone(entry):
                return (Delete(keys.job(entry.job_id)), Delete(keys.tick(entry.job_id)))
            case RunAsked(run):
                return (Put(keys.run(run.execution_id), encode(run)),)
            case KillAsked(execution_id, kill):
                return (Put(keys.kill(execution_id), encode(kill), kill_lease),)
            case LogNamed():
                return ()  # its id stands in the projection key
