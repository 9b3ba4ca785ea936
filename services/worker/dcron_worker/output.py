"""A run's output: both pipes read as they come, as numbered chunks of text.

The first chunk after 50 ms of silence goes out at once; what comes within 50 ms of the last one is put
together, up to 32 KiB or until the 50 ms are over. Text is UTF-8, decoded over the borders of reads; what
is not UTF-8 becomes U+FFFD. The order between stdout and stderr is that of the reads. When the consumer is
slow, at most `HELD_BYTES` and a read wait here; then the pipes fill, and the process waits.
"""

import array
import asyncio
import codecs
import fcntl
import os
import select
import signal
import termios
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal, Self

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_worker.process import Process

CHUNK_BYTES = 32 << 10  # of output in one chunk, at most
HELD_BYTES = 64 << 10
GATHER_S = 0.05  # how long output waits for more, at most
AFTER_END_S = 1.0  # how long the output of a process goes on after its end, at most

Stream = Literal["stdout", "stderr"]


class Chunk(Struct, frozen=True):
    """A piece of output; not always whole lines, but whole characters."""

    seq: int  # 0, 1, 2, … over both streams
    stream: Stream
    at: datetime  # when its beginning was read
    text: str


class _Piece(Struct):
    """A chunk in the making."""

    stream: Stream
    at: datetime
    texts: list[str]
    bytes: int


class _Pipe:
    """One end of a pipe, and what of a character has been read from it."""

    def __init__(self, descriptor: int, stream: Stream) -> None:
        self.descriptor = descriptor
        self.stream = stream
        self.left: int | None = None  # bytes still to be read; None: all until its end
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self) -> tuple[str, int, bool]:
        """Return text, how many bytes that was, and whether it was the end."""
        limit = CHUNK_BYTES if self.left is None else min(CHUNK_BYTES, self.left)
        try:
            data = os.read(self.descriptor, limit)
        except BlockingIOError:
            return "", 0, False
        if self.left is not None:
            self.left -= len(data)
        over = not data or self.left == 0
        return self._decoder.decode(data, final=over), len(data), over

    def stop_after_what_is_there(self) -> None:
        waiting = array.array("i", [0])
        fcntl.ioctl(self.descriptor, termios.FIONREAD, waiting)
        self.left = waiting[0]

    def is_held(self) -> bool:
        """Tell whether some process could still write."""
        poll = select.poll()
        poll.register(self.descriptor, 0)
        return not poll.poll(0)


class OutputReader:
    """Reads two non-blocking pipes and closes them. An async iterator of Chunks; one consumer."""

    def __init__(self, stdout: int, stderr: int, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._open = [_Pipe(stdout, "stdout"), _Pipe(stderr, "stderr")]
        self._pieces: deque[_Piece] = deque()
        self._bytes = 0  # in the pieces
        self._due = 0  # how many pieces need not wait for more
        self._seq = 0
        self._sent_at = clock.monotonic() - GATHER_S
        self._changed = asyncio.Event()
        self._paused = False
        self._end: asyncio.TimerHandle | None = None
        for pipe in self._open:
            self._loop.add_reader(pipe.descriptor, self._read, pipe)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if not self._due:
            await self._wait_until_due()
        self._due -= 1
        piece = self._pieces.popleft()
        self._bytes -= piece.bytes
        if self._paused and self._bytes < HELD_BYTES:
            self._resume()
        chunk = Chunk(self._seq, piece.stream, piece.at, "".join(piece.texts))
        self._seq += 1
        return chunk

    async def _wait_until_due(self) -> None:
        """Wait for output, and for more of it; what is there then is due. Raises StopAsyncIteration."""
        while not self._pieces:
            if not self._open:
                raise StopAsyncIteration
            await self._wait_for_change(None)
        while self._open and self._bytes < CHUNK_BYTES:
            left_s = self._sent_at + GATHER_S - self._clock.monotonic()
            if left_s <= 0:
                break
            await self._wait_for_change(left_s)
        self._due = len(self._pieces)
        self._sent_at = self._clock.monotonic()

    async def _wait_for_change(self, timeout_s: float | None) -> None:
        self._changed.clear()
        if timeout_s is None:
            await self._changed.wait()
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def _read(self, pipe: _Pipe) -> None:
        was_empty = not self._pieces
        text, size, over = pipe.read()
        if text:
            self._add(pipe.stream, text, size)
        if over:
            self._close_pipe(pipe)
        if self._bytes >= HELD_BYTES:
            self._pause()
        # What only makes the waiting chunk a little longer need not wake the consumer.
        if over or was_empty or self._bytes >= CHUNK_BYTES:
            self._changed.set()

    def _add(self, stream: Stream, text: str, size: int) -> None:
        last = self._pieces[-1] if len(self._pieces) > self._due else None
        if last is not None and last.stream == stream and last.bytes + size <= CHUNK_BYTES:
            last.texts.append(text)
            last.bytes += size
        else:
            self._pieces.append(_Piece(stream, self._clock.now(), [text], size))
        self._bytes += size

    def _pause(self) -> None:
        self._paused = True
        for pipe in self._open:
            self._loop.remove_reader(pipe.descriptor)

    def _resume(self) -> None:
        self._paused = False
        for pipe in self._open:
            self._loop.add_reader(pipe.descriptor, self._read, pipe)

    def is_held(self) -> bool:
        """Tell whether some process could still write."""
        return any(pipe.is_held() for pipe in self._open)

    def stop_after_what_is_there(self) -> None:
        """Read what the pipes hold now, and nothing that is written later."""
        for pipe in list(self._open):
            pipe.stop_after_what_is_there()
            if pipe.left == 0:
                self._read(pipe)

    def _close_pipe(self, pipe: _Pipe) -> None:
        self._open.remove(pipe)
        self._loop.remove_reader(pipe.descriptor)
        os.close(pipe.descriptor)

    def end_after(self, process: Process) -> None:
        """End at most `AFTER_END_S` after the process, which is over. What its group still has open is killed then."""
        if self._open:
            self._end = self._loop.call_later(AFTER_END_S, self._end_now, process)

    def _end_now(self, process: Process) -> None:
        if self.is_held():
            process.signal_group(signal.SIGKILL)
        self.stop_after_what_is_there()

    def close(self) -> None:
        """Read no more. A process that still writes gets SIGPIPE."""
        if self._end is not None:
            self._end.cancel()
        for pipe in list(self._open):
            self._close_pipe(pipe)


def output_of(process: Process, clock: Clock) -> OutputReader:
    """Return the reader of a process's output, which ends at most a second after the process.

    A process can leave others behind that hold its pipes. They have `AFTER_END_S` to finish what they write;
    then its whole group is killed, what the pipes hold is still read, and they are closed. Those it leaves
    behind without its pipes are left alone.
    """
    reader = OutputReader(process.stdout, process.stderr, clock)
    process.over.add_done_callback(lambda _: reader.end_after(process))
    return reader
