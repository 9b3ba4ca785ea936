"""`dcron logs`: the output of a job's runs."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from dcron_schemas.api import ExecutionView, Job
from dcron_standalone.client import ApiError, Client
from dcron_standalone.job_commands import Namespace, connected, job_named
from dcron_standalone.moments import instant_in
from dcron_standalone.run_output import Printer, Stream, follow_run, print_stored
from dcron_standalone.terminal import note

EXECUTION_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[tr][0-9a-f-]+\.[0-9]+$")
RUNS_LOOKED_AT = 50
MOST_RUNS = 1000  # that --since shows, the newest ones
LOOK_EVERY_S = 0.5


def show_logs(
    name: str,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    namespace: Namespace = "",
    since: str = "",
    tail: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    stream: Stream | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Show the output of a job's last run, or of the run with that id.

    Parameters
    ----------
    name
        A job's name, or an execution's id.
    follow
        Show output as it is written: of the last run, then of each further one, until Ctrl-C.
    since
        Of a job: all its runs due since then, oldest first. Of a run: what it wrote since then. An instant, or how
        long ago (2h).
    tail
        Only so many lines of what is stored of a run.
    stream
        Only what went to this stream; it goes to stdout.
    as_json
        Print a JSON object for each chunk, on a line of its own.
    """
    began = instant_in("--since", since)
    with connected() as client, suppress(KeyboardInterrupt):
        if EXECUTION_ID.match(name):
            bound = datetime.fromisoformat(began) if began else None
            printer = Printer(stream=stream, as_json=as_json, tail=tail, since=bound)
            _show(client, client.execution(name) if not follow or tail is not None else name, printer, follow=follow)
            return
        printer = Printer(stream=stream, as_json=as_json, tail=tail)
        job = job_named(client, name, namespace)
        for execution in _runs(client, job, began, follow=follow):
            _show(client, execution, printer, follow=follow)


def _show(client: Client, execution: ExecutionView | str, printer: Printer, *, follow: bool) -> None:
    """Show one run; by its id, if it may not be stored yet."""
    if isinstance(execution, str):
        follow_run(client, execution, printer)
    elif not follow:
        print_stored(client, execution, printer)
    elif printer.tail is None:
        follow_run(client, execution.execution_id, printer)
    else:
        next_seq = printer.stored(client, execution)
        follow_run(client, execution.execution_id, printer, from_seq=next_seq)


def _runs(client: Client, job: Job, since: str, *, follow: bool) -> Iterator[ExecutionView]:
    """Yield the job's last run, or all since then, oldest first; with `follow`, each one after them, for ever."""
    parameters = {"job_id": job.job_id, **({"start": since} if since else {})}
    first = list(client.runs(parameters, MOST_RUNS if since else 1))[::-1]
    if not first and not follow:
        when = f"since {since}" if since else "yet"
        raise ApiError(f"{job.spec.name!r} has not run {when}; `dcron job run {job.spec.name}` runs it now")
    if not first:
        note(
            f"waiting for the next run of {job.spec.name}" if since else f"waiting for the first run of {job.spec.name}"
        )
    yield from first
    seen = {run.execution_id for run in first}
    last = first[-1].due_at if first else datetime.fromisoformat(since) if since else job.created_at
    while follow:
        runs = client.executions(job.job_id, RUNS_LOOKED_AT)
        fresh = [run for run in reversed(runs) if run.due_at >= last and run.execution_id not in seen]
        for run in fresh:
            seen.add(run.execution_id)
            yield run
        if not fresh:
            time.sleep(LOOK_EVERY_S)
