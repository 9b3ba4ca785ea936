"""Lists of jobs over HTTP: chosen, sorted, page by page, and what they can be chosen by."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dcron_master import next_ticks as next_ticks_module
from dcron_master.next_ticks import NextTicks
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.state import JobEntry
from tests.services import Ports

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOBS = (
    {"name": "hourly", "schedule": {"every": "1h"}, "tags": ["db", "slow"], "owner": "Ada"},
    {"name": "minutely", "schedule": {"every": "1m"}, "tags": ["db"], "namespace": "team"},
    {"name": "manual", "tags": ["slow"]},
    {"name": "daily", "schedule": {"every": "1d"}, "enabled": False},
)


async def with_jobs(client: httpx.AsyncClient) -> None:
    for job in JOBS:
        assert (await client.post("/api/v1/jobs", json={"run": {"shell": "true"}} | job)).status_code == 201


async def names(client: httpx.AsyncClient, **parameters: str | list[str]) -> list[str]:
    """Return the names of all jobs that are listed, read two at a time."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = await client.get("/api/v1/jobs", params={"limit": "2", "cursor": cursor, **parameters})
        assert answer.status_code == 200, answer.text
        found += [job["spec"]["name"] for job in answer.json()["jobs"]]
        assert answer.json()["total"] >= len(found)
        cursor = answer.json()["next_cursor"] or ""
        if not cursor:
            return found


async def test_jobs_are_chosen_by_what_they_have() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        await with_jobs(client)
        assert await names(client) == ["daily", "hourly", "manual", "minutely"]
        assert await names(client, tag="db") == ["hourly", "minutely"]
        assert await names(client, tag=["db", "slow"]) == ["hourly"]
        assert await names(client, state="paused") == ["daily"]
        assert await names(client, state="enabled", namespace="default") == ["hourly", "manual"]
        assert await names(client, q="ADA") == ["hourly"]


async def test_jobs_are_sorted_over_all_pages_and_those_without_a_tick_come_last() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        await with_jobs(client)
        assert await names(client, sort="-name") == ["minutely", "manual", "hourly", "daily"]
        assert await names(client, sort="next_tick") == ["minutely", "hourly", "daily", "manual"]
        assert await names(client, sort="-next_tick") == ["hourly", "minutely", "manual", "daily"]
        assert await names(client, sort="updated_at") == ["hourly", "minutely", "manual", "daily"]
        assert await names(client, sort="-updated_at") == ["daily", "manual", "minutely", "hourly"]


async def test_facets_count_what_jobs_have() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        await with_jobs(client)
        assert (await client.get("/api/v1/jobs/facets")).json() == {
            "namespaces": [{"value": "default", "jobs": 3}, {"value": "team", "jobs": 1}],
            "tags": [{"value": "db", "jobs": 2}, {"value": "slow", "jobs": 2}],
            "states": [{"value": "enabled", "jobs": 3}, {"value": "paused", "jobs": 1}],
        }


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"sort": "colour"}, "sort"), ({"state": "asleep"}, "state"), ({"cursor": "bm90aGluZw=="}, "cursor")],
)
async def test_what_is_wrong_with_a_parameter_is_told(parameters: dict[str, str], field: str) -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        answer = await client.get("/api/v1/jobs", params=parameters)
        assert answer.status_code == 400
        assert field in answer.text


async def test_a_cursor_belongs_to_its_sort() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        await with_jobs(client)
        cursor = (await client.get("/api/v1/jobs", params={"limit": "1"})).json()["next_cursor"]
        answer = await client.get("/api/v1/jobs", params={"cursor": cursor, "sort": "next_tick"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


async def test_a_job_says_its_schedule_in_words() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        body = {"name": "x", "run": {"shell": "true"}, "schedule": {"cron": "30 9 * * MON-FRI"}}
        job = (await client.post("/api/v1/jobs", json=body)).json()
        assert job["schedule_text"] == "30 9 * * MON-FRI (UTC)"
        assert job["schedule_words"].startswith("at 09:30")


async def test_next_ticks_are_worked_out_anew_only_when_they_are_past_or_the_job_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A list of 100,000 jobs by their next tick costs what changed since the one before."""
    asked: list[str] = []

    def counted(entry: JobEntry, now: datetime) -> datetime | None:
        asked.append(entry.job_id)
        return real(entry, now)

    real = next_ticks_module.next_tick
    monkeypatch.setattr(next_ticks_module, "next_tick", counted)
    entries = [entry("fast", "1m"), entry("slow", "1h")]
    ticks = NextTicks()
    first = await ticks.of_all(entries, NOW)
    assert first == {"fast": NOW + timedelta(minutes=1), "slow": NOW + timedelta(hours=1)}
    assert await ticks.of_all(entries, NOW + timedelta(seconds=59)) == first
    assert asked == ["fast", "slow"]
    second = await ticks.of_all(entries, NOW + timedelta(minutes=1))
    assert second["fast"] == NOW + timedelta(minutes=2)
    await ticks.of_all([entry("fast", "5m"), entries[1]], NOW)
    assert asked == ["fast", "slow", "fast", "fast"]
    assert await ticks.of_all(entries[:1], NOW) == {"fast": NOW + timedelta(minutes=1)}


async def test_who_sees_a_few_jobs_does_not_make_the_ticks_of_the_others_be_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worked_out: list[str] = []

    def counted(job: JobEntry, now: datetime) -> datetime | None:
        worked_out.append(job.job_id)
        return real(job, now)

    real = next_ticks_module.next_tick
    monkeypatch.setattr(next_ticks_module, "next_tick", counted)
    entries, ticks = [entry("one", "1h"), entry("two", "1h")], NextTicks()
    await ticks.of_all(entries, NOW)
    assert (await ticks.of_all(entries[:1], NOW, whole=False)).keys() == {"one"}
    await ticks.of_all(entries, NOW)
    assert worked_out == ["one", "two"]
    await ticks.of_all(entries[:1], NOW)  # the other one is gone
    await ticks.of_all(entries, NOW)
    assert worked_out == ["one", "two", "two"]


def entry(job_id: str, every: str) -> JobEntry:
    spec = JobSpec(name=job_id, run=Run(shell="true"), schedule=Schedule(every=every))
    return JobEntry(
        job_id=job_id, version=1, spec=spec, anchor=NOW, position=0, created_at=NOW, updated_at=NOW, updated_by="x"
    )
