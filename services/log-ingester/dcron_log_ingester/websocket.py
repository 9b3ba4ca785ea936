"""The websocket of a run: the frames of its live view, as JSON text.

It closes with 1000 after the finished frame, 4404 when there is no such run, 4409 after a gap frame (fetch the
rest over HTTP, then come again with `?from_seq=`), 4400 for a bad `from_seq`, 1012 when the service stops.
"""

import asyncio
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler
from litestar.params import FromPath

from dcron_core.clock import Clock
from dcron_log_ingester.errors import UnknownExecutionError
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.live import RunReader, watch
from dcron_log_ingester.metrics import Metrics
from dcron_schemas.api import GapFrame

BAD_REQUEST, NOT_FOUND, GAP = 4400, 4404, 4409

Socket = WebSocket[Any, Any, Any]


def live_route(hub: Hub, store: RunReader, clock: Clock, metrics: Metrics) -> WebsocketRouteHandler:
    """Return the route of the live view."""

    @websocket("/ws/executions/{execution_id:str}")
    async def live(socket: Socket, execution_id: FromPath[str]) -> None:
        """Send what `live.watch` yields until it ends or the viewer goes."""
        await socket.accept()
        given = socket.query_params.get("from_seq", "0")
        if not (given.isascii() and given.isdigit() and len(given) <= 10):
            await socket.close(BAD_REQUEST, f"from_seq {given[:40]!r} is not a number from 0 on")
            return
        with metrics.viewers.track_inprogress():
            sending = asyncio.create_task(_send(socket, execution_id, int(given), hub, store, clock, metrics))
            leaving = asyncio.create_task(_left(socket))
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    await _close(socket, *sending.result())
            finally:
                sending.cancel()
                leaving.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)

    return live


async def _send(
    socket: Socket, execution_id: str, from_seq: int, hub: Hub, store: RunReader, clock: Clock, metrics: Metrics
) -> tuple[int, str]:
    """Send all frames; return how to close."""
    try:
        async for frame in watch(execution_id, hub, store, clock, from_seq=from_seq):
            await socket.send_data(msgspec.json.encode(frame).decode())
            if isinstance(frame, GapFrame):
                metrics.gaps.inc()
                return GAP, "not all could be sent; fetch the rest over HTTP"
    except UnknownExecutionError as error:
        return NOT_FOUND, str(error)
    except WebSocketDisconnect:
        return 1001, ""
    return 1000, "the run is over"


async def _left(socket: Socket) -> None:
    """Return when the viewer goes; what it sends is ignored."""
    try:
        while True:
            await socket.receive_data(mode="text")
    except WebSocketDisconnect:
        return


async def _close(socket: Socket, code: int, reason: str) -> None:
    # A close frame holds at most 123 bytes of reason (RFC 6455 §5.5).
    await socket.close(code, reason.encode()[:123].decode(errors="ignore"))
