"""Which jobs come after which (`after`): an index for those who end runs, and the rules kept when a job is saved.

A job comes after others of its own namespace, by name. Saved is only what can work: the names are there, no
chain comes back to its beginning, and no job has so many after it that its end would not fit into one
transaction. Two masters that save rival edits at the same time can get past that; of two that close a circle together
the fold refuses the second, and checks nothing else of it.
"""

from collections.abc import Iterable

from dcron_core.errors import InvalidJobError
from dcron_core.jobs.table import JobTable
from dcron_schemas.api import FieldProblem
from dcron_schemas.events import EventData, JobCreated, JobDeleted, JobRestored, JobReverted, JobUpdated
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry

MOST_DEPENDANTS = 40  # of one job; etcd takes 128 operations in a transaction
MOST_AFTER = 40  # jobs that one job comes after


class Dependants:
    """Job name → the jobs that come after it."""

    def __init__(self, entries: Iterable[JobEntry] = ()) -> None:
        self._after: dict[str, JobEntry] = {}
        self._of: dict[tuple[str, str], set[str]] = {}
        for entry in entries:
            self.stands(entry)

    def stands(self, entry: JobEntry) -> None:
        """Take in a job as it is now."""
        self.gone(entry.job_id)
        if entry.spec.after:
            self._after[entry.job_id] = entry
            for after in entry.spec.after:
                self._of.setdefault((entry.spec.namespace, after.job), set()).add(entry.job_id)

    def gone(self, job_id: str) -> None:
        """Forget a job."""
        former = self._after.pop(job_id, None)
        for after in former.spec.after if former else ():
            assert former is not None
            key = (former.spec.namespace, after.job)
            self._of[key].discard(job_id)
            if not self._of[key]:
                del self._of[key]

    def of(self, namespace: str, name: str) -> list[JobEntry]:
        """Return the jobs that come after that one, at most MOST_DEPENDANTS, the same ones for everybody."""
        return [self._after[job_id] for job_id in sorted(self._of.get((namespace, name), ()))[:MOST_DEPENDANTS]]


def check_dependencies(table: JobTable, job_id: str, data: EventData) -> None:
    """Raise InvalidJobError if what the event saves, or takes away, would leave a dependency that cannot work."""
    former = table.get(job_id)
    if isinstance(data, JobDeleted):
        if former is not None:
            _require_nobody_after(table, former, "deleted")
        return
    if not isinstance(data, JobCreated | JobUpdated | JobReverted | JobRestored):
        return
    spec = data.spec
    if former is not None and (former.spec.namespace, former.spec.name) != (spec.namespace, spec.name):
        _require_nobody_after(table, former, "renamed")
    problems = [problem for place in range(len(spec.after)) if (problem := _problem(table, job_id, spec, place))]
    if problems:
        raise InvalidJobError(problems)


def _require_nobody_after(table: JobTable, job: JobEntry, what: str) -> None:
    waiting = _after(table, job.spec.namespace, job.spec.name, job.job_id)
    if waiting:
        names = ", ".join(entry.spec.name for entry in waiting[:3]) + (", …" if len(waiting) > 3 else "")
        raise InvalidJobError(
            [
                FieldProblem(
                    field="name",
                    message=f"cannot be {what}: {names} would come after a job that is not there",
                    value=job.spec.name,
                    remedy=f"take it out of `after` in {names} first",
                )
            ]
        )


def _problem(table: JobTable, job_id: str, spec: JobSpec, place: int) -> FieldProblem | None:
    name, field = spec.after[place].job, f"after[{place}].job"
    if name == spec.name:
        return FieldProblem(field=field, message="a job cannot come after itself", value=name, remedy="name another")
    upstream = table.named(spec.namespace, name)
    if upstream is None or upstream.job_id == job_id:
        return FieldProblem(
            field=field,
            message=f"there is no such job in namespace {spec.namespace!r}",
            value=name,
            remedy="create it first, or mend the name",
        )
    chain = _way_back(table, job_id, spec, name)
    if chain:
        return FieldProblem(
            field=field,
            message=f"closes a circle: {' after '.join(chain)}",
            value=name,
            remedy="take one of them out of `after`",
        )
    if len(_after(table, spec.namespace, name, job_id)) >= MOST_DEPENDANTS:
        return FieldProblem(
            field=field,
            message=f"{MOST_DEPENDANTS} other jobs come after it, which is the most",
            value=name,
            remedy="let this job come after one of those",
        )
    return None


def circle_closed_by(table: JobTable, job_id: str, spec: JobSpec) -> list[str]:
    """Return the names on a circle that the job would close with that definition, from it to it; none: it does not."""
    circles = (_way_back(table, job_id, spec, after.job) for after in spec.after)
    return next((circle for circle in circles if circle), [])


def _way_back(table: JobTable, job_id: str, spec: JobSpec, name: str) -> list[str]:
    """Return the names on a way from the job, over `name` and what comes before that, back to it; none: no way."""
    ways = [[spec.name, name]]
    seen = {name}
    while ways:
        way = ways.pop()
        if way[-1] == spec.name:
            return way
        entry = table.named(spec.namespace, way[-1])
        if entry is None or entry.job_id == job_id:  # it has that name no more
            continue
        for after in entry.spec.after:
            if after.job not in seen:
                seen.add(after.job)
                ways.append([*way, after.job])
    return []


def _after(table: JobTable, namespace: str, name: str, but: str) -> list[JobEntry]:
    """Return the jobs that come after that one, except `but`. Reads the whole table: only when somebody saves."""
    return [
        entry
        for entry in table.entries()
        if entry.spec.after
        and entry.spec.namespace == namespace
        and entry.job_id != but
        and any(after.job == name for after in entry.spec.after)
    ]
