"""The spool: every record is on this disk before it is sent to Kafka.

`Spool` is an append-only log in a directory of its own. It promises:

* What `append` returned for survives the end of the process, however it ends; what `sync` returned for
  survives a power cut.
* Records are read in the order they were appended, each at a position that never changes and is never
  given twice. Positions grow by one; they can leap after damage.
* A frame that was cut short by a crash is removed when the spool is opened; the records before it stay.
  Damage anywhere else costs the rest of that one segment, is logged and counted, and stops nothing.
* Acknowledged records are forgotten in whole segments. After a crash, records that were acknowledged in
  the last second can come again.
* It never takes more than its bound of bytes on disk. What is expendable (output) leaves an eighth of that to the
  rest (how runs began and ended, and ticks that were skipped), so that output is cut before results are.

One process at a time: the directory is locked. All methods are to be called from the event loop's thread.
"""

import asyncio
import os
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.telemetry import get_logger
from dcron_worker.errors import SpoolError, SpoolFullError
from dcron_worker.spool_disk import (
    lock_directory,
    open_for_append,
    read_acknowledged,
    sync_files,
    write_acknowledged,
    write_whole,
)
from dcron_worker.spool_segment import (
    MOST_VALUE_BYTES,
    DamagedFrameError,
    Segment,
    SegmentReader,
    SpoolRecord,
    encode_frame,
    examine,
    find_segments,
    segment_path,
)

SEGMENT_BYTES = 8 << 20
LIMIT_BYTES = 1 << 30
SEGMENTS_IN_LIMIT = 16  # at least: room is given back by whole segments
RESERVE_SHARE = 8  # one in so many bytes is kept for what is not expendable
SCAN_BYTES = 1 << 20  # read at once by `waiting`
PERSIST_EVERY = timedelta(seconds=1)  # how often the acknowledged position is written down, at most

log = get_logger()


class Depth(Struct, frozen=True):
    """What waits for Kafka."""

    records: int
    bytes: int  # on disk; the acknowledged part of the oldest segment included


class Spool:
    """The spool of one worker. Opened by its construction; raises SpoolError, SpoolInUseError."""

    def __init__(
        self, directory: Path, clock: Clock, segment_bytes: int = SEGMENT_BYTES, limit_bytes: int = LIMIT_BYTES
    ) -> None:
        self.arrived = asyncio.Event()  # set by each append; whoever reads the spool clears it
        self.damaged_segments = 0
        self.failure = ""  # why the last record could not be written; "": it could
        self._directory = directory.absolute()
        self._clock = clock
        self._limit_bytes = limit_bytes
        self._segment_bytes = min(segment_bytes, max(1, limit_bytes // SEGMENTS_IN_LIMIT))
        self._foul = False  # what was written in vain could not be taken back: nothing may lie behind it
        self._reader: SegmentReader | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._sync_failure: SpoolError | None = None
        self._persist_at = clock.monotonic()
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = lock_directory(self._directory)
        except OSError as error:
            raise SpoolError(f"the spool {self._directory} cannot be opened: {error}") from error
        try:
            self._open()
        except OSError as error:
            os.close(self._lock)
            raise SpoolError(f"the spool {self._directory} cannot be opened: {error}") from error

    def _open(self) -> None:
        self._segments = find_segments(self._directory)
        self._size = sum(segment.size for segment in self._segments)
        oldest = self._segments[0].first if self._segments else 0
        self._acknowledged = self._persisted = max(oldest, read_acknowledged(self._directory))
        self._end = self._recover_last()
        # All of them: a process that was killed may have left segments that never reached the disk.
        self._unsynced = [segment.path for segment in self._segments]
        self._synced = self._acknowledged
        if not self._segments or self._segments[-1].damaged or self._end < self._acknowledged:
            self._end = max(self._end, self._acknowledged)
            self._begin_segment()
        else:
            self._descriptor = open_for_append(self._segments[-1].path)
        for segment in self._segments:
            segment.damaged = False  # whoever reads it meets the damage, and reports it then

    def _recover_last(self) -> int:
        """Cut a torn frame off the last segment; return the position after its last good record."""
        if not self._segments:
            return 0
        last = self._segments[-1]
        found = examine(last.path)
        if found.torn:
            log.warning(
                "the last frame of the spool was not written to its end; it is cut off",
                action="spool.torn", segment=str(last.path), bytes=last.size - found.size,
            )  # fmt: skip
            os.truncate(last.path, found.size)
            self._size -= last.size - found.size
            last.size = found.size
        last.damaged = found.damaged
        return last.first + found.records + (1 if found.damaged else 0)

    @property
    def acknowledged(self) -> int:
        """Everything before this position is in Kafka."""
        return self._acknowledged

    @property
    def end(self) -> int:
        """The position that the next record gets."""
        return self._end

    @property
    def depth(self) -> Depth:
        """What waits for Kafka."""
        return Depth(self._end - self._acknowledged, self._size)

    @property
    def full_for(self) -> Literal["", "output", "everything"]:
        """Tell what a large record of does not fit within the bound any more."""
        if self._size + MOST_VALUE_BYTES > self._limit_bytes:
            return "everything"
        return "output" if self._size + MOST_VALUE_BYTES > self._limit_for_output else ""

    @property
    def _limit_for_output(self) -> int:
        return self._limit_bytes - self._limit_bytes // RESERVE_SHARE

    def append(self, record: SpoolRecord, *, expendable: bool = False) -> int:
        """Write a record; return its position.

        Raises SpoolError, SpoolFullError, and then has written nothing.
        """
        return self._append(encode_frame(record), 1, self._limit_for_output if expendable else self._limit_bytes)

    def append_all(self, records: Sequence[SpoolRecord]) -> int:
        """Write records in one go; return the first one's position. All of them, or (SpoolError) none."""
        return self._append(b"".join(map(encode_frame, records)), len(records), self._limit_bytes)

    def _append(self, frames: bytes, count: int, limit_bytes: int) -> int:
        if self._size + len(frames) > limit_bytes:
            raise SpoolFullError(
                f"the spool {self._directory} has {self._size} of the {self._limit_bytes} bytes that it may have "
                "(DCRON_WORKER_SPOOL_BYTES); Kafka does not take records as fast as they come"
            )
        segment = self._segments[-1]
        try:
            if segment.size >= self._segment_bytes or self._foul:
                segment = self._roll()
            write_whole(self._descriptor, frames, segment.size)
        except OSError as error:
            self._foul = os.fstat(self._descriptor).st_size != self._segments[-1].size
            self.failure = f"the spool {segment.path} cannot be written: {error}"
            self._give_back()
            raise SpoolError(self.failure) from error
        self.failure = ""
        segment.size += len(frames)
        self._size += len(frames)
        position = self._end
        self._end += count
        self.arrived.set()
        return position

    def _begin_segment(self) -> Segment:
        path = segment_path(self._directory, self._end)
        self._descriptor = open_for_append(path)
        segment = Segment(path, self._end, 0)
        self._segments.append(segment)
        self._unsynced.append(path)
        return segment

    def _roll(self) -> Segment:
        full, descriptor = self._segments[-1], self._descriptor
        segment = self._begin_segment()
        self._foul = False
        self._unsynced.append(full.path)
        os.close(descriptor)
        return segment

    def read(self, position: int, limit_bytes: int) -> list[tuple[int, SpoolRecord]]:
        """Return records with their positions, from the first at or after `position` on.

        About `limit_bytes` of them, but at least one; none when there is nothing after `position` that can
        be read.
        """
        position = max(position, self._segments[0].first)
        while position < self._end:
            index = bisect_right(self._segments, position, key=lambda segment: segment.first) - 1
            segment = self._segments[index]
            try:
                if records := self._reader_at(segment, position).read(limit_bytes):
                    return records
            except DamagedFrameError as error:
                self._report_damage(segment, position, error)
            except OSError as error:
                raise SpoolError(f"the spool {segment.path} cannot be read: {error}") from error
            if index + 1 == len(self._segments):
                break
            position = self._segments[index + 1].first
        return []

    async def waiting(self) -> AsyncIterator[SpoolRecord]:
        """Yield what Kafka does not have now, beside whoever else reads. Damage is passed over.

        A spool can be large: the loop has its turn again and again.
        """
        end = self._end
        for segment in [each for each in self._segments if each.first < end]:
            try:
                with closing(SegmentReader(segment)) as reader:
                    reader.skip_to(self._acknowledged)
                    while records := reader.read(SCAN_BYTES):
                        for _, record in records:
                            yield record
                        await asyncio.sleep(0)
            except FileNotFoundError:
                continue  # acknowledged meanwhile
            except DamagedFrameError:
                continue  # reported when it is its turn to be sent
            except OSError as error:
                raise SpoolError(f"the spool {segment.path} cannot be read: {error}") from error

    def _reader_at(self, segment: Segment, position: int) -> SegmentReader:
        if self._reader is None or self._reader.segment is not segment or self._reader.position > position:
            self._close_reader()
            self._reader = SegmentReader(segment)
        self._reader.skip_to(position)
        return self._reader

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _report_damage(self, segment: Segment, position: int, error: DamagedFrameError) -> None:
        if segment.damaged:
            return
        segment.damaged = True
        self.damaged_segments += 1
        log.error(
            "the spool is damaged; the rest of this segment is lost",
            action="spool.damaged", segment=str(segment.path), position=position, error=str(error),
        )  # fmt: skip
        if segment is self._segments[-1]:
            self._roll()  # what comes now is not to lie behind the damage

    def acknowledge(self, position: int) -> None:
        """Everything before `position` is in Kafka and need not be kept."""
        if position > self._end:
            raise ValueError(f"position {position} is after the spool's end {self._end}")
        if position <= self._acknowledged:
            return
        self._acknowledged = position
        if self.failure or self.full_for:
            self._give_back()
        self._forget_acknowledged()
        if self._clock.monotonic() >= self._persist_at:
            self._persist()

    def _give_back(self) -> None:
        """There is no room: if all is acknowledged, let the last segment go too. It may be what fills the disk."""
        if self._acknowledged == self._end and self._segments[-1].size:
            with suppress(OSError):
                self._roll()
                self._forget_acknowledged()

    def _forget_acknowledged(self) -> None:
        while len(self._segments) > 1 and self._segments[1].first <= self._acknowledged:
            self._forget(self._segments.pop(0))

    def _forget(self, segment: Segment) -> None:
        if self._reader is not None and self._reader.segment is segment:
            self._close_reader()
        self._size -= segment.size
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as error:  # found again by the next life, and sent again
            log.warning("a segment cannot be removed", action="spool.forget", error=str(error))

    def _persist(self) -> None:
        self._persist_at = self._clock.monotonic() + PERSIST_EVERY.total_seconds()
        if write_acknowledged(self._directory, self._acknowledged):
            self._persisted = self._acknowledged

    async def sync(self) -> None:
        """Return when everything appended so far would survive a power cut. Callers share the disk's work.

        Raises SpoolError; from then on always, since the kernel forgets what it could not write.
        """
        wanted = self._end
        while self._synced < wanted:
            if self._syncing is None or self._syncing.done():
                self._syncing = asyncio.create_task(self._sync_once(), name="spool sync")
            await asyncio.shield(self._syncing)

    async def _sync_once(self) -> None:
        if self._sync_failure is not None:
            raise self._sync_failure
        end, paths = self._end, [*self._unsynced, self._segments[-1].path]
        try:
            await asyncio.to_thread(sync_files, self._directory, paths, bool(self._unsynced))
        except OSError as error:
            self._sync_failure = SpoolError(f"the spool {self._directory} cannot be synced: {error}")
            raise self._sync_failure from error
        del self._unsynced[: len(paths) - 1]
        self._synced = end

    async def close(self) -> None:
        """Write down what is acknowledged, and give the directory back."""
        if self._syncing is not None:
            await asyncio.wait((self._syncing,))
        if self._persisted < self._acknowledged:
            self._persist()
        self._close_reader()
        os.close(self._descriptor)
        os.close(self._lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
