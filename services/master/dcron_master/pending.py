"""Changes that are folded but not yet in etcd, cut into transactions."""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.jobs.changes import Change, JobGone, JobStands, KillAsked, LogNamed, RunAsked
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, DeletePrefix, Operation, Put
from dcron_master.directory_state import write_of
from dcron_schemas.codec import encode

MOST_OPERATIONS = 100  # etcd takes 128 in a transaction; one more is the projection's own
MOST_BYTES = 1_000_000  # of values; etcd's default for --max-request-bytes is 1.5 MiB


class Batch(Struct, frozen=True):
    """As many positions as one transaction holds."""

    position: int  # of the last
    operations: tuple[Operation, ...]
    kills: tuple[Put, ...]  # to be written under a lease


class _Pending(Struct, frozen=True):
    position: int
    table: tuple[Operation, ...]  # jobs, users, tokens, secrets
    requests: tuple[Operation, ...]


class PendingChanges:
    """A queue of positions and what they write, in log order. What is taken from it is signed, and nothing else."""

    def __init__(self, keys: Keys, signatures: Signatures = NO_SIGNATURES) -> None:
        self._keys = keys
        self._signatures = signatures
        self._queue: deque[_Pending] = deque()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def add(self, position: int, changes: Iterable[Change]) -> None:
        """Queue what the event at `position` changes."""
        table: list[Operation] = []
        requests: list[Operation] = []
        for change in changes:
            (requests if isinstance(change, RunAsked | KillAsked) else table).extend(self._writes(change))
        self._queue.append(_Pending(position, tuple(table), tuple(requests)))

    def forget_through(self, position: int) -> None:
        """Drop what etcd has already, up to `position`."""
        while self._queue and self._queue[0].position <= position:
            self._queue.popleft()

    def next_batch(self, requests_from: int) -> Batch:
        """Return the next transaction's worth. A key written twice keeps its last write.

        Requests at positions before `requests_from` are left out.
        """
        writes: dict[str, Put | Delete | DeletePrefix] = {}
        last, size = -1, 0
        for pending in self._queue:
            requests = pending.requests if pending.position >= requests_from else ()
            operations = (*pending.table, *requests)
            size += sum(len(operation.value) for operation in operations if isinstance(operation, Put))
            if writes and (len(writes) + len(operations) > MOST_OPERATIONS or size > MOST_BYTES):
                break
            for operation in operations:
                assert isinstance(operation, Put | Delete | DeletePrefix)
                writes[operation.prefix if isinstance(operation, DeletePrefix) else operation.key] = operation
            last = pending.position
        prefix = self._keys.kills
        kills = tuple(put for put in writes.values() if isinstance(put, Put) and put.key.startswith(prefix))
        others = (self._signed(write) for key, write in writes.items() if not key.startswith(prefix))
        return Batch(last, tuple(others), kills)

    def _signed(self, write: Put | Delete | DeletePrefix) -> Operation:
        if not isinstance(write, Put):
            return write
        return replace(write, value=self._signatures.signed(self._keys.path(write.key), write.value))

    def _writes(self, change: Change) -> tuple[Operation, ...]:
        keys = self._keys
        match change:
            case JobStands(entry):
                return (Put(keys.job(entry.job_id), encode(entry)),)
            case JobGone(entry):
                return (
                    Delete(keys.job(entry.job_id)),
                    Delete(keys.tick(entry.job_id)),
                    DeletePrefix(keys.ticks_of(entry.job_id)),  # a cursor for each worker
                    Delete(keys.marks(entry.job_id)),
                )
            case RunAsked(run):
                return (Put(keys.run(run.execution_id), encode(run)),)
            case KillAsked(execution_id, kill):
                return (Put(keys.kill(execution_id), encode(kill)),)
            case LogNamed():
                return ()  # its id stands in the projection key
        return (write_of(change, keys),)
