"""G11 on what goes on for long: websockets, server-sent events and the feed show what their viewer may see, while they
may see it."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dcron_core.access.access_tokens import AccessTokenMaker
from dcron_schemas.records import ExecutionFinished
from tests.services import Ports
from tests.unit.access.world import ELSEWHERE, HERE, SIGNING_KEY, World, who, world


def socket(opened: World, path: str, asker: str, token: str = "") -> Any:
    url = opened.urls["log-ingester"].replace("http", "ws", 1) + path
    return connect(url, additional_headers={"Authorization": f"Bearer {token or opened.token_of(asker)}"}, proxy=None)


async def until_closed(websocket: ClientConnection) -> tuple[list[str], int]:
    """Return all that came, and the code of the end."""
    seen: list[str] = []
    try:
        while True:
            seen.append(str(await asyncio.wait_for(websocket.recv(), 10)))
    except ConnectionClosed as closed:
        return seen, closed.rcvd.code if closed.rcvd else 0


@pytest.mark.parametrize("asker", ["admin-elsewhere", "nobody"])
async def test_a_viewers_websocket_cannot_read_another_namespaces_output(asker: str, tmp_path: Path) -> None:
    """Neither what is stored nor what is being written; nor does it say that there is such a run."""
    async with world(tmp_path) as opened:
        stored = await opened.subject()
        live = opened.execution(stored.job_id, stored.name, HERE)
        opened.publish(*opened.records(live))
        never = f"{stored.job_id}.r0198f5a0-1111-7000-8000-000000000001.1"
        for run in (stored.run.execution_id, live.execution_id, never):
            async with socket(opened, f"/ws/executions/{run}", asker) as websocket:
                assert await until_closed(websocket) == ([], 4404)
        async with socket(opened, f"/ws/executions/{live.execution_id}", "viewer") as websocket:
            seen = [str(await asyncio.wait_for(websocket.recv(), 10)) for _ in range(2)]
            assert f"secret output of {stored.name}" in seen[1]
        async with socket(opened, f"/ws/executions/{stored.run.execution_id}", "viewer") as websocket:
            seen, code = await until_closed(websocket)
            assert (code, f"secret output of {stored.name}" in "".join(seen)) == (1000, True)


async def test_a_run_that_says_it_is_of_a_namespace_where_its_job_never_was_is_shown_to_nobody_there(
    tmp_path: Path,
) -> None:
    """Whoever can write a run's records, but not the log of job events, does not bring its output into their own."""
    async with world(tmp_path) as opened:
        subject = await opened.subject()
        forged = await opened.run(subject.job_id, subject.name, ELSEWHERE)
        run = f"/api/v1/executions/{forged.execution_id}"
        for path in (run, f"{run}/output", f"{run}/output?download=true", f"{run}/events"):
            answer = await opened.ask("log-ingester", "GET", path, "admin-elsewhere")
            assert (answer.status_code, "secret output" in answer.text) == (404, False), path
        async with socket(opened, f"/ws/executions/{forged.execution_id}", "admin-elsewhere") as websocket:
            assert await until_closed(websocket) == ([], 4404)
        assert (await opened.ask("log-ingester", "GET", run, "everywhere")).status_code == 200


async def test_a_job_that_moved_leaves_its_runs_where_they_ran(tmp_path: Path) -> None:
    async with world(tmp_path) as opened:
        subject = await opened.subject()
        moved = await opened.ask(
            "master", "PATCH", f"/api/v1/jobs/{subject.job_id}", "bootstrap", json={"namespace": ELSEWHERE}
        )
        assert moved.status_code == 200, moved.text
        there = await opened.run(subject.job_id, subject.name, ELSEWHERE)

        async def status(run: str, asker: str) -> int:
            return (await opened.ask("log-ingester", "GET", f"/api/v1/executions/{run}/output", asker)).status_code

        before, after = subject.run.execution_id, there.execution_id
        assert [await status(run, "viewer") for run in (before, after)] == [200, 404]
        assert [await status(run, "admin-elsewhere") for run in (before, after)] == [404, 200]
        async with socket(opened, f"/ws/executions/{before}", "admin-elsewhere") as websocket:
            assert await until_closed(websocket) == ([], 4404)


async def test_the_feed_shows_each_viewer_their_namespaces_only(tmp_path: Path) -> None:
    """By websocket and as events; runs and skipped ticks."""
    async with world(tmp_path) as opened:
        ours, theirs = await opened.subject(HERE), await opened.subject(ELSEWHERE)
        headers = {"Authorization": f"Bearer {opened.token_of('viewer')}"}
        url = f"{opened.urls['log-ingester']}/api/v1/feed"
        async with (
            socket(opened, "/ws/feed", "viewer") as narrow,
            socket(opened, "/ws/feed", "everywhere") as wide,
            socket(opened, "/ws/feed", "nobody") as blind,
            opened.http.stream("GET", url, headers=headers) as events,
        ):
            text = events.aiter_text()
            await anext(text)
            while opened.hub.subscribed < 4:
                await asyncio.sleep(0.01)
            for run in (theirs.run, ours.run):
                opened.publish(*opened.records(run)[:1], ended(run))
            seen = [msgspec.json.decode(await asyncio.wait_for(wide.recv(), 10)) for _ in range(4)]
            assert [each["execution"]["namespace"] for each in seen] == [ELSEWHERE, ELSEWHERE, HERE, HERE]
            seen = [msgspec.json.decode(await asyncio.wait_for(narrow.recv(), 10)) for _ in range(2)]
            assert [each["execution"]["namespace"] for each in seen] == [HERE, HERE]
            told = ""
            while ours.name not in told:
                told += await asyncio.wait_for(anext(text), 10)
            assert theirs.name not in told
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(blind.recv(), 0.2)


@pytest.mark.parametrize("query", ["namespace=here", "namespace=never-was"])
async def test_the_feed_of_a_namespace_that_is_not_the_viewers_is_refused(query: str, tmp_path: Path) -> None:
    async with world(tmp_path) as opened, socket(opened, f"/ws/feed?{query}", "admin-elsewhere") as websocket:
        assert await until_closed(websocket) == ([], 4403)


class NearTheEnd:
    """A clock that is so far on that what a master just made expires at once; as if ten minutes had gone by."""

    def __init__(self) -> None:
        self._clock = Ports().clock

    def now(self) -> datetime:
        return self._clock.now() + timedelta(minutes=9, seconds=57)

    def monotonic(self) -> float:
        return self._clock.monotonic()


async def test_a_stream_is_closed_when_the_token_that_opened_it_expires(tmp_path: Path) -> None:
    async with world(tmp_path, NearTheEnd()) as opened:
        subject = await opened.subject()
        live = opened.execution(subject.job_id, subject.name, HERE)
        opened.publish(*opened.records(live))
        token = AccessTokenMaker(SIGNING_KEY, opened.ports.clock).make(who("viewer")).token
        headers = {"Authorization": f"Bearer {token}"}
        url = opened.urls["log-ingester"]
        async with (
            socket(opened, "/ws/feed", "", token) as feed,
            socket(opened, f"/ws/executions/{live.execution_id}", "", token) as run,
            opened.http.stream("GET", f"{url}/api/v1/feed", headers=headers) as events,
        ):
            of_feed, (seen, code) = await asyncio.gather(until_closed(feed), until_closed(run))
            assert of_feed == ([], 4401)
            assert (code, len(seen)) == (4401, 2)
            told = "".join([part async for part in events.aiter_text()])
            assert told.endswith("event: expired\ndata: {}\n\n")
        assert (await opened.http.get(f"{url}/api/v1/stats", headers=headers)).status_code == 401


async def test_a_bearer_of_the_settings_token_is_not_cut_off(tmp_path: Path) -> None:
    async with world(tmp_path, NearTheEnd()) as opened:
        subject = await opened.subject()
        async with socket(opened, "/ws/feed", "", "a-token-for-tests-only") as feed:
            while not opened.hub.subscribed:
                await asyncio.sleep(0.01)
            opened.publish(ended(replace(subject.run, attempt=2)))
            assert HERE in str(await asyncio.wait_for(feed.recv(), 10))


def ended(run: Any) -> ExecutionFinished:
    return ExecutionFinished(
        execution=run, outcome="failed", started_at=run.due_at, finished_at=run.due_at, output_chunks=1
    )
