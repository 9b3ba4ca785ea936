"""What a run's process is started as: the program that was found, its arguments and its environment.

`program_of` does all that can be done before the instant, so that the start itself costs next to nothing but
`posix_spawn`. What `posix_spawn` cannot do from Python (directory, user, limits) small programs of the system do on
the way, each of which becomes the next: they are only there for a run that needs them.
"""

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_CPU, getrlimit

from msgspec import Struct

from dcron_worker.errors import ProcessStartError
from dcron_worker.process_tree import Mark
from dcron_worker.users import User

_ENV = "/usr/bin/env"  # of coreutils: changes the directory
_SETPRIV = "/usr/bin/setpriv"  # of util-linux: changes user and groups
_PRLIMIT = "/usr/bin/prlimit"  # of util-linux: sets limits


class Confinement(Struct, frozen=True):
    """With whose rights, and within what limits, a program runs. The limits hold for each of its processes."""

    user: User | None = None  # None: the worker's own
    memory_bytes: int | None = None  # of address space (RLIMIT_AS)
    cpu_s: int | None = None  # of CPU time (RLIMIT_CPU): SIGXCPU then, SIGKILL a second later


UNCONFINED = Confinement()


class Program(Struct, frozen=True):
    """What to start."""

    path: str
    arguments: list[bytes]
    environment: dict[bytes, bytes]
    mark: Mark | None  # that its processes carry
    name: str  # as the job has it


def program_of(
    argv: Sequence[str],
    env: Mapping[str, str],
    working_directory: str | None = None,
    confinement: Confinement = UNCONFINED,
) -> Program:
    """Find a program, to be started with exactly the environment `env`; None: in the worker's own directory.

    A program without a slash is looked for in the PATH of `env`; a relative one is taken from the working
    directory. Raises ProcessStartError.
    """
    path, arguments = _path_and_arguments(argv, env, working_directory, confinement)
    try:
        encoded = [os.fsencode(each) for each in arguments]
        environment = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
    except ValueError as error:  # a lone half of a surrogate pair
        raise ProcessStartError(f"{argv[0]!r} cannot be started: {error} in its arguments or environment") from error
    return Program(path, encoded, environment, _mark(env), argv[0])


def _mark(env: Mapping[str, str]) -> Mark | None:
    worker, execution = env.get("DCRON_WORKER_ID"), env.get("DCRON_EXECUTION_ID")
    return Mark(worker, execution) if worker and execution else None


def _path_and_arguments(
    argv: Sequence[str], env: Mapping[str, str], directory: str | None, confinement: Confinement
) -> tuple[str, list[str]]:
    """Return path and argv of what to spawn."""
    if not argv or not argv[0]:
        raise ProcessStartError("there is no program to start: argv is empty")
    if directory is not None:
        _check_directory(directory)
    path = _found(argv[0], env, directory)
    before = _programs_before(directory, confinement)
    if not before:
        return path, [*argv]
    if before[0] == _ENV and _PRLIMIT not in before and "=" in argv[0]:  # env would take it for a variable
        raise ProcessStartError(f"{argv[0]!r} cannot be started in a working directory: its name has an equals sign")
    return before[0], [*before, *argv]


def _programs_before(directory: str | None, confinement: Confinement) -> list[str]:
    """Return the programs, with their arguments, that prepare the way for the run's own; each becomes the next."""
    before: list[str] = []
    if confinement.user is not None:
        user = confinement.user
        groups = ",".join(map(str, user.groups))
        before += [_SETPRIV, f"--reuid={user.uid}", f"--regid={user.gid}", f"--groups={groups}"]
        before += ["--inh-caps=-all", "--no-new-privs", "--"]
    if directory is not None:
        before += [_ENV, "-C", directory, "--"]
    limits = []
    if confinement.memory_bytes is not None:
        most = _within_own(RLIMIT_AS, confinement.memory_bytes)
        limits.append(f"--as={most}:{most}")
    if confinement.cpu_s is not None:
        limits.append(
            f"--cpu={_within_own(RLIMIT_CPU, confinement.cpu_s)}:{_within_own(RLIMIT_CPU, confinement.cpu_s + 1)}"
        )
    if limits:
        before += [_PRLIMIT, *limits, "--"]
    for program, package in ((_SETPRIV, "util-linux"), (_ENV, "coreutils"), (_PRLIMIT, "util-linux")):
        if program in before and not Path(program).exists():
            raise ProcessStartError(f"{program} is not there, which this needs; install {package} on this worker")
    return before


def _within_own(resource: int, wanted: int) -> int:
    """Return a limit that this worker may set: at most its own."""
    _, own = getrlimit(resource)
    return wanted if own == RLIM_INFINITY else min(wanted, own)


def _check_directory(directory: str) -> None:
    what = f"the working directory {directory!r}"
    if not stat.S_ISDIR(_mode(directory, what)):
        raise ProcessStartError(f"{what} is not a directory on this worker")
    if not os.access(directory, os.X_OK):
        raise ProcessStartError(f"{what} may not be entered by this worker's user")


def _found(program: str, env: Mapping[str, str], directory: str | None) -> str:
    """Return the path of a program; raise ProcessStartError when there is none that could be run."""
    if "/" not in program:
        search = env.get("PATH", os.defpath)
        found = shutil.which(program, path=search)
        if found is None:
            raise ProcessStartError(f"there is no program {program!r} in PATH={search}")
        return found
    path = os.path.join(directory or "", program)  # noqa: PTH118  pathlib takes longer than all else here
    if stat.S_ISDIR(_mode(path, f"the program {program!r}")):
        raise ProcessStartError(f"the program {program!r} is a directory")
    if not os.access(path, os.X_OK):
        raise ProcessStartError(f"the program {program!r} is not executable by this worker's user")
    return program


def _mode(path: str, what: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116
    except FileNotFoundError:
        raise ProcessStartError(f"{what} does not exist on this worker") from None
    except (OSError, ValueError) as error:
        raise ProcessStartError(f"{what} cannot be used: {error}") from error
