"""`dcron workers …`: who runs the jobs, and who is to claim nothing."""

from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from dcron_core.clock import SystemClock
from dcron_schemas.workers import WorkerList, WorkerView
from dcron_standalone.client import Client, decoded
from dcron_standalone.job_commands import connected
from dcron_standalone.moments import ago
from dcron_standalone.terminal import note, say, say_table

app = App(name="workers", help="Workers: list, drain, undrain.")

WorkerId = Annotated[str, Parameter(help="The worker's id, as `dcron workers ls` has it.")]


@app.command(name="ls")
def list_workers(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """List the workers: their state, slots and labels.

    Parameters
    ----------
    as_json
        Print JSON for programs.
    """
    with connected() as client:
        workers = client.get(_url(client), WorkerList).workers
    if as_json:
        print(msgspec.json.encode(workers).decode())
    elif workers:
        say_table(_table(workers))
    else:
        note("no workers; `dcron worker` runs one")


@app.command(name="drain")
def drain_worker(worker_id: WorkerId) -> None:
    """Let a worker claim nothing until it is undrained, over restarts too. What it runs goes on."""
    with connected() as client:
        decoded(client.command("POST", _url(client, worker_id, "drain")), WorkerView)
    say(f"{worker_id} claims nothing any more; `dcron workers undrain {worker_id}` takes that back")


@app.command(name="undrain")
def undrain_worker(worker_id: WorkerId) -> None:
    """Let a worker claim again."""
    with connected() as client:
        decoded(client.command("POST", _url(client, worker_id, "undrain")), WorkerView)
    say(f"{worker_id} claims again")


def _url(client: Client, *parts: str) -> str:
    return "/".join((f"{client.access.url}/api/v1/workers", *parts))


def _table(workers: tuple[WorkerView, ...]) -> Table:
    now = SystemClock().now()
    columns = (
        "worker",
        "state",
        "drained by",
        "host",
        "pid",
        "slots",
        "labels",
        "clock",
        "spool",
        "signatures",
        "started",
    )
    table = Table(*columns, box=None, header_style="bold")
    for worker in workers:
        table.add_row(
            Text(worker.worker_id),
            Text(worker.state, "" if worker.state == "active" else "yellow"),
            Text(worker.drained_by or "-"),
            Text(worker.host or "-"),
            str(worker.pid or "-"),
            str(worker.slots or "-"),
            Text(",".join(f"{key}={value}" for key, value in sorted(worker.labels.items())) or "-"),
            "-" if worker.clock_offset_ms is None else f"{worker.clock_offset_ms:+.0f} ms",
            Text(worker.spool or "ok", "red" if worker.spool else ""),
            _signatures(worker),
            ago(worker.started_at, now) if worker.started_at else "-",
        )
    return table


def _signatures(worker: WorkerView) -> Text:
    if worker.refused:
        return Text(f"refuses {worker.refused}", "red")
    return Text("checked") if worker.verifies else Text("not checked", "yellow")
