"""Asks MongoDB how it is: version, replica set, clock, and whether the indexes are those that the code makes.

For `dcron doctor`, which may not know the driver.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.errors import OperationFailure

from dcron_core.clock import Clock
from dcron_core.descriptions import CollectionIndexes, DatabaseDescription
from dcron_log_ingester.batches import Document
from dcron_log_ingester.store import archive, dead_letters
from dcron_log_ingester.store.driver import translated

NO_SUCH_COLLECTION = 26


async def describe(
    database: AsyncIOMotorDatabase[Document], wanted: Mapping[str, Sequence[IndexModel]], clock: Clock
) -> DatabaseDescription:
    """Return how the database is. Raises MongoUnavailableError."""
    every = {**wanted, archive.COLLECTION: archive.INDEXES, dead_letters.COLLECTION: dead_letters.INDEXES}
    with translated():
        before = clock.now()
        hello = await database.client.admin.command("hello")
        halfway = before + (clock.now() - before) / 2
        build = await database.client.admin.command("buildInfo")
        indexes = [await _indexes(database, name, models) for name, models in every.items()]
    there = hello.get("localTime")
    return DatabaseDescription(
        version=str(build.get("version", "?")),
        replica_set=str(hello.get("setName", "")),
        writable=bool(hello.get("isWritablePrimary", hello.get("ismaster", True))),
        clock_difference=halfway - there.replace(tzinfo=UTC) if there else None,
        indexes=tuple(each for each in indexes if each.missing or each.other),
    )


async def _indexes(
    database: AsyncIOMotorDatabase[Document], collection: str, wanted: Iterable[IndexModel]
) -> CollectionIndexes:
    try:
        found = {each["name"]: each async for each in database[collection].list_indexes()}
    except OperationFailure as error:
        if error.code != NO_SUCH_COLLECTION:
            raise
        found = {}
    missing, other = [], []
    for document in (model.document for model in wanted):
        name = document["name"]
        if name not in found:
            missing.append(name)
        elif _essence(found[name]) != _essence(document):
            other.append(name)
    return CollectionIndexes(collection, tuple(missing), tuple(other))


def _essence(index: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what two indexes of one name have to share."""
    keys = tuple((field, int(direction)) for field, direction in index["key"].items())
    expiry = index.get("expireAfterSeconds")
    return keys, None if expiry is None else int(expiry)
