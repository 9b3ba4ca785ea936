"""An event loop whose time passes only when a test says so: no test waits, and each run is the same as the last.

The loop never sleeps. When nothing is left to do at the present instant, either its time leaps to the next timer,
or it stops and gives the test its turn.
"""

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Tasks run in `turn`, `settle` and `advance`, and in nothing else."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until = 0.0
        super().__init__(_Impatient(self._idle))

    def time(self) -> float:
        return self._now

    def turn(self) -> None:
        """Let everything that is ready go one step."""
        self.call_soon(self.stop)
        self.run_forever()

    def settle(self) -> None:
        """Run until there is nothing to do at this instant."""
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """Run until there is nothing to do before `seconds` from now."""
        self._until = self._now + seconds
        self.run_forever()

    def finish(self) -> None:
        """Cancel what is left, and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        if tasks:
            self._until = self._now + 3600
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()

    def _idle(self, timeout: float | None) -> None:
        """Nothing is ready for `timeout` seconds; None: for ever."""
        if timeout is not None and self._now + timeout <= self._until:
            self._now += timeout
        else:
            self._now = self._until
            self.stop()


class _Impatient(selectors.SelectSelector):
    """Asks for nothing, since nothing here has a descriptor; tells how long it was to wait."""

    def __init__(self, idle: Callable[[float | None], None]) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout != 0:
            self._idle(timeout)
        return []


class VirtualClock:
    """The clock of a VirtualLoop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()
