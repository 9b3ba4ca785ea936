"""A run's process: started, watched, ended.

A process is the leader of its own session and process group. It gets an empty stdin, two pipes, default
signal dispositions and nothing else of the worker's. `start_process` does not return before the program
runs, or raises; its cost is that of `posix_spawn` and little more, since one start waits for the other. What
`posix_spawn` cannot do from Python (directory, user, limits) small programs of the system do on the way, each of
which becomes the next: they are only there for a run that needs them.
"""

import asyncio
import os
import shutil
import signal
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_AS, RLIMIT_CPU, RUSAGE_SELF, getrlimit, getrusage

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.telemetry import get_logger
from dcron_worker.census import Census
from dcron_worker.errors import ProcessStartError
from dcron_worker.process_tree import Mark, Root, Seen, send, start_time
from dcron_worker.under_way import Ended
from dcron_worker.users import User

_ENV = "/usr/bin/env"  # of coreutils: changes the directory
_SETPRIV = "/usr/bin/setpriv"  # of util-linux: changes user and groups
_PRLIMIT = "/usr/bin/prlimit"  # of util-linux: sets limits
_TREE_LOOK_S = 0.05  # nothing tells when the last process of a run ends, so `terminate` looks this often
# Python ignores SIGPIPE and SIGXFSZ, and a worker can itself have been started with others ignored.
_DEFAULT_SIGNALS = frozenset(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}

log = get_logger()


class Confinement(Struct, frozen=True):
    """With whose rights, and within what limits, a program runs. The limits hold for each of its processes."""

    user: User | None = None  # None: the worker's own
    memory_bytes: int | None = None  # of address space (RLIMIT_AS)
    cpu_s: int | None = None  # of CPU time (RLIMIT_CPU): SIGXCPU then, SIGKILL a second later


UNCONFINED = Confinement()


class Process:
    """A running process. `stdout` and `stderr` are for an OutputReader, which closes them."""

    def __init__(self, pid: int, stdout: int, stderr: int, clock: Clock, mark: Mark | None, census: Census) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.started_at = clock.now()
        self.start_time = start_time(pid)  # clock ticks since boot; None: it was over at once
        self._root = Root(mark, pid, self.start_time)
        self._census = census
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._own_rss = getrusage(RUSAGE_SELF).ru_maxrss
        self._over: asyncio.Future[Ended] = self._loop.create_future()
        self._descriptor = os.pidfd_open(pid)
        self._loop.add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        code = os.waitstatus_to_exitcode(status)
        self._over.set_result(
            Ended(
                exit_code=code if code >= 0 else None,
                signal=-code if code < 0 else None,
                cpu_user_s=usage.ru_utime,
                cpu_system_s=usage.ru_stime,
                max_rss_bytes=usage.ru_maxrss * 1024 if usage.ru_maxrss > self._own_rss else 0,
            )
        )

    async def wait(self) -> Ended:
        """Wait until the process is over. Others of its group may live on, and hold the pipes."""
        return await asyncio.shield(self._over)

    def signal_group(self, number: int) -> None:
        """Send a signal to all that is left of the process group; nothing happens if there is nothing."""
        if not self._group_is_ours():
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return
        except PermissionError as error:  # all of them run as other users
            log.warning("a run cannot be signalled", action="process.signal", pid=self.pid, error=str(error))

    def _group_is_ours(self) -> bool:
        # As long as a group has members, its number is not given to a new process. So once ours was reaped, a
        # process of that number is another's, and our group is empty.
        return not self._over.done() or not Path(f"/proc/{self.pid}").exists()

    async def terminate(self, grace: timedelta) -> None:
        """Ask all processes of the run to end, those that left its group too; kill what is left after `grace`.

        Returns when the process is over.
        """
        deadline = self._clock.monotonic() + grace.total_seconds()
        self.signal_group(signal.SIGTERM)
        send([each for each in await self._left() if each.group != self.pid], signal.SIGTERM)
        while (left_s := deadline - self._clock.monotonic()) > 0:
            if not self._over.done():
                await asyncio.wait((self._over,), timeout=left_s)
            elif await self._left():
                await asyncio.sleep(min(left_s, _TREE_LOOK_S))
            else:
                return
        await self._census.kill(self._left_root())
        self.signal_group(signal.SIGKILL)  # says so in the log if it may not be signalled
        await self.wait()

    async def _left(self) -> list[Seen]:
        """Return the processes of the run that are not over."""
        return await self._census.members(self._left_root())

    def _left_root(self) -> Root:
        return self._root if self._group_is_ours() else Root(self._root.mark)


def keep_descriptors_from_children() -> None:
    """Keep what the worker itself inherited, besides stdin, stdout and stderr, from its runs; call it once, at start.

    What Python opens is kept from them anyway.
    """
    for path in list(Path("/proc/self/fd").iterdir()):
        if (descriptor := int(path.name)) > 2:
            with suppress(OSError):  # the listing's own
                os.set_inheritable(descriptor, False)


def start_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    working_directory: str | None,
    clock: Clock,
    confinement: Confinement = UNCONFINED,
    census: Census | None = None,
) -> Process:
    """Start a program with exactly the environment `env`; None: in the worker's own directory.

    A program without a slash is looked for in the PATH of `env`; a relative one is taken from the working
    directory. Raises ProcessStartError.
    """
    path, arguments = _program(argv, env, working_directory, confinement)
    pipes: list[int] = []
    try:
        for _ in range(2):
            pipes += os.pipe2(os.O_CLOEXEC)
        stdout, stdout_end, stderr, stderr_end = pipes
        pid = _spawn(path, arguments, env, stdout_end, stderr_end)
    except FileNotFoundError as error:  # the program was there when `_program` looked
        _close(pipes)
        raise ProcessStartError(f"{argv[0]!r} cannot be started: what its #! line names does not exist") from error
    except OSError as error:
        _close(pipes)
        raise ProcessStartError(f"{argv[0]!r} cannot be started: {error.strerror}") from error
    except ValueError as error:  # a zero byte, or a variable name with an equals sign
        _close(pipes)
        raise ProcessStartError(f"{argv[0]!r} cannot be started: {error} in its arguments or environment") from error
    _close([stdout_end, stderr_end])
    for descriptor in (stdout, stderr):
        os.set_blocking(descriptor, False)
    try:
        return Process(pid, stdout, stderr, clock, _mark(env), census or Census())
    except OSError as error:  # no descriptor left to watch it with
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        _close([stdout, stderr])
        raise ProcessStartError(f"{argv[0]!r} cannot be watched: {error.strerror}") from error


def _spawn(path: str, arguments: list[str], env: Mapping[str, str], stdout: int, stderr: int) -> int:
    return os.posix_spawn(
        path,
        arguments,
        env,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )


def _mark(env: Mapping[str, str]) -> Mark | None:
    worker, execution = env.get("DCRON_WORKER_ID"), env.get("DCRON_EXECUTION_ID")
    return Mark(worker, execution) if worker and execution else None


def _program(
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
        before += [_SETPRIV, f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups", "--"]
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
    if not stat.S_ISDIR(_mode(Path(directory), what)):
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
    path = Path(directory or "", program)
    if stat.S_ISDIR(_mode(path, f"the program {program!r}")):
        raise ProcessStartError(f"the program {program!r} is a directory")
    if not os.access(path, os.X_OK):
        raise ProcessStartError(f"the program {program!r} is not executable by this worker's user")
    return program


def _mode(path: Path, what: str) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        raise ProcessStartError(f"{what} does not exist on this worker") from None
    except (OSError, ValueError) as error:
        raise ProcessStartError(f"{what} cannot be used: {error}") from error


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
