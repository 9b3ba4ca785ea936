"""Jobs as the API shows them, now and then, and pages of them."""

import base64
import binascii
from datetime import datetime

from litestar import Response
from msgspec import Struct

from dcron_core.http.problems import ProblemError
from dcron_core.schedule import describe, timetable_of
from dcron_schemas.api import FieldProblem, Job, JobList
from dcron_schemas.audit import JobThen
from dcron_schemas.state import JobEntry

MOST_PER_PAGE = 500


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
        next_tick=_next_tick(entry, now),
        schedule_text=describe(entry.spec),
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


def _next_tick(entry: JobEntry, now: datetime) -> datetime | None:
    try:
        timetable = timetable_of(entry.spec, entry.anchor, entry.job_id)
    except (ValueError, KeyError):  # written by another release, or by hand: shown, without a next tick
        return None
    return timetable.next_after(max(now, entry.anchor)) if timetable else None


class Page(Struct, frozen=True):
    """Some of the jobs that match, by namespace and name."""

    entries: list[JobEntry]
    total: int  # that match, over all pages
    next_cursor: str | None


def page_of(entries: list[JobEntry], *, namespace: str, name: str, text: str = "", cursor: str, limit: int) -> Page:
    """Return one page of the jobs that match. `entries` are ordered by namespace and name, and so is the page."""
    if not 1 <= limit <= MOST_PER_PAGE:
        raise bad_parameter("limit", str(limit), f"a number from 1 to {MOST_PER_PAGE}")
    after = _decode_cursor(cursor) if cursor else ("", "")
    found = [entry for entry in entries if matches(entry, namespace, name, text.lower())]
    rest = [entry for entry in found if (entry.spec.namespace, entry.spec.name) > after]
    page = rest[:limit]
    return Page(page, len(found), _encode_cursor(page[-1]) if len(rest) > limit else None)


def job_list(page: Page, now: datetime) -> JobList:
    """Return a page of the jobs as they are."""
    jobs = tuple(job_view(entry, now) for entry in page.entries)
    return JobList(jobs=jobs, total=page.total, next_cursor=page.next_cursor)


def matches(entry: JobEntry, namespace: str, name: str, text: str) -> bool:
    """Say whether a job is in the namespace, has the name, and holds the text, in lower case; empty: any."""
    spec = entry.spec
    if (namespace and spec.namespace != namespace) or (name and spec.name != name):
        return False
    return not text or any(text in part.lower() for part in (spec.name, spec.description, spec.owner, *spec.tags))


def _encode_cursor(entry: JobEntry) -> str:
    return base64.urlsafe_b64encode(f"{entry.spec.namespace}\n{entry.spec.name}".encode()).decode()


def _decode_cursor(cursor: str) -> tuple[str, str]:
    try:
        namespace, name = base64.urlsafe_b64decode(cursor.encode()).decode().split("\n")
    except (binascii.Error, ValueError):
        raise bad_parameter("cursor", cursor, "the next_cursor of the page before") from None
    return namespace, name


def bad_parameter(field: str, value: str, right: str) -> ProblemError:
    """Return the 400 that says which parameter is wrong and what would be right."""
    problem = FieldProblem(field=field, value=value[:80], message="is not valid", remedy=f"give {right}")
    return ProblemError(400, "the request is not valid", f"{field} {value[:80]!r}: give {right}", errors=(problem,))
