"""The HTTP routes of the archive: events searched, heads of the chain, and the proof. Read only."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import IN_NAMESPACE, SYSTEM, ruled
from dcron_core.clock import Clock
from dcron_core.errors import LogMismatchError, UnavailableError
from dcron_core.history import History
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.http.problems import ProblemError
from dcron_core.job_log import JobLog
from dcron_core.jobs.heads import signed
from dcron_log_ingester.archive import Archive
from dcron_log_ingester.batches import stored_instant
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.parameters import bad, span_of, without_zero
from dcron_log_ingester.store import EventArchive, EventFilter
from dcron_log_ingester.verification import Sources, head_at, verify
from dcron_schemas.audit import ChainHead, EventKind, EventList, EventView, Verification

MOST_EVENTS = 500
TAG = "audit"

Kind = EventKind | Literal["(unreadable)"]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_EVENTS, description="most events in the answer")]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=200, description="in it, in whatever case")]
Instant = Annotated[str | None, QueryParameter(description="ISO 8601 with a zone, such as 2026-03-01T12:00:00Z")]
Position = Annotated[int | None, QueryParameter(ge=0, lt=10**18, description="an event's place in the log")]


class Audit(Struct, frozen=True):
    """What the routes answer from."""

    job_log: JobLog
    history: History
    archive: Archive
    events: EventArchive
    key: str  # that signs heads; empty: they are not signed


def audit_routes(audit: Audit, clock: Clock, metrics: Metrics) -> Sequence[HTTPRouteHandler]:
    """Return the route handlers."""
    verifying = asyncio.Lock()

    @get("/api/v1/audit/events", opt=ruled(IN_NAMESPACE("viewer")), tags=[TAG])
    async def list_events(
        request: Request[Any, Any, Any],
        job_id: FromQuery[str | None] = None,
        job: FromQuery[str | None] = None,
        namespace: FromQuery[str | None] = None,
        actor: FromQuery[str | None] = None,
        kind: FromQuery[Kind | None] = None,
        start: Instant = None,
        end: Instant = None,
        text: Text = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> EventList:
        """Search the archived events, newest first; `cursor` is the `next_cursor` of the page before."""
        known = {"job_id", "job", "namespace", "actor", "kind", "start", "end", "text", "limit", "cursor"}
        refuse_unknown_parameters(request, known)
        first, last = span_of(start, end)
        shown = principal_of(request.scope).shown(namespace)
        wanted = EventFilter(
            job_id=job_id, job_name=job, namespaces=shown, actor=actor, kind=kind, text=without_zero("text", text),
            start=_stored(first), end=_stored(last),
        )  # fmt: skip
        events = await audit.events.search(wanted, _before(cursor), limit + 1)
        page = tuple(_in_sight(event, shown) for event in events[:limit])
        return EventList(events=page, next_cursor=str(page[-1].position) if len(events) > limit else None)

    @get("/api/v1/audit/head", opt=ruled(SYSTEM("viewer")), tags=[TAG])
    async def show_head(request: Request[Any, Any, Any], position: Position = None) -> ChainHead:
        """Return the chain's value at the last archived event, or at a position, recomputed from the log."""
        refuse_unknown_parameters(request, {"position"})
        head = _last_head(audit) if position is None else await _head_at(audit, position)
        return signed(head, audit.key)

    @get("/api/v1/audit/verify", opt=ruled(SYSTEM("viewer")), tags=[TAG])
    async def verify_archive(request: Request[Any, Any, Any]) -> Verification:
        """Recompute the chain from the log and from the archive; name the first event that differs."""
        refuse_unknown_parameters(request, set())
        if verifying.locked():
            raise ProblemError(
                409, "a verification is under way", "this log-ingester does one at a time; try again later"
            )
        async with verifying:
            sources = Sources(audit.job_log, audit.history, audit.archive, audit.events)
            found = metrics.proved(await verify(sources), clock)
        return found if found.head is None else replace(found, head=signed(found.head, audit.key))

    return [list_events, show_head, verify_archive]


def _in_sight(event: EventView, shown: frozenset[str] | None) -> EventView:
    """Return the event; of a job that came from a namespace out of sight, without what it was there."""
    came_from = [each.before for each in event.changes if each.field == "namespace"]
    hidden = shown is not None and any(each not in shown for each in came_from)
    return replace(event, changes=()) if hidden else event


def _last_head(audit: Audit) -> ChainHead:
    """Return the head as this log-ingester has it in memory, since it read the log when it started."""
    if audit.archive.stopped:
        raise ProblemError(409, "log and archive do not agree", audit.archive.stopped)
    last = audit.archive.head
    if last is None:
        raise UnavailableError("no event of the log is archived yet")
    return ChainHead(log_id=audit.history.table.log_id, position=last.position, hash=last.hash, at=last.at)


async def _head_at(audit: Audit, position: int) -> ChainHead:
    try:
        end = (await audit.job_log.bounds()).end
        if position < end:
            return await head_at(audit.job_log, position)
    except LogMismatchError as error:
        raise ProblemError(409, "the log cannot be read", str(error)) from error
    raise bad("position", str(position), "not in the log", f"the log ends at position {end - 1}", status=404)


def _stored(instant: datetime | None) -> datetime | None:
    """Return the instant as the archive keeps it."""
    return None if instant is None else stored_instant(instant)


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= 18):
        raise bad("cursor", cursor, "not a cursor", "next_cursor of the page before, or none for the first page")
    return int(cursor)
