"""`dcron job history`, `revert`, `restore` and `set`: the versions of a job, and how a new one is made."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import yaml
from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from dcron_schemas.audit import DeletedJob, JobHistory, JobVersion
from dcron_standalone.client import ApiError, Client
from dcron_standalone.differences import change_lines
from dcron_standalone.job_commands import Name, Namespace, connected, job_label, job_named, label
from dcron_standalone.moments import local
from dcron_standalone.terminal import note, say, say_table
from dcron_standalone.yaml12 import Loader

JOB_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
NameOrId = Annotated[str, Parameter(help="The job's name, or its id.")]

WORDS = {
    "JobCreated": "created",
    "JobUpdated": "changed",
    "JobReverted": "reverted",
    "JobRestored": "restored",
    "JobPaused": "paused",
    "JobResumed": "resumed",
    "JobDeleted": "deleted",
}


def show_history(
    name: NameOrId,
    *,
    namespace: Namespace = "",
    diff: Annotated[bool, Parameter(name="--diff", negative="")] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show every version of a job, who made it and when; also of a deleted one.

    Parameters
    ----------
    diff
        Show what changed in each version, field by field.
    as_json
        Print JSON for programs.
    """
    with connected() as client:
        history = client.history(_job_id(client, name, namespace))
    if as_json:
        print(msgspec.json.encode(history).decode())
        return
    _say_whose(history)
    if diff:
        for version in history.versions:
            say(f"version {version.version}  {_what(version)} {local(version.at)} by {version.actor}", style="bold")
            for line in change_lines(version.changes):
                say(line)
    else:
        say_table(_table(history))


def revert_job(
    name: Name, *, to: Annotated[int, Parameter(name="--to", help="The version.")], namespace: Namespace = ""
) -> None:
    """Give a job the definition of an earlier version, as a new version."""
    with connected() as client:
        job = client.revert(job_named(client, name, namespace), to)
        say(f"{job_label(job.spec)} has the definition of version {to} (version {job.version}; {job.schedule_text})")


def restore_job(name: NameOrId, *, namespace: Namespace = "") -> None:
    """Let a deleted job stand again, with its last definition and its history."""
    with connected() as client:
        job_id = name if JOB_ID.match(name) else _deleted_job(client, name, namespace).job_id
        job = client.restore(job_id)
        say(f"{job_label(job.spec)} restored (version {job.version}; {job.schedule_text})")


def set_fields(name: Name, *assignments: str, namespace: Namespace = "") -> None:
    """Change some fields of a job, and leave the others as they are.

    Parameters
    ----------
    assignments
        FIELD=VALUE, such as schedule.every=5m, env.PORT=8080 or tags='[a, b]'. Values are YAML; null takes a field
        back to its default, or a variable out of env.
    """
    if not assignments:
        raise ApiError("nothing to set; write FIELD=VALUE, such as schedule.every=5m")
    patch = patch_of(assignments)
    with connected() as client:
        before = job_named(client, name, namespace)
        job = client.patch(before, patch)
        done = "unchanged" if job.version == before.version else "changed"
        say(f"{job_label(job.spec)} {done} (version {job.version}; {job.schedule_text})")


def patch_of(assignments: Sequence[str]) -> dict[str, Any]:
    """Return the merge patch that says FIELD=VALUE …; raise ApiError for what is no such thing."""
    patch: dict[str, Any] = {}
    for assignment in assignments:
        _assign(patch, assignment)
    return patch


def _assign(patch: dict[str, Any], assignment: str) -> None:
    """Put FIELD=VALUE into the merge patch."""
    field, equals, text = assignment.partition("=")
    if not equals or not all(field.split(".")):
        raise ApiError(f"{assignment!r} is not FIELD=VALUE, such as schedule.every=5m")
    *parents, last = field.split(".", 1) if field.startswith("env.") else field.split(".")
    target = patch
    for step in parents:
        target = target.setdefault(step, {})
        if not isinstance(target, dict):
            raise ApiError(f"{assignment!r}: {step} is set as a whole already")
    if last in target:
        raise ApiError(f"{assignment!r}: {field} is set already")
    target[last] = _value(field, text)


def _value(field: str, text: str) -> Any:
    """Return what YAML makes of a value; variables are texts, however they look."""
    if field.startswith("env."):
        return None if text == "null" else text
    loader = Loader(text)
    try:
        return loader.get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        what = getattr(error, "problem", None) or str(error)
        raise ApiError(f"{field}: {text!r} is not valid YAML: {what}") from error
    finally:
        loader.dispose()


def _job_id(client: Client, name: str, namespace: str) -> str:
    """Return the id of the job that stands under that name, or was deleted under it."""
    if JOB_ID.match(name):
        return name
    job = client.job(name, namespace)
    return job.job_id if job else _deleted_job(client, name, namespace, "no job has or had the name").job_id


def _deleted_job(
    client: Client, name: str, namespace: str, none: str = "no job was deleted under the name"
) -> DeletedJob:
    """Return the one deleted job of that name; raise ApiError if there is none (saying `none`), or several."""
    found = client.deleted(name, namespace)
    if not found:
        where = f" in namespace {namespace!r}" if namespace else ""
        raise ApiError(f"{none} {name!r}{where}; `dcron job ls` lists those that stand")
    if len(found) > 1:
        lines = [f"  {job.job_id}  {_told(job)}" for job in found]
        raise ApiError("\n".join((f"{len(found)} jobs were deleted under the name {name!r}; give an id:", *lines)))
    return found[0]


def _told(job: DeletedJob) -> str:
    return f"{label(job.namespace, job.name)}, deleted {local(job.deleted_at)} by {job.deleted_by}"


def _say_whose(history: JobHistory) -> None:
    state = ", deleted" if history.deleted else ""
    note(f"{label(history.namespace, history.name)} ({history.job_id}{state})")


def _table(history: JobHistory) -> Table:
    table = Table("version", "what", "when", "by", "fields", box=None, header_style="bold")
    for version in history.versions:
        fields = ", ".join(change.field for change in version.changes)
        table.add_row(str(version.version), _what(version), local(version.at), Text(version.actor), Text(fields or "-"))
    return table


def _what(version: JobVersion) -> str:
    return WORDS.get(version.kind, version.kind)
