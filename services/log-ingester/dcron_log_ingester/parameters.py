"""What a request asks for, from its query parameters; each error names the parameter, its value and the remedy."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from dcron_core.durations import parse_duration
from dcron_core.errors import UnavailableError
from dcron_core.history import History
from dcron_core.http.problems import ProblemError
from dcron_log_ingester.cursors import Cursor, parse_cursor
from dcron_schemas.api import FieldProblem

UUID_FORM = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
MOST_SAME_NAME = 20  # namespaces that have a job of one name


def bad(field: str, value: str, message: str, remedy: str, *, status: int = 400) -> ProblemError:
    """Return the refusal of a parameter."""
    return ProblemError(
        status,
        "the request is not valid",
        f"{field} {value[:80]!r} is {message}; {remedy}",
        errors=(FieldProblem(field=field, value=value[:80], message=message, remedy=remedy),),
    )


def instant_of(field: str, text: str | None) -> datetime | None:
    """Return an instant in UTC; raise ProblemError for what is none, or has no zone."""
    if text is None:
        return None
    remedy = "write it like 2026-03-01T12:00:00Z, with a zone"
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))  # a + in a URL is a space
    except ValueError:
        raise bad(field, text, "not an instant", remedy) from None
    if instant.tzinfo is None:
        raise bad(field, text, "without a zone", remedy)
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise bad(field, text, "beyond the calendar", remedy) from None


def span_of(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Return `start` and `end`; raise ProblemError unless the one is before the other."""
    first, last = instant_of("start", start), instant_of("end", end)
    if first is not None and last is not None and first >= last:
        raise bad("end", end or "", "not after start", f"an instant after {first.isoformat()}")
    return first, last


def duration_of(field: str, text: str | None) -> timedelta | None:
    """Return a duration; raise ProblemError for what is none."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError:
        raise bad(field, text, "not a duration", "digits and units, such as 90s, 5m or 1h30m") from None


def milliseconds_of(field: str, text: str | None) -> int | None:
    """Return a duration in milliseconds."""
    duration = duration_of(field, text)
    return None if duration is None else duration // timedelta(milliseconds=1)


def cursor_of(text: str | None) -> Cursor | None:
    """Return a cursor; raise ProblemError for what is none."""
    if text is None:
        return None
    try:
        return parse_cursor(text)
    except ValueError:
        raise bad(
            "cursor", text, "not a cursor", "next_cursor of the page before, or none for the first page"
        ) from None


def without_zero(field: str, text: str | None) -> str | None:
    """Return a text; raise ProblemError for one that no output can hold."""
    if text is not None and "\0" in text:
        raise bad(field, text, "holding a zero character", "write text without it")
    return text


def job_ids_of(
    history: History, shown: frozenset[str] | None, *, job_id: str | None, job: str | None, namespace: str | None
) -> tuple[str, ...]:
    """Return the jobs meant: by `job_id`, or by `job`, an id or a name; empty: any.

    Names are looked for in the namespaces `shown` (None: all). A name means the job that has it, in each namespace if
    none is named; where none has it, the last one that had.
    """
    if job_id is not None and job is not None:
        raise bad("job", job, "one too many beside job_id", "give one of the two")
    if job is None:
        return () if job_id is None else (job_id,)
    if UUID_FORM.match(job):  # of whose runs there may be some, however long ago it was deleted
        return (job,)
    if not history.caught_up.is_set():
        raise UnavailableError("the log's history is still being read, so names are not known yet; job_id works")
    found = _named(history, job, namespace, shown)
    if not found:
        raise bad("job", job, "not the id or name of a job", "`dcron job ls` lists those there are", status=404)
    if len(found) > MOST_SAME_NAME:
        raise bad("job", job, f"a name in {len(found)} namespaces", "say which with namespace")
    return tuple(found)


def _named(history: History, job: str, namespace: str | None, shown: frozenset[str] | None) -> Sequence[str]:
    if namespace is not None:
        entry = history.table.named(namespace, job)
        standing = [] if entry is None else [entry]
    else:
        standing = [entry for entry in history.table.entries() if entry.spec.name == job]
    found = {entry.spec.namespace: entry.job_id for entry in standing}
    for gone in history.deleted(namespace or "", job):
        found.setdefault(gone.namespace, gone.job_id)
    return [job_id for where, job_id in found.items() if shown is None or where in shown]
