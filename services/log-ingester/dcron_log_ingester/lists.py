"""Pages of runs: newest due first, within a bound of time and of output read for one answer.

A page that the bound cut short says how far it came (`searched_to`) and where to go on (`next_cursor`). So a
search for what no index has, such as a text in the output, ends in its time however much is stored.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_log_ingester.batches import Document
from dcron_log_ingester.cursors import Cursor, cursor_after, cursor_text
from dcron_log_ingester.store.filters import ExecutionFilter
from dcron_log_ingester.views import execution_view, recent_run
from dcron_log_ingester.walk import Walk, Window
from dcron_schemas.api import ExecutionList, ExecutionView, OutputPiece, RecentRun

ANSWER_S = 1.0  # no further window is begun after that
MOST_SEARCHED_RUNS = 200  # runs whose output one answer reads
MOST_SEARCHED_CHARACTERS = 32 << 20
CHUNKS = 200  # in one reading
WIDTH_OF_LAST = timedelta(minutes=5)
CANDIDATES = 20  # runs asked for at a time when their output is read


class RunLister(Protocol):
    """What lists ask of the store."""

    async def runs(self, wanted: ExecutionFilter, window: Window, limit: int) -> list[Document]:
        """Return at most `limit` runs of the window, newest due first."""
        ...

    async def output(self, execution_id: str, from_seq: int, limit: int) -> list[OutputPiece]:
        """Return the stored chunks with `from_seq` ≤ seq < `from_seq + limit`, in order."""
        ...


class Bound(Struct):
    """What one answer may still cost."""

    until_s: float  # monotonic
    runs: int  # whose output may be read
    characters: int  # of output

    def reached(self, clock: Clock) -> bool:
        return self.runs <= 0 or self.characters <= 0 or clock.monotonic() >= self.until_s


class Lists:
    """Answers lists from the store."""

    def __init__(self, store: RunLister, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._newest_due: datetime | None = None  # when the newest run was due, of those listed and not of the future

    async def page(
        self, wanted: ExecutionFilter, after: Cursor | None, limit: int, text: str | None = None
    ) -> ExecutionList:
        """Return the page after a cursor; with `text`, of the runs that have it in their output."""
        walk = Walk(self._clock.now(), after=after, start=wanted.start, end=wanted.end, landmark=self._newest_due)
        bound = Bound(self._clock.monotonic() + ANSWER_S, MOST_SEARCHED_RUNS, MOST_SEARCHED_CHARACTERS)
        found: list[ExecutionView] = []
        while True:
            documents = await self._step(walk, wanted, limit + 1 - len(found) if text is None else CANDIDATES)
            for document in documents:
                if text is None or await self._has(document, text, bound):
                    found.append(execution_view(document))
                if len(found) > limit:
                    return ExecutionList(executions=tuple(found[:limit]), next_cursor=cursor_after(found[limit - 1]))
                if text is not None and bound.reached(self._clock):
                    return _cut(found, Cursor(document["due_at"], document["_id"]))
            if walk.over:
                return ExecutionList(executions=tuple(found))
            if walk.position is not None and bound.reached(self._clock):
                return _cut(found, walk.position)

    async def last(self, job_id: str, namespaces: frozenset[str] | None = None) -> ExecutionView | None:
        """Return the run of the job that was due last, in one of the namespaces."""
        documents = await self._newest(ExecutionFilter(job_ids=(job_id,), namespaces=namespaces), 1)
        return execution_view(documents[0]) if documents else None

    async def recent(
        self,
        job_id: str,
        limit: int,
        start: datetime | None = None,
        end: datetime | None = None,
        namespaces: frozenset[str] | None = None,
    ) -> list[RecentRun]:
        """Return the job's last runs with `start` ≤ due < `end` in the namespaces, newest first.

        Within its bound, maybe fewer.
        """
        found = await self._newest(ExecutionFilter(job_ids=(job_id,), namespaces=namespaces), limit, start, end)
        return [recent_run(execution_view(document)) for document in found]

    async def _newest(
        self, wanted: ExecutionFilter, limit: int, start: datetime | None = None, end: datetime | None = None
    ) -> list[Document]:
        """Return the last runs; beyond the first one only those that were found within the bound of time."""
        walk = Walk(self._clock.now(), start=start, end=end, first_width=WIDTH_OF_LAST)
        until_s = self._clock.monotonic() + ANSWER_S
        found: list[Document] = []
        while not walk.over and len(found) < limit and not (found and self._clock.monotonic() >= until_s):
            found += await self._step(walk, wanted, limit - len(found))
        return found

    async def _step(self, walk: Walk, wanted: ExecutionFilter, limit: int) -> list[Document]:
        began_s = self._clock.monotonic()
        documents = await self._store.runs(wanted, walk.window, limit)
        walk.answered(documents, limit, self._clock.monotonic() - began_s)
        self._look_at(documents)
        return documents

    def _look_at(self, documents: Sequence[Document]) -> None:
        """Remember when the newest run was due."""
        now = self._clock.now()
        due = next((document["due_at"] for document in documents if document["due_at"] <= now), None)
        if due is not None and (self._newest_due is None or due > self._newest_due):
            self._newest_due = due

    async def _has(self, document: Document, text: str, bound: Bound) -> bool:
        """Tell whether the run's output has the text in one of its streams, also where chunks meet.

        Of a longer output, the first `MOST_SEARCHED_CHARACTERS` are searched. No more chunks are asked for than the
        run's end says there are: each costs the server something, also one that is not there.
        """
        bound.runs -= 1
        ends = {"stdout": "", "stderr": ""}
        from_seq, read = 0, 0
        chunks = document.get("output_chunks")  # None: the run goes on, or was lost
        while read < MOST_SEARCHED_CHARACTERS:
            limit = CHUNKS if chunks is None else min(CHUNKS, chunks - from_seq)
            if limit <= 0:
                return False
            pieces = await self._store.output(document["_id"], from_seq, limit)
            for piece in pieces:
                joined = ends[piece.stream] + piece.text
                if text in joined:
                    return True
                ends[piece.stream] = joined[-(len(text) - 1) :] if len(text) > 1 else ""
                read += len(piece.text)
                bound.characters -= len(piece.text)
            if not pieces or pieces[-1].seq < from_seq + limit - 1:
                return False
            from_seq += limit
        return False


def _cut(found: list[ExecutionView], position: Cursor) -> ExecutionList:
    """Return a page that ends where its bound was reached."""
    return ExecutionList(executions=tuple(found), next_cursor=cursor_text(position), searched_to=position.due_at)
