"""G2, G3: over any history the state at every position is what a naive reading of the log says, and can be restored."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dcron_core import history as history_module
from dcron_core.errors import UnavailableError
from dcron_core.history import History
from dcron_core.job_log import JobLog
from dcron_core.ports.log import Topic
from dcron_schemas.codec import encode
from dcron_schemas.events import (
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobRestored,
    JobResumed,
    JobReverted,
    JobUpdated,
    KillRequested,
    LogOpened,
    RunRequested,
)
from dcron_schemas.job import JobSpec
from tests.services import JOB_EVENTS, Ports
from tests.unit.core.jobs.events import event, job

JOBS = [f"01900000-0000-7000-8000-00000000000{number}" for number in range(4)]
Jobs = dict[str, tuple[int, JobSpec]]  # job id → version and definition

specs = st.builds(
    job,
    st.sampled_from(["a", "b", "c", "d"]),
    cron=st.sampled_from(["0 0 * * *", "0 1 * * *"]),
    enabled=st.booleans(),
)
data = st.one_of(
    st.builds(JobCreated, specs),
    st.builds(JobUpdated, specs),
    st.builds(JobReverted, specs, st.integers(1, 3)),
    st.builds(JobRestored, specs, st.integers(2, 9)),
    st.sampled_from([JobPaused(), JobResumed(), JobDeleted(), RunRequested(), KillRequested(f"{JOBS[0]}.t0.1")]),
)
histories = st.lists(
    st.builds(
        event,
        data,
        st.sampled_from(JOBS),
        event_id=st.sampled_from([f"event-{number}" for number in range(40)]),  # some are repeated
        minute=st.integers(0, 30),  # clocks differ, so that instants fall back
        expected=st.sampled_from([None, None, None, 1, 2]),
    ),
    min_size=10,
    max_size=30,
)


def naively(log: list[JobEvent]) -> Iterator[Jobs]:
    """Yield all jobs after each event, by the rules as docs/architecture.md tells them; not by the fold's code."""
    jobs: Jobs = {}
    seen: set[str] = set()
    for each in log:
        if each.event_id not in seen:
            jobs = _after(jobs, each)
        seen.add(each.event_id)
        yield jobs


def _after(jobs: Jobs, happened: JobEvent) -> Jobs:
    mine, what = jobs.get(happened.job_id), happened.data
    if isinstance(what, JobCreated | JobRestored):
        version = what.version if isinstance(what, JobRestored) else 1
        return jobs if mine or _taken(jobs, what.spec, "") else {**jobs, happened.job_id: (version, what.spec)}
    if mine is None or happened.expected_version not in (None, mine[0]):
        return jobs
    if isinstance(what, JobDeleted):
        return {job_id: each for job_id, each in jobs.items() if job_id != happened.job_id}
    wanted = mine[1]
    if isinstance(what, JobUpdated | JobReverted):
        wanted = what.spec
    elif isinstance(what, JobPaused | JobResumed):
        wanted = replace(wanted, enabled=isinstance(what, JobResumed))
    if wanted == mine[1] or _taken(jobs, wanted, happened.job_id):
        return jobs
    return {**jobs, happened.job_id: (mine[0] + 1, wanted)}


def _taken(jobs: Jobs, spec: JobSpec, but: str) -> bool:
    return any(other.name == spec.name for job_id, (_, other) in jobs.items() if job_id != but)


async def written(ports: Ports, log: list[JobEvent]) -> None:
    """Put the events into the log, as masters of any past did."""
    await ports.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
    async with ports.log.producer() as producer:
        for each in log:
            await producer.append(JOB_EVENTS, each.job_id, encode(each))


async def asked(client: httpx.AsyncClient, at: str) -> dict[str, tuple[int, Any]]:
    answer = await client.get("/api/v1/audit/state", params={"at": at})
    assert answer.status_code == 200, answer.text
    return {job["job_id"]: (job["version"], job["spec"]) for job in answer.json()["jobs"]}


def plain(jobs: Jobs) -> dict[str, tuple[int, Any]]:
    return {job_id: (version, msgspec.to_builtins(spec)) for job_id, (version, spec) in jobs.items()}


def definitions(jobs: dict[str, tuple[int, Any]]) -> dict[str, Any]:
    return {job_id: spec for job_id, (_, spec) in jobs.items()}


async def travelled(log: list[JobEvent], goal: int) -> None:
    """Ask a master about every instant of the log, then have it restore the one of position `goal`."""
    log = [event(LogOpened("log"), "", event_id="opened"), *log]
    ports = Ports()
    await written(ports, log)
    async with ports.master() as (_, client):
        times = [max(each.at for each in log[: position + 1]) for position in range(len(log))]
        at_time = dict(zip(times, naively(log), strict=True))  # of events at one instant, the last one counts
        for instant, jobs in at_time.items():
            assert await asked(client, instant.isoformat()) == plain(jobs)
        instant = times[goal % len(log)]
        query = {"at": instant.isoformat()}
        plan = (await client.get("/api/v1/audit/restore", params=query)).json()
        answer = await client.post("/api/v1/audit/restore", json=query | {"planned_at": plan["planned_at"]})
        assert (answer.status_code, answer.json()["failed"]) == (200, 0), answer.text
        now = ports.clock.now().isoformat()
        assert definitions(await asked(client, now)) == definitions(plain(at_time[instant]))
        assert (await client.get("/api/v1/audit/restore", params=query)).json()["steps"] == []
        table = {job_id: (entry.version, entry.spec) for job_id, entry in (await ports.job_table()).items()}
        assert plain(table) == await asked(client, now)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(log=histories, goal=st.integers(0, 30))
def test_every_instant_is_shown_as_it_was_and_can_be_gone_back_to(log: list[JobEvent], goal: int) -> None:
    """G2, G3: by HTTP, and restoring leaves nothing to restore, in etcd neither."""
    asyncio.run(travelled(log, goal))


async def test_a_history_that_falls_behind_says_so_instead_of_answering_from_the_past(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_module, "END_WITHIN_S", 0.01)
    ports = Ports()
    await written(ports, [event(LogOpened("log"), "")])
    history = History(JobLog(ports.log, JOB_EVENTS))
    with pytest.raises(UnavailableError, match="still being read: 0 of 1"):
        await history.at_end()
    history.caught_up.set()
    with pytest.raises(UnavailableError, match="not at the log's end, 0"):
        await history.at_end()
