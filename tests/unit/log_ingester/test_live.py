"""What one viewer of a run sees (G9)."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from dcron_core.clock import SystemClock
from dcron_log_ingester.batches import batch_of
from dcron_log_ingester.errors import UnknownExecutionError
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.live import watch
from dcron_log_ingester.readings import Readings
from dcron_schemas.api import FinishedFrame, Frame, GapFrame, OutputFrame, StateFrame
from dcron_schemas.records import ExecutionRecord
from tests.unit.log_ingester.memory_runs import MemoryRuns
from tests.unit.log_ingester.records import chunk, execution, finished, raw, started

RUN = execution()


class Stage:
    """A hub and a store that the test feeds."""

    def __init__(self, queue_bytes: int = 1 << 20) -> None:
        self.hub = Hub(SystemClock(), queue_bytes=queue_bytes)
        self.store = MemoryRuns()
        self.readings = Readings(self.store, SystemClock())

    def say(self, *records: ExecutionRecord) -> None:
        """Let the log have the records."""
        self.hub.publish(raw(*records))

    async def keep(self, *records: ExecutionRecord) -> None:
        """Let the store have the records."""
        await self.store.write(batch_of(records, timedelta(days=1)))

    def watch(self, from_seq: int = 0, appearance_s: float = 10.0) -> AsyncGenerator[Frame, None]:
        return watch(
            RUN.execution_id, self.hub, self.readings, SystemClock(), from_seq=from_seq, appearance_s=appearance_s
        )


def shape(frames: list[Frame]) -> list[str | int]:
    return [frame.chunk.seq if isinstance(frame, OutputFrame) else type(frame).__name__ for frame in frames]


async def rest(view: AsyncGenerator[Frame, None]) -> list[Frame]:
    async with asyncio.timeout(10):
        return [frame async for frame in view]


async def test_backlog_then_live_then_the_end() -> None:
    stage = Stage()
    await stage.keep(started(RUN), chunk(RUN, 0), chunk(RUN, 1))
    view = stage.watch()
    assert shape([await anext(view) for _ in range(3)]) == ["StateFrame", 0, 1]
    stage.say(chunk(RUN, 1), chunk(RUN, 2), finished(RUN, 3))
    assert shape(await rest(view)) == [2, "FinishedFrame"]


async def test_a_finished_run_longer_than_a_page_is_read_to_its_end() -> None:
    stage = Stage()
    await stage.keep(started(RUN), *(chunk(RUN, seq) for seq in range(450)), finished(RUN, 450))
    assert shape(await rest(stage.watch())) == ["StateFrame", *range(450), "FinishedFrame"]
    assert shape(await rest(stage.watch(from_seq=448))) == ["StateFrame", 448, 449, "FinishedFrame"]


async def test_who_comes_late_to_a_run_that_wrote_much_just_now_gets_it_all() -> None:
    """What was written in the last minute can be more than a viewer's queue holds: the beginning is in the store."""
    stage = Stage(queue_bytes=20_000)
    output = [chunk(RUN, seq, "x" * 1000) for seq in range(300)]
    records: list[ExecutionRecord] = [started(RUN), *output, finished(RUN, 300)]
    await stage.keep(*records[:290])
    stage.say(*records)
    view = stage.watch()
    assert shape([await anext(view) for _ in range(251)]) == ["StateFrame", *range(250)]
    await stage.keep(*records[290:])
    assert shape(await rest(view)) == [*range(250, 300), "FinishedFrame"]


async def test_the_store_lags_behind_the_log() -> None:
    """The hub tells of chunk 2 and the end while 0 and 1 are not stored yet."""
    stage = Stage()
    stage.say(started(RUN))
    view = stage.watch()
    assert isinstance(await anext(view), StateFrame)
    stage.say(chunk(RUN, 2), finished(RUN, 3))
    following = asyncio.create_task(rest(view))
    await stage.keep(started(RUN), chunk(RUN, 0), chunk(RUN, 1))
    assert shape(await following) == [0, 1, 2, "FinishedFrame"]


async def test_the_log_alone_serves_while_mongodb_is_down() -> None:
    """G10: a viewer of a new run does not notice."""
    stage = Stage()
    stage.store.down = True
    stage.say(started(RUN), chunk(RUN, 0))
    view = stage.watch()
    assert shape([await anext(view) for _ in range(2)]) == ["StateFrame", 0]
    stage.say(chunk(RUN, 1), finished(RUN, 2))
    assert shape(await rest(view)) == [1, "FinishedFrame"]


async def test_the_store_alone_serves_while_the_hub_hears_nothing() -> None:
    """G10: Kafka restarts; the slow reading heals."""
    stage = Stage()
    await stage.keep(started(RUN))
    view = stage.watch()
    assert isinstance(await anext(view), StateFrame)
    following = asyncio.create_task(rest(view))
    await stage.keep(chunk(RUN, 0), finished(RUN, 1))
    assert shape(await following) == [0, "FinishedFrame"]


async def test_a_run_that_was_only_just_asked_for_is_waited_for() -> None:
    stage = Stage()
    following = asyncio.create_task(rest(stage.watch()))
    await asyncio.sleep(0)
    stage.say(started(RUN), finished(RUN, 0))
    assert shape(await following) == ["StateFrame", "FinishedFrame"]


async def test_an_unknown_run_is_said_to_be_unknown() -> None:
    with pytest.raises(UnknownExecutionError, match=RUN.execution_id):
        await rest(Stage().watch(appearance_s=0.2))


async def test_a_viewer_that_falls_behind_gets_a_gap_frame_as_its_last() -> None:
    stage = Stage(queue_bytes=3000)
    stage.say(started(RUN), chunk(RUN, 0))
    view = stage.watch()
    assert shape([await anext(view) for _ in range(2)]) == ["StateFrame", 0]
    stage.say(*(chunk(RUN, seq, "x" * 500) for seq in range(1, 50)))
    frames = await rest(view)
    assert frames == [GapFrame(from_seq=1)]


async def test_a_viewer_that_comes_late_to_a_run_that_prints_much_sees_all_of_it() -> None:
    """Also one that comes again after a gap: more came recently than its queue holds."""
    stage = Stage(queue_bytes=3000)
    records: list[ExecutionRecord] = [started(RUN), *(chunk(RUN, seq, "x" * 500) for seq in range(50))]
    await stage.keep(*records)
    stage.say(*records)
    for from_seq in (0, 30):
        view = stage.watch(from_seq)
        expected = ["StateFrame", *range(from_seq, 50)]
        assert shape([await anext(view) for _ in expected]) == expected
        await view.aclose()


async def test_a_finished_run_of_more_than_may_wait_is_read_to_its_end() -> None:
    """A reading holds more than the join keeps ahead; that is no hole."""
    stage = Stage()
    await stage.keep(started(RUN), *(chunk(RUN, seq, "x" * (32 << 10)) for seq in range(190)), finished(RUN, 190))
    assert shape(await rest(stage.watch())) == ["StateFrame", *range(190), "FinishedFrame"]


async def test_a_hole_that_stays_ends_the_view_with_a_gap_frame() -> None:
    stage = Stage()
    await stage.keep(started(RUN), chunk(RUN, 0), chunk(RUN, 2), finished(RUN, 3))
    assert shape(await rest(stage.watch())) == ["StateFrame", 0, "GapFrame"]


async def test_leaving_a_view_ends_its_subscription() -> None:
    stage = Stage()
    stage.say(started(RUN))
    view = stage.watch()
    await anext(view)
    assert stage.hub.subscribed == 1
    await view.aclose()
    assert stage.hub.subscribed == 0


async def test_frames_tell_the_state_first() -> None:
    stage = Stage()
    stage.say(chunk(RUN, 0), started(RUN), finished(RUN, 1))
    frames = await rest(stage.watch())
    assert isinstance(frames[0], StateFrame)
    assert isinstance(frames[-1], FinishedFrame)
    assert frames[-1].execution.output_chunks == 1
