"""The websockets: a run's live view, and the feed, as frames of JSON text.

That of a run closes with 1000 after the finished frame, 4404 when there is no such run, 4409 after a gap frame
(fetch the rest over HTTP, then come again with `?from_seq=`). Both close with 4400 for a bad parameter, 4503 when
names of jobs are not known yet, 4403 for a namespace that is not the viewer's, 4401 when the access token that
opened it expires (come again with another one), 1012 when the service stops.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import aclosing
from typing import Any, get_args

from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler
from litestar.params import FromPath

from dcron_core.access.middleware import FORBIDDEN, UNAUTHORIZED
from dcron_core.access.principal import principal_of
from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.errors import ForbiddenError, UnavailableError
from dcron_core.http.problems import ProblemError
from dcron_log_ingester.errors import UnknownExecutionError
from dcron_log_ingester.feed import SKIPPED, FeedFilter
from dcron_log_ingester.parameters import bad, job_ids_of
from dcron_log_ingester.viewing import Viewing, seconds_left
from dcron_schemas.api import GapFrame, Status

NOT_FOUND, GAP, NOT_NOW = 4404, 4409, 4503
EXPIRED = "the access token has expired; come again with another one"
STATUSES = (*get_args(Status), SKIPPED)

Socket = WebSocket[Any, Any, Any]
Closing = tuple[int, str]


def live_routes(viewing: Viewing) -> Sequence[WebsocketRouteHandler]:
    """Return the routes of the live views."""

    @websocket("/ws/executions/{execution_id:str}", opt=ruled(IN_NAMESPACE("viewer")))
    async def live(socket: Socket, execution_id: FromPath[str]) -> None:
        """Send what `live.watch` yields until it ends or the viewer goes."""
        await socket.accept()
        await _until_left(socket, viewing, _send_run(socket, execution_id, viewing))

    @websocket("/ws/feed", opt=ruled(IN_NAMESPACE("viewer")))
    async def feed(socket: Socket) -> None:
        """Send every change of state that the viewer asked for, until it goes."""
        await socket.accept()
        await _until_left(socket, viewing, _send_feed(socket, viewing))

    return [live, feed]


async def _until_left(socket: Socket, viewing: Viewing, work: Awaitable[Closing]) -> None:
    """Send until it is over, then close as it says; or until the viewer goes, or may not look any more."""
    left_s = seconds_left(principal_of(socket.scope), viewing.clock)
    sending = asyncio.ensure_future(work)
    leaving = asyncio.create_task(_left(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED, timeout=left_s)
        if sending.done():
            code, reason = sending.result()
            # A close frame holds at most 123 bytes of reason (RFC 6455 §5.5).
            await socket.close(code, reason.encode()[:123].decode(errors="ignore"))
        elif not leaving.done():
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await socket.close(UNAUTHORIZED, EXPIRED)
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)


async def _send_run(socket: Socket, execution_id: str, viewing: Viewing) -> Closing:
    """Send all frames of a run; return how to close."""
    try:
        frames = viewing.run(execution_id, _from_seq(socket), principal_of(socket.scope))
        async with aclosing(frames):
            async for frame, text in frames:
                await socket.send_data(text)
                if isinstance(frame, GapFrame):
                    return GAP, "not all could be sent; fetch the rest over HTTP"
    except ProblemError as error:
        return _refusal(error)
    except UnknownExecutionError as error:
        return NOT_FOUND, str(error)
    except UnavailableError as error:
        return NOT_NOW, str(error)
    except WebSocketDisconnect:
        return 1001, ""
    return 1000, "the run is over"


async def _send_feed(socket: Socket, viewing: Viewing) -> Closing:
    """Send the feed; return how to close."""
    try:
        items = viewing.feed(_feed_filter(socket, viewing))
        async with aclosing(items):
            async for item in items:
                await socket.send_data(item.text)
    except ProblemError as error:
        return _refusal(error)
    except ForbiddenError as error:
        return FORBIDDEN, str(error)
    except UnavailableError as error:
        return NOT_NOW, str(error)
    except WebSocketDisconnect:
        pass
    return 1001, ""


def _refusal(error: ProblemError) -> Closing:
    return 4000 + error.problem.status, error.problem.detail


def _from_seq(socket: Socket) -> int:
    given = socket.query_params.get("from_seq", "0")
    if not (given.isascii() and given.isdigit() and len(given) <= 10):
        raise bad("from_seq", given, "not a number from 0 on", "the first chunk wanted")
    return int(given)


def _feed_filter(socket: Socket, viewing: Viewing) -> FeedFilter:
    given = socket.query_params
    unknown = [name for name in given if name not in {"job_id", "job", "namespace", "status"}]
    if unknown:
        raise bad(unknown[0], str(given[unknown[0]]), "of no such parameter", "job_id, job, namespace or status")
    statuses = tuple(given.getall("status", []))
    for status in statuses:
        if status not in STATUSES:
            raise bad("status", status, "not a status", "one of " + ", ".join(STATUSES))
    job_id, job, namespace = given.get("job_id"), given.get("job"), given.get("namespace")
    shown = principal_of(socket.scope).shown(namespace)
    job_ids = job_ids_of(viewing.history, shown, job_id=job_id, job=job, namespace=namespace)
    return FeedFilter(job_ids=job_ids, namespaces=shown, statuses=statuses)


async def _left(socket: Socket) -> None:
    """Return when the viewer goes; what it sends is ignored."""
    try:
        while True:
            await socket.receive_data(mode="text")
    except WebSocketDisconnect:
        return
