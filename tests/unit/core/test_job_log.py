"""The log of job events as its readers see it: nothing of it passes silently (G2, G3)."""

import asyncio

import pytest
from msgspec.structs import replace

from dcron_core import job_log as module
from dcron_core.errors import (
    LogMismatchError,
    LogUnavailableError,
    ProjectionStoppedError,
    UnreadableRecordError,
)
from dcron_core.job_log import digest_of, skip_in
from dcron_core.jobs.replay import Replay
from dcron_core.ports.log import Bounds, Record
from dcron_schemas.codec import encode
from dcron_schemas.events import JobCreated, JobDeleted, JobEvent
from tests.services import JOB_EVENTS
from tests.unit.core.jobs.events import event, job
from tests.unit.core.logs import JUNK, OPENED, LogOfJobs, skipping

CREATED = event(JobCreated(job()), minute=1)
DELETED = event(JobDeleted(), minute=3)


async def record(log: LogOfJobs, offset: int) -> Record:
    return (await log.reader.fetch([offset]))[0]


async def test_what_is_read_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole batches, and nothing from `end` on."""
    monkeypatch.setattr(module, "BATCH", 3)
    log = await LogOfJobs.holding(OPENED, *[CREATED] * 9)
    batches = [[each.offset for each in records] async for records in log.reader.read(2, 9)]
    assert batches == [[2, 3, 4], [5, 6, 7], [8]]
    assert [records async for records in log.reader.read(4, 4)] == []
    assert await log.reader.bounds() == Bounds(0, 10)


async def test_records_are_fetched_wherever_they_are() -> None:
    log = await LogOfJobs.holding(OPENED, *[CREATED] * 9)
    assert [each.offset for each in await log.reader.fetch([1, 2, 7, 9])] == [1, 2, 7, 9]
    assert await log.reader.fetch([]) == []


async def test_a_log_that_gives_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """G10: between its bounds and its records the log went away."""
    monkeypatch.setattr(module, "POLL_S", 0.001)
    log = await LogOfJobs.holding(OPENED, CREATED)

    async def read() -> None:
        async for _ in log.reader.read(0, 2):
            log.log.down = True

    monkeypatch.setattr(module, "BATCH", 1)
    with pytest.raises(LogUnavailableError, match="no record for"):
        await read()


async def test_a_log_without_its_beginning_is_refused() -> None:
    log = await LogOfJobs.holding(OPENED, CREATED, DELETED)
    log.log.trim(JOB_EVENTS, 0, 2)
    with pytest.raises(LogMismatchError, match=r"begins at offset 2, not 0.*import.*retention\.ms=-1"):
        await log.reader.bounds()


@pytest.mark.parametrize(("first", "says"), [(JUNK, "not an event"), (CREATED, "not LogOpened")])
async def test_what_does_not_begin_with_its_id_is_no_log(first: JobEvent | bytes, says: str) -> None:
    log = await LogOfJobs.holding(first)
    with pytest.raises(LogMismatchError, match=says):
        await log.reader.log_id()


async def test_a_log_has_the_id_of_its_first_event() -> None:
    log = await LogOfJobs.holding(OPENED, CREATED)
    assert await log.reader.log_id() == "log-1"


@pytest.mark.parametrize(
    "value", [b"", JUNK, b"\xff\x00", b"[]", b"{}", b"[" * 5000, encode(CREATED)[:-1], b"x" + encode(CREATED)]
)
async def test_a_record_that_cannot_be_read_stops_its_readers_with_what_to_do(value: bytes) -> None:
    log = await LogOfJobs.holding(OPENED, value, DELETED)
    with pytest.raises(UnreadableRecordError, match=r"offset 1 of .*`dcron log skip --offset 1") as caught:
        await log.reader.event_of(await record(log, 1))
    assert caught.value.offset == 1
    with pytest.raises(UnreadableRecordError):
        await log.reader.replayed(3)


async def test_a_record_is_stepped_over_when_a_later_event_says_so() -> None:
    """G3: on every replay from then on; an event in between does not matter."""
    log = await LogOfJobs.holding(OPENED, CREATED, JUNK, DELETED)
    digest = digest_of(await record(log, 2))
    log.append([skipping(2, digest, minute=3)])
    assert await log.reader.event_of(await record(log, 2)) is None
    assert await log.reader.skip_of(await record(log, 2)) == 4
    replay = await log.reader.replayed(5)
    assert (replay.position, len(replay.table)) == (4, 0)


async def test_a_skip_means_one_record_with_its_content_and_nothing_else() -> None:
    """G3: another offset, another digest, or a skip that came before it, does not do."""
    log = await LogOfJobs.holding(OPENED, skipping(3, "0" * 64), JUNK, b"other junk")
    digests = [digest_of(await record(log, offset)) for offset in (2, 3)]
    log.append([skipping(2, digests[1], 1), skipping(3, digests[0], 2), skipping(9, digests[0], 3)])
    for offset in (2, 3):
        with pytest.raises(UnreadableRecordError):
            await log.reader.event_of(await record(log, offset))


async def test_junk_that_names_a_skip_is_none() -> None:
    log = await LogOfJobs.holding(OPENED, JUNK, b"LogRecordSkipped")
    assert skip_in(await record(log, 2)) is None
    assert not await log.reader.steps_over(await record(log, 1))


async def test_waiting_for_a_skip_ends_with_it() -> None:
    log = await LogOfJobs.holding(OPENED, JUNK)
    waiting = asyncio.create_task(log.reader.stepped_over(1))
    log.append([CREATED, skipping(1, "0" * 64, 1)])
    await asyncio.sleep(0.02)
    assert not waiting.done()
    log.append([skipping(1, digest_of(await record(log, 1)), 2)])
    async with asyncio.timeout(5):
        await waiting


NEWER_KIND = b'{"event_id":"x","data":{"kind":"JobTeleported","to":"mars"},"schema_version":1}'
NEWER_SCHEMA = encode(replace(CREATED, schema_version=99))


@pytest.mark.parametrize(("value", "says"), [(NEWER_KIND, "JobTeleported"), (NEWER_SCHEMA, "schema version 99")])
async def test_an_event_of_a_newer_release_is_never_stepped_over(value: bytes, says: str) -> None:
    """Old logs live on, and new ones are not half read."""
    log = await LogOfJobs.holding(OPENED, value)
    log.append([skipping(1, digest_of(await record(log, 1)))])
    with pytest.raises(ProjectionStoppedError, match=f"{says}.*run the release that wrote it") as caught:
        await log.reader.replayed(3)
    assert not isinstance(caught.value, UnreadableRecordError)


async def test_a_replay_goes_on_where_it_stands() -> None:
    """G3: in two parts it comes to the same as in one."""
    log = await LogOfJobs.holding(OPENED, CREATED, event(JobCreated(job("b")), "job-2", minute=2), DELETED)
    replay = Replay()
    for end in (0, 1, 3, 4):
        async for steps in log.reader.steps(replay, end):
            assert [step.position for step in steps] == list(range(replay.position + 1 - len(steps), end))
    assert replay.table.entries() == (await log.reader.replayed(4)).table.entries()
    assert [entry.job_id for entry in replay.table.entries()] == ["job-2"]


async def test_following_gives_what_comes_and_an_empty_batch_when_nothing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.01)
    log = await LogOfJobs.holding(OPENED, CREATED)
    seen = []
    async for records in log.reader.follow(1):
        seen.append([each.offset for each in records])
        if len(seen) == 2:
            log.append([DELETED])
        if len(seen) > 2 and records:
            break
    assert seen[:2] == [[1], []]
    assert seen[-1] == [2]
