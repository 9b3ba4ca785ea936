"""What is known of dead letters: the collection `dead_letters` (`_id` = partition and offset of the letter).

It is made of the dead-letter topic, which Kafka keeps, and holds no payloads. None expires.
"""

from collections.abc import Sequence
from datetime import datetime

from motor.motor_asyncio import AsyncIOMotorDatabase
from msgspec import Struct
from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from dcron_log_ingester.batches import Document
from dcron_log_ingester.cursors import Cursor
from dcron_log_ingester.dead_letters import Mark, document_id, position_of
from dcron_log_ingester.store.driver import translated, translation
from dcron_log_ingester.store.filters import bounds
from dcron_schemas.dead_letters import LetterState, Reason

COLLECTION = "dead_letters"
NEWEST_FIRST = [("at", DESCENDING), ("_id", DESCENDING)]
INDEXES = [
    IndexModel(NEWEST_FIRST, name="newest"),
    IndexModel([("reason", ASCENDING), *NEWEST_FIRST], name="newest_of_reason"),
    IndexModel([("state", ASCENDING), *NEWEST_FIRST], name="newest_of_state"),
]


class LetterFilter(Struct, frozen=True, kw_only=True):
    """Which letters to find; None or empty: any."""

    reasons: tuple[Reason, ...] = ()
    state: LetterState | None = None
    topic: str | None = None
    start: datetime | None = None  # put aside at or after
    end: datetime | None = None  # put aside before

    def query(self) -> Document:
        """Return it as MongoDB's filter, without the span of time."""
        query: Document = {} if len(self.reasons) != 1 else {"reason": self.reasons[0]}
        if len(self.reasons) > 1:
            query["reason"] = {"$in": list(self.reasons)}
        plain = {"state": self.state, "topic": self.topic}
        return query | {name: value for name, value in plain.items() if value is not None}


class LetterRecords:
    """The collection. All methods raise MongoUnavailableError when the database does not answer in time."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._letters = database[COLLECTION]

    async def prepare(self) -> None:
        """Create the indexes that are not there."""
        with translated():
            await self._letters.create_indexes(INDEXES)

    async def write(self, letters: Sequence[Document], marks: Sequence[Mark]) -> None:
        """Store letters and marks; in whatever order and however often they come, it comes to the same."""
        operations = [*(_letter_update(each) for each in letters), *(_mark_update(each) for each in marks)]
        if not operations:
            return
        with translated():
            try:
                await self._letters.bulk_write(operations, ordered=False)
            except BulkWriteError as error:
                raise translation(error) from error

    async def find(self, wanted: LetterFilter, after: Cursor | None, limit: int) -> list[Document]:
        """Return at most `limit` letters, the last one first."""
        span = bounds(wanted.start, wanted.end)
        spans: list[Document] = [{"at": span or {"$exists": True}}]  # a mark whose letter has not come has no instant
        if after is not None:
            until = after.due_at if wanted.end is None else min(after.due_at, wanted.end)
            spans = [
                {"at": after.due_at, "_id": {"$lt": after.execution_id}},
                {"at": bounds(wanted.start, until)},
            ]
        found: list[Document] = []
        with translated():
            for each in spans:
                if len(found) < limit:
                    query = wanted.query() | each
                    found += await self._letters.find(query).sort(NEWEST_FIRST).limit(limit - len(found)).to_list(None)
        return found

    async def one(self, letter_id: str) -> Document | None:
        """Return what is known of a letter, or None."""
        position = position_of(letter_id)
        if position is None:
            return None
        with translated():
            return await self._letters.find_one({"_id": document_id(*position), "at": {"$exists": True}})


def _letter_update(letter: Document) -> UpdateOne:
    fields = {name: value for name, value in letter.items() if name != "_id"}
    return UpdateOne({"_id": letter["_id"]}, {"$set": fields, "$setOnInsert": {"state": "waiting"}}, upsert=True)


def _mark_update(mark: Mark) -> UpdateOne:
    position = position_of(mark.letter_id)
    assert position is not None  # others are no marks
    return UpdateOne(
        {"_id": document_id(*position)},
        {"$set": {"state": "replayed"}, "$max": {"replayed_at": mark.at}},
        upsert=True,
    )
