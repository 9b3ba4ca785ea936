"""A service of the local stack as a child: started, asked whether it is ready, started again when it ends."""

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from dcron_core.clock import Clock
from dcron_standalone.children import Child, Starter

FIRST_DELAY_S, MOST_DELAY_S = 0.5, 30.0  # before a crashed service is started again; doubles with each crash
STEADY_AFTER_S = 60.0  # a service that ran for so long has its earlier crashes forgotten
PROBE_TIMEOUT_S = 1.0


class Supervised:
    """One process that is to run until it is told to stop."""

    def __init__(
        self,
        component: str,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        url: str,
        starter: Starter,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.component = component
        self.name = name
        self.log = log
        self.url = url
        self.crashes = 0  # in a row
        self._command = command
        self._environment = environment
        self._starter = starter
        self._clock = clock
        self._tls = tls  # how it is asked, if it speaks TLS
        self._child: Child | None = None
        self._started_at_s = 0.0
        self._start_again_at_s: float | None = None

    @property
    def child(self) -> Child | None:
        return self._child

    def start(self) -> None:
        self._child = self._starter.start(self.name, self._command, log=self.log, environment=self._environment)
        self._started_at_s = self._clock.monotonic()
        self._start_again_at_s = None

    def is_ready(self) -> bool:
        """Ask its readiness probe; whatever answers there in the place of one that has ended does not count."""
        if self._child is None or self._child.exit_code is not None:
            return False
        try:
            url, verify = f"{self.url}/readyz", self._tls or True
            return httpx.get(url, timeout=PROBE_TIMEOUT_S, trust_env=False, verify=verify).is_success
        except httpx.TransportError:
            return False

    def tend(self) -> str | None:
        """Start it again if it has ended and its time has come; return what to tell about that."""
        if self._child is None or self._child.exit_code is None:
            return None
        now = self._clock.monotonic()
        if self._start_again_at_s is not None:
            if now < self._start_again_at_s:
                return None
            self.start()
            return f"{self.name} starts again"
        self.crashes = 1 if now - self._started_at_s > STEADY_AFTER_S else self.crashes + 1
        delay_s = min(FIRST_DELAY_S * 2 ** (self.crashes - 1), MOST_DELAY_S)
        self._start_again_at_s = now + delay_s
        return f"{self.name} ended with {self._child.exit_code}; starts again in {delay_s:g} s; {self.log} has more"

    def last_words(self) -> str:
        """Return the end of its log."""
        return self._child.last_words() if self._child is not None else ""
