"""The HTTP API for the whole crontab as it was: state, difference, and the way back.

Each answer holds every command that was acknowledged before the request.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter

from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.clock import Clock
from dcron_core.errors import WrongInstantError
from dcron_core.history import History
from dcron_core.http.parameters import parse_instant, refuse_unknown_parameters
from dcron_core.http.problems import ProblemError, parse_uuid
from dcron_core.jobs.table import JobTable
from dcron_master.asking import Asking
from dcron_master.comparison import compared
from dcron_master.listing import Wanted, page_of
from dcron_master.restore import ordered, planned
from dcron_master.restorer import Restorer
from dcron_master.sight import Sight
from dcron_master.views import job_then
from dcron_schemas.api import FieldProblem
from dcron_schemas.audit import Crontab, CrontabDifference, Restore, RestorePlan, RestoreResult, RestoreStep

From = Annotated[str, QueryParameter(name="from", description="an instant with a zone")]
To = Annotated[str, QueryParameter(name="to", description="an instant with a zone; none: now")]
At = Annotated[str, QueryParameter(description="an instant with a zone")]
JobIds = Annotated[list[str] | None, QueryParameter(name="job_id", description="repeatable; none: all jobs")]


class AuditController(Controller):
    """The crontab as of any instant, read from the log."""

    path = "/api/v1/audit"
    tags = ("audit",)

    @get("/state", opt=ruled(IN_NAMESPACE("viewer")))
    async def state(
        self,
        request: Request[Any, Any, Any],
        history: NamedDependency[History],
        sight: NamedDependency[Sight],
        clock: NamedDependency[Clock],
        at: At,
        namespace: FromQuery[str] = "",
        name: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        limit: FromQuery[int] = 100,
    ) -> Crontab:
        """Show the jobs as they stood at an instant, by namespace and name."""
        refuse_unknown_parameters(request, ("at", "namespace", "name", "cursor", "limit"))
        instant = parse_instant("at", at)
        await history.at_end()
        position = _position(history, "at", instant, clock.now())
        table = sight.table(await history.table_at(position), namespace)
        page = page_of(table.entries(), Wanted(namespace=namespace, name=name), cursor=cursor, limit=limit)
        jobs = tuple(job_then(entry) for entry in page.entries)
        return Crontab(at=instant, position=position, jobs=jobs, total=page.total, next_cursor=page.next_cursor)

    @get("/diff", opt=ruled(IN_NAMESPACE("viewer")))
    async def diff(
        self,
        request: Request[Any, Any, Any],
        history: NamedDependency[History],
        sight: NamedDependency[Sight],
        clock: NamedDependency[Clock],
        from_: From,
        to: To = "",
    ) -> CrontabDifference:
        """Show what is other in the crontab at one instant than at an earlier one, job by job and field by field."""
        refuse_unknown_parameters(request, ("from", "to"))
        start = parse_instant("from", from_)
        end = parse_instant("to", to) if to else None
        last = await history.at_end()
        now = clock.now()
        before = min(last, _position(history, "from", start, now))
        after = last if end is None else min(last, _position(history, "to", end, now))
        if end is not None and end < start:
            raise WrongInstantError(f"from: {start.isoformat()} is after to, {end.isoformat()}; exchange them")
        earlier, later = await _tables(history, before, after)
        jobs = compared(sight.table(earlier), sight.table(later))
        return CrontabDifference(from_position=before, to_position=after, jobs=jobs)

    @get("/restore", opt=ruled(IN_NAMESPACE("viewer")))
    async def restore_plan(
        self,
        request: Request[Any, Any, Any],
        history: NamedDependency[History],
        sight: NamedDependency[Sight],
        clock: NamedDependency[Clock],
        at: At,
        job_id: JobIds = None,
    ) -> RestorePlan:
        """Plan what brings the jobs back to how they stood at an instant. Nothing is done."""
        refuse_unknown_parameters(request, ("at", "job_id"))
        instant = parse_instant("at", at)
        job_ids = [parse_uuid("job_id", each) for each in job_id or ()]
        planned_at = await history.at_end()
        await sight.require_known(job_ids)  # one that is not would be left out without a word
        position = min(planned_at, _position(history, "at", instant, clock.now()))
        then, now = sight.both(*await _tables(history, position, planned_at))
        return RestorePlan(at=instant, position=position, planned_at=planned_at, steps=planned(then, now, job_ids))

    @post("/restore", status_code=200, opt=ruled(IN_NAMESPACE("editor")))
    async def restore(
        self,
        data: JSONBody[Restore],
        history: NamedDependency[History],
        sight: NamedDependency[Sight],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> RestoreResult:
        """Do what the plan made at `planned_at` says; a job that has changed since then is left alone, and named."""
        job_ids = [parse_uuid("job_ids", each) for each in data.job_ids]
        end = await history.at_end()
        if not 0 <= data.planned_at <= end:
            raise _no_such_plan(data.planned_at, end)
        await sight.require_known(job_ids)  # one that is not would be left out without a word
        position = min(data.planned_at, _position(history, "at", data.at, clock.now()))
        then, now = sight.both(*await _tables(history, position, data.planned_at))
        steps = planned(then, now, job_ids)  # before anything is awaited: `now` may be a table that goes on
        _require_editor(sight, steps, then, now)
        restorer = Restorer(asking, then, ordered(steps, now, then), data.planned_at, history.deleted(), end)
        return await restorer.carry_out(steps)


def _position(history: History, parameter: str, instant: datetime, now: datetime) -> int:
    try:
        return history.position_at(instant, now)
    except WrongInstantError as error:
        raise WrongInstantError(f"{parameter}: {error}") from None


async def _tables(history: History, earlier: int, later: int) -> tuple[JobTable, JobTable]:
    """Return the jobs at two positions. The earlier one is read first: a table of now goes on while the log is read."""
    return await history.table_at(earlier), await history.table_at(later)


def _require_editor(sight: Sight, steps: Sequence[RestoreStep], then: JobTable, now: JobTable) -> None:
    """Raise ForbiddenError unless the asker may edit in each namespace that a step takes a job out of, or brings it to.

    All of the plan or nothing: who may do a part of it names those jobs.
    """
    entries = (table.get(step.job_id) for step in steps for table in (then, now))
    for namespace in sorted({entry.spec.namespace for entry in entries if entry is not None}):
        sight.principal.require("editor", namespace)


def _no_such_plan(planned_at: int, end: int) -> ProblemError:
    problem = FieldProblem(
        field="planned_at",
        value=str(planned_at),
        message="is not a position of the log",
        remedy=f"take it from the plan; the log ends at {end}",
    )
    return ProblemError(
        422, "the plan is not valid", f"planned_at {planned_at} is not a position of the log", errors=(problem,)
    )
