"""The worker's side of the guard (design §5, "A run"): started, told of every run, and started again if it dies.

`begins` comes before the start of a run's process, so that there is no run that the guard does not know. Telling
costs one write to a pipe. Runs go on while there is no guard; if the worker is killed in that very moment, its
next life on the same data directory ends what it left (`former`).
"""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from dcron_core.telemetry import get_logger
from dcron_worker.guard_process import running_line
from dcron_worker.process import Process

AGAIN_AFTER_S = 0.3  # from the death of a guard to the next one
PIPE_BYTES = 1 << 20  # some thousand runs; the guard empties it every second
_PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from dcron_worker.guard_process import main; main()"
_IGNORED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})

log = get_logger()


class Guard:
    """Tells a guard process which runs there are."""

    def __init__(self, worker_id: str) -> None:
        self.pid = 0  # of the guard; 0: there is none at the moment
        self.worker_id = worker_id
        self._lines: dict[str, str] = {}  # execution → what a new guard has to know of it
        self._pipe: int | None = None
        self._over: asyncio.Event = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, worker_id: str) -> AsyncIterator["Guard"]:
        """Keep a guard while open. Leaving ends the guard, which kills what is still under way then."""
        guard = cls(worker_id)
        guard._start()
        keeping = asyncio.create_task(guard._keep(), name="guard")
        try:
            yield guard
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            guard._close_pipe()
            if guard.pid:
                await guard._over.wait()

    def begins(self, execution_id: str) -> None:
        """A run is about to be started."""
        self._lines[execution_id] = f"+{execution_id}\n"
        self._tell(self._lines[execution_id])

    def runs(self, execution_id: str, process: Process) -> None:
        """Its process is there."""
        self._lines[execution_id] = running_line(execution_id, process.root)
        self._tell(self._lines[execution_id])

    def over(self, execution_id: str) -> None:
        """It is over, or did not start. What it left behind on purpose is not the guard's."""
        if self._lines.pop(execution_id, None) is not None:
            self._tell(f"-{execution_id}\n")

    def _tell(self, line: str) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, line.encode())
        except BlockingIOError:  # it does not read: the next one will
            log.error("the guard hangs and is replaced", action="guard.hangs", pid=self.pid)
            self._close_pipe()
            os.kill(self.pid, signal.SIGKILL)
        except BrokenPipeError:  # it died; the next one is told all
            self._close_pipe()

    async def _keep(self) -> None:
        while True:
            if self.pid:
                await self._over.wait()
                log.warning("the guard died and is started again", action="guard.died")
            await asyncio.sleep(AGAIN_AFTER_S)
            self._start()

    def _start(self) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        with suppress(OSError):  # this user has its share of large pipes already
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(writing, False)
        try:
            pid, descriptor = _spawn(self.worker_id, reading)
        except OSError as error:
            log.error("the guard cannot be started", action="guard.failed", error=str(error))
            os.close(writing)
            return
        finally:
            os.close(reading)
        self._over.clear()
        self._watch(pid, descriptor)
        self._close_pipe()
        self.pid, self._pipe = pid, writing
        for line in list(self._lines.values()):
            self._tell(line)
        log.info("the guard runs", action="guard.started", pid=pid)

    def _watch(self, pid: int, descriptor: int) -> None:
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            os.waitpid(pid, 0)
            self.pid = 0
            self._over.set()

        loop.add_reader(descriptor, ended)

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def _spawn(worker_id: str, pipe: int) -> tuple[int, int]:
    """Return the guard's process id, and a descriptor that tells its end."""
    packages = str(Path(__file__).resolve().parent.parent)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", "-c", _PROGRAM, packages, worker_id],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, pipe, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)],
        setsid=True,
        setsigmask=_IGNORED,  # from its first instant; soon it ignores them itself
    )
    try:
        return pid, os.pidfd_open(pid)
    except OSError:  # no descriptor left to watch it with
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
