"""Viewers of runs that stay: they follow one log-ingester, come again when it is gone, and fetch what was left out.

They do what the page's follower does (`services/web/src/output/follower.ts`): joined on `seq`, resuming where they
were. Unlike the page they do not overlook what comes twice or too early within one connection, but note it down.
"""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.output_judge import Piece, View

FIRST_DELAY_S, MOST_DELAY_S = 0.1, 1.0  # before a lost connection is opened again; doubles
PAGE = 200
Frame = dict[str, Any]
GONE = (WebSocketException, httpx.HTTPError, OSError, TimeoutError)


class Viewer(ABC):
    """Follows one run to its end. What it saw is in `view`."""

    kind = ""

    def __init__(self, http: httpx.AsyncClient, execution_id: str, name: str) -> None:
        self.view = View(f"{name} ({self.kind})", execution_id)
        self._http = http  # knows the log-ingester's address and the token
        self._path = f"/api/v1/executions/{execution_id}"

    async def follow(self) -> None:
        """Stay until the last frame; for ever if it does not come."""
        delay_s = FIRST_DELAY_S
        while not self.view.status:
            self.view.connections += 1
            before = len(self.view.pieces)
            with suppress(*GONE):  # killed, or not there yet
                await self._listen()
            delay_s = FIRST_DELAY_S if len(self.view.pieces) > before else min(delay_s * 2, MOST_DELAY_S)
            if not self.view.status:
                await asyncio.sleep(delay_s)

    async def come_again(self) -> None:
        """Fetch what came after the last frame: the run was lost, and some of its output came late."""
        await self._fetch()

    @abstractmethod
    def frames(self, from_seq: int) -> AsyncIterator[Frame]:
        """Open one connection; yield what comes until it is closed."""
        ...

    async def _listen(self) -> None:
        """Take in one connection's frames."""
        async for frame in self.frames(len(self.view.pieces)):
            match frame["frame"]:
                case "output":
                    self._take(frame["chunk"])
                case "gap":
                    self.view.gaps += 1
                    if frame["from_seq"] != len(self.view.pieces):
                        self._note(f"a gap from {frame['from_seq']} on")
                    await self._fetch()
                    return
                case "finished":
                    self.view.status, self.view.seen_then = frame["execution"]["status"], len(self.view.pieces)
                    return

    async def _fetch(self) -> None:
        """Fetch over HTTP what is stored and was not seen."""
        following: int | None = len(self.view.pieces)
        while following is not None:
            answer = await self._http.get(f"{self._path}/output", params={"from_seq": following, "limit": PAGE})
            page = answer.raise_for_status().json()
            for chunk in page["chunks"]:
                self._take(chunk)
            following = page["next_seq"] if page["chunks"] else None

    def _take(self, chunk: dict[str, Any]) -> None:
        if chunk["seq"] != len(self.view.pieces):
            self._note(f"chunk {chunk['seq']}")
        self.view.pieces.append(Piece(chunk["seq"], chunk["stream"], chunk["text"]))

    def _note(self, what: str) -> None:
        self.view.problems.append(f"{what} came in connection {self.view.connections} behind {len(self.view.pieces)}")


class SocketViewer(Viewer):
    """On the websocket."""

    kind = "websocket"

    async def frames(self, from_seq: int) -> AsyncIterator[Frame]:
        address = str(self._http.base_url).replace("http", "ws", 1).rstrip("/")
        url = f"{address}/ws/executions/{self.view.execution_id}?from_seq={from_seq}"
        token = {"Authorization": self._http.headers["Authorization"]}
        async with connect(url, additional_headers=token, proxy=None, ping_interval=5) as socket:
            async for message in socket:
                yield json.loads(message)


class EventViewer(Viewer):
    """On server-sent events."""

    kind = "events"

    async def frames(self, from_seq: int) -> AsyncIterator[Frame]:
        resumed = {"Last-Event-ID": str(from_seq - 1)} if from_seq else {}
        async with self._http.stream("GET", f"{self._path}/events", headers=resumed) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))


class Audience:
    """The viewers of all runs; they come as runs are found, and stay."""

    def __init__(self) -> None:
        self.viewers: list[Viewer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._watched: set[str] = set()

    def watch(self, execution_id: str, viewers: Iterable[Viewer]) -> None:
        """Let these viewers follow the run, unless it is followed already."""
        if execution_id not in self._watched:
            self._watched.add(execution_id)
            for viewer in viewers:
                self.viewers.append(viewer)
                self._tasks.append(asyncio.create_task(viewer.follow()))

    async def all_left(self, execution_ids: Iterable[str], within_s: float) -> None:
        """Wait, for so long, until these runs have their viewers and every view came to its end.

        Viewers of a run that was lost come again once, for what of its output came late.
        """
        over_s = time.monotonic() + within_s
        while not self._watched.issuperset(execution_ids) and time.monotonic() < over_s:
            await asyncio.sleep(FIRST_DELAY_S)
        assert self._watched.issuperset(execution_ids), "there are runs that no log-ingester listed"
        await asyncio.wait(self._tasks, timeout=over_s - time.monotonic())
        for viewer in self.viewers:
            if viewer.view.status == "lost":
                await viewer.come_again()

    async def close(self) -> None:
        """Let all go."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
