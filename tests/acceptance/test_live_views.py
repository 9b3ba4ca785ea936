"""What viewers of a running log-ingester see, by websocket and as server-sent events, and who may see it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from dcron_core.access.access_tokens import COOKIE, AccessTokenMaker
from dcron_core.access.principal import Principal
from dcron_core.clock import SystemClock
from dcron_standalone.servers import LocalServers
from tests.names import Names
from tests.running_ingester import MAKER, OTHER_JOB, PAGE, Face, frames_of, running, seqs, settings_for
from tests.unit.log_ingester.records import JOB, chunk, execution, finished, lost, skipped, started


@pytest.fixture
async def face(servers: LocalServers, names: Names) -> AsyncIterator[Face]:
    async with running(settings_for(servers, names)) as running_face:
        yield running_face


async def test_a_viewer_sees_backlog_then_new_lines_then_the_end(face: Face) -> None:
    """G9: joined without gap or double."""
    run = execution()
    await face.send(started(run), *(chunk(run, seq) for seq in range(250)))
    await face.stored(run.execution_id, "running")
    async with face.view(f"/ws/executions/{run.execution_id}") as socket:
        first = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert first["frame"] == "state"
        assert first["execution"]["status"] == "running"
        sending = asyncio.create_task(face.send(*(chunk(run, seq) for seq in range(250, 300)), finished(run, 300)))
        frames = await frames_of(socket)
        await sending
    assert seqs(frames) == list(range(300))
    assert frames[-1]["frame"] == "finished"
    assert frames[-1]["execution"]["status"] == "succeeded"
    assert socket.close_code == 1000
    async with face.view(f"/ws/executions/{run.execution_id}?from_seq=298") as socket:
        assert seqs(await frames_of(socket)) == [298, 299]


async def test_a_viewer_that_comes_before_its_run_sees_all_of_it(face: Face) -> None:
    run = execution()
    async with face.view(f"/ws/executions/{run.execution_id}") as socket:
        following = asyncio.create_task(frames_of(socket))
        await face.send(started(run), chunk(run, 0), finished(run, 1))
        frames = await following
    assert [frame["frame"] for frame in frames] == ["state", "output", "finished"]


async def events_of(face: Face, path: str, count: int, **headers: str) -> list[tuple[str, str, Any]]:
    """Return the first `count` server-sent events, as name, id and data."""
    events: list[tuple[str, str, Any]] = []
    fields: dict[str, str] = {}
    async with asyncio.timeout(30), face.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                fields = {}
                if len(events) == count:
                    break
    return events


async def test_a_run_can_be_followed_as_server_sent_events(face: Face) -> None:
    """G9: joined as on the websocket; who comes again goes on behind the last chunk it has."""
    run = execution()
    await face.send(started(run), *(chunk(run, seq) for seq in range(20)))
    path = f"/api/v1/executions/{run.execution_id}/events"
    following = asyncio.create_task(events_of(face, path, 32))
    await face.stored(run.execution_id, "running")
    await face.send(*(chunk(run, seq) for seq in range(20, 30)), finished(run, 30))
    events = await following
    assert [name for name, _, _ in events] == ["state", *["output"] * 30, "finished"]
    assert [(id_, data["chunk"]["seq"]) for _, id_, data in events[1:-1]] == [(str(n), n) for n in range(30)]
    again = await events_of(face, path, 4, **{"Last-Event-ID": "27"})
    assert [name for name, _, _ in again] == ["state", "output", "output", "finished"]
    unknown = await face.http.get("/api/v1/executions/never-was/events")
    assert unknown.status_code == 404


async def test_two_ingesters_serve_the_same_feed_and_the_same_run(servers: LocalServers, names: Names) -> None:
    """It does not matter which one a viewer reaches, nor which one stores the run."""
    run, other = execution(1), execution(2, OTHER_JOB)
    async with running(settings_for(servers, names)) as one, running(settings_for(servers, names)) as two:
        async with one.view("/ws/feed") as first, two.view(f"/ws/feed?job_id={JOB}&status=succeeded") as second:
            event_stream = asyncio.create_task(events_of(two, "/api/v1/feed?status=lost&status=skipped", 2))
            async with asyncio.timeout(30):
                while two.service.hub.subscribed < 2 or one.service.hub.subscribed < 1:
                    await asyncio.sleep(0.01)
            await one.send(started(run), chunk(run, 0), finished(run, 1))
            await one.send(started(other), lost(other), skipped(execution(3)))
            seen = [json.loads(await asyncio.wait_for(first.recv(), 30)) for _ in range(5)]
            done = json.loads(await asyncio.wait_for(second.recv(), 30))
        assert sorted(each.get("change", each["frame"]) for each in seen) == [
            "finished", "lost", "skipped", "started", "started",
        ]  # fmt: skip
        assert (done["change"], done["execution"]["execution_id"]) == ("finished", run.execution_id)
        assert {name for name, _, _ in await event_stream} == {"run", "skipped"}
        for face in (one, two):
            async with face.view(f"/ws/executions/{run.execution_id}") as socket:
                frames = await frames_of(socket)
            assert seqs(frames) == [0]
            assert frames[-1]["frame"] == "finished"


def access_cookie(maker: AccessTokenMaker = MAKER) -> str:
    """Return the cookie that a browser got from a master."""
    ada = Principal(name="ada", grants={"*": "viewer"}, how="session", by_cookie=True, csrf="her-token")
    return f"{COOKIE}={maker.make(ada).token}"


def strangers() -> tuple[dict[str, str], ...]:
    return (
        {"X-Nothing": "1"},
        {"Authorization": "Bearer wrong-token-of-some-length"},
        {"Cookie": access_cookie(AccessTokenMaker("66" * 32, SystemClock())), "Origin": PAGE},
        {"Cookie": access_cookie(), "Origin": "http://evil.example"},
        {"Cookie": access_cookie()},
    )


async def test_no_live_view_without_identity(face: Face) -> None:
    """G11: no token, a wrong one, a forged cookie, or a true cookie from another page or none."""
    for headers in strangers():
        with pytest.raises(InvalidStatus) as refused:
            async with face.view("/ws/executions/any", **headers):
                pass
        assert refused.value.response.status_code == 403


async def test_the_page_comes_with_a_cookie_and_an_allowed_origin(face: Face) -> None:
    run = execution()
    await face.send(started(run), finished(run, 0))
    cookie = {"Cookie": access_cookie(), "Origin": PAGE}
    async with face.view(f"/ws/executions/{run.execution_id}", **cookie) as socket:
        assert (await frames_of(socket))[-1]["frame"] == "finished"
    async with httpx.AsyncClient(base_url=face.http.base_url) as stranger:
        answer = await stranger.get("/api/v1/executions", headers=cookie)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-credentials"] == "true"
        refused = await stranger.get("/api/v1/executions", headers={"Origin": PAGE})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == PAGE
        evil = await stranger.get("/api/v1/executions", headers={**cookie, "Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in evil.headers
        preflight = await stranger.options(
            "/api/v1/executions", headers={"Origin": PAGE, "Access-Control-Request-Method": "GET"}
        )
        assert preflight.status_code == 204
        for path in ("/api/v1/executions/x", "/api/openapi.json", "/metrics", "/nothing"):
            assert (await stranger.get(path)).status_code == 401
        assert (await stranger.get("/healthz")).status_code == 200


async def test_the_websocket_says_why_it_closes(face: Face) -> None:
    async with face.view("/ws/executions/x?from_seq=-1") as socket:
        assert await frames_of(socket) == []
    assert socket.close_code == 4400
    assert "from_seq" in (socket.close_reason or "")
    for query, named in (("status=odd", "status"), ("jib=x", "jib"), ("job_id=a&job=b", "job")):
        async with face.view(f"/ws/feed?{query}") as socket:
            assert await frames_of(socket) == []
        assert socket.close_code == 4400
        assert (socket.close_reason or "").startswith(named)
