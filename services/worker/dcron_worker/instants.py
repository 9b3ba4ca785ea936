"""Who waits for the same instant wakes in the same turn of the loop.

Timers of their own can be some milliseconds apart on a busy machine. Then the first runs that are due are read,
recorded and sent while the others still wait for their start. Here all start first.
"""

import asyncio
from datetime import datetime

from dcron_core.clock import Clock


class Instants:
    """Futures, one for each instant that is waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waited_for: dict[datetime, asyncio.Future[None]] = {}

    def reached(self, instant: datetime) -> asyncio.Future[None]:
        """Return what is done when the clock reaches the instant. It is shared: not to be cancelled."""
        reached = self._waited_for.get(instant)
        if reached is None:
            loop = asyncio.get_running_loop()
            reached = self._waited_for[instant] = loop.create_future()
            left_s = (instant - self._clock.now()).total_seconds()
            loop.call_later(max(0.0, left_s), self._reach, instant)
        return reached

    def _reach(self, instant: datetime) -> None:
        self._waited_for.pop(instant).set_result(None)
