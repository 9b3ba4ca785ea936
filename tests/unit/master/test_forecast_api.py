"""`GET /api/v1/forecast` over memory ports; the counts are held against the ticks of each job by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from dcron_core.schedule import due
from dcron_master import forecast_api
from dcron_schemas.job import JobSpec, Run, Schedule
from tests.services import Ports

START = datetime(2030, 3, 1, 12, tzinfo=UTC)
HOUR = {"start": "2030-03-01T12:00:00Z", "end": "2030-03-01T13:00:00Z"}


async def create(client: httpx.AsyncClient, name: str, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/jobs", json={"name": name, "run": {"shell": "true"}, **fields})
    assert answer.status_code == 201, answer.text
    job: dict[str, Any] = answer.json()
    return job


async def forecast(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/api/v1/forecast", params=HOUR | query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_ticks_of_all_jobs_come_in_one_order() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        await create(client, "quarter", schedule={"cron": "*/15 * * * *"})
        await create(client, "half", schedule={"cron": "*/30 * * * *"}, namespace="night")
        await create(client, "asleep", schedule={"cron": "* * * * *"}, enabled=False)
        await create(client, "by-hand")
        found = await forecast(client, bucket="15m")
        assert found["counts"] == [1, 2, 1, 2]  # the tick at the start is not in it, the one at the end is
        assert [(tick["at"][11:16], tick["job_name"]) for tick in found["ticks"]] == [
            ("12:15", "quarter"), ("12:30", "quarter"), ("12:30", "half"),
            ("12:45", "quarter"), ("13:00", "quarter"), ("13:00", "half"),
        ]  # fmt: skip
        assert (await forecast(client, limit=2))["ticks"] == found["ticks"][:2]
        assert sum((await forecast(client, namespace="night"))["counts"]) == 2
        assert sum((await forecast(client, q="QUART"))["counts"]) == 4


async def test_some_jobs_can_be_named() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        one = await create(client, "one", schedule={"cron": "0 * * * *"})
        await create(client, "two", schedule={"cron": "0 * * * *"})
        gone = "019e0000-0000-7000-8000-000000000000"
        found = await forecast(client, job_id=[one["job_id"], gone])
        assert [tick["job_id"] for tick in found["ticks"]] == [one["job_id"]]


async def test_an_answer_that_would_be_too_large_is_whole_up_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        for number in range(3):
            await create(client, f"each-{number}", schedule={"cron": "* * * * *"})
        monkeypatch.setattr(forecast_api, "MOST_COUNTED", 40)
        found = await forecast(client, bucket="5m")
        assert (found["end"], found["counts"]) == ("2030-03-01T12:10:00Z", [15, 15])
        assert len(found["ticks"]) == 30
        found = await forecast(client, bucket="1h")  # not even one bucket is whole
        assert found["counts"] == [42] == [len(found["ticks"])]
        assert found["end"].startswith("2030-03-01T12:14:59.999")


async def test_the_counts_are_those_of_each_job_by_itself() -> None:
    ports = Ports()
    crons = ["*/7 * * * *", "0 13 * * *", "30 5 * * * *", "H * * * *", "59 12 1 3 *"]
    async with ports.master() as (_, client):
        jobs = [await create(client, f"job-{i}", schedule={"cron": cron}) for i, cron in enumerate(crons)]
        found = await forecast(client, bucket="10m")
    expected = [0] * 6
    for job, cron in zip(jobs, crons, strict=True):
        spec = JobSpec(name="x", run=Run(shell="true"), schedule=Schedule(cron=cron))
        for bucket in range(6):
            since = START + bucket * timedelta(minutes=10)
            expected[bucket] += len(due(spec, START, since, since + timedelta(minutes=10), job["job_id"]))
    assert found["counts"] == expected
    assert sum(expected) > 8


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"start": "noon"}, "start"),
        ({"end": "2030-03-01T12:00:00Z"}, "end"),
        ({"end": "2031-03-01T12:00:00Z"}, "end"),
        ({"bucket": "soon"}, "bucket"),
        ({"bucket": "1s"}, "bucket"),
        ({"limit": "-1"}, "limit"),
        ({"jobs": "x"}, "jobs"),
    ],
)
async def test_what_is_wrong_is_named(query: dict[str, str], field: str) -> None:
    async with Ports().master() as (_, client):
        answer = await client.get("/api/v1/forecast", params=HOUR | query)
        assert answer.status_code == 400, answer.text
        assert answer.json()["errors"][0]["field"] == field
