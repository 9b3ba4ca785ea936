"""What a history knows: every version, every instant, what was deleted; held against the naive fold (G3)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core import history as module
from dcron_core.errors import UnavailableError, UnknownJobError, WrongInstantError
from dcron_core.history import History
from dcron_core.job_log import digest_of
from dcron_schemas.codec import encode
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobRestored,
    JobResumed,
    JobUpdated,
    RunRequested,
)
from tests.naive_fold import NaiveFold
from tests.unit.core.jobs.events import START, event, job
from tests.unit.core.logs import JUNK, OPENED, LogOfJobs, skipping

NOW = START + timedelta(days=1)
LIFE: list[JobEvent] = [
    OPENED,
    event(JobCreated(job("a")), minute=1),
    event(JobUpdated(job("b", cron="0 1 * * *")), minute=2),
    event(JobUpdated(job("c")), minute=3, expected=1),  # refused: it is at version 2
    event(JobPaused(), minute=4),
    event(JobPaused(), minute=5),  # it is paused already: no version
    event(JobCreated(job("a")), "job-2", minute=6),
    event(RunRequested(), minute=7),
    event(JobDeleted(), minute=8),
    event(JobRestored(job("d"), version=4), minute=9),
]


@asynccontextmanager
async def history_of(log: LogOfJobs) -> AsyncIterator[History]:
    """Return a history that has read the log."""
    history = History(log.reader)
    task = asyncio.create_task(history.run())
    try:
        async with asyncio.timeout(10):
            await history.caught_up.wait()
        yield history
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_every_version_of_a_job_with_who_and_what() -> None:
    log = await LogOfJobs.holding(*LIFE)
    async with history_of(log) as history:
        told = await history.of_job("job-1")
        versions = [(each.version, each.kind, each.position) for each in told.versions]
        assert versions == [
            (1, "JobCreated", 1),
            (2, "JobUpdated", 2),
            (3, "JobPaused", 4),
            (3, "JobDeleted", 8),
            (4, "JobRestored", 9),
        ]
        assert (told.name, told.deleted) == ("d", False)
        assert {change.field for change in told.versions[1].changes} == {"name", "schedule.cron"}
        assert [change.field for change in told.versions[2].changes] == ["enabled"]
        assert (told.versions[3].spec, told.versions[3].anchor) == (None, None)
        assert told.versions[0].actor == "ada"
        assert (await history.definition("job-1", 2)) == job("b", cron="0 1 * * *")


async def test_what_there_never_was_is_said_so() -> None:
    log = await LogOfJobs.holding(*LIFE)
    async with history_of(log) as history:
        with pytest.raises(UnknownJobError, match="never was a job job-9"):
            await history.versions("job-9")
        with pytest.raises(UnknownJobError, match="no version 7; it has 1, 2, 3, 4"):
            await history.definition("job-1", 7)


async def test_deleted_jobs_are_found_by_name_until_they_are_restored() -> None:
    log = await LogOfJobs.holding(*LIFE[:9])
    log.append([event(JobDeleted(), "job-2", minute=10)])
    async with history_of(log) as history:
        assert [(each.job_id, each.name, each.version) for each in history.deleted()] == [
            ("job-2", "a", 1),
            ("job-1", "b", 3),
        ]
        assert [each.job_id for each in history.deleted(name="b")] == ["job-1"]
        assert history.deleted(namespace="other") == []
        log.append([LIFE[9]])
        await history.at_end()
        assert [each.job_id for each in history.deleted()] == ["job-2"]


@pytest.mark.parametrize(
    ("instant", "says"),
    [
        (datetime(2026, 1, 1), "has no zone"),  # noqa: DTZ001
        (NOW + timedelta(seconds=1), "in the future; it is 2026-01-02T00:00:00"),
        (START - timedelta(microseconds=1), "before the log began; it begins at 2026-01-01T00:00:00"),
    ],
)
async def test_instants_that_the_log_cannot_be_asked_about(instant: datetime, says: str) -> None:
    log = await LogOfJobs.holding(*LIFE)
    async with history_of(log) as history:
        with pytest.raises(WrongInstantError, match=says):
            history.position_at(instant, NOW)
    with pytest.raises(WrongInstantError, match=r"before the log began$"):
        History(log.reader).position_at(START, NOW)


async def test_the_logs_time_never_falls_back() -> None:
    """A master whose clock is behind: what it says has happened by the time that the log had reached."""
    minutes = (0, 5, 3, 5, 8)
    log = await LogOfJobs.holding(
        OPENED, *(event(JobPaused(), event_id=f"event-{n}", minute=m) for n, m in enumerate(minutes[1:]))
    )
    async with history_of(log) as history:
        assert [history.time_of(position) for position in range(5)] == [
            START + timedelta(minutes=minute) for minute in (0, 5, 5, 5, 8)
        ]
        asked = {0: 0, 3: 0, 4: 0, 5: 3, 7: 3, 8: 4, 9: 4}
        for minute, position in asked.items():
            assert history.position_at(START + timedelta(minutes=minute), NOW) == position


async def test_a_record_that_cannot_be_read_stops_it_until_it_is_stepped_over() -> None:
    """G3: what waits for a later position is told why; log time goes on over it."""
    log = await LogOfJobs.holding(*LIFE[:3], JUNK, *LIFE[4:6])
    history = History(log.reader)
    task = asyncio.create_task(history.run())
    try:
        async with asyncio.timeout(10):
            with pytest.raises(UnavailableError, match="offset 3"):
                await history.passed(5)
            await history.passed(2)
            with pytest.raises(UnavailableError, match="offset 3"):
                await history.at_end()
            assert not history.caught_up.is_set()
            digest = digest_of((await log.reader.fetch([3]))[0])
            end = log.append([skipping(3, digest, minute=20)])
            while history.stopped is not None:
                await asyncio.sleep(0)
            await history.passed(end)
        assert history.handled(3) is None
        assert history.time_of(3) == history.time_of(2)
        assert [version.position for version in await history.versions("job-1")] == [1, 2, 4]
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_outcomes_of_the_last_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANDLED_KEPT", 3)
    log = await LogOfJobs.holding(*LIFE)
    async with history_of(log) as history:
        kept = [position for position in range(len(LIFE)) if history.handled(position)]
        assert kept == [7, 8, 9]


changes: st.SearchStrategy[EventData] = st.one_of(
    *[st.builds(JobCreated, st.builds(job, st.sampled_from(["a", "b"])))] * 2,
    st.builds(JobUpdated, st.builds(job, st.sampled_from(["a", "b", "c"]))),
    st.sampled_from([JobPaused(), JobResumed(), JobDeleted(), RunRequested()]),
)
logs = st.lists(
    st.builds(
        event,
        changes,
        st.sampled_from(["job-1", "job-2"]),
        event_id=st.sampled_from([f"event-{number}" for number in range(12)]),
        minute=st.integers(0, 9),
        expected=st.sampled_from([None, None, 1, 2]),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(happened=logs)
def test_any_table_and_any_version_is_that_of_the_fold_by_hand(happened: list[JobEvent]) -> None:
    """G3: at every position, and of every job."""
    naive = NaiveFold.of([encode(each) for each in (OPENED, *happened)])

    async def check() -> None:
        log = await LogOfJobs.holding(OPENED, *happened)
        async with history_of(log) as history:
            for position in range(naive.end):
                table = await history.table_at(position)
                assert {e.job_id: json.loads(encode(e)) for e in table.entries()} == naive.jobs_at(position)
            for job_id in ("job-1", "job-2"):
                by_hand = [
                    position
                    for position in range(naive.end)
                    if naive.jobs_at(position).get(job_id) != naive.jobs_at(position - 1).get(job_id)
                ]
                if not by_hand:
                    continue
                versions = await history.versions(job_id)
                assert [version.position for version in versions] == by_hand
                for version in versions:
                    then = naive.jobs_at(version.position).get(job_id)
                    assert (version.spec is None) == (then is None)
                    assert then is None or (then["version"], then["spec"]) == (
                        version.version,
                        json.loads(encode(version.spec)) if version.spec else None,
                    )

    asyncio.run(check())
