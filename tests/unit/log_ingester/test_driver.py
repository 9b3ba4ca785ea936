"""Which of MongoDB's errors are a document's own fault, and which pass (G8)."""

import bson.errors
import pytest
from pymongo.errors import AutoReconnect, BulkWriteError, DocumentTooLarge, NotPrimaryError, OperationFailure

from dcron_log_ingester.errors import MongoUnavailableError, NotStorableError
from dcron_log_ingester.store.driver import DUPLICATE_KEY, raise_unless_duplicates, translated_writing


def bulk(*codes: int) -> BulkWriteError:
    return BulkWriteError({"writeErrors": [{"code": code, "errmsg": "told"} for code in codes]})


@pytest.mark.parametrize(
    "error",
    [
        bson.errors.InvalidDocument("cannot encode"),
        DocumentTooLarge("17 MB"),
        OverflowError("MongoDB can only handle up to 8-byte ints"),
        OperationFailure("invalid BSON", 22),
        OperationFailure("too large", 10334),
    ],
)
def test_what_mongodb_never_takes_is_put_aside(error: Exception) -> None:
    with pytest.raises(NotStorableError), translated_writing():
        raise error


@pytest.mark.parametrize("error", [AutoReconnect("gone"), NotPrimaryError("no"), OperationFailure("shutting down", 91)])
def test_what_passes_is_tried_again(error: Exception) -> None:
    """A server that restarts makes no dead letters."""
    with pytest.raises(MongoUnavailableError), translated_writing():
        raise error


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ((121,), NotStorableError),
        ((DUPLICATE_KEY, 121), NotStorableError),
        ((10107,), MongoUnavailableError),
        ((DUPLICATE_KEY, 10107), MongoUnavailableError),
    ],
)
def test_of_a_bulk_write_the_documents_are_asked(codes: tuple[int, ...], kind: type[Exception]) -> None:
    with pytest.raises(kind), translated_writing():
        raise_unless_duplicates(bulk(*codes))


def test_a_document_that_is_there_is_no_error() -> None:
    raise_unless_duplicates(bulk(DUPLICATE_KEY, DUPLICATE_KEY))
