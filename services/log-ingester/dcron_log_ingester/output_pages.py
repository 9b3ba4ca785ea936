"""Pages of a run's output, bounded in chunks and in characters, so that no reader makes the service hold a whole one.

A page ends before its bound of chunks when its text is long; the next one begins where it ended. Chunks that are
missing for good (a power cut took them from the worker's disk) are passed over in a run that is over.
"""

from collections.abc import AsyncIterator
from typing import Literal

from msgspec import Struct

from dcron_log_ingester.readings import RunReader
from dcron_schemas.api import ExecutionView, OutputPiece

MOST_CHUNKS = 1000  # in a page
MOST_CHARACTERS = 2 << 20  # in a page, and what one portion holds beyond that
PORTION = 50  # chunks that are read at once; 32 KiB of what the run wrote each, at most

OutputStream = Literal["stdout", "stderr"]


class Page(Struct, frozen=True):
    """A part of an output."""

    chunks: list[OutputPiece]
    next_seq: int | None  # where the next page begins; None: this was the last one for now


async def page_of(store: RunReader, execution: ExecutionView, from_seq: int, limit: int) -> Page:
    """Return what is stored from `from_seq` on, `limit` chunks at most."""
    chunks: list[OutputPiece] = []
    characters, at, end = 0, from_seq, from_seq + limit
    while at < end and characters < MOST_CHARACTERS:
        until = min(at + PORTION, end)
        portion = await store.output(execution.execution_id, at, until - at)
        chunks += portion
        characters += sum(len(chunk.text) for chunk in portion)
        at = until
        reached_end = bool(portion) and portion[-1].seq == until - 1
        if not reached_end and at >= (execution.output_chunks or 0):
            return Page(chunks, None)
    return Page(chunks, at)


async def text_of(
    store: RunReader, execution: ExecutionView, from_seq: int, stream: OutputStream | None
) -> AsyncIterator[str]:
    """Yield all that is stored from `from_seq` on, as text, page by page."""
    following: int | None = from_seq
    while following is not None:
        page = await page_of(store, execution, following, MOST_CHUNKS)
        yield "".join(chunk.text for chunk in page.chunks if stream in {None, chunk.stream})
        following = page.next_seq
