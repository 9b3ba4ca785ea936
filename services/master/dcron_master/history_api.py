"""The HTTP API for the versions of jobs: their history, and the way back to one of them."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.clock import Clock
from dcron_core.errors import NotPossibleError
from dcron_core.history import History, definition_in
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.http.problems import parse_uuid
from dcron_master.asking import Asking
from dcron_master.edits import Reversion
from dcron_master.sight import Sight
from dcron_master.views import job_response
from dcron_schemas.api import Job
from dcron_schemas.audit import DeletedJobList, JobHistory, JobVersion, Revert
from dcron_schemas.events import JobRestored


class HistoryController(Controller):
    """Versions of jobs, read from the log; each answer holds every command that was acknowledged before."""

    path = "/api/v1/jobs"
    tags = ("history",)

    @get("/deleted", opt=ruled(IN_NAMESPACE("viewer")))
    async def deleted_jobs(
        self,
        request: Request[Any, Any, Any],
        history: NamedDependency[History],
        sight: NamedDependency[Sight],
        namespace: FromQuery[str] = "",
        name: FromQuery[str] = "",
    ) -> DeletedJobList:
        """List the jobs that were deleted and do not stand again, the last one first."""
        refuse_unknown_parameters(request, ("namespace", "name"))
        await history.at_end()
        return DeletedJobList(jobs=tuple(sight.deleted(namespace, name)))

    @get("/{job_id:str}/history", opt=ruled(IN_NAMESPACE("viewer")))
    async def job_history(
        self, job_id: FromPath[str], history: NamedDependency[History], sight: NamedDependency[Sight]
    ) -> JobHistory:
        """Show every version of a job, who made it, when, and what changed field by field; also of a deleted one."""
        job_id = parse_uuid("job_id", job_id)
        await history.at_end()
        return await sight.of_job(job_id)

    @post("/{job_id:str}/revert", status_code=200, opt=ruled(IN_NAMESPACE("editor")))
    async def revert_job(
        self,
        job_id: FromPath[str],
        data: JSONBody[Revert],
        history: NamedDependency[History],
        sight: NamedDependency[Sight],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Give a job the definition of an earlier version, as a new version.

        Without `If-Match` it is meant for the version at the log's end.
        """
        job_id = parse_uuid("job_id", job_id)
        await history.at_end()
        spec = definition_in(job_id, (await sight.of_job(job_id)).versions, data.version)
        return job_response(await asking.change(job_id, Reversion(spec, data.version)), clock.now(), 200)

    @post("/{job_id:str}/restore", status_code=200, opt=ruled(IN_NAMESPACE("editor")))
    async def restore_job(
        self,
        job_id: FromPath[str],
        history: NamedDependency[History],
        sight: NamedDependency[Sight],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Let a deleted job stand again, under its id, with its last definition; its versions go on."""
        job_id = parse_uuid("job_id", job_id)
        seen = await history.at_end()
        deleted = _last_deletion(await sight.of_job(job_id), seen)
        return job_response(await asking.change(job_id, deleted), clock.now(), 200)


def _last_deletion(history: JobHistory, seen: int) -> JobRestored:
    """Return what brings the job back from its last deletion, also when that was done already: it may be repeated."""
    before: JobVersion | None = None
    restored: JobRestored | None = None
    for version in history.versions:
        if version.spec is None:
            assert before is not None
            assert before.spec is not None
            restored = JobRestored(before.spec, version.version + 1, seen)
        before = version
    if restored is None:
        raise NotPossibleError(f"job {history.name!r} stands, and never was deleted; only a deleted job is restored")
    return restored
