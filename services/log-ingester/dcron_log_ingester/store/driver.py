"""What MongoDB's driver raises, as our errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from pymongo.errors import BulkWriteError, DocumentTooLarge, OperationFailure, PyMongoError

from dcron_core.security import Security, TlsFiles
from dcron_log_ingester.errors import MongoUnavailableError, NotStorableError

DUPLICATE_KEY = 11000
# The document's own fault: BadValue, FailedToParse, TypeMismatch, Overflow, InvalidBSON, PathNotViable,
# DollarPrefixedFieldName, InvalidIdField, EmptyFieldName, DottedFieldName, ImmutableField,
# DocumentValidationFailure, BSONObjectTooLarge (and after an update), KeyTooLong. All else may pass.
REFUSALS = frozenset({2, 9, 14, 15, 22, 28, 52, 53, 56, 57, 66, 121, 10334, 17280, 17419, 17420})

_LOGIN = frozenset({13, 18})  # Unauthorized, AuthenticationFailed


@contextmanager
def translated_writing() -> Iterator[None]:
    """Raise our errors for the driver's. A command that MongoDB refuses as a whole has a document that it refuses."""
    with translated():
        try:
            yield
        except BulkWriteError:
            raise
        except OperationFailure as error:
            if error.code in REFUSALS:
                raise NotStorableError(f"MongoDB refuses the document: {error}") from error
            raise


@contextmanager
def translated() -> Iterator[None]:
    """Raise our errors for the driver's."""
    try:
        yield
    except (BSONError, DocumentTooLarge, OverflowError, UnicodeEncodeError) as error:
        raise NotStorableError(f"MongoDB cannot hold the document: {error}") from error
    except PyMongoError as error:
        raise MongoUnavailableError(f"MongoDB does not answer: {error}{_remedy(error)}") from error


def _remedy(error: PyMongoError) -> str:
    """Return what to do about it, if it is about TLS or the login."""
    if isinstance(error, OperationFailure):
        return " (user and password stand in DCRON_MONGODB)" if error.code in _LOGIN else ""
    said = str(error)
    by_tls = "ssl" in said.lower()
    return Security(TlsFiles("DCRON_MONGODB", ca="…" if by_tls else "")).remedy(said)


def raise_unless_duplicates(error: BulkWriteError) -> None:
    """Raise our error unless all that went wrong is that documents were there already."""
    details = error.details or {}
    codes = {problem["code"] for problem in details.get("writeErrors", ())}
    if codes != {DUPLICATE_KEY} or details.get("writeConcernErrors"):
        raise translation(error) from error


def translation(error: BulkWriteError) -> MongoUnavailableError | NotStorableError:
    """Return our error for a bulk write that failed."""
    details = error.details or {}
    problems = [problem for problem in details.get("writeErrors", ()) if problem["code"] != DUPLICATE_KEY]
    said = "; ".join(str(problem.get("errmsg", problem["code"]))[:200] for problem in problems[:3])
    if any(problem["code"] in REFUSALS for problem in problems):
        return NotStorableError(f"MongoDB refuses the document: {said}")
    return MongoUnavailableError(f"MongoDB did not acknowledge the batch: {said or details.get('writeConcernErrors')}")
