"""What whoever asks may see of the jobs, now and before: all reading of the API goes through it (G11).

What is out of sight is not there: lists, counts and pages are made of the rest, and a job is answered as one that
never was. A job that was moved is seen as it was where the asker may look; what it was elsewhere is left out.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.principal import Principal, principal_of
from dcron_core.errors import UnavailableError, UnknownJobError
from dcron_core.history import Handled, History
from dcron_core.http.problems import parse_uuid
from dcron_core.jobs.changes import JobGone
from dcron_core.jobs.fold import Applied
from dcron_core.jobs.table import JobTable
from dcron_master.permits import no_such_job
from dcron_master.projector import Projector
from dcron_schemas.audit import DeletedJob, JobHistory, JobVersion
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry


class Sight(Struct, frozen=True):
    """The jobs for one asker."""

    principal: Principal
    projector: Projector
    history: History

    @property
    def sees_all(self) -> bool:
        """Whether no namespace is out of sight."""
        return self.principal.may("viewer")

    def entries(self, namespace: str = "") -> Sequence[JobEntry]:
        """Return the jobs in sight, by namespace and name; raise ForbiddenError for a namespace out of sight."""
        return self._narrowed(self._table().entries(), self.principal.shown(namespace))

    def found(self, job_id: str) -> JobEntry | None:
        """Return a job, or None."""
        entry = self._table().get(job_id)
        return entry if entry is not None and self.principal.may("viewer", entry.spec.namespace) else None

    def found_by_now(self, job_id: str) -> JobEntry | None:
        """The same; None also while this master has read nothing yet."""
        return self.found(job_id) if self.projector.started.is_set() else None

    def entry(self, job_id: str) -> JobEntry:
        """Return a job; raise ProblemError for what is no id, and UnknownJobError."""
        entry = self.found(parse_uuid("job_id", job_id))
        if entry is None:
            raise no_such_job(job_id)
        return entry

    def table(self, table: JobTable, namespace: str = "") -> JobTable:
        """Return what is in sight of a table of some instant."""
        shown = self.principal.shown(namespace)
        return table if shown is None else JobTable(entries=self._narrowed(table.entries(), shown))

    def both(self, then: JobTable, now: JobTable) -> tuple[JobTable, JobTable]:
        """Return two tables that a plan is made of, without the jobs that are out of sight in one of them.

        Such a job would seem to be new, or gone, and the plan would delete it or bring it back.
        """
        shown = self.principal.visible()
        if shown is None:
            return then, now
        hidden = {
            entry.job_id for table in (then, now) for entry in table.entries() if entry.spec.namespace not in shown
        }
        return (
            JobTable(entries=[entry for entry in then.entries() if entry.job_id not in hidden]),
            JobTable(entries=[entry for entry in now.entries() if entry.job_id not in hidden]),
        )

    def deleted(self, namespace: str = "", name: str = "") -> list[DeletedJob]:
        """Return the deleted jobs in sight, the last one first."""
        shown = self.principal.shown(namespace)
        found = self.history.deleted(namespace, name)
        return found if shown is None else [job for job in found if job.namespace in shown]

    def sees(self, handled: Handled) -> bool:
        """Tell whether what became of a command may be told: all that it was about is in sight.

        Of a refused command that names no definition, the job as it stands decides.
        """
        shown = self.principal.visible()
        if shown is None:
            return True
        event, outcome = handled.event, handled.outcome
        spec = getattr(event.data, "spec", None)
        specs = [spec] if isinstance(spec, JobSpec) else []
        if isinstance(outcome, Applied):
            specs += [outcome.job.spec] if outcome.job else []
            specs += [change.entry.spec for change in outcome.changes if isinstance(change, JobGone)]
        elif (standing := self._table().get(event.job_id)) is not None:
            specs.append(standing.spec)
        return bool(specs) and all(each.namespace in shown for each in specs)

    async def require_known(self, job_ids: Iterable[str]) -> None:
        """Raise UnknownJobError for an id that no job in sight ever had."""
        for job_id in job_ids:
            entry = self.history.table.get(job_id)
            if entry is None or not self.principal.may("viewer", entry.spec.namespace):
                await self.of_job(job_id)

    async def of_job(self, job_id: str) -> JobHistory:
        """Return the versions of a job that are in sight; raise UnknownJobError if none is."""
        whole = await self.history.of_job(job_id)
        shown = self.principal.visible()
        if shown is None:
            return whole
        versions = visible_versions(whole.versions, shown)
        if not versions:
            raise UnknownJobError(f"there never was a job {job_id}")
        last = next(version.spec for version in reversed(versions) if version.spec is not None)
        return JobHistory(
            job_id=job_id,
            namespace=last.namespace,
            name=last.name,
            deleted=versions[-1].spec is None,
            versions=versions,
        )

    def _table(self) -> JobTable:
        if not self.projector.started.is_set():
            raise UnavailableError(str(self.projector.stopped or "this master has not read etcd yet"))
        return self.projector.table

    @staticmethod
    def _narrowed(entries: list[JobEntry], shown: frozenset[str] | None) -> list[JobEntry]:
        return entries if shown is None else [entry for entry in entries if entry.spec.namespace in shown]


def visible_versions(versions: Sequence[JobVersion], shown: frozenset[str]) -> tuple[JobVersion, ...]:
    """Return the versions in those namespaces; the first one after others that are left out says no difference."""
    kept: list[JobVersion] = []
    seen = True  # the version before is in sight
    for version in versions:
        before, seen = seen, version.spec.namespace in shown if version.spec is not None else seen
        if seen:
            kept.append(version if before else replace(version, changes=()))
    return tuple(kept)


async def sight(
    request: Request[Any, Any, Any], projector: NamedDependency[Projector], history: NamedDependency[History]
) -> Sight:
    """Give a handler what its asker may see."""
    return Sight(principal_of(request.scope), projector, history)
