"""The feed: who sees which change of state, and what a slow viewer is told."""

import asyncio

import msgspec
import pytest

from dcron_core.clock import SystemClock
from dcron_log_ingester.feed import FeedFilter, FeedQueue
from dcron_log_ingester.hub import Hub
from dcron_schemas.api import FeedFrame, FeedGapFrame, RunFrame, SkipFrame
from dcron_schemas.records import ExecutionRecord
from tests.unit.log_ingester.records import JOB, chunk, execution, finished, lost, raw, skipped, started

ONE, OTHER = execution(1), execution(2, "other-job")
EVENTS: list[ExecutionRecord] = [
    started(ONE), chunk(ONE, 0), finished(ONE, 1, "failed"), started(OTHER), lost(OTHER), skipped(execution(3)),
]  # fmt: skip

_frames: msgspec.json.Decoder[FeedFrame] = msgspec.json.Decoder(FeedFrame)


def publish(hub: Hub, *records: ExecutionRecord) -> None:
    hub.publish(raw(*records))


async def taken(queue: FeedQueue) -> list[FeedFrame]:
    async with asyncio.timeout(5):
        return [_frames.decode(item.text) for item in await queue.take()]


def shape(frame: FeedFrame) -> str:
    match frame:
        case RunFrame():
            return f"{frame.change} {frame.execution.status}"
        case SkipFrame():
            return f"skipped {frame.tick.reason}"
        case FeedGapFrame():
            return f"gap {frame.missed}"


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (FeedFilter(), ["started running", "finished failed", "started running", "lost lost", "skipped overlap"]),
        (FeedFilter(job_ids=(JOB,)), ["started running", "finished failed", "skipped overlap"]),
        (FeedFilter(statuses=("failed", "skipped")), ["finished failed", "skipped overlap"]),
        (FeedFilter(job_ids=("other-job",), statuses=("lost",)), ["lost lost"]),
        (FeedFilter(namespaces=frozenset({"default"}), statuses=("lost",)), ["lost lost"]),
    ],
)
async def test_a_viewer_sees_the_changes_it_asked_for_and_no_output(wanted: FeedFilter, seen: list[str]) -> None:
    hub = Hub(SystemClock())
    with hub.subscribe_feed(wanted) as queue:
        publish(hub, *EVENTS)
        assert [shape(frame) for frame in await taken(queue)] == seen
        publish(hub, *EVENTS)
        assert len(await taken(queue)) == len(seen)
    assert hub.subscribed == 0


async def test_a_slow_viewer_is_told_how_much_it_missed_and_the_feed_goes_on() -> None:
    hub = Hub(SystemClock(), feed_bytes=3000)
    with hub.subscribe_feed(FeedFilter()) as slow, hub.subscribe_feed(FeedFilter()) as quick:
        seen = 0
        for number in range(50):
            publish(hub, started(execution(number)))
            seen += len(await taken(quick))
        publish(hub, lost(execution(99)))
        frames = await taken(slow)
        assert seen == 50
        assert isinstance(frames[0], FeedGapFrame)
        assert frames[0].missed + len(frames[1:]) == 51
        assert shape(frames[-1]) == "lost lost"
        assert all(not isinstance(frame, FeedGapFrame) for frame in await taken(quick))


async def test_a_namespace_that_nothing_is_of_sees_nothing() -> None:
    hub = Hub(SystemClock())
    with hub.subscribe_feed(FeedFilter(namespaces=frozenset({"elsewhere"}))) as queue:
        publish(hub, *EVENTS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await queue.take()
