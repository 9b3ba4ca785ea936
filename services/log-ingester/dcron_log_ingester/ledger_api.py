"""`GET /api/v1/audit/ledger`: what became of every tick. Read only."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, QueryParameter

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.clock import Clock
from dcron_core.durations import format_duration
from dcron_core.errors import UnknownJobError
from dcron_core.history import History
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.http.problems import ProblemError
from dcron_log_ingester.errors import TooManyTicksError
from dcron_log_ingester.ledger_reader import LedgerReader, Range
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.sight import Sight
from dcron_schemas.api import FieldProblem
from dcron_schemas.audit import Ledger

MOST_LINES = 10_000
USUAL_RANGE = timedelta(hours=1)
FORM = "an instant with its zone, such as 2026-03-29T01:00:00Z (a + in a URL is written %2B)"

Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LINES, description="most ticks in the answer")]


def ledger_routes(
    reader: LedgerReader, history: History, clock: Clock, retention: timedelta, metrics: Metrics
) -> Sequence[HTTPRouteHandler]:
    """Return the route handler of the ledger; `retention` is how long the store keeps what happened."""

    @get("/api/v1/audit/ledger", opt=ruled(IN_NAMESPACE("viewer")), tags=["audit"])
    async def get_ledger(
        request: Request[Any, Any, Any],
        job_id: FromQuery[str | None] = None,
        job: FromQuery[str | None] = None,
        namespace: FromQuery[str | None] = None,
        start: FromQuery[str | None] = None,
        end: FromQuery[str | None] = None,
        limit: Limit = 1000,
        cursor: FromQuery[str | None] = None,
    ) -> Ledger:
        """Account for each tick with `start` < tick ≤ `end`: of the job, or, without one, of all jobs.

        Of one job the answer holds its ticks, in pages; of all jobs the doubles and the unaccounted ones. `end` is now
        by default, `start` an hour before it. `cursor` is the `next_cursor` of the page before; give `start` and `end`
        of its answer with it.
        """
        refuse_unknown_parameters(request, {"job_id", "job", "namespace", "start", "end", "limit", "cursor"})
        after = None if cursor is None else _instant("cursor", cursor, "next_cursor of the page before")
        await history.at_end()
        within = _range(start, end, history, clock.now(), retention)
        sight = Sight(principal_of(request.scope), history)
        wanted = _job(history, sight.principal.shown(namespace), job_id, job, namespace)
        try:
            if wanted is None:
                return metrics.accounted(await reader.of_all(within, limit, sight.of_job), clock)
            if not sight.of_job(wanted):
                raise UnknownJobError(f"there never was a job {wanted}")
            ledger = await reader.of_job(wanted, within, after, limit)
            return ledger if after else metrics.accounted(ledger, clock)  # each page has the totals of all
        except TooManyTicksError as error:
            remedy = "ask for an earlier end" + (", or for one job" if wanted is None else "")
            raise _refused(422, "too many ticks", "end", end or "", str(error), remedy) from None
        except UnknownJobError as error:
            raise _refused(404, "no such job", "job_id", wanted or "", str(error), "see /api/v1/jobs") from None

    return [get_ledger]


def _range(start: str | None, end: str | None, history: History, now: datetime, retention: timedelta) -> Range:
    """Return the range that is asked for, or the usual one as far as it can be."""
    until = now if end is None else _instant("end", end, FORM)
    if until > now:
        raise _wrong("end", end, f"it is in the future; it is {_shown(now)} now", "give an instant that has passed")
    kept, began = now - retention, history.time_of(0) if history.position >= 0 else now
    if start is None:
        since = max(until - USUAL_RANGE, kept, began)
        if since >= until:
            raise _wrong("end", end, f"nothing is known from before {_shown(since)}", "give a later one")
        return Range(since, until)
    since = _instant("start", start, FORM)
    if since >= until:
        raise _wrong("start", start, f"it is not before end, {_shown(until)}", "give an instant before end")
    if since < began:
        raise _wrong("start", start, f"it is before the log began, at {_shown(began)}", "give an instant after that")
    if since < kept:
        said = f"runs are kept for {format_duration(retention)} (DCRON_RETENTION), and may be gone"
        raise _wrong("start", start, said, f"give an instant after {_shown(kept)}")
    return Range(since, until)


def _job(
    history: History, shown: frozenset[str] | None, job_id: str | None, name: str | None, namespace: str | None
) -> str | None:
    """Return the job that is meant: of several that had the name, the one that stands, or the last one deleted."""
    title = "the request is not valid"
    if name is None:
        if namespace is not None:
            raise _refused(400, title, "namespace", namespace, "it goes with job", "give job as well, or leave it out")
        return job_id
    if job_id is not None:
        raise _refused(400, title, "job", name, "job_id says already which one", "give one of the two")
    standing = {
        (entry.spec.namespace, entry.job_id)
        for entry in history.table.entries()
        if entry.spec.name == name
        and namespace in (None, entry.spec.namespace)
        and (shown is None or entry.spec.namespace in shown)
    }
    gone = [each for each in history.deleted(namespace or "", name) if shown is None or each.namespace in shown]
    found = standing or {(each.namespace, each.job_id) for each in gone[:1]}
    if len(found) > 1:
        where = ", ".join(sorted(space for space, _ in found))
        raise _refused(422, "several jobs", "job", name, f"there is one in each of {where}", "give namespace as well")
    if not found:
        raise _refused(
            404, "no such job", "job", name, "no job has that name, and none that was deleted had it", "or give job_id"
        )
    return found.pop()[1]


def _instant(field: str, text: str, remedy: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(field, text, "it is not an instant", f"give {remedy}") from None
    if instant.tzinfo is None:
        raise _wrong(field, text, "it has no zone", f"give {remedy}")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise _wrong(field, text, "it is beyond the calendar", f"give {remedy}") from None


def _wrong(field: str, value: str | None, message: str, remedy: str) -> ProblemError:
    return _refused(422, "the instant is not valid", field, value or "", message, remedy)


def _refused(status: int, title: str, field: str, value: str, message: str, remedy: str) -> ProblemError:
    shown = value[:80]
    problem = FieldProblem(field=field, value=shown, message=message, remedy=remedy)
    return ProblemError(status, title, f"{field} {shown!r}: {message}; {remedy}", errors=(problem,))


def _shown(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
