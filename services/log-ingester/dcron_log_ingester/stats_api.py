"""The HTTP route of statistics: what became of runs, for each job and over time."""

from datetime import datetime, timedelta
from typing import Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.clock import Clock
from dcron_core.durations import format_duration
from dcron_core.history import History
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.http.problems import ProblemError
from dcron_log_ingester.batches import stored_instant
from dcron_log_ingester.errors import TooMuchError
from dcron_log_ingester.parameters import bad, duration_of, job_ids_of, span_of
from dcron_log_ingester.store import ExecutionFilter, Store
from dcron_schemas.api import Stats

USUAL_SPAN = timedelta(days=1)
MOST_BUCKETS = 1000
SHORTEST_BUCKET = timedelta(seconds=1)
# The width of buckets when none is asked for: the first one of which at most 60 cover the span.
WIDTHS = tuple(timedelta(seconds=s) for s in (1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400, 604_800))
USUAL_BUCKETS = 60


def stats_route(store: Store, history: History, clock: Clock) -> HTTPRouteHandler:
    """Return the route."""

    @get("/api/v1/stats", opt=ruled(IN_NAMESPACE("viewer")), tags=["executions"])
    async def show_stats(
        request: Request[Any, Any, Any],
        job_id: FromQuery[str | None] = None,
        job: FromQuery[str | None] = None,
        namespace: FromQuery[str | None] = None,
        start: FromQuery[str | None] = None,
        end: FromQuery[str | None] = None,
        bucket: FromQuery[str | None] = None,
    ) -> Stats:
        """Count runs by how they ended, with their success rate and durations; by default of the last day."""
        refuse_unknown_parameters(request, {"job_id", "job", "namespace", "start", "end", "bucket"})
        first, last = span_of(start, end)
        until = stored_instant(last or clock.now())
        since = stored_instant(first or until - USUAL_SPAN)
        if since >= until:
            raise bad("start", start or "", "not before end", f"an instant before {until.isoformat()}")
        shown = principal_of(request.scope).shown(namespace)
        wanted = ExecutionFilter(
            job_ids=job_ids_of(history, shown, job_id=job_id, job=job, namespace=namespace), namespaces=shown
        )
        try:
            return await store.stats(wanted, start=since, end=until, bucket=_bucket(bucket, since, until))
        except TooMuchError as error:
            remedy = "ask for a shorter span of time, or for one job"
            raise ProblemError(422, "too much to add up", f"{error}; {remedy}") from error

    return show_stats


def _bucket(text: str | None, start: datetime, end: datetime) -> timedelta:
    width = duration_of("bucket", text)
    if width is None:
        return next((each for each in WIDTHS if (end - start) / each <= USUAL_BUCKETS), end - start)
    if width < SHORTEST_BUCKET:
        raise bad("bucket", text or "", "too short", f"at least {format_duration(SHORTEST_BUCKET)}")
    if (end - start) / width > MOST_BUCKETS:
        least = format_duration((end - start) / MOST_BUCKETS + timedelta(seconds=1))
        raise bad("bucket", text or "", f"so short that there are more than {MOST_BUCKETS}", f"about {least} or more")
    return width
