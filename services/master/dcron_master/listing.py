"""Which jobs a list shows, in which order, and by what they can be chosen (pure)."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

from msgspec import Struct

from dcron_core.http.problems import ProblemError
from dcron_schemas.api import FieldProblem, JobFacet, JobFacets
from dcron_schemas.state import JobEntry

MOST_PER_PAGE = 500
MOST_FACETS = 500
Sort = Literal["name", "-name", "next_tick", "-next_tick", "updated_at", "-updated_at"]
State = Literal["", "enabled", "paused"]
SORTS: tuple[str, ...] = get_args(Sort)

_LAST = "\uffff"  # after every instant: what has none comes last, in either order


class Wanted(Struct, frozen=True, kw_only=True):
    """Which jobs; what is empty chooses nothing out."""

    namespace: str = ""
    name: str = ""
    text: str = ""  # in the name, the description, the owner or a tag, in whatever case
    tags: tuple[str, ...] = ()  # all of them
    state: State = ""

    def has(self, entry: JobEntry) -> bool:
        spec = entry.spec
        if (self.namespace and spec.namespace != self.namespace) or (self.name and spec.name != self.name):
            return False
        if self.state and spec.enabled is (self.state == "paused"):
            return False
        if not set(self.tags) <= set(spec.tags):
            return False
        text = self.text.lower()
        return not text or any(text in part.lower() for part in (spec.name, spec.description, spec.owner, *spec.tags))


class Page(Struct, frozen=True):
    """Some of the jobs that match."""

    entries: list[JobEntry]
    total: int  # that match, over all pages
    next_cursor: str | None


Key = tuple[str, str, str]  # what is sorted by, then namespace and name


def page_of(
    entries: Iterable[JobEntry],
    wanted: Wanted,
    *,
    cursor: str,
    limit: int,
    sort: Sort = "name",
    of: Callable[[JobEntry], str | None] = lambda _: "",
) -> Page:
    """Return one page of the jobs that match, by `of` them, then by namespace and name.

    A cursor names the last job of its page by what it was sorted by, so that pages stay right while jobs come
    and go. Where `of` gives None the job comes last.
    """
    if not 1 <= limit <= MOST_PER_PAGE:
        raise bad_parameter("limit", str(limit), f"a number from 1 to {MOST_PER_PAGE}")
    backward = sort.startswith("-")

    def key(entry: JobEntry) -> Key:
        value = of(entry)
        missing = "" if backward else _LAST
        return (missing if value is None else value, entry.spec.namespace, entry.spec.name)

    found = sorted(((key(entry), entry) for entry in entries if wanted.has(entry)), key=_first, reverse=backward)
    after = _decode(cursor, sort) if cursor else None
    rest = found if after is None else [each for each in found if (each[0] < after if backward else each[0] > after)]
    page = rest[:limit]
    following = _encode(sort, page[-1][0]) if len(rest) > limit else None
    return Page([entry for _, entry in page], len(found), following)


def facets_of(entries: Sequence[JobEntry]) -> JobFacets:
    """Return the namespaces, tags and states that jobs have, and how many have each."""
    return JobFacets(
        namespaces=_counted(entry.spec.namespace for entry in entries),
        tags=_counted(tag for entry in entries for tag in dict.fromkeys(entry.spec.tags)),
        states=_counted("enabled" if entry.spec.enabled else "paused" for entry in entries),
    )


def bad_parameter(field: str, value: str, right: str) -> ProblemError:
    """Return the 400 that says which parameter is wrong and what would be right."""
    problem = FieldProblem(field=field, value=value[:80], message="is not valid", remedy=f"give {right}")
    return ProblemError(400, "the request is not valid", f"{field} {value[:80]!r}: give {right}", errors=(problem,))


def _first(pair: tuple[Key, JobEntry]) -> Key:
    return pair[0]


def _counted(values: Iterable[str]) -> tuple[JobFacet, ...]:
    """Return the values with the most jobs, by name."""
    most = Counter(values).most_common(MOST_FACETS)
    return tuple(JobFacet(value=value, jobs=jobs) for value, jobs in sorted(most))


def _encode(sort: Sort, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([sort, *key]).encode()).decode()


def _decode(cursor: str, sort: Sort) -> Key:
    try:
        sorted_by, value, namespace, name = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError, TypeError):
        sorted_by = value = namespace = name = None
    if sorted_by != sort or not all(isinstance(part, str) for part in (value, namespace, name)):
        raise bad_parameter("cursor", cursor, "the next_cursor of the page before, with the same sort")
    return value, namespace, name
