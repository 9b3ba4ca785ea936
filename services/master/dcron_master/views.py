"""Jobs as the API shows them, now and then."""

from datetime import datetime

from litestar import Response

from dcron_core.schedule import describe
from dcron_core.schedule.words import schedule_words
from dcron_master.listing import Page
from dcron_master.next_ticks import next_tick
from dcron_schemas.api import Job, JobList
from dcron_schemas.audit import JobThen
from dcron_schemas.state import JobEntry


def job_view(entry: JobEntry, now: datetime) -> Job:
    """Return the job with its next tick."""
    return Job(
        job_id=entry.job_id,
        version=entry.version,
        spec=entry.spec,
        anchor=entry.anchor,
        position=entry.position,
        created_at=entry.created_at,
        updated_at=entry.updated_at,
        updated_by=entry.updated_by,
        next_tick=next_tick(entry, now),
        schedule_text=describe(entry.spec),
        schedule_words=_words(entry),
    )


def job_response(entry: JobEntry, now: datetime, status: int) -> Response[Job]:
    """Return the answer that shows the job; its version is the ETag."""
    return Response(job_view(entry, now), status_code=status, headers={"ETag": f'"{entry.version}"'})


def job_then(entry: JobEntry) -> JobThen:
    """Return the job as it stood once."""
    return JobThen(
        job_id=entry.job_id,
        version=entry.version,
        spec=entry.spec,
        anchor=entry.anchor,
        position=entry.position,
        created_at=entry.created_at,
        updated_at=entry.updated_at,
        updated_by=entry.updated_by,
        schedule_text=describe(entry.spec),
    )


def job_list(page: Page, now: datetime) -> JobList:
    """Return a page of the jobs as they are."""
    jobs = tuple(job_view(entry, now) for entry in page.entries)
    return JobList(jobs=jobs, total=page.total, next_cursor=page.next_cursor)


def _words(entry: JobEntry) -> str:
    try:
        return schedule_words(entry.spec, entry.job_id)
    except (ValueError, KeyError):  # written by another release, or by hand
        return ""
