"""`dcron runs` and `dcron stats`: which runs there were, and what became of them."""

from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table
from rich.text import Text

from dcron_core.clock import SystemClock
from dcron_schemas.api import ExecutionView, RunStats, Stats, Status
from dcron_standalone.client import Client
from dcron_standalone.job_commands import Namespace, connected
from dcron_standalone.moments import instant_in, local, span_s
from dcron_standalone.run_output import STATUS_STYLE
from dcron_standalone.terminal import note, say_table

Json = Annotated[bool, Parameter(name="--json", negative="")]
Since = Annotated[str, Parameter(help="An instant (2026-03-01T12:00Z) or how long ago (90s, 2h, 7d).")]
Limit = Annotated[int, Parameter(validator=Number(gte=1))]


def list_runs(
    job: str = "",
    *,
    namespace: Namespace = "",
    status: Annotated[tuple[Status, ...], Parameter(negative="")] = (),
    worker: str = "",
    trigger: Literal["", "tick", "request", "retry", "dependency"] = "",
    since: Since = "",
    until: Since = "",
    longer: str = "",
    shorter: str = "",
    text: str = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List runs, the last one first.

    Parameters
    ----------
    job
        A job's name or id; all jobs if it is left out.
    status
        Only runs in this state. Can be given several times.
    worker
        Only runs on this worker.
    trigger
        Only runs that began for this reason.
    since
        Only runs due since then: an instant, or how long ago (2h).
    until
        Only runs due before then.
    longer
        Only runs that took at least this long, such as 90s.
    shorter
        Only runs that took at most this long.
    text
        Only runs with this in their output, as it was written. Reads outputs: give a job or a span of time too.
    limit
        How many runs.
    as_json
        Print a JSON object for each run, on a line of its own.
    """
    wanted = {
        "job": job, "namespace": namespace, "status": list(status), "worker_id": worker, "trigger": trigger,
        "start": instant_in("--since", since), "end": instant_in("--until", until), "min_duration": longer,
        "max_duration": shorter, "text": text,
    }  # fmt: skip
    with connected() as client:
        runs = client.runs({name: value for name, value in wanted.items() if value}, limit)
        if as_json:
            for run in runs:
                print(msgspec.json.encode(run).decode(), flush=True)
            return
        found = list(runs)
    if not found:
        note("no such runs")
        return
    say_table(_runs_table(found))


def show_stats(
    job: str = "",
    *,
    namespace: Namespace = "",
    since: Since = "1d",
    until: Since = "",
    bucket: str = "",
    as_json: Json = False,
) -> None:
    """Show how many runs there were, how they ended and how long they took: for each job, or one job over time.

    Parameters
    ----------
    job
        A job's name or id: shows it over time. All jobs if it is left out.
    since
        Of runs due since then: an instant, or how long ago (2h).
    until
        Of runs due before then.
    bucket
        The width of a span of time, such as 1h; shows spans in place of jobs.
    as_json
        Print JSON for programs.
    """
    with connected() as client:
        found = _stats(client, job, namespace, since, until, bucket)
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    say_table(_stats_table(found, over_time=bool(job or bucket)))
    if found.jobs_left_out and not (job or bucket):
        note(f"and {found.jobs_left_out} more jobs; name one, or a namespace")


def _stats(client: Client, job: str, namespace: str, since: str, until: str, bucket: str) -> Stats:
    wanted = {
        "job": job, "namespace": namespace, "bucket": bucket,
        "start": instant_in("--since", since), "end": instant_in("--until", until),
    }  # fmt: skip
    return client.stats({name: value for name, value in wanted.items() if value})


def _runs_table(runs: list[ExecutionView]) -> Table:
    table = Table("due", "job", "status", "took", "worker", box=None, header_style="bold")
    table.add_column("execution", overflow="fold")  # never cut short: it is pasted into other commands
    now = SystemClock().now()
    for run in runs:
        end = run.finished_at or (now if run.status == "running" else None)
        took = span_s((end - run.started_at).total_seconds()) if run.started_at and end else "-"
        status = f"{run.status} ({run.exit_code})" if run.exit_code else run.status
        table.add_row(
            local(run.due_at),
            Text(run.job_name if run.namespace == "default" else f"{run.namespace}/{run.job_name}"),
            Text(status, STATUS_STYLE[run.status]),
            took,
            Text(run.worker_id),
            Text(run.execution_id),
        )
    return table


def _stats_table(stats: Stats, *, over_time: bool) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column("from" if over_time else "job", no_wrap=True)
    for name in ("runs", "succeeded", "failed", "lost", "rate", "p50", "p95"):
        table.add_column(name, justify="right", no_wrap=True)
    if over_time:
        rows = [(local(bucket.start), bucket.stats) for bucket in stats.buckets if bucket.stats.runs]
    else:
        rows = [
            (job.job_name if job.namespace == "default" else f"{job.namespace}/{job.job_name}", job.stats)
            for job in stats.jobs
        ]
    for name, row in rows:
        table.add_row(Text(name), *_figures(row))
    table.add_row(Text("all", "bold"), *_figures(stats.total))
    return table


def _figures(stats: RunStats) -> tuple[Text | str, ...]:
    failed = stats.failed + stats.timed_out + stats.killed
    rate = "-" if stats.success_rate is None else f"{stats.success_rate:.1%}"
    return (
        str(stats.runs),
        str(stats.succeeded),
        Text(str(failed), "red" if failed else ""),
        Text(str(stats.lost), "magenta" if stats.lost else ""),
        rate,
        "-" if stats.p50_s is None else span_s(stats.p50_s),
        "-" if stats.p95_s is None else span_s(stats.p95_s),
    )
