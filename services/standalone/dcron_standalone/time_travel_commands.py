"""`dcron audit state`, `diff` and `restore`: the whole crontab as it was at an instant, and the way back to it."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from dcron_core.clock import SystemClock
from dcron_core.errors import DcronError
from dcron_schemas.audit import JobDifference, JobThen, RestorePlan, RestoreStep
from dcron_standalone.client import ApiError, Client
from dcron_standalone.differences import change_lines
from dcron_standalone.history_commands import JOB_ID
from dcron_standalone.job_commands import Namespace, connected, job_label, label
from dcron_standalone.moments import local, parse_moment
from dcron_standalone.terminal import complain, note, say, say_table

At = Annotated[str, Parameter(name="--at", help="An instant with a zone, or such as '2h ago'.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for programs.")]

STYLE = {
    "created": "green",
    "restore": "green",
    "changed": "yellow",
    "revert": "yellow",
    "deleted": "red",
    "delete": "red",
}


class NotAllDoneError(DcronError):
    """A restore of which some steps were not done."""


def show_state(*, at: At, namespace: Namespace = "", as_json: AsJson = False) -> None:
    """Show the whole crontab as it was at an instant."""
    instant = parse_moment("--at", at, SystemClock().now())
    with connected() as client:
        pages = list(client.crontab(instant, namespace=namespace))
    jobs = [job for page in pages for job in page.jobs]
    if as_json:
        whole = msgspec.structs.replace(pages[0], jobs=tuple(jobs), next_cursor=None)
        print(msgspec.json.encode(whole).decode())
        return
    note(f"{len(jobs)} jobs at {local(instant)} (position {pages[0].position} of the log)")
    if jobs:
        say_table(_table(jobs))


def show_difference(
    *,
    start: Annotated[str, Parameter(name="--from", help="An instant with a zone, or such as '2h ago'.")],
    end: Annotated[str, Parameter(name="--to", help="A later one; without it: now.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what became other in the crontab between two instants, job by job and field by field."""
    now = SystemClock().now()
    first = parse_moment("--from", start, now)
    last = parse_moment("--to", end, now) if end else None
    with connected() as client:
        difference = client.crontab_difference(first, last)
    if as_json:
        print(msgspec.json.encode(difference).decode())
        return
    if not difference.jobs:
        note("nothing is other")
    for job in difference.jobs:
        _say_difference(job)


def restore_crontab(
    *,
    at: At,
    job: Annotated[list[str] | None, Parameter(name="--job", negative="")] = None,
    namespace: Namespace = "",
    yes: Annotated[bool, Parameter(name="--yes", negative="")] = False,
    dry_run: Annotated[bool, Parameter(name="--dry-run", negative="")] = False,
) -> None:
    """Bring the crontab back to how it was at an instant, by further events: nothing is taken out of the log.

    Shows the plan first, and asks.

    Parameters
    ----------
    job
        Only this job, by name or id. Can be given several times.
    yes
        Do not ask.
    dry_run
        Show the plan, and do nothing.
    """
    instant = parse_moment("--at", at, SystemClock().now())
    with connected() as client:
        job_ids = [job_id for name in job or () for job_id in _ids_of(client, name, namespace, instant)]
        plan = client.restore_plan(instant, job_ids)
        _say_plan(plan)
        if dry_run or not plan.steps or not (yes or _confirmed(len(plan.steps))):
            return
        result = client.carry_out(plan, job_ids)
    say(f"{result.done} done, {result.failed} not done")
    for step in result.steps:
        if step.problem:
            complain(f"{label(step.namespace, step.name)}: {step.problem}")
    if result.failed:
        raise NotAllDoneError(f"{result.failed} of {len(result.steps)} steps were not done; plan again")


def _ids_of(client: Client, name: str, namespace: str, instant: datetime) -> list[str]:
    """Return the ids of the jobs that have the name now, or had it at `instant`."""
    if JOB_ID.match(name):
        return [name]
    found = {job.job_id: job.spec.namespace for job in client.jobs_at(instant, name=name, namespace=namespace)}
    found |= {job.job_id: job.spec.namespace for job in client.jobs(name=name, namespace=namespace)}
    if not found:
        raise ApiError(f"there is no job {name!r}, and there was none at {local(instant)}")
    if len(places := sorted(set(found.values()))) > 1:
        raise ApiError(f"there is a job {name!r} in each of {', '.join(places)}; say which with --namespace")
    return list(found)


def _confirmed(steps: int) -> bool:
    """Ask on the terminal; raise ApiError if there is nobody to answer."""
    note(f"append {steps} events? [y/N] ", style="bold")
    answer = sys.stdin.readline()
    if not answer:
        raise ApiError("nobody answered, so nothing was done; give --yes, or --dry-run to see the plan only")
    if answer.strip().lower() not in ("y", "yes"):
        note("nothing was done")
        return False
    return True


def _table(jobs: Sequence[JobThen]) -> Table:
    table = Table("name", "schedule", "version", "since", "by", "enabled", box=None, header_style="bold")
    for job in jobs:
        table.add_row(
            Text(job_label(job.spec)),
            Text(job.schedule_text),
            str(job.version),
            local(job.updated_at),
            Text(job.updated_by),
            "yes" if job.spec.enabled else Text("paused", "yellow"),
        )
    return table


def _say_difference(job: JobDifference) -> None:
    versions = f"version {_version(job.from_version)} → {_version(job.to_version)}"
    say(f"{job.change} {label(job.namespace, job.name)} ({versions})", style=STYLE[job.change])
    for line in change_lines(job.changes):
        say(line)


def _say_plan(plan: RestorePlan) -> None:
    if not plan.steps:
        note(f"nothing to do: what was asked for is as it was at {local(plan.at)}")
    for step in plan.steps:
        say(f"{step.action} {label(step.namespace, step.name)}{_how(step)}", style=STYLE[step.action])
        for line in change_lines(step.changes):
            say(line)


def _how(step: RestoreStep) -> str:
    if step.action == "delete":
        return f" (at version {step.current_version})"
    current = "deleted" if step.current_version is None else f"at version {step.current_version}"
    return f" ({current}) with the definition of version {step.to_version}"


def _version(number: int | None) -> str:
    return "none" if number is None else str(number)
