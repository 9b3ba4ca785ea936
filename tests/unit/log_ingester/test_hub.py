"""The hub hands new records to the viewers of their runs, within its bounds."""

import asyncio

import pytest
from msgspec.structs import replace

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.http.probes import Readiness
from dcron_core.ports.log import Record, Topic
from dcron_log_ingester import hub as hub_module
from dcron_log_ingester.admission import read_record
from dcron_log_ingester.feed import FeedFilter
from dcron_log_ingester.hub import LIVE, Hub
from dcron_schemas.codec import encode
from dcron_schemas.records import ExecutionRecord
from tests.unit.log_ingester.records import chunk, execution, raw, skipped, started

ONE, OTHER = execution(1), execution(2)


class HandClock(SystemClock):
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def monotonic(self) -> float:
        return self.at_s


def test_a_viewer_gets_the_records_of_its_run_only() -> None:
    hub = Hub(SystemClock())
    with hub.subscribe(ONE.execution_id) as subscription:
        hub.publish(raw(started(ONE), b"not json", started(OTHER), skipped(ONE), chunk(ONE, 0)))
        assert subscription.take() == [started(ONE), chunk(ONE, 0)]
        assert subscription.take() == []


def test_nothing_is_decoded_until_somebody_wants_it_and_then_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most output is watched by nobody."""
    decoded: list[Record] = []

    def reading(record: Record) -> ExecutionRecord:
        decoded.append(record)
        return read_record(record)

    monkeypatch.setattr(hub_module, "read_record", reading)
    hub = Hub(SystemClock())
    hub.publish(raw(started(ONE), started(OTHER), chunk(ONE, 0)))
    assert not decoded
    with hub.subscribe(ONE.execution_id) as first, hub.subscribe(ONE.execution_id) as second:
        hub.publish(raw(chunk(ONE, 1), chunk(OTHER, 0)))
        assert first.take() == second.take() == [started(ONE), chunk(ONE, 0), chunk(ONE, 1)]
    assert len(decoded) == 3


def test_a_record_under_the_key_of_another_run_is_shown_to_nobody() -> None:
    hub = Hub(SystemClock())
    with hub.subscribe(ONE.execution_id) as subscription:
        hub.publish([replace(raw(chunk(OTHER, 0))[0], key=ONE.execution_id)])
        assert subscription.take() == []


def test_a_record_that_cannot_be_shown_does_not_end_the_live_views() -> None:
    """G10: it is well-formed, and would fail where the feed's frame is made: an instant that has no time in UTC."""
    end_of_time = encode(started(OTHER)).replace(b"2026-03-29T01:00:02Z", b"0001-01-01T00:00:00+14:00")
    huge = encode(started(OTHER)).replace(b'"attempt":1', b'"attempt":' + b"9" * 40)
    hub = Hub(SystemClock())
    with hub.subscribe(ONE.execution_id) as subscription, hub.subscribe_feed(FeedFilter()):
        hub.publish(raw(end_of_time, huge, chunk(ONE, 0)))
        assert subscription.take() == [chunk(ONE, 0)]


def test_a_record_that_came_just_before_the_viewer_is_not_missed() -> None:
    """G9: it may not be stored yet."""
    hub = Hub(SystemClock())
    hub.publish(raw(started(ONE), chunk(ONE, 0)))
    with hub.subscribe(ONE.execution_id) as subscription:
        hub.publish(raw(chunk(ONE, 1)))
        assert subscription.take() == [started(ONE), chunk(ONE, 0), chunk(ONE, 1)]


def test_what_is_kept_is_bounded_in_bytes() -> None:
    hub = Hub(SystemClock(), recent_bytes=3000)
    hub.publish(raw(*(chunk(ONE, seq, "x" * 500) for seq in range(100))))
    assert 2000 < hub.recent_bytes <= 3000
    with hub.subscribe(ONE.execution_id) as subscription:
        assert subscription.take()[-1] == chunk(ONE, 99, "x" * 500)


def test_what_is_kept_is_bounded_in_age() -> None:
    clock = HandClock()
    hub = Hub(clock)
    hub.publish(raw(started(ONE)))
    clock.at_s = 61.0
    hub.publish([])
    assert hub.recent_bytes == 0


async def test_a_viewer_that_falls_behind_is_told() -> None:
    hub = Hub(SystemClock(), queue_bytes=2000)
    with hub.subscribe(ONE.execution_id) as slow, hub.subscribe(ONE.execution_id) as quick:
        for seq in range(20):
            hub.publish(raw(chunk(ONE, seq, "x" * 300)))
            assert len(quick.take()) == 1
        assert slow.overflowed
        assert slow.take() == []
        await asyncio.wait_for(slow.arrival(), 1)
        assert not quick.overflowed


async def test_the_hub_follows_again_after_the_log_was_away() -> None:
    """G10: heals without a hand."""
    log, hub, readiness = MemoryLog(SystemClock()), Hub(SystemClock()), Readiness(LIVE)
    following = asyncio.create_task(hub.run(log, "t", readiness))
    try:
        while not readiness.missing.get(LIVE, "").startswith("there is no topic"):
            await asyncio.sleep(0)
        await log.ensure_topics([Topic("t", 2)])
        async with asyncio.timeout(5):
            while readiness.missing:
                await asyncio.sleep(0.01)
        with hub.subscribe(ONE.execution_id) as subscription:
            async with log.producer() as producer:
                await producer.append("t", ONE.execution_id, encode(started(ONE)))
            await asyncio.wait_for(subscription.arrival(), 5)
            assert subscription.take() == [started(ONE)]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
