"""The ingest loop: read, write, only then commit; nothing is lost and nothing stops it (G8)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.http.probes import Readiness
from dcron_core.ports.log import Record, Topic
from dcron_log_ingester.admission import MOST_BYTES
from dcron_log_ingester.ingest import KAFKA, MONGODB, Ingest, IngestPlan
from dcron_log_ingester.metrics import Metrics
from dcron_schemas.codec import encode
from dcron_schemas.records import ExecutionRecord
from tests.unit.log_ingester.memory_runs import MemoryRuns
from tests.unit.log_ingester.records import chunk, execution, finished, lost, skipped, started

TOPIC, DEAD = "executions", "dead-letter"
RUN = execution()
PLAN = IngestPlan(
    topics=(Topic(TOPIC, 3), Topic(DEAD, 1)),
    topic=TOPIC,
    dead_letter_topic=DEAD,
    group="g",
    batch_size=100,
    batch_age=timedelta(milliseconds=5),
    flush_timeout=timedelta(seconds=5),
)


class OneDay:
    """Every job's records are kept for a day."""

    async def know(self, job_ids: Iterable[str]) -> None:
        """All is known."""

    def of(self, job_id: str) -> timedelta:  # noqa: ARG002  it is the same for all
        return timedelta(days=1)


class Stage:
    """A log, a store, and the loop between them while `ingesting`."""

    def __init__(self) -> None:
        self.log = MemoryLog(SystemClock())
        self.store = MemoryRuns()
        self.readiness = Readiness(KAFKA, MONGODB)
        self.metrics = Metrics()

    async def send(self, *values: ExecutionRecord | bytes) -> None:
        await self.log.ensure_topics(PLAN.topics)
        async with self.log.producer() as producer:
            for value in values:
                plain = value if isinstance(value, bytes) else encode(value)
                await producer.append(TOPIC, RUN.execution_id, plain)

    @asynccontextmanager
    async def ingesting(self, plan: IngestPlan = PLAN) -> AsyncIterator[None]:
        ingest = Ingest(plan, self.log, self.store, OneDay(), SystemClock(), self.readiness, self.metrics)
        task = asyncio.create_task(ingest.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def dead_letters(self) -> list[Record]:
        async with self.log.reader(DEAD, {0: 0}) as reader:
            return await reader.poll(0.05)

    def put_aside(self, reason: str) -> float:
        return self.metrics.registry.get_sample_value("dcron_ingester_dead_letters_total", {"reason": reason}) or 0.0

    def lag(self) -> dict[str, float]:
        (metric,) = self.metrics.lag.collect()
        return {sample.labels["partition"]: sample.value for sample in metric.samples}

    def counted(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(name) or 0.0


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.002)


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_what_is_in_the_log_comes_into_the_store(stage: Stage) -> None:
    await stage.send(started(RUN), chunk(RUN, 0), chunk(RUN, 1), finished(RUN, 2), skipped(execution(1)))
    async with stage.ingesting():
        await until(lambda: RUN.execution_id in stage.store.executions and len(stage.store.ticks) == 1)
    assert stage.store.executions[RUN.execution_id]["status"] == "succeeded"
    assert len(stage.store.outputs) == 2
    assert not stage.readiness.missing


async def test_a_batch_of_enough_bytes_waits_for_no_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long chunks are, few of them are held at a time."""
    plan = replace(PLAN, batch_age=timedelta(minutes=1))
    await stage.send(chunk(RUN, 0, "x" * 1000))
    monkeypatch.setattr("dcron_log_ingester.ingest.BATCH_BYTES", 1000)
    async with stage.ingesting(plan):
        await until(lambda: len(stage.store.outputs) == 1)


async def test_committed_records_do_not_come_again(stage: Stage) -> None:
    await stage.send(started(RUN))
    async with stage.ingesting():
        await until(lambda: stage.counted("dcron_ingester_batches_total") == 1)
    writes = stage.store.writes
    await stage.send(finished(RUN, 0))
    async with stage.ingesting():
        await until(lambda: "finished_at" in stage.store.executions[RUN.execution_id])
    assert stage.store.writes == writes + 1


async def test_mongodb_down_loses_nothing_and_is_told(stage: Stage) -> None:
    """G8: the batch is kept and tried again; not ready meanwhile."""
    await stage.send(started(RUN))
    async with stage.ingesting():
        await until(lambda: bool(stage.store.executions))
        stage.store.down = True
        await stage.send(chunk(RUN, 0), finished(RUN, 1))
        await until(lambda: MONGODB in stage.readiness.missing)
        assert stage.store.executions[RUN.execution_id]["status"] == "running"
        stage.store.down = False
        await until(lambda: stage.store.executions[RUN.execution_id]["status"] == "succeeded")
        await until(lambda: not stage.readiness.missing)
    assert len(stage.store.outputs) == 1


async def test_stopped_while_mongodb_is_down_the_batch_comes_again(stage: Stage) -> None:
    """G8: nothing is committed that is not stored."""
    await stage.send(started(RUN))
    async with stage.ingesting():
        await until(lambda: bool(stage.store.executions))
        stage.store.down = True
        await stage.send(finished(RUN, 0))
        await until(lambda: MONGODB in stage.readiness.missing)
        stage.store.down = False  # whether or not the last try gets through
    async with stage.ingesting():
        await until(lambda: stage.store.executions[RUN.execution_id]["status"] == "succeeded")


async def test_the_log_down_heals(stage: Stage) -> None:
    """G10."""
    await stage.send(started(RUN))
    async with stage.ingesting():
        await until(lambda: bool(stage.store.executions))
        stage.log.down = True
        await until(lambda: KAFKA in stage.readiness.missing)
        stage.log.down = False
        await stage.send(finished(RUN, 0))
        await until(lambda: stage.store.executions[RUN.execution_id]["status"] == "succeeded")
        assert not stage.readiness.missing


@pytest.mark.parametrize("bad", [b"", b"not json", b'{"kind":"Nobody"}', b"\xff\xfe", b'{"kind":"OutputChunk"}'])
async def test_an_undecodable_record_is_put_aside_and_the_others_flow_on(stage: Stage, bad: bytes) -> None:
    await stage.send(started(RUN), bad, finished(RUN, 0))
    async with stage.ingesting():
        await until(lambda: "finished_at" in stage.store.executions.get(RUN.execution_id, {}))
    (letter,) = await stage.dead_letters()
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (RUN.execution_id, bad)
    assert headers["topic"] == TOPIC.encode()
    assert headers["offset"] == b"1"
    assert (headers["reason"], headers["tries"]) == (b"unreadable", b"1")
    assert stage.put_aside("unreadable") == 1


async def test_a_record_that_cannot_be_stored_is_put_aside_and_the_others_flow_on(stage: Stage) -> None:
    stage.store.refused.add("poison")
    await stage.send(started(RUN), chunk(RUN, 0), chunk(RUN, 1, "poison"), chunk(RUN, 2), finished(RUN, 3))
    async with stage.ingesting():
        await until(lambda: "finished_at" in stage.store.executions.get(RUN.execution_id, {}))
    (letter,) = await stage.dead_letters()
    assert letter.value == encode(chunk(RUN, 1, "poison"))
    assert dict(letter.headers)["reason"] == b"refused"
    assert stage.put_aside("refused") == 1
    assert sorted(document["seq"] for document in stage.store.outputs.values()) == [0, 2]


async def test_of_many_records_the_refused_ones_are_found_in_few_writes(stage: Stage) -> None:
    """G8: by halves; a batch of 90 with two bad ones costs no 90 writes."""
    stage.store.refused.add("poison")
    poisoned = {17, 60}
    await stage.send(*(chunk(RUN, seq, "poison" if seq in poisoned else "fine") for seq in range(90)))
    async with stage.ingesting():
        await until(lambda: len(stage.store.outputs) == 88 and stage.put_aside("refused") == 2)
    assert {letter.value for letter in await stage.dead_letters()} == {
        encode(chunk(RUN, n, "poison")) for n in poisoned
    }
    assert stage.store.writes <= 30


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (encode(started(RUN)).replace(b'"schema_version":1', b'"schema_version":2'), "version"),
        (b'{"kind":"ExecutionResumed","schema_version":9}', "version"),
        (encode(msgspec.structs.replace(lost(RUN), reason="x" * MOST_BYTES)), "too_large"),
        (encode(started(msgspec.structs.replace(RUN, due_at=datetime.now(UTC) + timedelta(days=2)))), "future"),
    ],
)
async def test_each_kind_of_bad_record_has_its_reason(stage: Stage, bad: bytes, reason: str) -> None:
    """G8: put aside, counted, and what is behind it flows on."""
    await stage.send(bad, finished(RUN, 0))
    async with stage.ingesting():
        await until(lambda: bool(stage.store.executions))
        await until(lambda: stage.put_aside(reason) == 1)
    (letter,) = await stage.dead_letters()
    assert letter.value == bad
    assert dict(letter.headers)["reason"] == reason.encode()


async def test_lag_is_told_for_each_partition(stage: Stage) -> None:
    await stage.send(started(RUN))
    async with stage.ingesting():
        await until(lambda: stage.lag() == {"0": 0.0, "1": 0.0, "2": 0.0})


async def test_lag_grows_in_sight_while_mongodb_is_down(stage: Stage) -> None:
    """G10: what waits is told while the batch is tried again, not only once that is over."""
    await stage.send(started(RUN))
    async with stage.ingesting():
        await until(lambda: bool(stage.store.executions))
        stage.store.down = True
        await stage.send(chunk(RUN, 0))
        await until(lambda: MONGODB in stage.readiness.missing)
        await stage.send(*(chunk(RUN, seq) for seq in range(1, 11)))
        await until(lambda: sum(stage.lag().values()) == 10)
        stage.store.down = False
        await until(lambda: len(stage.store.outputs) == 11 and sum(stage.lag().values()) == 0)


async def test_a_batch_holds_many_records(stage: Stage) -> None:
    await stage.send(started(RUN), *(chunk(RUN, seq) for seq in range(90)))
    async with stage.ingesting():
        await until(lambda: len(stage.store.outputs) == 90)
    assert stage.store.writes <= 3
