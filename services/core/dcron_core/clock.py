"""Time comes in through a `Clock`, so that tests and the simulation own it."""

import time
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable


@runtime_checkable  # litestar checks what it injects
class Clock(Protocol):
    """What time it is."""

    def now(self) -> datetime:
        """Return the wall clock's instant, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
