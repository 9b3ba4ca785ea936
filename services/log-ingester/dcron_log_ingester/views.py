"""What the API shows of a document, and of a record that is not stored yet (pure)."""

import msgspec

from dcron_log_ingester.batches import Document, stored_instant
from dcron_schemas.api import ExecutionView, OutputPiece, RecentRun, SkippedTick
from dcron_schemas.audit import EventView
from dcron_schemas.records import OutputChunk


def event_view(document: Document) -> EventView:
    """Return the event of the log that `document` describes."""
    changes = msgspec.json.decode(document["changes"])
    return msgspec.convert({**document, "position": document["_id"], "changes": changes}, EventView)


def execution_view(document: Document) -> ExecutionView:
    """Return the run that `document` describes."""
    return msgspec.convert({**document, "execution_id": document["_id"]}, ExecutionView)


def recent_run(view: ExecutionView) -> RecentRun:
    """Return the run in short."""
    return RecentRun(
        execution_id=view.execution_id,
        due_at=view.due_at,
        status=view.status,
        started_at=view.started_at,
        finished_at=view.finished_at,
    )


def stored_piece(document: Document) -> OutputPiece:
    """Return the chunk that `document` holds."""
    return OutputPiece(seq=document["seq"], stream=document["stream"], at=document["at"], text=document["text"])


def live_piece(chunk: OutputChunk) -> OutputPiece:
    """Return the chunk as it will be read from the store."""
    return OutputPiece(seq=chunk.seq, stream=chunk.stream, at=stored_instant(chunk.at), text=chunk.text)


def skipped_tick(document: Document) -> SkippedTick:
    """Return the skipped tick, or range of them, that `document` describes."""
    return msgspec.convert(document, SkippedTick)
