"""The HTTP API of the master for jobs as they are, under `/api/v1`."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from dcron_core.access.rules import ANYBODY_LOGGED_IN, IN_NAMESPACE, ruled
from dcron_core.clock import Clock
from dcron_core.http.problems import ProblemError, parse_uuid
from dcron_core.ids import IdSource
from dcron_core.jobs.changes import RunAsked
from dcron_core.jobs.fold import Applied, Rejected
from dcron_core.jobs.validation import parse_job, parse_patch
from dcron_master.asking import Asking, JobBody, PatchBody
from dcron_master.commands import Commands
from dcron_master.dependency_graph import graph_of
from dcron_master.edits import Patch, Replacement
from dcron_master.listing import Sort, State, Wanted, facets_of, page_of
from dcron_master.next_ticks import NextTicks
from dcron_master.sight import Sight
from dcron_master.views import job_list, job_response
from dcron_master.workers_api import Workers
from dcron_schemas.api import CommandOutcome, DependencyGraph, Info, Job, JobFacets, JobList, RunAccepted
from dcron_schemas.events import (
    JobCreated,
    JobDeleted,
    JobPaused,
    JobResumed,
    KillRequested,
    RunRequested,
)
from dcron_schemas.state import JobEntry

Tags = Annotated[list[str] | None, QueryParameter(description="repeatable; jobs that have all of them")]
JobState = Annotated[State, QueryParameter(name="state", description="empty: either")]


class JobController(Controller):
    """Jobs: read from this master's fold, changed through the log."""

    path = "/api/v1/jobs"
    tags = ("jobs",)

    @get(opt=ruled(IN_NAMESPACE("viewer")))
    async def list_jobs(
        self,
        sight: NamedDependency[Sight],
        clock: NamedDependency[Clock],
        next_ticks: NamedDependency[NextTicks],
        namespace: FromQuery[str] = "",
        name: FromQuery[str] = "",
        q: FromQuery[str] = "",
        tag: Tags = None,
        job_state: JobState = "",
        sort: FromQuery[Sort] = "name",
        cursor: FromQuery[str] = "",
        limit: FromQuery[int] = 100,
    ) -> JobList:
        """List jobs; `q` searches names, descriptions, owners and tags, `sort` with a minus goes backward."""
        entries, now = sight.entries(namespace), clock.now()
        wanted = Wanted(namespace=namespace, name=name, text=q, tags=tuple(tag or ()), state=job_state)
        of: Callable[[JobEntry], str | None] = _nothing
        if sort in {"next_tick", "-next_tick"}:
            ticks = await next_ticks.of_all(entries, now, whole=sight.sees_all and not namespace)
            of = lambda entry: _sortable(ticks[entry.job_id])  # noqa: E731
        elif sort in {"updated_at", "-updated_at"}:
            of = lambda entry: _sortable(entry.updated_at)  # noqa: E731
        return job_list(page_of(entries, wanted, cursor=cursor, limit=limit, sort=sort, of=of), now)

    @get("/facets", opt=ruled(IN_NAMESPACE("viewer")), sync_to_thread=False)
    def job_facets(self, sight: NamedDependency[Sight]) -> JobFacets:
        """Tell by which namespaces, tags and states jobs can be chosen, and how many there are of each."""
        return facets_of(sight.entries())

    @post(operation_class=JobBody, opt=ruled(IN_NAMESPACE("editor")))
    async def create_job(
        self,
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
        ids: NamedDependency[IdSource],
    ) -> Response[Job]:
        """Create a job."""
        job = await asking.change(ids.uuid7(clock.now()), JobCreated(parse_job(asking.body)))
        return job_response(job, clock.now(), 201)

    @get("/{job_id:str}", opt=ruled(IN_NAMESPACE("viewer")))
    async def show_job(
        self, job_id: FromPath[str], sight: NamedDependency[Sight], clock: NamedDependency[Clock]
    ) -> Response[Job]:
        """Show a job; its version is the ETag."""
        return job_response(sight.entry(job_id), clock.now(), 200)

    @get("/{job_id:str}/dependencies", opt=ruled(IN_NAMESPACE("viewer")), sync_to_thread=False)
    def job_dependencies(self, job_id: FromPath[str], sight: NamedDependency[Sight]) -> DependencyGraph:
        """Show the jobs that this one hangs together with: what comes before and after it, over any number of steps."""
        return graph_of(sight.entries(), sight.entry(job_id))

    @put("/{job_id:str}", operation_class=JobBody, opt=ruled(IN_NAMESPACE("editor")))
    async def update_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Replace a job's definition. `If-Match` is required: a rival edit must not be lost."""
        if not asking.if_match:
            raise ProblemError(
                428, "which version is meant?", 'send If-Match with the ETag of the job you looked at, such as "3"'
            )
        job = await asking.change(parse_uuid("job_id", job_id), Replacement(parse_job(asking.body)))
        return job_response(job, clock.now(), 200)

    @patch("/{job_id:str}", operation_class=PatchBody, opt=ruled(IN_NAMESPACE("editor")))
    async def patch_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Change some fields of a definition: a JSON merge patch (RFC 7396); null takes a field back to its default.

        Without `If-Match` it is meant for the version at the log's end.
        """
        job = await asking.change(parse_uuid("job_id", job_id), Patch(parse_patch(asking.body)))
        return job_response(job, clock.now(), 200)

    @delete("/{job_id:str}", status_code=204, opt=ruled(IN_NAMESPACE("editor")))
    async def delete_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
    ) -> None:
        """Delete a job. Its history stays in the log, its runs in the store."""
        await asking.execute(parse_uuid("job_id", job_id), JobDeleted())

    @post("/{job_id:str}/run", status_code=202, opt=ruled(IN_NAMESPACE("operator")))
    async def run_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        sight: NamedDependency[Sight],
        workers: NamedDependency[Workers],
    ) -> RunAccepted:
        """Run a job once now, outside its ticks; a job on every worker on each that matches and claims now."""
        job_id = parse_uuid("job_id", job_id)
        entry = sight.found(job_id)
        on_every = entry is not None and entry.spec.placement.workers == "every"
        asked = RunRequested(workers.matching(entry.spec.placement.labels) if entry and on_every else ())
        applied = await asking.execute(job_id, asked)
        assert applied.execution_id is not None
        runs = tuple(change.run.execution_id for change in applied.changes if isinstance(change, RunAsked))
        return RunAccepted(execution_id=applied.execution_id, job_id=job_id, execution_ids=runs)

    @post("/{job_id:str}/pause", status_code=200, opt=ruled(IN_NAMESPACE("operator")))
    async def pause_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Stop a job's ticks until it is resumed."""
        return job_response(await asking.change(parse_uuid("job_id", job_id), JobPaused()), clock.now(), 200)

    @post("/{job_id:str}/resume", status_code=200, opt=ruled(IN_NAMESPACE("operator")))
    async def resume_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Let a job have ticks again, from now on."""
        return job_response(await asking.change(parse_uuid("job_id", job_id), JobResumed()), clock.now(), 200)

    @post("/{job_id:str}/executions/{execution_id:str}/kill", status_code=202, opt=ruled(IN_NAMESPACE("operator")))
    async def kill_execution(
        self,
        job_id: FromPath[str],
        execution_id: FromPath[str],
        asking: NamedDependency[Asking],
    ) -> RunAccepted:
        """End a run: SIGTERM to its whole process group, SIGKILL after the job's kill_grace."""
        await asking.execute(parse_uuid("job_id", job_id), KillRequested(execution_id))
        return RunAccepted(execution_id=execution_id, job_id=job_id)


@get("/api/v1/commands/{event_id:uuid}", tags=["jobs"], opt=ruled(IN_NAMESPACE("viewer")))
async def command_outcome(
    event_id: FromPath[UUID], commands: NamedDependency[Commands], sight: NamedDependency[Sight]
) -> CommandOutcome:
    """Tell what became of a command whose answer was in doubt."""
    known = await commands.outcome_of(str(event_id))
    if known is None or not sight.sees(known):
        detail = "not in the part of the log that this master has folded, or not among its last 10,000 events"
        return CommandOutcome(event_id=str(event_id), outcome="unknown", detail=detail)
    job_id = known.event.job_id
    if isinstance(known.outcome, Applied):
        execution_id = known.outcome.execution_id or ""
        return CommandOutcome(event_id=str(event_id), outcome="applied", job_id=job_id, execution_id=execution_id)
    detail = str(known.outcome.error) if isinstance(known.outcome, Rejected) else ""
    return CommandOutcome(event_id=str(event_id), outcome="rejected", detail=detail, job_id=job_id)


@get("/api/v1/info", tags=["operations"], opt=ruled(ANYBODY_LOGGED_IN), sync_to_thread=False)
def info(service_info: NamedDependency[Info]) -> Info:
    """Tell a client what it needs to find its way."""
    return service_info


def _nothing(_: JobEntry) -> str:
    return ""


def _sortable(instant: datetime | None) -> str | None:
    """Return an instant as text of which the later one is the greater one."""
    return None if instant is None else instant.astimezone(UTC).isoformat(timespec="microseconds")
