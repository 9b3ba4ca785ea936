"""The `dcron` command.

Each command imports what it needs when it is called: four services that start at the same time, and a user who
waits for a list, would otherwise pay for everything.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from dcron_core.errors import DcronError, SettingsError
from dcron_core.version import VERSION
from dcron_standalone.terminal import complain, err, say

FAILED, MISUSED = 1, 2

Port = Annotated[int, Parameter(validator=Number(gte=1, lte=65535))]
Elsewhere = Annotated[str | None, Parameter(show_default=False)]


def _usage_error(error: CycloptsError) -> str:
    return f"dcron: {str(error).rstrip('.')}; `dcron --help` shows what there is"


app = App(
    name="dcron",
    help="A distributed crontab whose truth is a log.",
    version=VERSION,
    error_formatter=_usage_error,
    error_console=err,
)
app.command(
    "dcron_standalone.job_commands:app",
    name="job",
    help="Jobs: apply, list, show, change, run, pause, remove; their versions.",
)
app.command(
    "dcron_standalone.audit_commands:app", name="audit", help="What the crontab was, who changed it, and the proof."
)
app.command(
    "dcron_standalone.log_tools:app", name="log", help="The log of job events: verify, repair, rebuild, back up, mend."
)
app.command(
    "dcron_standalone.dlq_commands:app",
    name="dlq",
    help="Dead letters, records that were put aside: list, show, replay.",
)
app.command(
    "dcron_standalone.doctor_command:examine_system",
    name="doctor",
    help="Say what is wrong with this system, in words.",
)
app.command("dcron_standalone.kill_command:kill_run", name="kill", help="End a run.")
app.command("dcron_standalone.cron_commands:app", name="cron", help="Cron expressions: explain.")
app.command("dcron_standalone.login_commands:log_in", name="login", help="Log in at a dcron.")
app.command("dcron_standalone.login_commands:log_out", name="logout", help="Log out: revoke the token, and forget it.")
app.command(
    "dcron_standalone.user_commands:app",
    name="user",
    help="Users: add, list, grant and revoke roles, passwords, login links, disable, remove.",
)
app.command("dcron_standalone.token_commands:app", name="token", help="API tokens: create, list, revoke.")
app.command("dcron_standalone.secret_commands:app", name="secret", help="Secrets of jobs: set, list, remove.")
app.command("dcron_standalone.worker_commands:app", name="workers", help="Workers: list, drain, undrain.")
app.command("dcron_standalone.log_commands:show_logs", name="logs", help="Show the output of a job's runs; -f: live.")

app.command(
    "dcron_standalone.run_commands:list_runs", name="runs", help="List runs: of a job, a state, a span of time."
)
app.command("dcron_standalone.run_commands:show_stats", name="stats", help="Runs, success rate and durations, per job.")


@app.command(name="up")
def run_everything(
    *,
    data: Annotated[Path, Parameter(env_var="DCRON_DATA")] = Path(".dcron"),
    tools: Annotated[Path, Parameter(env_var="DCRON_TOOLS")] = Path(".tools"),
    workers: Annotated[int, Parameter(validator=Number(gte=1, lte=100))] = 2,
    demo: Annotated[bool, Parameter(negative="")] = False,
    etcd: Annotated[Elsewhere, Parameter(env_var="DCRON_ETCD")] = None,
    kafka: Annotated[Elsewhere, Parameter(env_var="DCRON_KAFKA")] = None,
    mongodb: Annotated[Elsewhere, Parameter(env_var="DCRON_MONGODB")] = None,
    master_port: Port = 8700,
    log_ingester_port: Port = 8701,
    worker_port: Port = 8702,
) -> None:
    """Run everything on this machine, until Ctrl-C.

    Parameters
    ----------
    data
        Where all data, logs and the token are kept.
    tools
        Where `make setup` put Kafka and SecantusDB.
    workers
        How many workers to run.
    demo
        Add a handful of example jobs.
    etcd
        host:port of an etcd that runs already, in place of one of our own.
    kafka
        host:port of a Kafka broker that runs already.
    mongodb
        Connection string of a MongoDB that runs already.
    master_port
        Where the page and the API are served.
    log_ingester_port
        Where runs and their output are served.
    worker_port
        The first worker's probes and metrics; the next ones follow.
    """
    from dcron_standalone.stack import UpOptions
    from dcron_standalone.up import up

    up(
        UpOptions(
            data=data,
            tools=tools,
            workers=workers,
            demo=demo,
            etcd=etcd,
            kafka=kafka,
            mongodb=mongodb,
            master_port=master_port,
            log_ingester_port=log_ingester_port,
            worker_port=worker_port,
            tls=bool(os.environ.get("DCRON_TLS_CERT")),
            ca=os.environ.get("DCRON_CA", ""),
        )
    )


@app.command(name="master")
def run_master() -> None:
    """Run a master, with the settings in the environment."""
    _run_service("master")


@app.command(name="worker")
def run_worker() -> None:
    """Run a worker, with the settings in the environment."""
    _run_service("worker")


@app.command(name="log-ingester")
def run_log_ingester() -> None:
    """Run a log-ingester, with the settings in the environment."""
    _run_service("log-ingester")


@app.command(name="link")
def print_link(user: str = "admin") -> None:
    """Print a new link that logs a browser in, once, within an hour.

    Parameters
    ----------
    user
        Whom it logs in; `admin` is made if there is no user at all. Making links needs the role admin on *; the token
        of `dcron up` has it.
    """
    from dcron_standalone.first_user import ADMIN, ensure_first_user, login_link
    from dcron_standalone.job_commands import connected

    with connected() as client:
        if user == ADMIN:
            ensure_first_user(client)
        say(login_link(client, user))


@app.command(name="version")
def print_version() -> None:
    """Print the version."""
    say(VERSION)


def _run_service(name: str) -> None:
    from dcron_standalone.components import run_component

    run_component(name)


def main() -> None:
    """Run the command line; errors become a line each on stderr and a non-zero exit code."""
    try:
        try:
            app(sys.argv[1:])
        finally:
            print(end="", flush=True)  # here, where it may fail: at the interpreter's end it fails with a traceback
    except SettingsError as error:
        for problem in error.problems:
            complain(problem)
        sys.exit(MISUSED)
    except DcronError as error:
        complain(str(error))
        sys.exit(FAILED)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
