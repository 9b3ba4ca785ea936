"""What is other in one table of jobs than in another. Pure."""

from msgspec.structs import replace

from dcron_core.jobs.difference import difference
from dcron_core.jobs.table import JobTable
from dcron_schemas.audit import FieldChange, JobDifference
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.state import JobEntry

_BLANK = JobSpec(name="", run=Run())


def compared(before: JobTable, after: JobTable) -> tuple[JobDifference, ...]:
    """Return the jobs whose definitions differ, by namespace and name (as after; of those that are gone, as before)."""
    differences = []
    for now in after.entries():
        was = before.get(now.job_id)
        if was is None:
            differences.append(_difference(None, now, written(now.spec)))
        elif was.spec != now.spec:
            differences.append(_difference(was, now, difference(was.spec, now.spec)))
    for was in before.entries():
        if after.get(was.job_id) is None:
            gone = tuple(replace(each, before=each.after, after=None) for each in written(was.spec))
            differences.append(_difference(was, None, gone))
    return tuple(sorted(differences, key=lambda each: (each.namespace, each.name, each.job_id)))


def written(spec: JobSpec) -> tuple[FieldChange, ...]:
    """Return a whole definition as changes: every field that has not its default."""
    return tuple(replace(change, before=None) for change in difference(_BLANK, spec))


def _difference(was: JobEntry | None, now: JobEntry | None, changes: tuple[FieldChange, ...]) -> JobDifference:
    shown = now or was
    assert shown is not None
    return JobDifference(
        job_id=shown.job_id,
        namespace=shown.spec.namespace,
        name=shown.spec.name,
        change="created" if was is None else "deleted" if now is None else "changed",
        from_version=was.version if was else None,
        to_version=now.version if now else None,
        changes=changes,
    )
