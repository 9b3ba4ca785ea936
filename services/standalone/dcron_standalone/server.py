"""One server of the local stack on its data: started, stopped, killed and started again."""

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dcron_core.clock import Clock, SystemClock
from dcron_core.errors import DcronError
from dcron_standalone.children import Child, Starter
from dcron_standalone.ports import remembered_ports

READY_TIMEOUT_S = 90.0
STOP_GRACE_S = 15.0
ASK_EVERY_S = 0.05
FOREIGN_VARIABLES = ("ETCD_", "KAFKA_", "DCRON_")  # a server reads none that was not meant for it


class MissingProgramError(DcronError):
    """A program that a server needs is not there; the message says what brings it."""


class ServerFailedError(DcronError):
    """A server ended, or did not answer in time; the message has the end of its log."""


class ServerKind(Protocol):
    """What is particular to one server. `ports` are those that `port_names` asks for."""

    @property
    def name(self) -> str: ...

    @property
    def port_names(self) -> Sequence[str]: ...

    def check(self) -> None:
        """Raise MissingProgramError if it cannot be run on this machine."""
        ...

    def preparation(self, ports: Mapping[str, int]) -> Sequence[str] | None:
        """Write what it reads at its start; return a command to be run to its end before it, if there is one."""
        ...

    def command(self, ports: Mapping[str, int]) -> Sequence[str]:
        """Return how to run it."""
        ...

    def address(self, ports: Mapping[str, int]) -> str:
        """Return what its clients need to be told."""
        ...

    def answers(self, ports: Mapping[str, int]) -> bool:
        """Ask it in its own protocol whether it is in service."""
        ...


class Server:
    """A server as a child process. Its data directory has its log and the ports that it gets again."""

    def __init__(self, kind: ServerKind, data: Path, starter: Starter, clock: Clock | None = None) -> None:
        self._kind = kind
        self._data = data
        self._starter = starter
        self._clock = clock or SystemClock()
        self._ports: dict[str, int] = {}
        self._child: Child | None = None
        self._unwanted = threading.Event()  # set by stop and kill; ends a start that is under way

    @property
    def name(self) -> str:
        return self._kind.name

    @property
    def address(self) -> str:
        """What its clients need to be told. The same after a restart, unless somebody took the port."""
        return self._kind.address(self._ports)

    @property
    def log(self) -> Path:
        return self._data / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """The process's id; None: it does not run."""
        return self._child.pid if self._child is not None and self._child.exit_code is None else None

    def check(self) -> None:
        """Raise MissingProgramError if the server cannot be run on this machine."""
        self._kind.check()

    def start(self) -> float:
        """Start it and wait until it answers; return how many seconds that took.

        Raises MissingProgramError, and ServerFailedError.
        """
        began = self._clock.monotonic()
        self._unwanted.clear()
        self.check()
        self._data.mkdir(parents=True, exist_ok=True)
        self._ports = remembered_ports(self._data / "ports.json", self._kind.port_names)
        deadline = began + READY_TIMEOUT_S
        preparation = self._kind.preparation(self._ports)
        if preparation is not None:
            self._run(preparation)
            self._wait(deadline, "be prepared", lambda child: child.exit_code == 0)
        self._run(self._kind.command(self._ports))
        self._wait(deadline, "answer", lambda _: self._kind.answers(self._ports))
        return self._clock.monotonic() - began

    def stop(self, grace_s: float = STOP_GRACE_S) -> bool:
        """Ask it to end, wait, kill it if it does not. Return whether it ended by itself."""
        self._unwanted.set()
        return self._child is None or self._child.stop(grace_s)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._unwanted.set()
        if self._child is not None:
            self._child.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP and SIGCONT."""
        if self._child is not None:
            self._child.signal(number)

    def restart(self) -> float:
        """Stop it if it runs, start it on the same data; return how many seconds the start took."""
        self.stop()
        return self.start()

    def failure(self) -> str | None:
        """Return what to tell about it if it ended without being asked to."""
        if self._child is None or self._unwanted.is_set() or self._child.exit_code is None:
            return None
        return f"{self.name} ended with {self._child.exit_code}; the end of {self.log}:\n{self._child.last_words()}"

    def _run(self, command: Sequence[str]) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN_VARIABLES)}
        self._child = self._starter.start(
            self.name, command, log=self.log, environment=environment, directory=self._data
        )

    def _wait(self, deadline: float, what: str, done: Callable[[Child], bool]) -> None:
        assert self._child is not None
        while True:
            exit_code = self._child.exit_code  # looked at before `done` looks
            if done(self._child):
                return
            if self._unwanted.is_set():
                raise ServerFailedError(f"{self.name} was told to stop while it started")
            if exit_code is not None:
                raise ServerFailedError(self.failure() or f"{self.name} ended")
            if self._clock.monotonic() > deadline:
                self.kill()
                raise ServerFailedError(
                    f"{self.name} did not {what} within {READY_TIMEOUT_S:.0f} s; "
                    f"the end of {self.log}:\n{self._child.last_words()}"
                )
            self._unwanted.wait(ASK_EVERY_S)
