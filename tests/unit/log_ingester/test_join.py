"""What is stored and what is new are one sequence to a viewer (G9)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcron_log_ingester.batches import Document, applied, batch_of
from dcron_log_ingester.join import Join, Stored
from dcron_log_ingester.views import stored_piece
from dcron_schemas.api import FinishedFrame, Frame, OutputFrame, StateFrame
from dcron_schemas.records import ExecutionRecord
from tests.unit.log_ingester.records import chunk, execution, finished, lost, started

RUN = execution()
RETENTION = timedelta(days=1)


def stored(*records: ExecutionRecord, from_seq: int = 0) -> Stored:
    """Return a reading of a store that holds these records."""
    batch = batch_of(records, RETENTION)
    document: Document | None = None
    for write in batch.executions:
        document = applied(document, write)
    pieces = [stored_piece(each) for each in batch.output if each["seq"] >= from_seq]
    return Stored(document, pieces, to_end=True)


def seqs(frames: list[Frame]) -> list[int]:
    return [frame.chunk.seq for frame in frames if isinstance(frame, OutputFrame)]


@given(data=st.data(), count=st.integers(0, 6))
def test_any_mix_of_store_and_log_is_seen_once_and_in_order(data: st.DataObject, count: int) -> None:
    """G9: state first, each chunk once and in order, the end last and only after all output."""
    log: list[ExecutionRecord] = [started(RUN), *(chunk(RUN, seq) for seq in range(count)), finished(RUN, count)]
    join = Join()
    frames: list[Frame] = []
    for _ in range(data.draw(st.integers(0, 12))):
        if data.draw(st.booleans()):
            join.take(data.draw(st.sampled_from(log)))
        else:  # the store holds some beginning of the log
            join.take_stored(stored(*log[: data.draw(st.integers(0, len(log)))]))
        frames.extend(join.frames())
        if join.complete:
            break
    if not join.complete:
        join.take_stored(stored(*log))
        frames.extend(join.frames())
    assert isinstance(frames[0], StateFrame)
    assert seqs(frames) == list(range(count))
    assert isinstance(frames[-1], FinishedFrame)
    assert sum(isinstance(frame, FinishedFrame) for frame in frames) == 1


def test_the_end_waits_for_a_chunk_that_is_missing() -> None:
    join = Join()
    for record in (started(RUN), chunk(RUN, 0), chunk(RUN, 2), finished(RUN, 3)):
        join.take(record)
    assert seqs(list(join.frames())) == [0]
    assert join.waiting
    assert not join.complete
    join.take(chunk(RUN, 1))
    frames = list(join.frames())
    assert seqs(frames) == [1, 2]
    assert isinstance(frames[-1], FinishedFrame)


def test_a_chunk_that_the_store_will_never_have_breaks_the_view() -> None:
    """Output is stored before the end of its run: a hole in what is stored then stays one."""
    join = Join()
    join.take_stored(stored(started(RUN), chunk(RUN, 0), chunk(RUN, 2), finished(RUN, 3)))
    assert seqs(list(join.frames())) == [0]
    assert join.broken
    assert join.next_seq == 1


def test_a_lost_run_ends_when_the_store_has_it_and_its_output() -> None:
    """How much output a lost run had is not known, so only the store can say that that was all."""
    join = Join()
    for record in (started(RUN), chunk(RUN, 0), lost(RUN)):
        join.take(record)
    assert not join.complete
    join.take_stored(stored(started(RUN), chunk(RUN, 0)))
    assert not join.complete
    join.take_stored(stored(started(RUN), chunk(RUN, 0), chunk(RUN, 1), lost(RUN), from_seq=1))
    frames = list(join.frames())
    assert seqs(frames) == [0, 1]
    assert isinstance(frames[-1], FinishedFrame)
    assert frames[-1].execution.status == "lost"


def test_a_stale_reading_does_not_undo_what_the_log_said() -> None:
    join = Join()
    for record in (started(RUN), finished(RUN, 1)):
        join.take(record)
    join.take_stored(stored(started(RUN)))
    join.take_stored(stored(lost(RUN)))
    join.take(chunk(RUN, 0))
    last = list(join.frames())[-1]
    assert isinstance(last, FinishedFrame)
    assert last.execution.status == "succeeded"


def test_stored_and_live_views_are_equal() -> None:
    """A line looks the same whichever way it came."""
    live, kept = Join(), Join()
    log: list[ExecutionRecord] = [started(RUN), chunk(RUN, 0), chunk(RUN, 1), finished(RUN, 2)]
    for record in log:
        live.take(record)
    kept.take_stored(stored(*log))
    assert list(live.frames()) == list(kept.frames())


def test_what_is_far_ahead_keeps_nothing_out_that_comes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest records fill what may wait; the reading that closes the hole before them is taken whole."""
    monkeypatch.setattr("dcron_log_ingester.join.AHEAD_CHARACTERS", 100)
    output = [chunk(RUN, seq, "x" * 40) for seq in range(10)]
    join = Join()
    new: list[ExecutionRecord] = [started(RUN), *output[7:], finished(RUN, 10)]
    for record in new:
        join.take(record)
    join.take_stored(stored(started(RUN), *output, finished(RUN, 10)))
    assert seqs(list(join.frames())) == list(range(10))
    assert join.complete
