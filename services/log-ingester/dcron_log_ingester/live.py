"""What one viewer of a run sees: its state, the stored output, then the new one, and its end.

The subscription is opened before the store is read, so that nothing falls between the two; the store is read
beside it, so that a slow or absent MongoDB holds nothing up that comes from the log.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from dcron_core.clock import Clock
from dcron_log_ingester.errors import UnknownExecutionError
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.join import Join, Stored
from dcron_log_ingester.readings import Readings
from dcron_log_ingester.subscriptions import Subscription
from dcron_schemas.api import FinishedFrame, Frame, GapFrame

REFRESH_S = 1.0  # between readings while nothing is missing: heals what the hub did not hear
SOON_S = 0.05  # to the next reading while something is missing; doubles up to REFRESH_S
APPEARANCE_S = 10.0  # how long to wait for a run that was only just asked for


async def watch(
    execution_id: str,
    hub: Hub,
    readings: Readings,
    clock: Clock,
    *,
    from_seq: int = 0,
    appearance_s: float = APPEARANCE_S,
) -> AsyncGenerator[Frame, None]:
    """Yield what a viewer is to see. Ends after a FinishedFrame or a GapFrame.

    Raises UnknownExecutionError when no such run appears in time.
    """
    join = Join(from_seq)
    deadline_s = clock.monotonic() + appearance_s
    with hub.subscribe(execution_id) as subscription:
        async with aclosing(_Source(execution_id, join, subscription, readings, clock).rounds()) as rounds:
            async for _ in rounds:
                for frame in join.frames():
                    yield frame
                    if isinstance(frame, FinishedFrame):
                        return
                if subscription.overflowed or join.broken:
                    yield GapFrame(from_seq=join.next_seq)
                    return
                if not join.known and clock.monotonic() >= deadline_s:
                    raise UnknownExecutionError(
                        f"there is no execution {execution_id!r}, and none appeared within {appearance_s:g} s"
                    )


class _Source:
    """Feeds a join from the hub and from the store."""

    def __init__(
        self, execution_id: str, join: Join, subscription: Subscription, readings: Readings, clock: Clock
    ) -> None:
        self._execution_id = execution_id
        self._join = join
        self._subscription = subscription
        self._readings = readings
        self._clock = clock
        self._read_at_s = clock.monotonic()  # when the last reading ended
        self._delay_s = 0.0  # from then to the next one, while something is missing
        self._full = True  # the last reading did not reach the end of what is stored

    async def rounds(self) -> AsyncGenerator[None, None]:
        """Yield whenever something was fed, or nothing came for a while."""
        arrival: asyncio.Future[Any] = asyncio.ensure_future(self._subscription.arrival())
        reading: asyncio.Future[Any] | None = None
        try:
            while True:
                if reading is None and self._due_in_s() <= 0:
                    reading = asyncio.ensure_future(self._read())
                await asyncio.wait(
                    [arrival] if reading is None else [arrival, reading],
                    timeout=self._due_in_s() if reading is None else REFRESH_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if arrival.done():
                    for record in self._subscription.take():
                        self._join.take(record)
                    arrival = asyncio.ensure_future(self._subscription.arrival())
                if reading is not None and reading.done():
                    self._take_reading(reading.result())
                    reading = None
                yield
        finally:
            unfinished = [arrival] if reading is None else [arrival, reading]
            for future in unfinished:
                future.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    def _due_in_s(self) -> float:
        """Return how long until the store is to be read; once something is missing that is soon."""
        if self._full:
            return 0.0
        delay_s = self._delay_s if self._join.waiting else REFRESH_S
        return self._read_at_s + delay_s - self._clock.monotonic()

    def _take_reading(self, stored: Stored | None) -> None:
        if stored is not None:
            self._join.take_stored(stored)
        self._read_at_s = self._clock.monotonic()
        self._delay_s = min(max(self._delay_s * 2, SOON_S), REFRESH_S) if self._join.waiting else SOON_S
        self._full = stored is not None and not stored.to_end

    async def _read(self) -> Stored | None:
        """Read the store once; None: it did not answer."""
        hurry = self._join.waiting or self._full
        return await self._readings.read(self._execution_id, self._join.next_seq, hurry=hurry)
