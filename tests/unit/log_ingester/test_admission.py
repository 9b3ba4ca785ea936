"""What a record of the log may be; what is let pass never fails further on (G8)."""

from datetime import UTC, datetime, timedelta

import bson
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dcron_core.ports.log import Record
from dcron_log_ingester.admission import MOST_AHEAD, MOST_BYTES, MOST_TEXT, read_record, was_cut
from dcron_log_ingester.batches import applied, batch_of
from dcron_log_ingester.dead_letters import letter_headers
from dcron_log_ingester.errors import BadRecordError
from dcron_log_ingester.feed import feed_frame, feed_item
from dcron_log_ingester.views import execution_view, live_piece
from dcron_schemas.codec import encode
from dcron_schemas.records import ExecutionRecord, OutputChunk
from tests.unit.log_ingester.records import DUE, chunk, execution, finished, lost, skipped, started

RUN = execution()
AT = DUE + timedelta(seconds=5)


def record_of(value: ExecutionRecord | bytes, at: datetime = AT) -> Record:
    return Record("runs", 0, 0, "k", value if isinstance(value, bytes) else encode(value), at)


def reason_of(value: ExecutionRecord | bytes) -> str | None:
    """Return why the record is put aside; None: it is not."""
    try:
        read_record(record_of(value))
    except BadRecordError as error:
        return error.reason
    return None


def changed(message: ExecutionRecord, old: str, new: str) -> bytes:
    """Return the record with one piece of its JSON replaced."""
    text = encode(message).decode()
    assert text.count(old) == 1
    return text.replace(old, new).encode()


@pytest.mark.parametrize("message", [started(RUN), chunk(RUN, 0), finished(RUN, 1), lost(RUN), skipped(RUN)])
def test_what_workers_and_masters_write_is_read_as_it_is(message: ExecutionRecord) -> None:
    assert read_record(record_of(message)) == message


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "unreadable"),
        (b"not json", "unreadable"),
        (b"\xff\xfe", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"kind":"OutputChunk"}', "unreadable"),
        (b'{"kind":"ExecutionResumed"}', "unreadable"),
        (b'{"kind":"ExecutionResumed","schema_version":2}', "version"),
        (changed(started(RUN), '"schema_version":1', '"schema_version":2'), "version"),
        (changed(started(RUN), '"pid":4711', '"pid":99999999999999999999'), "unreadable"),
        (changed(finished(RUN, 1), '"output_chunks":1', '"output_chunks":-1'), "unreadable"),
        (changed(finished(RUN, 1), '"output_chunks":1', '"output_chunks":10000000000'), "unreadable"),
        (replace(finished(RUN, 1), output_cut_bytes=2**63), "unreadable"),
        (changed(chunk(RUN, 7), '"seq":7', '"seq":-7'), "unreadable"),
        (changed(chunk(RUN, 7), '"seq":7', '"seq":' + "7" * 5000), "unreadable"),
        (changed(chunk(RUN, 0), '"text":"line 0\\n"', '"text":"\\ud800"'), "unreadable"),
        (changed(chunk(RUN, 0), "01:00:00.000789Z", "01:00:00.000789"), "unreadable"),
        (changed(chunk(RUN, 0), "2026-03-29T01:00:00.000789Z", "0001-01-01T00:00:00+14:00"), "unreadable"),
        (changed(chunk(RUN, 0), "2026-03-29T01:00:00.000789Z", "9999-12-31T23:59:59-14:00"), "future"),
        (replace(lost(RUN), reason="x" * MOST_BYTES), "too_large"),
    ],
)
def test_what_is_put_aside_and_why(value: bytes | ExecutionRecord, reason: str) -> None:
    assert reason_of(value) == reason


@pytest.mark.parametrize(
    "late",
    [
        lambda at: replace(started(RUN), execution=replace(RUN, due_at=at)),
        lambda at: replace(started(RUN), execution=replace(RUN, claimed_at=at)),
        lambda at: replace(started(RUN), started_at=at),
        lambda at: replace(finished(RUN, 0), finished_at=at),
        lambda at: replace(finished(RUN, 0), started_at=at),
        lambda at: replace(lost(RUN), detected_at=at),
        lambda at: replace(skipped(RUN), at=at),
        lambda at: replace(skipped(RUN), last_tick=at),
        lambda at: replace(chunk(RUN, 0), at=at),
    ],
)
def test_no_instant_may_be_more_than_a_day_ahead_of_the_log(late) -> None:  # type: ignore[no-untyped-def]
    """It would stand at the top of every list, and never expire."""
    assert reason_of(late(AT + MOST_AHEAD)) is None
    assert reason_of(late(AT + MOST_AHEAD + timedelta(microseconds=1))) == "future"


def test_output_that_is_too_large_is_cut_with_a_mark() -> None:
    """The same each time, so that a record that comes again is no second chunk."""
    whole, large = chunk(RUN, 0, "ä" * MOST_TEXT), chunk(RUN, 1, "ä" * (MOST_TEXT + 5))
    assert read_record(record_of(whole)) == whole
    assert not was_cut(whole)
    cut = read_record(record_of(large))
    assert isinstance(cut, OutputChunk)
    assert cut == replace(large, text="ä" * MOST_TEXT + "\n[dcron: 5 characters left out here]\n")
    assert was_cut(cut)
    assert read_record(record_of(large)) == cut


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
edges = st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-29T02:00:00"])
instants = edges | st.datetimes(timezones=st.none() | st.timezones() | st.just(UTC)).map(datetime.isoformat)
numbers = st.integers() | st.sampled_from([2**63 - 1, 2**63, 2**64, -(2**63), 10**40])
MODELS = [
    msgspec.to_builtins(each) for each in (started(RUN), chunk(RUN, 1), finished(RUN, 1), lost(RUN), skipped(RUN))
]


def like(value: object) -> st.SearchStrategy[object]:
    """Return values that the field may have, and what is just beyond them."""
    if isinstance(value, int):
        return numbers
    return instants if str(value).startswith("2026-") else st.text()


@st.composite
def nearly_records(draw: st.DrawFn) -> bytes:
    """A record in which some fields are anything at all."""
    record = dict(draw(st.sampled_from(MODELS)))
    if "execution" in record:
        record["execution"] = dict(record["execution"])
    for _ in range(draw(st.integers(1, 3))):
        inner = record.get("execution")
        inside = inner if isinstance(inner, dict) and inner and draw(st.booleans()) else record
        field = draw(st.sampled_from(sorted(inside)))
        inside[field] = draw(like(inside[field]) if draw(st.booleans()) else json_values)
    return msgspec.json.encode(record)


@settings(max_examples=500)
@given(nearly_records() | st.binary(max_size=200) | json_values.map(msgspec.json.encode))
def test_whatever_bytes_come_they_are_put_aside_or_can_be_stored_and_shown(value: bytes) -> None:
    """G8: neither the ingest loop nor the live view ever fails on a record."""
    try:
        message = read_record(record_of(value))
    except BadRecordError as error:
        letter_headers(record_of(value), error.reason, str(error))
        return
    batch = batch_of([message], timedelta(days=30))
    for document in (*batch.output, *batch.ticks):
        bson.encode(document)
    for write in batch.executions:
        document = applied(None, write)
        bson.encode(document)
        msgspec.json.encode(execution_view(document))
    if isinstance(message, OutputChunk):
        live_piece(message)
    elif (frame := feed_frame(message)) is not None:
        feed_item(frame)
