"""What a run's process is started with: program, arguments, environment, user and limits."""

import os
from math import ceil
from pathlib import Path

from msgspec import Struct

from dcron_core.durations import parse_duration
from dcron_schemas.job import JobSpec
from dcron_schemas.records import Execution
from dcron_worker.exposure import may_enter
from dcron_worker.program import Confinement
from dcron_worker.secrets_known import SecretsKnown
from dcron_worker.users import JobUsers

# What a job finds in its environment besides its own; nothing of the worker's own environment leaks in.
BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SHELL": "/bin/sh",
}
_OF_THE_USER = ("HOME", "USER")


class Command(Struct, frozen=True):
    """A process to be started."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    working_directory: str | None
    confinement: Confinement
    secrets: frozenset[str]  # values that its environment holds


def command_of(spec: JobSpec, execution: Execution, users: JobUsers, secrets: SecretsKnown) -> Command:
    """Return how to start a run of the job; raise ProcessStartError if this worker may not, or cannot."""
    user = users.user_of(spec.run_as)
    env, values = secrets.revealed(spec.namespace, spec.env)
    limits = spec.limits
    confinement = Confinement(
        user=user,
        memory_bytes=limits.memory_bytes,
        cpu_s=ceil(parse_duration(limits.cpu_time).total_seconds()) if limits.cpu_time else None,
    )
    of_user = (
        {"HOME": user.home, "USER": user.name, "LOGNAME": user.name}
        if user
        else {name: os.environ[name] for name in _OF_THE_USER if name in os.environ}
    )
    directory = spec.working_directory
    if directory is None and user is not None and not may_enter(user, Path.cwd()):
        directory = "/"  # left where it may not go, a run could open by relative paths what is closed to it
    environment = {**BASE_ENVIRONMENT, **of_user, **env, **variables_of(execution)}
    argv = spec.run.argv if spec.run.argv is not None else ("/bin/sh", "-c", spec.run.shell or "")
    return Command(argv, environment, directory, confinement, values)


def variables_of(execution: Execution) -> dict[str, str]:
    """Return what tells a run who it is. Worker and run together mark its processes (`process_tree`)."""
    return {
        "DCRON_EXECUTION_ID": execution.execution_id,
        "DCRON_WORKER_ID": execution.worker_id,
        "DCRON_JOB_ID": execution.job_id,
        "DCRON_JOB_NAME": execution.job_name,
        "DCRON_NAMESPACE": execution.namespace,
        "DCRON_DUE_AT": execution.due_at.isoformat(),
        "DCRON_ATTEMPT": str(execution.attempt),
        "DCRON_FENCING_TOKEN": str(execution.fencing_token),
    }
