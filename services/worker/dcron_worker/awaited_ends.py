"""The ends of runs elsewhere that something waits for here: a tick behind the run before it, a retry, a request.

Nobody tells the other workers of an end; but its run's liveness key goes, by the hand of its worker or with its
lease. So a worker that found such a key in its way watches it. That costs one stream for each run that is waited
for, and no call; without it, a worker would have to try again and again.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from dcron_core.errors import CompactedError, StoreUnavailableError
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValueStore, Removed

MOST_WATCHED = 100  # runs; who waits for another one looks again and again
LONGEST_S = 300.0  # then the watch ends, as if the run had: who still waits for it looks again


class AwaitedEnds:
    """Watches runs until they are over. `over` is called with the job of each."""

    def __init__(self, store: KeyValueStore, keys: Keys, over: Callable[[str], None]) -> None:
        self._store = store
        self._keys = keys
        self._over = over
        self._watches: dict[str, asyncio.Task[None]] = {}  # by execution

    def watch(self, job_id: str, execution_id: str, revision: int) -> bool:
        """Tell when the run, which was alive when the store stood at `revision`, is over; False: too many are watched.

        A transaction that found it alive may have shared a call with the one that ended it, and so the revision.
        """
        if execution_id not in self._watches:
            if len(self._watches) >= MOST_WATCHED:
                return False
            task = asyncio.create_task(self._wait(job_id, execution_id, revision), name=f"end of {execution_id}")
            self._watches[execution_id] = task
            task.add_done_callback(lambda _: self._watches.pop(execution_id, None))
        return True

    async def stop(self) -> None:
        """Watch nothing more."""
        tasks = list(self._watches.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self, job_id: str, execution_id: str, revision: int) -> None:
        key = self._keys.active(job_id, execution_id)
        try:
            async with asyncio.timeout(LONGEST_S), aclosing(self._store.watch(key, revision)) as changes:
                async for batch in changes:
                    if any(isinstance(event, Removed) and event.key == key for event in batch.events):
                        break
        except (CompactedError, StoreUnavailableError, TimeoutError):
            pass  # it may be over; whoever waits looks, and finds out
        self._watches.pop(execution_id, None)
        self._over(job_id)
