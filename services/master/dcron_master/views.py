"""Jobs as the API shows them, and pages of them."""

import base64
import binascii
from datetime import datetime

from dcron_core.http.problems import ProblemError
from dcron_core.schedule import describe, timetable_of
from dcron_schemas.api import FieldProblem, Job, JobList
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


def _next_tick(entry: JobEntry, now: datetime) -> datetime | None:
    try:
        timetable = timetable_of(entry.spec, entry.anchor, entry.job_id)
    except (ValueError, KeyError):  # written by another release, or by hand: shown, without a next tick
        return None
    return timetable.next_after(max(now, entry.anchor)) if timetable else None


def job_page(
    entries: list[JobEntry], now: datetime, *, namespace: str, name: str, text: str, cursor: str, limit: int
) -> JobList:
    """Return one page of the jobs that match. `entries` are ordered by namespace and name, and so is the page."""
    if not 1 <= limit <= MOST_PER_PAGE:
        raise bad_parameter("limit", str(limit), f"a number from 1 to {MOST_PER_PAGE}")
    after = _decode_cursor(cursor) if cursor else ("", "")
    found = [entry for entry in entries if _matches(entry, namespace, name, text.lower())]
    rest = [entry for entry in found if (entry.spec.namespace, entry.spec.name) > after]
    page = rest[:limit]
    following = _encode_cursor(page[-1]) if len(rest) > limit else None
    return JobList(jobs=tuple(job_view(entry, now) for entry in page), total=len(found), next_cursor=following)


def _matches(entry: JobEntry, namespace: str, name: str, text: str) -> bool:
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
