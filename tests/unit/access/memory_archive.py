"""The log-ingester's database in memory, asked with the very filters that MongoDB is asked with."""

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from dcron_log_ingester.batches import Document
from dcron_log_ingester.cursors import Cursor
from dcron_log_ingester.dead_letters import Mark
from dcron_log_ingester.ledger import JobRecords
from dcron_log_ingester.store import Archived, EventFilter, ExecutionFilter, LetterFilter
from dcron_log_ingester.store.filters import bounds
from dcron_log_ingester.store.stats import NOTHING
from dcron_log_ingester.views import event_view
from dcron_log_ingester.walk import Window
from dcron_schemas.api import JobStats, Stats
from dcron_schemas.audit import EventView
from tests.unit.log_ingester.memory_runs import MemoryRuns

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$in": lambda value, wanted: value in wanted,
    "$gt": lambda value, wanted: value > wanted,
    "$gte": lambda value, wanted: value >= wanted,
    "$lt": lambda value, wanted: value < wanted,
    "$lte": lambda value, wanted: value <= wanted,
    "$regex": lambda value, wanted: re.search(wanted, value) is not None,
}


def fits(document: Document, query: Document) -> bool:
    """Tell whether MongoDB would find the document, for the operators that our filters use."""
    return all(_fits(document.get(field), wanted) for field, wanted in query.items())


def _fits(value: Any, wanted: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(value == wanted)
    return value is not None and all(OPERATORS[name](value, operand) for name, operand in wanted.items())


class MemoryEvents:
    """The archive of job events."""

    def __init__(self) -> None:
        self.kept: list[Document] = []

    async def prepare(self) -> None:
        return

    async def last(self) -> Archived:
        return Archived(self.kept[-1]["_id"], self.kept[-1]["hash"]) if self.kept else Archived(-1, "")

    async def insert(self, documents: Sequence[Document]) -> bool:
        self.kept += documents
        return True

    async def search(self, wanted: EventFilter, before: int | None, limit: int) -> list[EventView]:
        found = [each for each in reversed(self.kept) if fits(each, wanted.query())]
        return [event_view(each) for each in found if before is None or each["_id"] < before][:limit]

    async def count(self) -> int:
        return len(self.kept)

    async def documents(self) -> AsyncGenerator[Document, None]:
        for each in list(self.kept):
            yield each


class MemoryLetters:
    """Dead letters: none, but one that was put there."""

    def __init__(self) -> None:
        self.kept: dict[str, Document] = {}

    async def find(self, wanted: LetterFilter, _after: Cursor | None, limit: int) -> list[Document]:
        return [each for each in self.kept.values() if fits(each, wanted.query())][:limit]

    async def one(self, letter_id: str) -> Document | None:
        return self.kept.get(letter_id)

    async def write(self, _letters: Sequence[Document], _marks: Sequence[Mark]) -> None:
        return


class NoRecords:
    """What the ledger asks: nothing was recorded."""

    async def of_job(self, _job_id: str, _start: datetime, _end: datetime) -> JobRecords:
        return JobRecords((), ())


class MemoryArchive(MemoryRuns):
    """The whole store."""

    def __init__(self) -> None:
        super().__init__()
        self.events = MemoryEvents()
        self.letters = MemoryLetters()
        self.ledger = NoRecords()
        self.asked: list[Document] = []  # the queries for runs

    async def runs(self, wanted: ExecutionFilter, window: Window, limit: int) -> list[Document]:
        queries = wanted.queries()
        self.asked += queries
        upper = {} if window.after is None else {"due_at": {"$lt": window.after.due_at}}
        since = bounds(window.since, None)
        found = [
            run
            for run in self.executions.values()
            if any(fits(run, query) for query in queries)
            and fits(run, upper)
            and (not since or fits(run, {"due_at": since}))
        ]
        return sorted(found, key=lambda run: (run["due_at"], run["_id"]), reverse=True)[:limit]

    async def stats(self, wanted: ExecutionFilter, *, start: datetime, end: datetime, bucket: timedelta) -> Stats:
        found = [run for run in self.executions.values() if fits(run, wanted.query())]
        jobs = {run["job_id"]: run for run in found}
        return Stats(
            start=start,
            end=end,
            bucket_s=bucket.total_seconds(),
            total=NOTHING,
            jobs=tuple(
                JobStats(job_id=job_id, job_name=run["job_name"], namespace=run["namespace"], stats=NOTHING)
                for job_id, run in jobs.items()
            ),
            jobs_left_out=0,
            buckets=(),
        )

    async def skipped_ticks(
        self,
        job_ids: Sequence[str],
        _after: Cursor | None,
        limit: int,
        *,
        start: datetime | None,
        end: datetime | None,
        namespaces: frozenset[str] | None = None,
    ) -> list[Document]:
        where: Document = {} if namespaces is None else {"namespace": {"$in": sorted(namespaces)}}
        query = {"job_id": {"$in": list(job_ids)}, **where}
        if span := bounds(start, end):
            query["tick"] = span
        return [each for each in self.ticks.values() if fits(each, query)][:limit]
