"""Readings of the store for live views, shared by the viewers who want the same at the same time.

A reading is the run first, then its output, as one: output is stored before the end of its run, so a run that is
over has all of its output in the reading.
"""

import asyncio
from typing import Protocol

from dcron_core.clock import Clock
from dcron_core.errors import UnavailableError
from dcron_core.telemetry import get_logger
from dcron_log_ingester.batches import Document
from dcron_log_ingester.join import Stored
from dcron_schemas.api import OutputPiece

PAGE = 200  # chunks in one reading
SHARED_S = 0.25  # how old a reading may be for a viewer who misses nothing

log = get_logger()

Wanted = tuple[str, int]  # execution id, first chunk


class RunReader(Protocol):
    """What live views ask of the store."""

    async def execution(self, execution_id: str) -> Document | None:
        """Return the run's document, or None."""
        ...

    async def output(self, execution_id: str, from_seq: int, limit: int) -> list[OutputPiece]:
        """Return the stored chunks with `from_seq` ≤ seq < `from_seq + limit`, in order."""
        ...


class Readings:
    """Reads the store for viewers."""

    def __init__(self, store: RunReader, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._tasks: dict[Wanted, tuple[float, asyncio.Task[Stored | None]]] = {}  # with when it began

    async def read(self, execution_id: str, from_seq: int, *, hurry: bool) -> Stored | None:
        """Return a reading; None if the store does not answer. In a `hurry`, one that began just now."""
        wanted = (execution_id, from_seq)
        now_s = self._clock.monotonic()
        began_s, task = self._tasks.get(wanted, (0.0, None))
        if task is None or (task.done() and (hurry or now_s - began_s > SHARED_S)):
            self._forget(now_s)
            task = asyncio.create_task(self._read(execution_id, from_seq))
            self._tasks[wanted] = (now_s, task)
        return await asyncio.shield(task)

    def _forget(self, now_s: float) -> None:
        old = [key for key, (began_s, task) in self._tasks.items() if task.done() and now_s - began_s > SHARED_S]
        for key in old:
            del self._tasks[key]

    async def _read(self, execution_id: str, from_seq: int) -> Stored | None:
        try:
            execution = await self._store.execution(execution_id)
            pieces = await self._store.output(execution_id, from_seq, PAGE)
        except UnavailableError as error:
            log.warning("the store does not answer a live view", action="live.store", error=str(error))
            return None
        return Stored(execution, pieces, to_end=len(pieces) < PAGE)
