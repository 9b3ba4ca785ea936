"""A prefix of the store, followed for ever: a snapshot at revision R, then every change from R + 1.

`follow` is the stream of what happens; `Mirror` is the state that it adds up to::

    mirror = Mirror()
    async for update in follow(store, keys.jobs):
        changed = mirror.apply(update)

`Known` is the same for those who keep what the values say and not the values.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from msgspec import Struct

from dcron_core.errors import CompactedError, StoreUnavailableError
from dcron_core.ports.store import Changes, KeyValue, KeyValueStore, Range, Removed
from dcron_core.telemetry import get_logger

log = get_logger()

_FIRST_DELAY_S = 0.05
_MOST_DELAY_S = 2.0

Tell = Callable[[str], None]


def _to_nobody(why: str) -> None:
    pass


class Snapshot(Struct, frozen=True):
    """All keys of the prefix at one revision; whatever was known before no longer holds."""

    revision: int
    items: tuple[KeyValue, ...]


async def follow(
    store: KeyValueStore, prefix: str, tell: Tell = _to_nobody
) -> AsyncGenerator[Snapshot | Changes, None]:
    """Yield a Snapshot, then Changes with revisions that only grow, without gap or double.

    When the store has forgotten the revision to go on from, a new Snapshot comes. While the store does not
    answer, nothing comes, but before the first Snapshot `tell` is given the reason. It ends only by `aclose`, or by
    an error that waiting would not heal.
    """
    while True:
        snapshot = await _read(store, prefix, tell)
        tell = _to_nobody
        revision = snapshot.revision
        yield Snapshot(revision=revision, items=snapshot.items)
        del snapshot  # it may be large, and the changes may go on for ever
        try:
            async with aclosing(_changes(store, prefix, revision)) as changes:
                async for batch in changes:
                    yield batch
        except CompactedError as error:
            log.warning("reading the prefix again", action="mirror.resync", prefix=prefix, error=str(error))


async def _read(store: KeyValueStore, prefix: str, tell: Tell) -> Range:
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            return await store.read_prefix(prefix)
        except StoreUnavailableError as error:
            tell(str(error))
            await _wait(prefix, error, delay_s)
            delay_s = min(delay_s * 2, _MOST_DELAY_S)


async def _changes(store: KeyValueStore, prefix: str, revision: int) -> AsyncGenerator[Changes, None]:
    """Yield the changes after `revision`, whatever becomes of a single watch."""
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            async with aclosing(store.watch(prefix, revision + 1)) as changes:
                async for batch in changes:
                    if batch.revision > revision:
                        revision = batch.revision
                        delay_s = _FIRST_DELAY_S
                        yield batch
        except StoreUnavailableError as error:
            await _wait(prefix, error, delay_s)
            delay_s = min(delay_s * 2, _MOST_DELAY_S)


async def _wait(prefix: str, error: StoreUnavailableError, delay_s: float) -> None:
    log.warning("waiting for the store", action="mirror.wait", prefix=prefix, error=str(error), delay_s=delay_s)
    await asyncio.sleep(delay_s)


class Mirror:
    """The keys of a prefix as of a revision. It changes only in `apply`."""

    def __init__(self) -> None:
        self.revision = 0  # 0: nothing applied yet
        self.items: dict[str, KeyValue] = {}
        self._advanced = asyncio.Event()

    def apply(self, update: Snapshot | Changes) -> list[str]:
        """Take in what `follow` yielded; return the keys that are now new, other or gone.

        After a second Snapshot these are the differences to what was known before.
        """
        changed = self._replace(update) if isinstance(update, Snapshot) else self._advance(update)
        self.revision = update.revision
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()
        return changed

    async def reached(self, revision: int) -> None:
        """Return once the mirror stands at `revision` or later; with 1, once it is loaded.

        It advances with changes of its own prefix only: wait for the revision of a write to that.
        """
        while self.revision < revision:
            await self._advanced.wait()

    def _replace(self, snapshot: Snapshot) -> list[str]:
        old = self.items
        self.items = {item.key: item for item in snapshot.items}
        gone = [key for key in old if key not in self.items]
        return gone + [key for key, item in self.items.items() if old.get(key) != item]

    def _advance(self, changes: Changes) -> list[str]:
        for event in changes.events:
            if isinstance(event, Removed):
                self.items.pop(event.key, None)
            else:
                self.items[event.key] = event
        return list(dict.fromkeys(event.key for event in changes.events))


class Known:
    """Which keys of a prefix there are, and since which revision each is as it is."""

    def __init__(self) -> None:
        self._revisions: dict[str, int] = {}

    def apply(self, update: Snapshot | Changes) -> list[KeyValue | Removed]:
        """Take in what `follow` yielded; return how the keys stand that are now new, other or gone, each once."""
        if isinstance(update, Snapshot):
            news = self._differences(update)
        else:
            news = list({event.key: event for event in update.events}.values())
        for item in news:
            if isinstance(item, Removed):
                self._revisions.pop(item.key, None)
            else:
                self._revisions[item.key] = item.mod_revision
        return news

    def _differences(self, snapshot: Snapshot) -> list[KeyValue | Removed]:
        gone = self._revisions.keys() - {item.key for item in snapshot.items}
        other = (item for item in snapshot.items if self._revisions.get(item.key) != item.mod_revision)
        return [*(Removed(key, snapshot.revision) for key in sorted(gone)), *other]
