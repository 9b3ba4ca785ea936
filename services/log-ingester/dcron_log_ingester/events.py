"""Live views as server-sent events, for `curl` and for browsers' `EventSource` (HTML standard, §9.2).

Each event's name is its frame's, its data the frame as JSON on one line. A run's chunks carry their `seq` as id, so
that a client that comes again with `Last-Event-ID` goes on behind it. A comment is sent while nothing happens, so
that a connection that is gone is noticed. When the access token that opened it expires, an event `expired` is the
last one: come again with another token.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.http.problems import ProblemError
from dcron_log_ingester.errors import UnknownExecutionError
from dcron_log_ingester.feed import FeedFilter, FeedItem
from dcron_log_ingester.parameters import bad, job_ids_of
from dcron_log_ingester.viewing import Viewing, seconds_left
from dcron_schemas.api import FieldProblem, Frame, OutputFrame, Status

EVENT_STREAM = "text/event-stream"
EVENTS_ANSWER = ResponseSpec(str, description="Until the client goes or the run is over", media_type=EVENT_STREAM)
NOT_CACHED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # a proxy is not to collect what is live
QUIET_S = 15.0
EXPIRED = "event: expired\ndata: {}\n\n"
STILL_HERE = ": nothing new\n\n"

FeedStatus = Status | Literal["skipped"]
FromSeq = Annotated[int | None, QueryParameter(ge=0, lt=10**10, description="the first chunk wanted")]


def event_routes(viewing: Viewing) -> Sequence[HTTPRouteHandler]:
    """Return the routes."""

    @get(
        "/api/v1/executions/{execution_id:str}/events",
        opt=ruled(IN_NAMESPACE("viewer")),
        tags=["live"],
        responses={200: EVENTS_ANSWER},
    )
    async def run_events(
        request: Request[Any, Any, Any], execution_id: FromPath[str], from_seq: FromSeq = None
    ) -> Stream:
        """Follow a run: its state, its output from `from_seq` on, stored and new, and its end."""
        refuse_unknown_parameters(request, {"from_seq"})
        first = _resumed(request) if from_seq is None else from_seq
        principal = principal_of(request.scope)
        frames = viewing.run(execution_id, first, principal)
        try:
            begin = await anext(frames)  # so that a run that is not known is a 404, not an empty stream
        except UnknownExecutionError as error:
            raise ProblemError(
                404,
                "no such execution",
                str(error),
                errors=(FieldProblem(field="execution_id", value=execution_id[:200], message="not known"),),
            ) from error
        left_s = seconds_left(principal, viewing.clock)
        return Stream(beating(_run_events(begin, frames), left_s=left_s), media_type=EVENT_STREAM, headers=NOT_CACHED)

    @get("/api/v1/feed", opt=ruled(IN_NAMESPACE("viewer")), tags=["live"], responses={200: EVENTS_ANSWER})
    async def feed_events(
        request: Request[Any, Any, Any],
        job_id: FromQuery[str | None] = None,
        job: FromQuery[str | None] = None,
        namespace: FromQuery[str | None] = None,
        status: Annotated[list[FeedStatus] | None, QueryParameter(description="repeatable")] = None,
    ) -> Stream:
        """Follow every change of state of runs, and ticks that do not run."""
        refuse_unknown_parameters(request, {"job_id", "job", "namespace", "status"})
        principal = principal_of(request.scope)
        shown = principal.shown(namespace)
        wanted = FeedFilter(
            job_ids=job_ids_of(viewing.history, shown, job_id=job_id, job=job, namespace=namespace),
            namespaces=shown,
            statuses=tuple(status or ()),
        )
        left_s = seconds_left(principal, viewing.clock)
        events = beating(_feed_events(viewing.feed(wanted)), left_s=left_s)
        return Stream(events, media_type=EVENT_STREAM, headers=NOT_CACHED)

    return [run_events, feed_events]


async def beating(
    events: AsyncGenerator[str, None], quiet_s: float = QUIET_S, *, left_s: float | None = None
) -> AsyncIterator[str]:
    """Yield the events, a comment first, and one whenever nothing came for a while; after `left_s` the last one."""
    yield STILL_HERE
    loop = asyncio.get_running_loop()
    until_s = math.inf if left_s is None else loop.time() + left_s
    async with aclosing(events):
        following = asyncio.ensure_future(anext(events, None))
        try:
            while True:
                await asyncio.wait([following], timeout=max(0.0, min(quiet_s, until_s - loop.time())))
                if loop.time() >= until_s:
                    yield EXPIRED
                    return
                if not following.done():
                    yield STILL_HERE
                    continue
                event = following.result()
                if event is None:
                    return
                yield event
                following = asyncio.ensure_future(anext(events, None))
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


async def _run_events(
    begin: tuple[Frame, str], frames: AsyncGenerator[tuple[Frame, str], None]
) -> AsyncGenerator[str, None]:
    async with aclosing(frames):
        yield _event(*begin)
        async for frame, text in frames:
            yield _event(frame, text)


async def _feed_events(items: AsyncGenerator[FeedItem, None]) -> AsyncGenerator[str, None]:
    async with aclosing(items):
        async for item in items:
            yield f"event: {item.name}\ndata: {item.text}\n\n"


def _event(frame: Frame, text: str) -> str:
    seq = f"id: {frame.chunk.seq}\n" if isinstance(frame, OutputFrame) else ""
    return f"event: {type(frame).__struct_config__.tag}\n{seq}data: {text}\n\n"


def _resumed(request: Request[Any, Any, Any]) -> int:
    """Return the first chunk that a client which comes again has not seen."""
    last = request.headers.get("last-event-id", "")
    if not last:
        return 0
    if not (last.isascii() and last.isdecimal() and len(last) <= 10):
        raise bad("Last-Event-ID", last, "not the number of a chunk", "leave it out to begin with the first")
    return int(last) + 1
