"""A run request of a job that is placed on every worker reaches each of them, once."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from dcron_core.executions import job_of
from dcron_schemas.codec import decode_state
from dcron_schemas.records import ExecutionFinished, ExecutionStarted, TickSkipped
from dcron_schemas.state import ActiveRun
from tests.services import KEYS, Ports
from tests.unit.worker.test_service import PATIENCE_S, nothing_left

JOB = {"name": "fleet", "run": {"shell": "true"}, "placement": {"workers": "every", "labels": "zone=a"}}


async def created(client: httpx.AsyncClient, job: dict[str, Any] = JOB) -> str:
    answer = await client.post("/api/v1/jobs", json=job)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


async def until_active(client: httpx.AsyncClient, count: int) -> None:
    while [each["state"] for each in (await client.get("/api/v1/workers")).json()["workers"]] != ["active"] * count:
        await asyncio.sleep(0.01)


async def asked(client: httpx.AsyncClient, job_id: str, key: str) -> list[str]:
    answer = await client.post(f"/api/v1/jobs/{job_id}/run", headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body["execution_id"] == body["execution_ids"][0]
    return list(body["execution_ids"])


async def alive(ports: Ports, job_id: str) -> dict[str, str]:
    """Return the executions of the job that are alive, and on which worker."""
    items = (await ports.store.read_prefix(KEYS.active_of(job_id))).items
    return {item.key.rpartition("/")[2]: decode_state(ActiveRun, item.value).worker_id for item in items}


async def test_each_worker_that_matches_runs_it_once(tmp_path: Path) -> None:
    """G4: also when the request is repeated, with another worker there by then; who does not match is left out."""
    ports = Ports()
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.master() as (_, client),
        ports.worker(tmp_path / "a", labels="zone=a") as a,
        ports.worker(tmp_path / "b", labels="zone=a") as b,
        ports.worker(tmp_path / "c", labels="zone=b"),
    ):
        await until_active(client, 3)
        job_id = await created(client)
        runs = await asked(client, job_id, "once")
        async with ports.worker(tmp_path / "late", labels="zone=a"):
            await until_active(client, 4)
            assert await asked(client, job_id, "once") == runs
            await ports.wait_for(ExecutionFinished, 2)
            await nothing_left(ports)
        finished = [record for record in ports.records() if isinstance(record, ExecutionFinished)]
    assert {run.execution.execution_id: run.execution.worker_id for run in finished} == dict(
        zip(runs, sorted((a.worker_id, b.worker_id)), strict=True)
    )
    assert len(finished) == 2
    assert {job_of(run) for run in runs} == {job_id}
    assert {run.execution.trigger for run in finished} == {"request"}


async def test_a_run_is_killed_and_waits_on_its_own_worker_only(tmp_path: Path) -> None:
    """G7: with overlap forbidden, for each worker by itself."""
    ports = Ports()
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.master() as (_, client),
        ports.worker(tmp_path / "a", labels="zone=a", shutdown_timeout="100ms"),
        ports.worker(tmp_path / "b", labels="zone=a", shutdown_timeout="100ms"),
    ):
        await until_active(client, 2)
        job_id = await created(client, JOB | {"run": {"shell": "sleep 60"}})
        first = await asked(client, job_id, "first")
        await ports.wait_for(ExecutionStarted, 2)
        second = await asked(client, job_id, "second")
        killed = await client.post(f"/api/v1/jobs/{job_id}/executions/{first[0]}/kill")
        assert killed.status_code == 202
        [end] = await ports.wait_for(ExecutionFinished, 1)
        assert isinstance(end, ExecutionFinished)
        assert (end.execution.execution_id, end.outcome, end.error) == (first[0], "killed", "killed by bootstrap")
        while (live := await alive(ports, job_id)).keys() != {second[0], first[1]}:
            await asyncio.sleep(0.01)
        assert live[second[0]] == end.execution.worker_id != live[first[1]]


async def test_with_nobody_there_it_is_one_run_of_whoever_comes(tmp_path: Path) -> None:
    """As for any other job: it waits, and is given up on record if nobody comes."""
    ports = Ports()
    async with asyncio.timeout(PATIENCE_S), ports.master() as (_, client):
        job_id = await created(client)
        [run] = await asked(client, job_id, "nobody")
        async with ports.worker(tmp_path, labels="zone=a"):
            [end] = await ports.wait_for(ExecutionFinished)
            await nothing_left(ports)
    assert isinstance(end, ExecutionFinished)
    assert end.execution.execution_id == run
    assert not [record for record in ports.records() if isinstance(record, TickSkipped)]


async def test_a_job_on_one_worker_is_asked_of_one(tmp_path: Path) -> None:
    ports = Ports()
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.master() as (_, client),
        ports.worker(tmp_path / "a"),
        ports.worker(tmp_path / "b"),
    ):
        await until_active(client, 2)
        [run] = await asked(client, await created(client, {"name": "one", "run": {"shell": "true"}}), "one")
        [end] = await ports.wait_for(ExecutionFinished)
        await nothing_left(ports)
    assert isinstance(end, ExecutionFinished)
    assert end.execution.execution_id == run
