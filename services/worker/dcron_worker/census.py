"""Looks through the process table, shared by all who want one at the same time.

A look costs milliseconds in a thread; ending many runs at once must not cost as many looks.
"""

import asyncio

from dcron_worker.process_tree import Hunt, Root, Seen, look, members


class Census:
    """One for each worker."""

    def __init__(self) -> None:
        self._current: asyncio.Task[dict[int, Seen]] | None = None
        self._next: asyncio.Task[dict[int, Seen]] | None = None

    async def members(self, root: Root) -> list[Seen]:
        """Return the processes that belong to a run, as of a look that began after the call."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._current))
        return members(await asyncio.shield(self._next), (root,))

    async def kill(self, root: Root) -> None:
        """Kill all processes of a run."""
        hunt = Hunt()
        while hunt.freeze(await self.members(root)):
            pass
        hunt.kill()

    async def _look_after(self, current: "asyncio.Task[dict[int, Seen]] | None") -> dict[int, Seen]:
        if current is not None:
            await asyncio.wait((current,))
        self._current, self._next = self._next, None
        return await asyncio.to_thread(look)
