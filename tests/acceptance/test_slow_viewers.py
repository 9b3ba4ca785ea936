"""Viewers on real sockets that do not read: a gap frame after what fits, and nothing is lost (G9)."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.hub import QUEUE_BYTES
from dcron_schemas.records import OutputChunk
from dcron_standalone.servers import LocalServers
from tests.conftest import PrivateServers
from tests.names import Names
from tests.running_ingester import TOKEN, Face, running, seqs, settings_for
from tests.unit.log_ingester.records import chunk, execution, finished, started

RUN = execution()
CHUNK_CHARACTERS = 128 << 10
CHUNKS = 3 * QUEUE_BYTES // CHUNK_CHARACTERS  # more than the queue and the sockets' buffers hold
RECEIVE_BUFFER = 64 << 10
Frames = list[dict[str, Any]]


def large(seq: int) -> OutputChunk:
    return chunk(RUN, seq, f"{seq:06d} {'x' * CHUNK_CHARACTERS}\n")


WHOLE = "".join(large(seq).text for seq in range(CHUNKS)) + chunk(RUN, CHUNKS).text


def apart(servers: LocalServers, private_servers: PrivateServers, names: Names) -> LogIngesterSettings:
    """Store what is written here in a MongoDB of the test's own: it is a lot, and others would wait for it."""
    return replace(settings_for(servers, names), mongodb=private_servers("mongodb").mongodb)


def view(face: Face, from_seq: int = 0) -> connect:
    """Open a websocket that takes in a frame or two ahead of who reads it."""
    narrow = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    narrow.connect(("127.0.0.1", face.service.port))
    narrow.setblocking(False)
    return connect(
        f"ws://127.0.0.1:{face.service.port}/ws/executions/{RUN.execution_id}?from_seq={from_seq}",
        sock=narrow,
        additional_headers={"Authorization": f"Bearer {TOKEN}"},
        compression=None,
        max_size=None,
        max_queue=1,
        ping_interval=None,
    )


async def frames_of(viewer: ClientConnection) -> Frames:
    """Return the frames that come until the service closes."""
    frames: Frames = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(60):
            while True:
                frames.append(json.loads(await viewer.recv()))
    return frames


async def say_too_much(face: Face) -> None:
    """Let the run print more than is kept for a viewer; wait until it is handed out, and stored."""
    for seq in range(1, CHUNKS):
        await face.send(large(seq))
    await face.stored(RUN.execution_id, "running")
    async with asyncio.timeout(60):
        while face.service.hub.recent_bytes < CHUNKS * CHUNK_CHARACTERS or not await stored_texts(face, CHUNKS - 1):
            await asyncio.sleep(0.05)


async def stored_texts(face: Face, from_seq: int) -> list[str]:
    """Fetch the chunks from there on over HTTP."""
    texts: list[str] = []
    following: int | None = from_seq
    while following is not None:
        page = await face.json(f"/api/v1/executions/{RUN.execution_id}/output", from_seq=following, limit=50)
        texts += [piece["text"] for piece in page["chunks"]]
        following = page["next_seq"] if page["chunks"] else None
    return texts


async def next_event(lines: AsyncIterator[str]) -> dict[str, Any]:
    """Return the frame of the next server-sent event."""
    while not (line := await anext(lines)).startswith("data: "):
        pass
    frame: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return frame


def text_of(frames: Frames) -> str:
    return "".join(frame["chunk"]["text"] for frame in frames if frame["frame"] == "output")


def check_cut(frames: Frames) -> int:
    """Check that the frames are a beginning of the run, then a gap; return where that is."""
    seen = seqs(frames)
    assert seen == list(range(len(seen)))
    assert 0 < len(seen) < CHUNKS
    assert frames[-1] == {"frame": "gap", "from_seq": len(seen)}
    return len(seen)


async def test_a_websocket_that_does_not_read_gets_a_gap_frame_and_can_refetch(
    servers: LocalServers, private_servers: PrivateServers, names: Names
) -> None:
    """G9: what it saw, what it fetches and what comes after are the run's output, each chunk once and in order."""
    async with running(apart(servers, private_servers, names)) as face:
        await face.send(started(RUN), large(0))
        async with view(face) as viewer:
            frames: Frames = [json.loads(await viewer.recv()) for _ in range(2)]
            await say_too_much(face)
            frames += await frames_of(viewer)
        assert viewer.close_code == 4409
        fetched = await stored_texts(face, check_cut(frames))
        await face.send(chunk(RUN, CHUNKS), finished(RUN, CHUNKS + 1))
        async with view(face, CHUNKS) as viewer:
            rest = await frames_of(viewer)
        assert rest[-1]["frame"] == "finished"
        assert text_of(frames) + "".join(fetched) + text_of(rest) == WHOLE


async def test_a_client_of_events_that_does_not_read_gets_a_gap_event_and_can_resume(
    servers: LocalServers, private_servers: PrivateServers, names: Names
) -> None:
    """G9: it comes again with the id of the last chunk that it has, and gets the rest."""
    async with running(apart(servers, private_servers, names)) as face:
        await face.send(started(RUN), large(0))
        path = f"/api/v1/executions/{RUN.execution_id}/events"
        async with face.http.stream("GET", path, timeout=60) as answer:
            lines = answer.aiter_lines()
            frames = [await next_event(lines) for _ in range(2)]
            await say_too_much(face)
            with suppress(StopAsyncIteration):
                while True:
                    frames.append(await next_event(lines))
        cut = check_cut(frames)
        await face.send(chunk(RUN, CHUNKS), finished(RUN, CHUNKS + 1))
        rest: Frames = []
        async with face.http.stream("GET", path, headers={"Last-Event-ID": str(cut - 1)}, timeout=60) as answer:
            lines = answer.aiter_lines()
            while not rest or rest[-1]["frame"] != "finished":
                rest.append(await next_event(lines))
        assert text_of(frames) + text_of(rest) == WHOLE
