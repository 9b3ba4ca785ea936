"""Turns the records of the log into the documents of its archive (pure).

A document follows from the log alone: whoever replays it, whenever and in whatever release, makes the same one, so
that inserting it twice is harmless and every field of it can be checked against the log. That is why the reasons of
refusals are worded here, apart from the messages that people get: those may be worded anew, these may not.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from dcron_core.errors import (
    CommandRejectedError,
    DependencyCircleError,
    NameTakenError,
    RivalRestoreError,
    UnknownJobError,
    VersionConflictError,
)
from dcron_core.jobs.difference import difference
from dcron_core.jobs.fold import Applied, Rejected, Repeated
from dcron_core.jobs.replay import Step
from dcron_core.ports.log import Record
from dcron_log_ingester import identity_documents
from dcron_log_ingester.batches import Document, stored_instant
from dcron_schemas.audit import FieldChange
from dcron_schemas.events import JobEvent, JobPaused, LogRecordSkipped
from dcron_schemas.identity_events import IdentityData, UserGranted, shown
from dcron_schemas.job import JobSpec

UNREADABLE = "(unreadable)"  # the kind of a record that is stepped over


def event_document(record: Record, step: Step, chain_hash: str) -> Document:
    """Return the document of one record; `chain_hash` is the chain's value there."""
    event, changes = step.event, _changes(step)
    document: Document = {
        "_id": record.offset,
        "key": record.key,
        "value": record.value,
        "hash": chain_hash,
        "at": stored_instant(instant_of(step)),
        "kind": type(event.data).__name__ if event else UNREADABLE,
        "event_id": event.event_id if event else "",
        "job_id": event.job_id if event else record.key,
        "actor": event.actor if event else "",
        "request_id": event.request_id if event else "",
        "version_before": step.before.version if step.before else None,
        "version_after": step.after.version if step.after else None,
        # As text: MongoDB does not take every name of a field, nor every number.
        "changes": msgspec.json.encode(changes).decode(),
    }
    document |= _name(step) | _outcome(step)
    document["text"] = "\n".join(_words(document, step, changes)).lower()
    return document


def instant_of(step: Step) -> datetime:
    """Return when the event happened; of a record that cannot be read, when the last one before it had."""
    return step.event.at if step.event else step.time


def _name(step: Step) -> Document:
    spec = _spec(step)
    if step.event and isinstance(step.event.data, IdentityData):
        return {"namespace": identity_documents.namespace_of(step.event.data), "job_name": ""}
    return {"namespace": spec.namespace if spec else "", "job_name": spec.name if spec else ""}


def _spec(step: Step) -> JobSpec | None:
    """Return the definition after the step, or before it, or else the one that was wanted."""
    standing = step.after or step.before
    if standing is not None:
        return standing.spec
    return getattr(step.event.data, "spec", None) if step.event else None


def _changes(step: Step) -> tuple[FieldChange, ...]:
    if step.event and isinstance(step.event.data, UserGranted):
        return identity_documents.grants_changed(step.event.data) if isinstance(step.outcome, Applied) else ()
    return difference(step.before.spec, step.after.spec) if step.before and step.after else ()


def _outcome(step: Step) -> Document:
    match step.outcome:
        case None:
            return {"outcome": "stepped over", "detail": ""}
        case Applied(execution_id=execution_id):
            assert step.event is not None
            return {"outcome": "applied", "detail": _said(step.event) or execution_id or ""}
        case Rejected(error):
            assert step.event is not None
            return {"outcome": "rejected", "detail": _refusal(step.event, error)}
        case Repeated(position):
            return {"outcome": "repeated", "detail": f"the event of position {position}"}


def _said(event: JobEvent) -> str:
    match event.data:
        case LogRecordSkipped(offset=offset, reason=reason):
            return f"position {offset}: {reason}"
        case JobPaused(reason=reason):
            return reason
    return identity_documents.said(event.data) if isinstance(event.data, IdentityData) else ""


def _refusal(event: JobEvent, error: CommandRejectedError) -> str:
    if isinstance(event.data, IdentityData):
        return f"{identity_documents.said(event.data)}: {identity_documents.refusal(error)}"
    match error:
        case UnknownJobError():
            return "there is no such job"
        case NameTakenError():
            return "the name is taken"
        case VersionConflictError():
            return f"meant for version {error.expected}, and the job is at version {error.current}"
        case DependencyCircleError():
            return f"a circle: {' after '.join(error.circle)}"
        case RivalRestoreError():
            return "somebody else may have restored the job meanwhile"
    return {
        "LogOpened": "the log has an id already",
        "KillRequested": "the execution is not a run of the job",
    }.get(type(event.data).__name__, "the job id is in use")


def _words(document: Document, step: Step, changes: tuple[FieldChange, ...]) -> Iterator[str]:
    """Yield what a search for text looks at: of an edit what it changed, of other events all that they say."""
    for name in ("namespace", "job_name", "kind", "job_id", "actor", "event_id", "request_id", "outcome", "detail"):
        yield document[name]
    said = changes or (step.event.data if step.event else None)
    yield from _leaves(shown(said) if isinstance(said, IdentityData) else msgspec.to_builtins(said))


def _leaves(value: Any) -> Iterator[str]:
    """Yield all texts and numbers in a JSON value, and the names that they have."""
    match value:
        case dict():
            for name, each in value.items():
                yield name
                yield from _leaves(each)
        case list() | tuple():
            for each in value:
                yield from _leaves(each)
        case None | bool():
            return
        case _:
            yield str(value)
