"""What tasks wait for that look again when something has changed."""

import asyncio


class Wakeup:
    """Wakes all that wait at the moment; what comes later waits for the next time."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def wake(self) -> None:
        """Wake all that wait."""
        now, self._next = self._next, asyncio.Event()
        now.set()

    async def wait(self, timeout_s: float | None = None) -> None:
        """Return at the next `wake`, or when the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._next.wait()
        except TimeoutError:
            return
