"""What is stored in MongoDB, and how it is found again. The only place that knows the driver.

Collections (design §4): `executions` (`_id` = execution id), `output` (`_id` = execution id and seq), `ticks`
(skipped ones). Every write is acknowledged by a majority and journalled, and can be repeated without harm.
Documents leave by TTL at `expires_at`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from msgspec.structs import replace
from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError

from dcron_core.clock import Clock
from dcron_core.descriptions import DatabaseDescription
from dcron_core.security import TlsFiles
from dcron_log_ingester.batches import Batch, Document, ExecutionWrite, output_id
from dcron_log_ingester.cursors import Cursor
from dcron_log_ingester.store.archive import EventArchive
from dcron_log_ingester.store.connection import connected
from dcron_log_ingester.store.dead_letters import LetterRecords
from dcron_log_ingester.store.description import describe
from dcron_log_ingester.store.driver import raise_unless_duplicates, translated, translated_writing, translation
from dcron_log_ingester.store.filters import ExecutionFilter, bounds
from dcron_log_ingester.store.ledger import LedgerRecords
from dcron_log_ingester.store.stats import stats_of
from dcron_log_ingester.views import stored_piece
from dcron_log_ingester.walk import Window
from dcron_schemas.api import OutputPiece, Stats

IDS_PER_FIND = 200  # chunks are asked for by id, which every server answers from the _id index
NEWEST_FIRST = [("due_at", DESCENDING), ("_id", DESCENDING)]
NEWEST_TICK_FIRST = [("tick", DESCENDING), ("_id", DESCENDING)]
EXPIRY = IndexModel([("expires_at", ASCENDING)], name="expiry", expireAfterSeconds=0)
INDEXES = {
    "executions": [
        IndexModel(NEWEST_FIRST, name="newest"),
        IndexModel([("job_id", ASCENDING), *NEWEST_FIRST], name="newest_of_job"),
        IndexModel([("status", ASCENDING), *NEWEST_FIRST], name="newest_of_status"),
        IndexModel([("worker_id", ASCENDING), *NEWEST_FIRST], name="newest_of_worker"),
        IndexModel([("namespace", ASCENDING), *NEWEST_FIRST], name="newest_of_namespace"),
        EXPIRY,
    ],
    "output": [EXPIRY],
    "ticks": [
        IndexModel([("job_id", ASCENDING), *NEWEST_TICK_FIRST], name="newest_tick_of_job"),
        IndexModel([("job_id", ASCENDING), ("last_tick", ASCENDING)], name="ranges_of_job"),
        EXPIRY,
    ],
}

_AS_THE_URL_SAYS = TlsFiles("DCRON_MONGODB")


class Store:
    """The database. All methods raise MongoUnavailableError when it does not answer in time."""

    def __init__(self, client: AsyncIOMotorClient[Document], database: str) -> None:
        self._db = client.get_database(
            database,
            codec_options=CodecOptions(tz_aware=True),
            write_concern=WriteConcern(w="majority", j=True),
        )
        self.events = EventArchive(self._db)
        self.ledger = LedgerRecords(self._db)
        self.letters = LetterRecords(self._db)

    async def prepare(self) -> None:
        """Create the indexes that are not there."""
        with translated():
            for name, indexes in INDEXES.items():
                await self._db[name].create_indexes(indexes)

    async def describe(self, clock: Clock) -> DatabaseDescription:
        """Return how the database is set up."""
        return await describe(self._db, INDEXES, clock)

    async def write(self, batch: Batch) -> None:
        """Store the batch, wholly; return once it is acknowledged.

        Raises NotStorableError when some document can never be stored; the others may be stored or not.
        """
        with translated_writing():
            await self._insert_new(self._db["output"], batch.output)
            await self._insert_new(self._db["ticks"], batch.ticks)
            await self._upsert(batch.executions)

    async def execution(self, execution_id: str) -> Document | None:
        """Return the run's document, or None."""
        with translated():
            return await self._db["executions"].find_one({"_id": execution_id})

    async def runs(self, wanted: ExecutionFilter, window: Window, limit: int) -> list[Document]:
        """Return at most `limit` runs of the window, newest due first."""
        found = await asyncio.gather(*(self._runs(query, window, limit) for query in wanted.queries()))
        runs = [document for documents in found for document in documents]
        if len(found) > 1:
            runs.sort(key=lambda run: (run["due_at"], run["_id"]), reverse=True)
        return runs[:limit]

    async def _runs(self, query: Document, window: Window, limit: int) -> list[Document]:
        """Answer one query. What ties with the run before is asked for alone: an `$or` has no tight bounds."""
        if window.after is None:
            since = bounds(window.since, None)
            return await self._newest(query | ({"due_at": since} if since else {}), limit)
        tied: list[Document] = []
        if window.after.execution_id:
            before = {"due_at": window.after.due_at, "_id": {"$lt": window.after.execution_id}}
            tied = await self._newest(query | before, limit)
        if len(tied) == limit:
            return tied
        earlier = query | {"due_at": bounds(window.since, window.after.due_at)}
        return tied + await self._newest(earlier, limit - len(tied))

    async def _newest(self, query: Document, limit: int) -> list[Document]:
        with translated():
            return await self._db["executions"].find(query).sort(NEWEST_FIRST).limit(limit).to_list(None)

    async def output(self, execution_id: str, from_seq: int, limit: int) -> list[OutputPiece]:
        """Return the stored chunks with `from_seq` ≤ seq < `from_seq + limit`, in order."""
        end = from_seq + limit
        pieces: list[OutputPiece] = []
        for start in range(from_seq, end, IDS_PER_FIND):
            ids = [output_id(execution_id, seq) for seq in range(start, min(start + IDS_PER_FIND, end))]
            with translated():
                found = await self._db["output"].find({"_id": {"$in": ids}}).to_list(None)
            if not found:
                break  # later ones, if any, are behind a hole and come when it is filled
            pieces.extend(stored_piece(document) for document in found)
        return sorted(pieces, key=lambda piece: piece.seq)

    async def stats(self, wanted: ExecutionFilter, *, start: datetime, end: datetime, bucket: timedelta) -> Stats:
        """Add up the runs of the filter with `start` ≤ due_at < `end`; raise TooMuchError if it takes too long."""
        bounded = replace(wanted, start=start, end=end)
        return await stats_of(self._db["executions"], bounded, start=start, end=end, bucket=bucket)

    async def skipped_ticks(
        self,
        job_ids: Sequence[str],
        after: Cursor | None,
        limit: int,
        *,
        start: datetime | None,
        end: datetime | None,
        namespaces: frozenset[str] | None = None,
    ) -> list[Document]:
        """Return at most `limit` skipped ticks of the jobs with `start` ≤ tick < `end`, newest first.

        With `namespaces`, of those that were in one of them.
        """
        where: Document = {} if namespaces is None else {"namespace": {"$in": sorted(namespaces)}}
        span = bounds(start, end)
        spans: list[Document] = [{"tick": span} if span else {}]
        if after is not None:
            until = after.due_at if end is None else min(after.due_at, end)
            spans = [
                {"tick": after.due_at, "_id": {"$lt": after.execution_id}},
                {"tick": bounds(start, until)},
            ]
        ticks = self._db["ticks"]
        found: list[Document] = []
        with translated():
            for job_id in job_ids:
                for each in spans:
                    query = {"job_id": job_id, **where, **each}
                    found += await ticks.find(query).sort(NEWEST_TICK_FIRST).limit(limit).to_list(None)
        found.sort(key=lambda tick: (tick["tick"], tick["_id"]), reverse=True)
        return found[:limit]

    async def _insert_new(self, collection: AsyncIOMotorCollection[Document], documents: Sequence[Document]) -> None:
        """Insert those that are not there yet: equal ids mean equal documents."""
        if not documents:
            return
        try:
            await collection.insert_many(documents, ordered=False)
        except BulkWriteError as error:
            raise_unless_duplicates(error)

    async def _upsert(self, writes: Sequence[ExecutionWrite]) -> None:
        if not writes:
            return
        operations = [operation for write in writes for operation in _operations(write)]
        try:
            await self._db["executions"].bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            raise translation(error) from error


@asynccontextmanager
async def open_store(url: str, database: str, tls: TlsFiles = _AS_THE_URL_SAYS) -> AsyncIterator[Store]:
    """Open the database; it need not be there yet."""
    client = connected(url, tls)
    try:
        yield Store(client, database)
    finally:
        client.close()


def _operations(write: ExecutionWrite) -> Iterator[UpdateOne]:
    """Yield updates whose order does not matter, as an unordered bulk write demands."""
    update: dict[str, Any] = {"$set": write.set, "$max": {"expires_at": write.expires_at}}
    if write.set_on_insert:
        update["$setOnInsert"] = write.set_on_insert
    if write.claims:
        update["$addToSet"] = {"claims": {"$each": sorted(write.claims)}}
    yield UpdateOne({"_id": write.execution_id}, update, upsert=True)
    if write.set_unless_finished:
        unfinished = {"_id": write.execution_id, "finished_at": {"$exists": False}}
        yield UpdateOne(unfinished, {"$set": write.set_unless_finished})
