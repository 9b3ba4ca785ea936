"""How long the records of a job are kept is what the log of job events says of the job."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from msgspec.structs import replace

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.history import History
from dcron_core.job_log import JobLog
from dcron_core.ports.log import Topic
from dcron_log_ingester.batches import batch_of
from dcron_log_ingester.retention import Retentions
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobCreated, JobDeleted, JobUpdated, LogOpened
from dcron_schemas.records import ExecutionRecord
from tests.unit.core.jobs.events import event, job
from tests.unit.log_ingester.records import JOB, chunk, execution, finished, skipped, started

TOPIC = "events"
DEFAULT, OWN = timedelta(days=30), timedelta(hours=2)
RUN = execution()
SPEC = replace(job(), retention="2h")


class Stage:
    """A log of job events, and who reads it while `reading`."""

    def __init__(self) -> None:
        self.log = MemoryLog(SystemClock())
        self.history = History(JobLog(self.log, TOPIC))
        self.retentions = Retentions(self.history, DEFAULT, catch_up_s=0.2, news_s=5.0)

    async def append(self, *happened: EventData) -> None:
        await self.log.ensure_topics([Topic(TOPIC, 1)])
        async with self.log.producer() as producer:
            for number, data in enumerate(happened):
                job_id = "" if isinstance(data, LogOpened) else JOB
                value = encode(event(data, job_id, event_id=f"{type(data).__name__}-{number}", minute=number))
                await producer.append(TOPIC, job_id, value)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.history.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_jobs_own_retention_holds_for_all_that_is_stored_of_it() -> None:
    stage = Stage()
    await stage.append(LogOpened(log_id="l"), JobCreated(spec=SPEC))
    async with stage.reading():
        await stage.retentions.know({JOB})
        other = execution(1, "another-job")
        records: list[ExecutionRecord] = [
            chunk(RUN, 0),
            skipped(execution(1)),
            finished(RUN, 1),
            started(other),
            chunk(other, 0),
        ]
        batch = batch_of(records, stage.retentions.of)
    assert batch.output[0]["expires_at"] == batch.output[0]["at"] + OWN
    assert batch.ticks[0]["expires_at"] == batch.ticks[0]["at"] + OWN
    assert batch.executions[0].expires_at == RUN.due_at + timedelta(seconds=2) + OWN
    assert batch.output[1]["expires_at"] == batch.output[1]["at"] + DEFAULT


async def test_a_job_that_is_only_just_made_is_waited_for() -> None:
    """Its first output may be read before the event that made it: it is in the log, and is waited for."""
    stage = Stage()
    await stage.append(LogOpened(log_id="l"))
    async with stage.reading():
        await stage.retentions.know(set())
        await stage.append(JobCreated(spec=SPEC))
        assert stage.retentions.of(JOB) == DEFAULT
        await stage.retentions.know({JOB})
        assert stage.retentions.of(JOB) == OWN


async def test_a_changed_retention_holds_from_then_on_and_a_deleted_job_keeps_its_last() -> None:
    stage = Stage()
    await stage.append(LogOpened(log_id="l"), JobCreated(spec=SPEC))
    async with stage.reading():
        await stage.retentions.know({JOB})
        assert stage.retentions.of(JOB) == OWN
        await stage.append(JobUpdated(spec=replace(SPEC, retention="3h")))
        await stage.history.at_end()
        assert stage.retentions.of(JOB) == timedelta(hours=3)
        await stage.append(JobDeleted())
        await stage.history.at_end()
        assert stage.retentions.of(JOB) == timedelta(hours=3)


async def test_a_history_that_says_nothing_stops_nobody() -> None:
    """G8: runs are stored with the default when the log of job events cannot be read."""
    stage = Stage()
    async with asyncio.timeout(3):
        await stage.retentions.know({JOB})
        await stage.retentions.know({JOB})
    assert stage.retentions.of(JOB) == DEFAULT
