"""Puts what is stored and what is new of one run together, on `seq`, without gap or double (pure).

Both sources may come late, twice, out of order, or with holes; the store may be behind the log. What is ahead
of the next chunk waits for it. `frames` gives what can be sent now.
"""

from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct

from dcron_log_ingester.batches import Document, applied, batch_of
from dcron_log_ingester.views import execution_view, live_piece
from dcron_schemas.api import ExecutionView, FinishedFrame, Frame, OutputFrame, OutputPiece, StateFrame
from dcron_schemas.records import ExecutionRecord, OutputChunk

UNKNOWN, RUNNING, LOST, FINISHED = range(4)
AHEAD_CHARACTERS = 4 << 20  # more than that waiting for a hole is dropped: the store has it


class Stored(Struct, frozen=True):
    """One reading of the store: the run first, then output."""

    execution: Document | None
    pieces: list[OutputPiece]
    to_end: bool  # no more output was stored when it was read


class Join:
    """What one viewer has seen of a run, and what waits to be seen."""

    def __init__(self, from_seq: int = 0) -> None:
        self.next_seq = from_seq
        self._document: Document | None = None
        self._ahead: dict[int, OutputPiece] = {}
        self._ahead_characters = 0
        self._state_changed = False
        self._stored_is_all = False  # the run's end and all output before it were read from the store

    @property
    def known(self) -> bool:
        """Whether there is such a run."""
        return self._document is not None

    @property
    def ended(self) -> bool:
        """Whether the run is over, as far as is known."""
        return _finality(self._document) > RUNNING

    @property
    def complete(self) -> bool:
        """Whether the run is over and all of its output was sent."""
        if not self.ended:
            return False
        chunks = self._output_chunks
        return self.next_seq >= chunks if chunks is not None else self._stored_is_all and not self._ahead

    @property
    def broken(self) -> bool:
        """Whether the run is over and a chunk before its end is not to be had, at least for now."""
        return self.ended and self._stored_is_all and not self.complete

    @property
    def waiting(self) -> bool:
        """Whether something that must exist is missing, so that the store is to be read again soon."""
        return not self.known or bool(self._ahead) or (self.ended and not self.complete)

    def take(self, record: ExecutionRecord) -> None:
        """Take in a record from the log."""
        if isinstance(record, OutputChunk):
            self._take_piece(live_piece(record))
            return
        for write in batch_of([record], timedelta()).executions:
            self._take_document(applied(self._document, write))

    def take_stored(self, stored: Stored) -> None:
        """Take in a reading of the store."""
        if stored.execution is not None and _finality(stored.execution) >= _finality(self._document):
            self._take_document(stored.execution)
        reach = self.next_seq  # without a hole up to here: frames take it at once, so it needs no bound
        for piece in stored.pieces:
            while reach in self._ahead:
                reach += 1
            self._take_piece(piece, wanted=piece.seq == reach)
        # Output is stored before the end of its run, and read after it.
        self._stored_is_all = stored.to_end and _finality(stored.execution) > RUNNING

    def frames(self) -> Iterator[Frame]:
        """Yield what can be sent now, in order, each once; the last one when the run is complete."""
        if self._document is None:
            return
        if self._state_changed:
            self._state_changed = False
            yield StateFrame(execution=self._view())
        while (piece := self._ahead.pop(self.next_seq, None)) is not None:
            self._ahead_characters -= len(piece.text)
            self.next_seq += 1
            yield OutputFrame(chunk=piece)
        if self.complete:
            yield FinishedFrame(execution=self._view())

    @property
    def _output_chunks(self) -> int | None:
        return self._document.get("output_chunks") if self._document is not None else None

    def _view(self) -> ExecutionView:
        assert self._document is not None
        return execution_view(self._document)

    def _take_document(self, document: Document) -> None:
        first = self._document is None
        before, self._document = self._document, document
        if first or (not self.ended and before is not None and execution_view(before) != self._view()):
            self._state_changed = True

    def _take_piece(self, piece: OutputPiece, *, wanted: bool = False) -> None:
        if piece.seq < self.next_seq or piece.seq in self._ahead:
            return
        wanted = wanted or piece.seq == self.next_seq
        if not wanted and self._ahead_characters + len(piece.text) > AHEAD_CHARACTERS:
            return
        self._ahead[piece.seq] = piece
        self._ahead_characters += len(piece.text)


def _finality(document: Document | None) -> int:
    """Rank what is known of a run."""
    if document is None:
        return UNKNOWN
    if "finished_at" in document:
        return FINISHED
    return LOST if document["status"] == "lost" else RUNNING
