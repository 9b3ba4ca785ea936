"""Child processes that never outlive us.

Each is the leader of a session of its own, so that a Ctrl-C in the terminal reaches only us and the order of
stopping is ours. The kernel kills it when we are gone (`tether`), whatever became of us.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")
LOG_TAIL_LINES = 15


class Child:
    """A process that was started, and what it writes: appended to `log`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; minus the signal's number when a signal ended it."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send the signal to the process; nothing happens if it is over."""
        if self.exit_code is None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it, and all that is left of its group, now."""
        self._kill_group()
        self._process.wait()

    def stop(self, grace_s: float) -> bool:
        """Ask it to end, wait, kill it if it does not. Return whether it ended by itself."""
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(grace_s)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.kill()

    def last_words(self) -> str:
        """Return the end of its log."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        return ""

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


class Starter:
    """Starts children.

    The kernel ties a child to the *thread* that started it, so that all are started by one thread that lives
    as long as this object: whoever calls `start` may come and go. Closing it ends the children it started.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child-starter")
        self._running: list[Child] = []

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> Child:
        """Start `command` in a session of its own, both outputs appended to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        tethered = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), *command]
        with log.open("ab") as output:
            process = self._thread.submit(
                subprocess.Popen,
                tethered,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=directory,
                start_new_session=True,
            ).result()
        self._running = [child for child in self._running if child.exit_code is None]
        self._running.append(Child(name, process, log))
        return self._running[-1]

    def close(self) -> None:
        """End every child that still runs, then the thread."""
        for child in self._running:
            if child.exit_code is None:
                child.kill()
        self._thread.shutdown()
