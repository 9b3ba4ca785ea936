"""G3: a history takes in every record of the log once and in order, and passes over none of them silently."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

import pytest

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.errors import LogUnavailableError, UnavailableError
from dcron_core.history import History
from dcron_core.job_log import JobLog
from dcron_core.jobs.replay import Step
from dcron_core.ports.log import Record, Topic
from dcron_schemas.codec import encode
from dcron_schemas.events import JobCreated, JobEvent, LogOpened, LogRecordSkipped, RunRequested
from tests.unit.core.jobs.events import event, job

TOPIC = "cron.job-events"
CORRUPT = b"\xffnot an event"
LOG = (event(LogOpened("log-1"), ""), event(JobCreated(job()), minute=1), CORRUPT, event(RunRequested(), minute=3))
SKIP = event(LogRecordSkipped(2, sha256(CORRUPT).hexdigest(), "a disk"), "", minute=4)


class Following:
    """A history on a memory log, and what it handed to its sink."""

    def __init__(self, kind: type[JobLog]) -> None:
        self.log = MemoryLog(SystemClock())
        self.history = History(kind(self.log, TOPIC))
        self.handed: list[int] = []

    def append(self, *records: JobEvent | bytes) -> None:
        for record in records:
            self.log.append(TOPIC, "", record if isinstance(record, bytes) else encode(record), ())

    async def sink(self, records: Sequence[Record], steps: Sequence[Step]) -> None:
        assert [record.offset for record in records] == [step.position for step in steps]
        self.handed += [record.offset for record in records]


@asynccontextmanager
async def running(kind: type[JobLog] = JobLog) -> AsyncIterator[Following]:
    """Run a history for at most 20 s."""
    following = Following(kind)
    await following.log.ensure_topics([Topic(TOPIC, partitions=1)])
    task = asyncio.create_task(following.history.run(following.sink))
    try:
        async with asyncio.timeout(20):
            yield following
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_record_that_cannot_be_read_stops_it_wherever_it_is_in_a_batch() -> None:
    async with running() as following:
        following.append(*LOG)
        with pytest.raises(UnavailableError, match="dcron log skip --offset 2"):
            await following.history.passed(3)
        assert following.handed == [0, 1]
        following.append(SKIP)
        while following.history.position < 4:
            await asyncio.sleep(0.01)
        assert following.handed == [0, 1, 2, 3, 4]


async def test_a_log_that_was_cut_under_it_stops_it() -> None:
    async with running() as following:
        following.append(LOG[0], LOG[1], LOG[3])
        await following.history.passed(2)
        partition = following.log.partitions(TOPIC)[0]
        del partition._records[1:]
        following.log.appended.wake()
        with pytest.raises(UnavailableError, match="its end was cut off"):
            await following.history.passed(3)


class GoesAwayOnce(JobLog):
    """Does not answer when it is looked ahead for the first time."""

    asked = False

    async def steps_over(self, record: Record) -> bool:
        if not self.asked:
            self.asked = True
            raise LogUnavailableError("away")
        return await super().steps_over(record)


async def test_a_log_that_goes_away_in_the_middle_of_a_batch_loses_nothing() -> None:
    """What was taken in before is handed over all the same."""
    async with running(GoesAwayOnce) as following:
        following.append(*LOG, SKIP)
        await following.history.passed(4)
        assert following.handed == [0, 1, 2, 3, 4]
