"""A run's output, bounded: its head goes on at once, its tail is kept back until the end, what is between is left out.

Bytes are those of the text in UTF-8, both streams together. Of the limit, the tail has at most `TAIL_BYTES`, which
is also the most memory that a run's output takes here. Where something was left out, a line says how much, on each
stream that lost something; it does not count towards the limit. A character is never cut.
"""

from collections import deque

from msgspec.structs import replace

from dcron_worker.output import Chunk, Stream

TAIL_BYTES = 256 << 10


class OutputBound:
    """Takes chunks in, gives those that are kept back. Their numbers are for the caller to give."""

    def __init__(self, limit: int) -> None:
        self._tail_room = min(limit // 2, TAIL_BYTES)
        self._head_room = limit - self._tail_room
        self._tail: deque[Chunk] = deque()
        self._tail_bytes = 0
        self._left_out: dict[Stream, int] = {}

    @property
    def left_out(self) -> int:
        """How many bytes were left out."""
        return sum(self._left_out.values())

    def take(self, chunk: Chunk) -> list[Chunk]:
        """Take one in; return what of it belongs to the head."""
        head, rest = _cut(chunk.text, self._head_room) if self._head_room else ("", chunk.text)
        self._head_room -= _size(head)
        if rest:
            self._tail_room += self._head_room  # where a character did not fit
            self._head_room = 0
            self._keep(replace(chunk, text=rest))
        return [replace(chunk, text=head)] if head else []

    def marks(self) -> list[Chunk]:
        """At the end: return the lines about what was left out; the tail comes after them."""
        first = self._tail[0] if self._tail else None
        return [
            replace(first, stream=stream, text=f"\n[dcron: {count} bytes of {stream} left out here]\n")
            for stream, count in self._left_out.items()
            if first is not None
        ]

    def tail(self) -> list[Chunk]:
        """At the end: return the tail."""
        tail = [chunk for chunk in self._tail if chunk.text]
        self._tail.clear()
        return tail

    def _keep(self, chunk: Chunk) -> None:
        self._tail.append(chunk)
        self._tail_bytes += _size(chunk.text)
        while self._tail_bytes > self._tail_room:
            oldest = self._tail.popleft()
            size = _size(oldest.text)
            left_out = min(size, self._tail_bytes - self._tail_room)
            kept = _last(oldest.text, size - left_out)
            left_out = size - _size(kept)
            self._left_out[oldest.stream] = self._left_out.get(oldest.stream, 0) + left_out
            self._tail_bytes -= left_out
            if kept or not self._tail:  # the mark needs to know where it stands, even with nothing after it
                self._tail.appendleft(replace(oldest, text=kept))
                break


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _cut(text: str, room: int) -> tuple[str, str]:
    """Return what of the text fits into `room` bytes, and what does not."""
    if _size(text) <= room:
        return text, ""
    head = text.encode()[:room].decode("utf-8", "ignore")
    return head, text[len(head) :]


def _last(text: str, room: int) -> str:
    """Return the last characters that fit into `room` bytes."""
    return text.encode()[-room:].decode("utf-8", "ignore") if room else ""
