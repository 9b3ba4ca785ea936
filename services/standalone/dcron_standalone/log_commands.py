"""`dcron logs`: the output of a job's runs."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter

from dcron_schemas.api import ExecutionView, Job
from dcron_standalone.client import ApiError, Client
from dcron_standalone.job_commands import Namespace, connected, job_named
from dcron_standalone.run_output import follow_run, print_stored
from dcron_standalone.terminal import note

EXECUTION_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[tr][0-9a-f-]+\.[0-9]+$")
RUNS_LOOKED_AT = 50
LOOK_EVERY_S = 0.5


def show_logs(
    name: str,
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    namespace: Namespace = "",
) -> None:
    """Show the output of a job's last run, or of the run with that id.

    Parameters
    ----------
    name
        A job's name, or an execution's id.
    follow
        Show output as it is written: of the last run, then of each further one, until Ctrl-C.
    """
    with connected() as client:
        if EXECUTION_ID.match(name):
            if follow:
                with suppress(KeyboardInterrupt):
                    follow_run(client, name)
            else:
                print_stored(client, client.execution(name))
            return
        job = job_named(client, name, namespace)
        if not follow:
            _show_last_run(client, job)
            return
        with suppress(KeyboardInterrupt):
            for execution in _runs(client, job):
                follow_run(client, execution.execution_id)


def _show_last_run(client: Client, job: Job) -> None:
    runs = client.executions(job.job_id, limit=1)
    if not runs:
        raise ApiError(f"{job.spec.name!r} has not run yet; `dcron job run {job.spec.name}` runs it now")
    print_stored(client, runs[0])


def _runs(client: Client, job: Job) -> Iterator[ExecutionView]:
    """Yield the job's last run, then each one after it, oldest first, for ever."""
    last = client.executions(job.job_id, limit=1)
    seen = {run.execution_id for run in last}
    since = last[0].due_at if last else job.created_at
    if not last:
        note(f"waiting for the first run of {job.spec.name}")
    yield from last
    while True:
        runs = client.executions(job.job_id, RUNS_LOOKED_AT)
        fresh = [run for run in reversed(runs) if run.due_at >= since and run.execution_id not in seen]
        for run in fresh:
            seen.add(run.execution_id)
            yield run
        if not fresh:
            time.sleep(LOOK_EVERY_S)
