"""`POST /api/v1/jobs/preview` over memory ports."""

from typing import Any

import httpx
import pytest

from tests.services import Ports

HASHED = {"schedule": {"cron": "H H * * *"}, "timezone": "Europe/Berlin"}


async def previewed(client: httpx.AsyncClient, body: Any, **query: str | int) -> dict[str, Any]:
    answer = await client.post("/api/v1/jobs/preview", json=body, params=query)
    assert answer.status_code == 200, answer.text
    preview: dict[str, Any] = answer.json()
    return preview


async def test_a_draft_is_previewed_and_nothing_is_written() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        draft = {"schedule": {"cron": "30 2 * * *"}, "timezone": "Europe/Berlin", "dst": {"overlap": "last"}}
        came = await previewed(client, draft, count=3)
        assert came["words"] == "at 02:30 every day (Europe/Berlin)"
        assert len(came["ticks"]) == 3
        assert {tick["local"][11:19] for tick in came["ticks"]} <= {"02:30:00", "03:30:00"}
        assert [odd["kind"] for odd in came["odd_dates"]] in (["gap", "overlap"], ["overlap", "gap"])
        assert (await client.get("/api/v1/jobs")).json()["total"] == 0


async def test_the_ticks_are_those_that_the_job_has() -> None:
    """A hashed job's, by its id; those of `every`, counted from its anchor unless the edit moves that."""
    ports = Ports()
    async with ports.master() as (_, client):
        hashed = (await client.post("/api/v1/jobs", json=HASHED | {"name": "a", "run": {"shell": "true"}})).json()
        came = await previewed(client, HASHED, job_id=hashed["job_id"])
        assert came["depends_on_job"]
        assert came["ticks"][0]["at"] == hashed["next_tick"]
        every = {"name": "b", "run": {"shell": "true"}, "schedule": {"every": "90m"}}
        job = (await client.post("/api/v1/jobs", json=every)).json()
        same = await previewed(client, every | {"description": "another"}, job_id=job["job_id"])
        assert same["ticks"][0]["at"] == job["next_tick"]
        moved = await previewed(client, every | {"jitter": "5m"}, job_id=job["job_id"])
        assert moved["ticks"][0]["at"] != job["next_tick"]


@pytest.mark.parametrize(
    ("body", "query", "status", "field"),
    [
        ({"schedule": {"cron": "60 * * * *"}}, {}, 422, "schedule.cron"),
        ({"schedule": {"cron": "@daily"}, "timezone": "Mars"}, {}, 422, "timezone"),
        ({"shedule": {"cron": "@daily"}}, {}, 422, "shedule"),
        ([], {}, 422, ""),
        ({}, {"count": 0}, 400, "count"),
        ({}, {"count": 101}, 400, "count"),
        ({}, {"job_id": "x"}, 404, "job_id"),
    ],
)
async def test_what_is_wrong_is_named(body: Any, query: dict[str, Any], status: int, field: str) -> None:
    async with Ports().master() as (_, client):
        answer = await client.post("/api/v1/jobs/preview", json=body, params=query)
        assert answer.status_code == status, answer.text
        assert answer.json()["errors"][0]["field"] == field


async def test_openapi_names_the_body_and_the_answer() -> None:
    async with Ports().master() as (_, client):
        route = (await client.get("/api/openapi.json")).json()["paths"]["/api/v1/jobs/preview"]["post"]
        assert route["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/JobSpec")
        assert "Preview" in route["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
