"""The archive of the job events in MongoDB: the collection `job_events` (`_id` = position in the log).

Documents are inserted in order and are never changed; none expires. So while nobody tampers with it the archive has
no holes: it holds every event up to its last one.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from msgspec import Struct
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import BulkWriteError

from dcron_log_ingester.batches import Document
from dcron_log_ingester.store.driver import raise_unless_duplicates, translated
from dcron_log_ingester.views import event_view
from dcron_schemas.audit import EventView

COLLECTION = "job_events"
READ_BATCH = 1000
POSITIONS = {"$type": ["int", "long"]}  # whatever else somebody puts there as `_id` is no position
# Equality first, then the order of the pages. A search for text alone walks the events from the newest on.
INDEXES = [
    *(
        IndexModel([(field, ASCENDING), ("_id", DESCENDING)], name=f"newest_of_{field}")
        for field in ("job_id", "job_name", "namespace", "actor", "kind")
    ),
    IndexModel([("at", ASCENDING)], name="at"),
]


class Archived(Struct, frozen=True):
    """The last event of the archive."""

    position: int  # -1: the archive is empty
    hash: str


class EventFilter(Struct, frozen=True, kw_only=True):
    """Which events to find; None: any."""

    job_id: str | None = None
    job_name: str | None = None
    namespaces: frozenset[str] | None = None  # one of them
    actor: str | None = None
    kind: str | None = None
    start: datetime | None = None  # at or after
    end: datetime | None = None  # before
    text: str | None = None  # somewhere in it, in whatever case

    def query(self) -> Document:
        """Return it as MongoDB's filter."""
        names = ("job_id", "job_name", "actor", "kind")
        query: Document = {name: value for name in names if (value := getattr(self, name)) is not None}
        span = {"$gte": self.start, "$lt": self.end}
        if bounded := {operator: instant for operator, instant in span.items() if instant is not None}:
            query["at"] = bounded
        if self.namespaces is not None:
            only = sorted(self.namespaces)
            query["namespace"] = only[0] if len(only) == 1 else {"$in": only}
        if self.text is not None:
            query["text"] = {"$regex": re.escape(self.text.lower())}
        return query


class EventArchive:
    """The collection. All methods raise MongoUnavailableError when the database does not answer in time."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._events = database[COLLECTION]

    async def prepare(self) -> None:
        """Create the indexes that are not there."""
        with translated():
            await self._events.create_indexes(INDEXES)

    async def last(self) -> Archived:
        """Return the last event that is archived."""
        with translated():
            found = await self._events.find_one({"_id": POSITIONS}, {"hash": 1}, sort=[("_id", DESCENDING)])
        return Archived(-1, "") if found is None else Archived(found["_id"], str(found.get("hash")))

    async def insert(self, documents: Sequence[Document]) -> bool:
        """Insert them in order; False if one was there already, after which none was inserted.

        Raises NotStorableError when MongoDB can never hold one of them.
        """
        with translated():
            try:
                await self._events.insert_many(documents, ordered=True)
            except BulkWriteError as error:
                raise_unless_duplicates(error)
                return False
        return True

    async def search(self, wanted: EventFilter, before: int | None, limit: int) -> list[EventView]:
        """Return at most `limit` events, newest first, from before a position on."""
        query: dict[str, Any] = {**wanted.query(), "_id": POSITIONS if before is None else {"$lt": before}}
        with translated():
            found = self._events.find(query, {"value": 0, "text": 0}).sort("_id", DESCENDING).limit(limit)
            documents = await found.to_list(None)
        return [event_view(document) for document in documents]

    async def count(self) -> int:
        """Return how many documents the archive holds."""
        with translated():
            return await self._events.count_documents({})

    async def documents(self) -> AsyncGenerator[Document, None]:
        """Yield all documents by `_id`: numbers first, then whatever else somebody put there."""
        with translated():
            async for document in self._events.find({}).sort("_id", ASCENDING).batch_size(READ_BATCH):
                yield document
