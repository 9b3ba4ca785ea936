"""`GET /api/v1/forecast`: what is due in the time to come, of all jobs or of some. Reads, and changes nothing.

A table of a hundred thousand jobs takes seconds to look through, so the work is done in small pieces between which
the master serves others, and one request is worked on at a time. An answer that would grow too large ends earlier
than was asked, and says so: it is whole up to its own `end`.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter
from msgspec import Struct

from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.http.parameters import parse_instant, refuse_unknown_parameters
from dcron_core.http.problems import parse_uuid
from dcron_core.schedule.forecast import Coming, Lane, lane_of, merged
from dcron_master.listing import Wanted, bad_parameter
from dcron_master.sight import Sight
from dcron_schemas.api import ComingTick, Forecast
from dcron_schemas.state import JobEntry

MOST_COUNTED = 50_000  # ticks; about half a second of work
MOST_SHOWN = 5_000
MOST_JOBS = 500  # that can be named in a request
MOST_BUCKETS = 1_000
LONGEST = timedelta(days=31)
USUAL = timedelta(hours=1)
AT_ONCE = 200  # jobs or ticks that are worked on before others have their turn

Instant = Annotated[str, QueryParameter(description="an instant with a zone; none: now, or an hour after start")]
JobIds = Annotated[list[str] | None, QueryParameter(name="job_id", description="repeatable; none: all jobs")]


class Span(Struct, frozen=True):
    """What is asked about: ticks with `start` < tick ≤ `end`, counted in buckets of a width."""

    start: datetime
    end: datetime
    bucket: timedelta


def forecast_route(clock: Clock) -> HTTPRouteHandler:
    """Return the route."""
    working = asyncio.Lock()

    @get("/api/v1/forecast", tags=["jobs"], opt=ruled(IN_NAMESPACE("viewer")))
    async def forecast(
        request: Request[Any, Any, Any],
        sight: NamedDependency[Sight],
        start: Instant = "",
        end: Instant = "",
        bucket: FromQuery[str] = "1m",
        namespace: FromQuery[str] = "",
        q: FromQuery[str] = "",
        job_id: JobIds = None,
        limit: FromQuery[int] = 100,
    ) -> Forecast:
        """Count the ticks to come, with `start` < tick ≤ `end`, and list the first `limit` of them.

        The answer is whole up to its own `end`, which is earlier than was asked if there are very many ticks.
        """
        refuse_unknown_parameters(request, ("start", "end", "bucket", "namespace", "q", "job_id", "limit"))
        if not 0 <= limit <= MOST_SHOWN:
            raise bad_parameter("limit", str(limit), f"a number from 0 to {MOST_SHOWN}")
        span = _span(start, end, bucket, clock.now())
        async with working:
            return await _forecast(_chosen(sight, namespace, q, job_id or ()), span, limit)

    return forecast


async def _forecast(entries: Sequence[JobEntry], span: Span, limit: int) -> Forecast:
    counts = [0] * _buckets(span)
    shown: list[ComingTick] = []
    last = span.start
    for counted, coming in enumerate(merged(await _lanes(entries, span), span.end)):
        if counted >= MOST_COUNTED and coming.at > last:  # all ticks of one instant, or none
            span = _cut(span, coming.at)
            break
        last = coming.at
        counts[_bucket_of(span, last)] += 1
        if len(shown) < limit:
            shown.append(_shown(coming))
        if counted % AT_ONCE == 0:
            await asyncio.sleep(0)
    kept = tuple(tick for tick in shown if tick.at <= span.end)
    return Forecast(
        start=span.start,
        end=span.end,
        bucket_s=span.bucket.total_seconds(),
        counts=tuple(counts[: _buckets(span)]),
        ticks=kept,
    )


async def _lanes(entries: Sequence[JobEntry], span: Span) -> list[Lane]:
    lanes: list[Lane] = []
    for number, entry in enumerate(entries):
        lane = lane_of(entry, number, span.start, span.end)
        if lane:
            lanes.append(lane)
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
    return lanes


def _buckets(span: Span) -> int:
    return -((span.start - span.end) // span.bucket)  # rounded up


def _bucket_of(span: Span, tick: datetime) -> int:
    """Return the number of the tick's bucket; one at a bucket's very end belongs to it, as one at `end` does."""
    return -((span.start - tick) // span.bucket) - 1


def _cut(span: Span, left_out: datetime) -> Span:
    """Return the span up to the last bucket that is whole, or, if none is, up to the first tick that is left out."""
    whole = _bucket_of(span, left_out) * span.bucket
    end = span.start + whole if whole else left_out - timedelta(microseconds=1)
    return Span(span.start, end, span.bucket)


def _shown(coming: Coming) -> ComingTick:
    spec = coming.entry.spec
    return ComingTick(at=coming.at, job_id=coming.entry.job_id, job_name=spec.name, namespace=spec.namespace)


def _chosen(sight: Sight, namespace: str, text: str, job_ids: Sequence[str]) -> list[JobEntry]:
    if len(job_ids) > MOST_JOBS:
        raise bad_parameter("job_id", f"{len(job_ids)} of them", f"at most {MOST_JOBS}, or none for all jobs")
    entries = sight.entries(namespace)
    if job_ids:
        found = (sight.found(parse_uuid("job_id", each)) for each in job_ids)
        entries = [entry for entry in found if entry is not None]
    wanted = Wanted(namespace=namespace, text=text)
    return [entry for entry in entries if wanted.has(entry)]


def _span(start: str, end: str, bucket: str, now: datetime) -> Span:
    since = parse_instant("start", start) if start else now
    until = parse_instant("end", end) if end else since + USUAL
    if not since < until <= since + LONGEST:
        raise bad_parameter(
            "end", until.isoformat(), f"an instant after start, {since.isoformat()}, by at most 31 days"
        )
    try:
        width = parse_duration(bucket)
    except ValueError:
        raise bad_parameter("bucket", bucket, "a duration such as 90s, 5m or 1h30m") from None
    if not (until - since) / MOST_BUCKETS <= width <= LONGEST:
        raise bad_parameter("bucket", bucket, f"a duration such that there are at most {MOST_BUCKETS} of it") from None
    return Span(since, until, width)
