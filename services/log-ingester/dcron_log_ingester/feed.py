"""The feed: every change of state of every run, and every tick that did not run, as frames (pure).

A viewer has a queue of its own, bounded in bytes. Overflow rule: what waits is dropped and counted, a gap frame
says so in its place, and the feed goes on with what comes next.
"""

import asyncio
from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from dcron_log_ingester.batches import applied, batch_of
from dcron_log_ingester.views import execution_view, skipped_tick
from dcron_schemas.api import FeedFrame, FeedGapFrame, RunFrame, SkipFrame
from dcron_schemas.records import ExecutionFinished, ExecutionRecord, ExecutionStarted, OutputChunk

SKIPPED = "skipped"  # as a status that is asked for
FEED_BYTES = 1 << 20  # for each viewer


class FeedFilter(Struct, frozen=True, kw_only=True):
    """What a viewer wants to see; empty: all."""

    job_ids: tuple[str, ...] = ()
    namespaces: frozenset[str] | None = None  # None: all
    statuses: tuple[str, ...] = ()  # of a run, or `skipped`

    def wants(self, frame: RunFrame | SkipFrame) -> bool:
        about, status = (
            (frame.execution, frame.execution.status) if isinstance(frame, RunFrame) else (frame.tick, SKIPPED)
        )
        return (
            (not self.job_ids or about.job_id in self.job_ids)
            and (self.namespaces is None or about.namespace in self.namespaces)
            and (not self.statuses or status in self.statuses)
        )


def feed_frame(record: ExecutionRecord) -> RunFrame | SkipFrame | None:
    """Return what the feed shows of a record; None for output. It shows what this one record says of its run."""
    if isinstance(record, OutputChunk):
        return None
    batch = batch_of([record], timedelta())
    for tick in batch.ticks:
        return SkipFrame(tick=skipped_tick(tick))
    change: Literal["started", "finished", "lost"] = "lost"
    if isinstance(record, ExecutionStarted):
        change = "started"
    elif isinstance(record, ExecutionFinished):
        change = "finished"
    return RunFrame(change=change, execution=execution_view(applied(None, batch.executions[0])))


class FeedItem(Struct, frozen=True):
    """A frame as it is sent."""

    name: str  # the frame's tag
    text: str  # JSON, on one line


def feed_item(frame: FeedFrame) -> FeedItem:
    """Return the frame, encoded."""
    return FeedItem(str(frame.__struct_config__.tag), msgspec.json.encode(frame).decode())


class FeedQueue:
    """What one viewer of the feed has not taken yet, encoded."""

    def __init__(self, wanted: FeedFilter, most_bytes: int = FEED_BYTES) -> None:
        self.wanted = wanted
        self._most_bytes = most_bytes
        self._bytes = 0
        self._items: list[FeedItem] = []
        self._missed = 0
        self._arrived = asyncio.Event()

    def put(self, item: FeedItem) -> None:
        """Hand over a frame."""
        self._bytes += len(item.text)
        self._items.append(item)
        if self._bytes > self._most_bytes:
            self._missed += len(self._items)
            self._items.clear()
            self._bytes = 0
        self._arrived.set()

    async def take(self) -> list[FeedItem]:
        """Wait for frames; return them, after a gap frame if some were dropped."""
        await self._arrived.wait()
        self._arrived.clear()
        taken, self._items, self._bytes = self._items, [], 0
        if self._missed:
            taken.insert(0, feed_item(FeedGapFrame(missed=self._missed)))
            self._missed = 0
        return taken
