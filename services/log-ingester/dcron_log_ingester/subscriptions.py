"""What one viewer has been handed and has not taken yet: a bounded queue of records.

Overflow rule: a viewer that falls behind by more than the bound loses the queue; `overflowed` says so, and it
takes nothing more.
"""

import asyncio

from dcron_schemas.records import ExecutionRecord


class Subscription:
    """The records of one execution, from the moment it was opened."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._records: list[ExecutionRecord] = []
        self._arrived = asyncio.Event()
        self.overflowed = False

    def put(self, record: ExecutionRecord, size: int) -> None:
        """Hand over a record that takes `size` bytes."""
        if self.overflowed:
            return
        self._bytes += size
        if self._bytes > self._most_bytes:
            self.overflowed = True
            self._records.clear()
        else:
            self._records.append(record)
        self._arrived.set()

    async def arrival(self) -> None:
        """Wait until there is something to take, or the queue overflowed."""
        await self._arrived.wait()

    def take(self) -> list[ExecutionRecord]:
        """Return what has come since the last time."""
        taken, self._records, self._bytes = self._records, [], 0
        if not self.overflowed:
            self._arrived.clear()
        return taken
