"""What many viewers of one run cost: each record is decoded once, each frame encoded once (G9)."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import timedelta

import msgspec
import pytest

from dcron_core.access.fixed_tokens import BOOTSTRAP
from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.history import History
from dcron_core.job_log import JobLog
from dcron_core.ports.log import Record
from dcron_log_ingester import hub as hub_module
from dcron_log_ingester.admission import read_record
from dcron_log_ingester.batches import batch_of
from dcron_log_ingester.events import STILL_HERE, beating
from dcron_log_ingester.frames import FrameTexts
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.readings import Readings
from dcron_log_ingester.viewing import Viewing
from dcron_schemas.api import FinishedFrame, Frame, OutputFrame, OutputPiece
from dcron_schemas.records import ExecutionRecord
from tests.unit.log_ingester.memory_runs import MemoryRuns
from tests.unit.log_ingester.records import chunk, execution, finished, raw, started

RUN = execution()
VIEWERS = 1000


class CountingRuns(MemoryRuns):
    """Counts the readings of the store, each of which takes a turn of the loop."""

    readings = 0

    async def output(self, execution_id: str, from_seq: int, limit: int) -> list[OutputPiece]:
        self.readings += 1
        await asyncio.sleep(0)
        return await super().output(execution_id, from_seq, limit)


class Stage:
    """A hub and a store, whose viewers are served as the service does, and counts of what that took."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.encoded: Counter[str] = Counter()
        self.decoded = 0
        self.store = CountingRuns()
        clock = SystemClock()
        self.hub = Hub(clock)
        history = History(JobLog(MemoryLog(clock), "events"))
        readings, texts = Readings(self.store, clock), FrameTexts(self._encode)
        self.viewing = Viewing(self.hub, readings, texts, history, clock, Metrics())
        monkeypatch.setattr(hub_module, "read_record", self._read)

    def _encode(self, frame: Frame) -> bytes:
        self.encoded[type(frame).__name__] += 1
        return msgspec.json.encode(frame)

    def _read(self, record: Record) -> ExecutionRecord:
        self.decoded += 1
        return read_record(record)

    def say(self, *records: ExecutionRecord) -> None:
        self.hub.publish(raw(*records))

    async def view(self) -> list[int]:
        """Watch the run to its end; return the chunks that were seen."""
        seen = []
        async for frame, _ in self.viewing.run(RUN.execution_id, 0, BOOTSTRAP):
            if isinstance(frame, OutputFrame):
                seen.append(frame.chunk.seq)
            last = frame
        assert isinstance(last, FinishedFrame)
        return seen


async def test_a_thousand_viewers_of_one_run_cost_one_decode_and_one_encode(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    await stage.store.write(batch_of([started(RUN), chunk(RUN, 0), chunk(RUN, 1)], timedelta(days=1)))
    viewers = [asyncio.create_task(stage.view()) for _ in range(VIEWERS)]
    while stage.hub.subscribed < VIEWERS:
        await asyncio.sleep(0)
    records: list[ExecutionRecord] = [*(chunk(RUN, seq) for seq in range(2, 12)), finished(RUN, 12)]
    for record in records:
        stage.say(record)
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        seen = await asyncio.gather(*viewers)
    assert all(each == list(range(12)) for each in seen)
    assert stage.decoded == len(records)
    assert stage.encoded == {"StateFrame": 1, "OutputFrame": 12, "FinishedFrame": 1}
    assert stage.store.readings < 20


def test_kept_texts_are_bounded() -> None:
    frames = [OutputFrame(chunk=OutputPiece(seq=n, stream="stdout", at=RUN.due_at, text="x" * 500)) for n in range(50)]
    encodes: list[Frame] = []

    def counted(frame: Frame) -> bytes:
        encodes.append(frame)
        return msgspec.json.encode(frame)

    texts = FrameTexts(counted, kept_bytes=3000)
    for frame in frames:
        assert msgspec.json.decode(texts.of(frame), type=OutputFrame) == frame
    texts.of(frames[-1])
    assert len(encodes) == 50
    texts.of(frames[0])
    assert len(encodes) == 51


async def test_a_quiet_stream_of_events_says_that_it_is_still_there() -> None:
    """So that a connection that is gone is noticed."""
    go_on = asyncio.Event()
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[str, None]:
        try:
            await go_on.wait()
            yield "one"
        finally:
            closed.set()

    seen: list[str] = []
    async for event in beating(events(), quiet_s=0.01):
        seen.append(event)
        if seen.count(STILL_HERE) == 3:
            go_on.set()
    assert seen[-1] == "one"
    assert seen.count(STILL_HERE) >= 3
    assert closed.is_set()
