"""etcd's job table, what stands beside it, and its position at one revision, as they were written.

`read_raw` reads the two so that they belong together, also while masters project: it never has to hope for a pause.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from dcron_core.errors import CompactedError, LogMismatchError
from dcron_core.keys import Keys
from dcron_core.ports.store import Changes, KeyValue, KeyValueStore
from dcron_master.directory_state import prefixes
from dcron_schemas.codec import UndecodableError, decode_state
from dcron_schemas.state import Projection


class RawSnapshot(Struct, frozen=True):
    """The projection key, all job keys, and those of users, tokens and secrets, at one revision."""

    projection: KeyValue | None
    jobs: tuple[KeyValue, ...]
    directory: tuple[KeyValue, ...]
    revision: int

    @property
    def table(self) -> tuple[KeyValue, ...]:
        """All keys that hold the fold of the log."""
        return (*self.jobs, *self.directory)

    @property
    def projection_revision(self) -> int:
        """The projection key's revision; 0: it does not exist."""
        return 0 if self.projection is None else self.projection.mod_revision


async def read_raw(store: KeyValueStore, keys: Keys) -> RawSnapshot:
    """Read the job table and the position that belongs to it."""
    while True:
        before, seen_at = await _projection(store, keys)
        table = await store.read_prefix(keys.jobs, *prefixes(keys))
        jobs = tuple(item for item in table.items if item.key.startswith(keys.jobs))
        directory = table.items[len(jobs) :]
        after, _ = await _projection(store, keys)
        if after is not None and after.mod_revision <= table.revision:
            return RawSnapshot(after, jobs, directory, table.revision)
        if after is None and before is None:
            return RawSnapshot(None, jobs, directory, table.revision)
        if after is None:
            continue  # it was just removed
        try:  # it was written after the jobs were read: what was it then?
            async with aclosing(store.watch(keys.projection, seen_at + 1)) as changes:
                then = await _as_of(changes, keys, before, table.revision)
            return RawSnapshot(then, jobs, directory, table.revision)
        except CompactedError:
            continue


def read_projection(item: KeyValue) -> Projection:
    """Return the position that the projection key holds; raise LogMismatchError if it cannot be read."""
    try:
        return decode_state(Projection, item.value)
    except UndecodableError as error:
        raise LogMismatchError(
            f"etcd's {item.key} cannot be read ({error}): nobody knows what the job table is of; remove the key, and "
            "`dcron log rebuild` makes the table again from the log"
        ) from error


async def _projection(store: KeyValueStore, keys: Keys) -> tuple[KeyValue | None, int]:
    """Return the projection key, and the revision at which it was that."""
    found = await store.read_prefix(keys.projection)
    return next((item for item in found.items if item.key == keys.projection), None), found.revision


async def _as_of(
    changes: AsyncGenerator[Changes, None], keys: Keys, item: KeyValue | None, revision: int
) -> KeyValue | None:
    """Return the projection key as of `revision`, given what it was before and a write after it that is to come."""
    async for batch in changes:
        for event in batch.events:
            if event.key != keys.projection:
                continue
            if event.mod_revision > revision:
                return item
            item = event if isinstance(event, KeyValue) else None
    raise AssertionError("a watch never ends by itself")
