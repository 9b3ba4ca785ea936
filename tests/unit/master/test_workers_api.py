"""Workers over HTTP and from the command line: who there is, and who is to claim nothing."""

import asyncio
import sys
from pathlib import Path

import httpx
import msgspec
import pytest

from dcron_core.ports.store import Put, Transaction
from dcron_schemas.codec import decode_state
from dcron_schemas.state import DrainWanted
from dcron_schemas.workers import WorkerView
from dcron_standalone.cli import main
from tests.services import KEYS, TOKEN, Ports


async def listed(client: httpx.AsyncClient) -> dict[str, dict[str, object]]:
    answer = await client.get("/api/v1/workers")
    assert answer.status_code == 200, answer.text
    return {worker["worker_id"]: worker for worker in answer.json()["workers"]}


async def until_state(client: httpx.AsyncClient, worker_id: str, state: str) -> dict[str, object]:
    while (view := (await listed(client)).get(worker_id, {})).get("state") != state:
        await asyncio.sleep(0.01)
    return view


async def test_a_worker_is_listed_drained_and_undrained(tmp_path: Path) -> None:
    """G5: the wish holds over the end of the worker, and over that of the master."""
    ports = Ports()
    async with asyncio.timeout(20), ports.master() as (_, client):
        async with ports.worker(tmp_path, labels="zone=a", slots="7") as worker:
            url = f"/api/v1/workers/{worker.worker_id}"
            view = await until_state(client, worker.worker_id, "active")
            assert (view["slots"], view["labels"], view["drained_by"]) == (7, {"zone": "a"}, None)
            for _ in range(2):
                answer = await client.post(f"{url}/drain")
                assert (answer.status_code, answer.json()["drained_by"]) == (202, "bootstrap")
            await until_state(client, worker.worker_id, "draining")
        gone = await until_state(client, worker.worker_id, "gone")
        assert gone["drained_by"] == "bootstrap"
        async with ports.worker(tmp_path), ports.master() as (_, other):
            await until_state(other, worker.worker_id, "draining")
            for _ in range(2):
                assert (await other.post(f"{url}/undrain")).json()["drained_by"] is None
            await until_state(client, worker.worker_id, "active")
    assert await ports.store.get(KEYS.drain(worker.worker_id)) is None


async def test_a_worker_that_nobody_knows_is_a_404() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        await listed(client)
        for what in ("drain", "undrain"):
            answer = await client.post(f"/api/v1/workers/nobody/{what}")
            assert answer.status_code == 404
            assert "GET /api/v1/workers" in answer.json()["detail"]


async def test_a_value_that_cannot_be_read_costs_that_worker_only() -> None:
    ports = Ports()
    await ports.store.transact(Transaction((), (Put(KEYS.worker("bad"), b"garbage"), Put(KEYS.drain("bad"), b"["))))
    async with ports.master() as (_, client):
        assert (await listed(client))["bad"]["state"] == "gone"


async def test_the_command_line_lists_and_drains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = Ports()
    async with asyncio.timeout(20), ports.master() as (master, client), ports.worker(tmp_path) as worker:
        monkeypatch.setenv("DCRON_URL", f"http://127.0.0.1:{master.port}")
        monkeypatch.setenv("DCRON_TOKEN", TOKEN)
        await until_state(client, worker.worker_id, "active")
        await asyncio.to_thread(command, monkeypatch, "workers", "drain", worker.worker_id)
        wish = await ports.store.get(KEYS.drain(worker.worker_id))
        assert wish is not None
        assert decode_state(DrainWanted, wish.value).requested_by == "bootstrap"
        await until_state(client, worker.worker_id, "draining")
        await asyncio.to_thread(command, monkeypatch, "workers", "ls")
        printed = capsys.readouterr().out
        assert "draining" in printed
        assert worker.worker_id in printed  # whole on 80 columns: it is pasted into `drain`
        await asyncio.to_thread(command, monkeypatch, "workers", "ls", "--json")
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
        (view,) = msgspec.json.decode(line, type=list[WorkerView])
        assert (view.worker_id, view.state, view.drained_by) == (worker.worker_id, "draining", "bootstrap")
        await asyncio.to_thread(command, monkeypatch, "workers", "undrain", worker.worker_id)
        await until_state(client, worker.worker_id, "active")


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["dcron", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
