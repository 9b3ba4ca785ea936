"""Reading what another release, or a broken program, wrote: kept whole or refused, never guessed."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dcron_schemas.codec import UndecodableError, decode_event, decode_record, decode_state
from dcron_schemas.events import SCHEMA_VERSION, JobEvent, UnknownEvent
from dcron_schemas.state import JobEntry, TickCursor
from tests.unit.schemas.golden import lines

DEEP = b"[" * 100_000 + b"]" * 100_000


def event(**changes: Any) -> dict[str, Any]:
    """An event that this release knows, changed."""
    saved: dict[str, Any] = json.loads(lines("v1", "job-events.jsonl")[1])
    return saved | changes


def as_unknown(value: dict[str, Any]) -> UnknownEvent:
    decoded = decode_event(json.dumps(value).encode())
    assert isinstance(decoded, UnknownEvent)
    return decoded


def test_an_event_of_an_unknown_kind_is_kept_with_its_data() -> None:
    data = {"kind": "JobFrozen", "until": "tomorrow", "nested": {"n": [1, 2.5, None]}}
    unknown = as_unknown(event(data=data))
    assert (unknown.kind, unknown.event_id) == ("JobFrozen", event()["event_id"])
    assert json.loads(bytes(unknown.data)) == data


@pytest.mark.parametrize(
    "data", [event()["data"], {"kind": "JobCreated", "spec": {"shape": "another"}}], ids=["readable", "unreadable"]
)
def test_an_event_of_a_later_schema_version_is_unknown_even_if_it_could_be_read(data: dict[str, Any]) -> None:
    """A later version may mean something else by the same words."""
    unknown = as_unknown(event(schema_version=SCHEMA_VERSION + 1, data=data))
    assert (unknown.schema_version, json.loads(bytes(unknown.data))) == (SCHEMA_VERSION + 1, data)


def test_fields_that_a_later_release_added_to_the_envelope_are_passed_over() -> None:
    decoded = decode_event(json.dumps(event(trace="0af7651916cd43dd")).encode())
    assert isinstance(decoded, JobEvent)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        json.dumps(event(data=None)).encode(),
        json.dumps(event(data={"spec": {}})).encode(),
        json.dumps(event(data={"kind": "JobCreated"})).encode(),
        json.dumps(event(at="yesterday")).encode(),
        json.dumps(event(at="2026-03-01T08:01:00")).encode(),  # in which zone?
        json.dumps(event(data={"kind": "JobCreated", "spec": {"name": "a", "run": {}, "rum": 1}})).encode(),
        b'{"x": ' + DEEP + b"}",
    ],
)
def test_what_is_no_event_is_refused(value: bytes) -> None:
    with pytest.raises(UndecodableError, match="not a"):
        decode_event(value)


@pytest.mark.parametrize(
    "read",
    [decode_event, decode_record, partial(decode_state, JobEntry), partial(decode_state, TickCursor)],
)
@pytest.mark.parametrize(
    "value", [b"", b"{", b"\xff", b"1", b"{}", b'{"kind": "Unheard"}', b'{"kind": "OutputChunk", "x": ' + DEEP + b"}"]
)
def test_undecodable_bytes_raise_one_kind_of_error(read: Callable[[bytes], object], value: bytes) -> None:
    """So that one bad record, however it is bad, costs that record only."""
    with pytest.raises(UndecodableError):
        read(value)


def test_names_and_durations_end_where_they_seem_to() -> None:
    for field, value in {"name": "hello\n", "timeout": "90s\n"}.items():
        spec = {"name": "a", "run": {"shell": "true"}} | {field: value}
        with pytest.raises(UndecodableError, match=field):
            decode_event(json.dumps(event(data={"kind": "JobCreated", "spec": spec})).encode())
