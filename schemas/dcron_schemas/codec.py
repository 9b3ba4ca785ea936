"""Bytes to Structs and back. One encoder, one decoder per message, built once."""

from typing import TypeVar

import msgspec

from dcron_schemas.events import SCHEMA_VERSION, JobEvent, UnknownEvent
from dcron_schemas.identity import ApiTokenEntry, SecretEntry, UserEntry
from dcron_schemas.records import SCHEMA_VERSION as RECORD_VERSION
from dcron_schemas.records import ExecutionRecord
from dcron_schemas.state import (
    ActiveRun,
    ClockBeat,
    DependencyMarks,
    DrainWanted,
    ExecutionEntry,
    JobEntry,
    KillWanted,
    Projection,
    RunWanted,
    TickCursor,
    WorkerEntry,
)

T = TypeVar("T")

# What msgspec raises for bytes that are not the message; RecursionError: nested too deeply.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_encoder = msgspec.json.Encoder()
_event_decoder = msgspec.json.Decoder(JobEvent)
_record_decoder: msgspec.json.Decoder[ExecutionRecord] = msgspec.json.Decoder(ExecutionRecord)
_state_decoders: dict[type, msgspec.json.Decoder[object]] = {
    kind: msgspec.json.Decoder(kind)
    for kind in (
        ActiveRun, ApiTokenEntry, ClockBeat, DependencyMarks, DrainWanted, ExecutionEntry, JobEntry, KillWanted,
        Projection, RunWanted, SecretEntry, TickCursor, UserEntry, WorkerEntry,
    )
}  # fmt: skip


class UndecodableError(ValueError):
    """Bytes that are not the message they should be."""


class _Kind(msgspec.Struct):
    kind: str


class _Version(msgspec.Struct):
    schema_version: int = RECORD_VERSION


class _Outline(msgspec.Struct):
    """As much of an event as every schema version has."""

    event_id: str
    data: msgspec.Raw
    schema_version: int = SCHEMA_VERSION


def encode(message: msgspec.Struct) -> bytes:
    """Return `message` as JSON."""
    return _encoder.encode(message)


def decode_event(value: bytes) -> JobEvent | UnknownEvent:
    """Read a record of `cron.job-events`.

    An event of a kind or schema version that this release does not know comes back whole as
    `UnknownEvent`. Raises UndecodableError for anything that is not an event at all.
    """
    try:
        event = _event_decoder.decode(value)
    except _UNREADABLE as error:
        return _unknown_event(value, error)
    if event.at.tzinfo is None:  # no release wrote one; it could be compared with no other
        raise UndecodableError(f"not a job event: its instant {event.at.isoformat()} has no zone")
    if event.schema_version > SCHEMA_VERSION:
        return _unknown_event(value, ValueError(f"schema version {event.schema_version}"))
    return event


def _unknown_event(value: bytes, error: Exception) -> UnknownEvent:
    known = {kind.__name__ for kind in JobEvent.__annotations__["data"].__args__}
    try:
        outline = msgspec.json.decode(value, type=_Outline)
        kind = msgspec.json.decode(outline.data, type=_Kind).kind
    except _UNREADABLE:
        raise UndecodableError(f"not a job event: {error}") from error
    if kind in known and outline.schema_version <= SCHEMA_VERSION:
        raise UndecodableError(f"not a {kind} event of schema version {outline.schema_version}: {error}") from error
    return UnknownEvent(event_id=outline.event_id, kind=kind, schema_version=outline.schema_version, data=outline.data)


def decode_record(value: bytes) -> ExecutionRecord:
    """Read a record of `cron.executions`. Raises UndecodableError."""
    try:
        return _record_decoder.decode(value)
    except _UNREADABLE as error:
        raise UndecodableError(f"not an execution record: {error}") from error


def newer_version(value: bytes) -> int | None:
    """Return the schema version of a record of `cron.executions` that a newer release wrote; None for any other."""
    try:
        version = msgspec.json.decode(value, type=_Version).schema_version
    except _UNREADABLE:
        return None
    return version if version > RECORD_VERSION else None


def decode_state(kind: type[T], value: bytes) -> T:
    """Read the value of an etcd key as `kind`. Raises UndecodableError."""
    try:
        decoded = _state_decoders[kind].decode(value)
    except _UNREADABLE as error:
        raise UndecodableError(f"not a {kind.__name__}: {error}") from error
    assert isinstance(decoded, kind)
    return decoded
