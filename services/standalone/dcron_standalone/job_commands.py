"""`dcron job …`: definitions of jobs, and runs by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from dcron_core.clock import SystemClock
from dcron_schemas.api import ExecutionView, Job
from dcron_schemas.job import JobSpec
from dcron_standalone.client import ApiError, Client, find_access
from dcron_standalone.job_files import definition_text, read_jobs
from dcron_standalone.moments import ago, ahead
from dcron_standalone.run_output import STATUS_STYLE, follow_run
from dcron_standalone.terminal import note, say, say_table

DEFAULT_NAMESPACE = "default"

app = App(name="job", help="Jobs: apply, list, show, change, run, pause, resume, remove; their versions.")
app.command("dcron_standalone.history_commands:set_fields", name="set", help="Change some fields of a job.")
app.command("dcron_standalone.history_commands:show_history", name="history", help="Show every version of a job.")
app.command("dcron_standalone.history_commands:revert_job", name="revert", help="Go back to an earlier version.")
app.command("dcron_standalone.history_commands:restore_job", name="restore", help="Bring a deleted job back.")

Namespace = Annotated[str, Parameter(name=["--namespace", "-n"], help="Needed if several namespaces have the name.")]
Name = Annotated[str, Parameter(help="The job's name.")]


@contextmanager
def connected() -> Iterator[Client]:
    """Give a client of the dcron that the environment, or the local stack, names."""
    client = Client(find_access())
    try:
        yield client
    finally:
        client.close()


def job_named(client: Client, name: str, namespace: str) -> Job:
    """Return the job; raise ApiError if there is none."""
    job = client.job(name, namespace)
    if job is None:
        where = f" in namespace {namespace!r}" if namespace else ""
        raise ApiError(f"there is no job {name!r}{where}; `dcron job ls` lists those there are")
    return job


def job_label(spec: JobSpec) -> str:
    """Return how a job is called, with its namespace where it is not the usual one."""
    return label(spec.namespace, spec.name)


def label(namespace: str, name: str) -> str:
    """Return a job's name, with its namespace where it is not the usual one."""
    return name if namespace == DEFAULT_NAMESPACE else f"{namespace}/{name}"


def apply_specs(client: Client, specs: list[JobSpec]) -> None:
    """Create or update each job, and say what was done to it."""
    for spec in specs:
        existing = client.job(spec.name, spec.namespace)
        if existing is None:
            job, done = client.create(spec), "created"
        elif existing.spec == spec:
            job, done = existing, "unchanged"
        else:
            job, done = client.update(existing, spec), "updated"
        say(f"{job_label(job.spec)} {done} (version {job.version}; {job.schedule_text})")


@app.command(name="apply")
def apply_files(
    *, file: Annotated[list[str], Parameter(name=["--file", "-f"], negative="", allow_leading_hyphen=True)]
) -> None:
    """Create the jobs in a YAML or JSON file, or change them to what it says.

    Nothing is changed if any of the definitions is not valid.

    Parameters
    ----------
    file
        The file; `-` for standard input. Can be given several times.
    """
    specs = [spec for name in file for spec in read_jobs(name)]
    with connected() as client:
        apply_specs(client, specs)


@app.command(name="ls")
def list_jobs(
    query: str = "",
    *,
    namespace: Namespace = "",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """List jobs with their next tick and last result.

    Parameters
    ----------
    query
        Only jobs with this in their name, description, owner or tags.
    as_json
        Print JSON for programs.
    """
    with connected() as client:
        jobs = list(client.jobs(namespace=namespace, q=query))
        if as_json:
            print(msgspec.json.encode(jobs).decode())
            return
        if not jobs:
            note("no jobs; `dcron job apply -f examples/hello.yaml` makes one")
            return
        say_table(_table(jobs, _latest(client, jobs)))


@app.command(name="show")
def show_job(name: Name, *, namespace: Namespace = "") -> None:
    """Print a job's definition as YAML, which `dcron job apply` takes back."""
    with connected() as client:
        job = job_named(client, name, namespace)
    now = SystemClock().now()
    say(f"# {job.job_id}, version {job.version}, changed {ago(job.updated_at, now)} by {job.updated_by}")
    say(f"# {job.schedule_text}; next tick {ahead(job.next_tick, now) if job.next_tick else 'none'}")
    print(definition_text(job.spec), end="")


@app.command(name="run")
def run_job(
    name: Name,
    *,
    namespace: Namespace = "",
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
) -> None:
    """Run a job once now, outside its schedule; a job on every worker on each that matches.

    Parameters
    ----------
    follow
        Show the run's output as it is written; of several, that of the first one.
    """
    with connected() as client:
        job = job_named(client, name, namespace)
        accepted = client.run(job)
        for execution_id in accepted.execution_ids or (accepted.execution_id,):
            say(f"{job_label(job.spec)} runs as {execution_id}")
        if follow:
            follow_run(client, accepted.execution_id)
        else:
            note(f"`dcron logs -f {name}` shows its output as it is written")


@app.command(name="pause")
def pause_job(name: Name, *, namespace: Namespace = "") -> None:
    """Stop a job's ticks until it is resumed."""
    with connected() as client:
        job = client.pause(job_named(client, name, namespace))
        say(f"{job_label(job.spec)} paused (version {job.version})")


@app.command(name="resume")
def resume_job(name: Name, *, namespace: Namespace = "") -> None:
    """Let a job have ticks again, from now on."""
    with connected() as client:
        job = client.resume(job_named(client, name, namespace))
        when = ahead(job.next_tick, SystemClock().now()) if job.next_tick else "none"
        say(f"{job_label(job.spec)} resumed (version {job.version}; next tick {when})")


@app.command(name="rm")
def remove_job(name: Name, *, namespace: Namespace = "") -> None:
    """Delete a job. Its history and its runs' output stay."""
    with connected() as client:
        job = job_named(client, name, namespace)
        client.delete(job)
        say(f"{job_label(job.spec)} removed")


def _latest(client: Client, jobs: list[Job]) -> dict[str, ExecutionView] | None:
    """Return the last runs; None if the log-ingester does not answer, which is no reason to show no jobs."""
    try:
        return client.latest([job.job_id for job in jobs])
    except ApiError as error:
        note(f"last results are not known now: {error}", style="yellow")
        return None


def _table(jobs: list[Job], latest: dict[str, ExecutionView] | None) -> Table:
    now = SystemClock().now()
    table = Table("name", "schedule", "next tick", "last result", "enabled", box=None, header_style="bold")
    for job in jobs:
        last = Text("?", "yellow") if latest is None else _last_result(latest.get(job.job_id))
        table.add_row(
            Text(job_label(job.spec)),
            Text(job.schedule_text),
            ahead(job.next_tick, now) if job.next_tick else "-",
            last,
            "yes" if job.spec.enabled else Text("paused", "yellow"),
        )
    return table


def _last_result(execution: ExecutionView | None) -> Text:
    if execution is None:
        return Text("-")
    when = execution.finished_at or execution.started_at or execution.claimed_at
    exit_code = f" ({execution.exit_code})" if execution.exit_code else ""
    text = f"{execution.status}{exit_code} {ago(when, SystemClock().now())}"
    return Text(text, STATUS_STYLE[execution.status])
