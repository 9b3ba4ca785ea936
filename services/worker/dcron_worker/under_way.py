"""What a started run is to the runner, be it a process or a call over HTTP."""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct


class Ended(Struct, frozen=True):
    """How a run ended, and what its process and the children it waited for used."""

    exit_code: int | None = None  # None: by a signal, or it was no process
    signal: int | None = None
    error: str = ""  # why it is not a success, where that is not said by exit code or signal
    cpu_user_s: float = 0.0
    cpu_system_s: float = 0.0
    max_rss_bytes: int = 0  # 0: not known, because it was less than the worker's own, which the kernel counts in

    @property
    def succeeded(self) -> bool:
        return not self.exit_code and self.signal is None and not self.error


class UnderWay(Protocol):
    """A run that was started."""

    pid: int  # 0: it is no process
    started_at: datetime

    @property
    def over(self) -> asyncio.Future[Ended]:
        """Done when it is over; not to be cancelled."""
        ...

    async def wait(self) -> Ended:
        """Wait until it is over."""
        ...

    async def terminate(self, grace: timedelta) -> None:
        """Ask it to end; end it after `grace`. Returns when it is over."""
        ...
