"""A run's process: started, watched, ended.

A process is the leader of its own session and process group. It gets an empty stdin, two pipes, default
signal dispositions and nothing else of the worker's. `start_process` does not return before the program
runs, or raises; its cost is that of `posix_spawn` and little more, since one start waits for the other: what can be
done before the instant is done by `program_of`.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from dcron_core.clock import Clock
from dcron_core.telemetry import get_logger
from dcron_worker.census import Census
from dcron_worker.errors import ProcessStartError
from dcron_worker.process_tree import Root, Seen, send, ticks_since_boot
from dcron_worker.program import Program
from dcron_worker.under_way import Ended

_TREE_LOOK_S = 0.05  # nothing tells when the last process of a run ends, so `terminate` looks this often
# Python ignores SIGPIPE and SIGXFSZ, and a worker can itself have been started with others ignored.
_DEFAULT_SIGNALS = frozenset(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}

log = get_logger()


class Process:
    """A running process. `stdout` and `stderr` are for an OutputReader, which closes them."""

    def __init__(self, root: Root, stdout: int, stderr: int, clock: Clock, census: Census) -> None:
        self.pid = root.pid
        self.stdout = stdout
        self.stderr = stderr
        self.started_at = clock.now()
        self.root = root
        self._census = census
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._own_rss = getrusage(RUSAGE_SELF).ru_maxrss
        self.over: asyncio.Future[Ended] = self._loop.create_future()
        self._descriptor = os.pidfd_open(self.pid)
        self._loop.add_reader(self._descriptor, self._reap)

    def _reap(self) -> None:
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        code = os.waitstatus_to_exitcode(status)
        self.over.set_result(
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
        return await asyncio.shield(self.over)

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
        return not self.over.done() or not Path(f"/proc/{self.pid}").exists()

    async def terminate(self, grace: timedelta) -> None:
        """Ask all processes of the run to end, those that left its group too; kill what is left after `grace`.

        Returns when the process is over.
        """
        deadline = self._clock.monotonic() + grace.total_seconds()
        self.signal_group(signal.SIGTERM)
        send([each for each in await self._left() if each.group != self.pid], signal.SIGTERM)
        while (left_s := deadline - self._clock.monotonic()) > 0:
            if not self.over.done():
                await asyncio.wait((self.over,), timeout=left_s)
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
        return self.root if self._group_is_ours() else Root(self.root.mark)


def start_process(program: Program, clock: Clock, census: Census | None = None) -> Process:
    """Start a program. Raises ProcessStartError."""
    pipes: list[int] = []
    try:
        for _ in range(2):
            pipes += os.pipe2(os.O_CLOEXEC)
        stdout, stdout_end, stderr, stderr_end = pipes
        earliest = ticks_since_boot()
        pid = _spawn(program, stdout_end, stderr_end)
    except FileNotFoundError as error:  # the program was there when it was looked for
        _close(pipes)
        raise _not_started(program, "it, or what its #! line names, does not exist") from error
    except OSError as error:
        _close(pipes)
        raise _not_started(program, error.strerror) from error
    except ValueError as error:  # a zero byte, or a variable name with an equals sign
        _close(pipes)
        raise _not_started(program, f"{error} in its arguments or environment") from error
    _close([stdout_end, stderr_end])
    for descriptor in (stdout, stderr):
        os.set_blocking(descriptor, False)
    try:
        root = Root(program.mark, pid, (earliest, ticks_since_boot()))
        return Process(root, stdout, stderr, clock, census or Census())
    except OSError as error:  # no descriptor left to watch it with
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        _close([stdout, stderr])
        raise ProcessStartError(f"{program.name!r} cannot be watched: {error.strerror}") from error


def _not_started(program: Program, why: str | None) -> ProcessStartError:
    return ProcessStartError(f"{program.name!r} cannot be started: {why}")


def _spawn(program: Program, stdout: int, stderr: int) -> int:
    return os.posix_spawn(
        program.path,
        program.arguments,
        program.environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, stdout, 1),
            (os.POSIX_SPAWN_DUP2, stderr, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=_DEFAULT_SIGNALS,
    )


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
