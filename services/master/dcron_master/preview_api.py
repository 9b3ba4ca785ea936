"""`POST /api/v1/jobs/preview`: what a schedule comes to, before it is saved. Reads, and changes nothing."""

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromQuery

from dcron_core.access.rules import ANYBODY_LOGGED_IN, ruled
from dcron_core.clock import Clock
from dcron_core.http.problems import parse_uuid
from dcron_core.ids import IdSource
from dcron_core.jobs.fold import is_rescheduled
from dcron_core.jobs.validation import parse_draft
from dcron_core.schedule.preview import MOST_TICKS, preview
from dcron_master.asking import JobBody
from dcron_master.listing import bad_parameter
from dcron_master.sight import Sight
from dcron_schemas.api import Preview


@post("/api/v1/jobs/preview", status_code=200, tags=["jobs"], operation_class=JobBody, opt=ruled(ANYBODY_LOGGED_IN))
async def preview_job(
    request: Request[Any, Any, Any],
    sight: NamedDependency[Sight],
    clock: NamedDependency[Clock],
    ids: NamedDependency[IdSource],
    count: FromQuery[int] = 10,
    job_id: FromQuery[str] = "",
) -> Preview:
    """Say a schedule in words, with its next ticks and the nights on which the clock changes.

    The body is a job, of which `name` and `run` may be left out. With `job_id`, the ticks are those that this job
    would have after the edit; without, those of a job created now.
    """
    if not 1 <= count <= MOST_TICKS:
        raise bad_parameter("count", str(count), f"a number from 1 to {MOST_TICKS}")
    spec, now = parse_draft(await request.body()), clock.now()
    if not job_id:
        return preview(spec, now, now, count, ids.uuid7(now))
    job = sight.found_by_now(parse_uuid("job_id", job_id))
    anchor = now if job is None or is_rescheduled(job.spec, spec) else job.anchor
    return preview(spec, anchor, now, count, job_id)
