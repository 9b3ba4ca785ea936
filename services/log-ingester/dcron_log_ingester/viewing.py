"""What a viewer is served from, whichever way it comes: websocket or server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from dcron_core.access.principal import Principal
from dcron_core.clock import Clock
from dcron_core.history import History
from dcron_log_ingester.errors import UnknownExecutionError
from dcron_log_ingester.feed import FeedFilter, FeedItem
from dcron_log_ingester.frames import FrameTexts
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.live import watch
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.readings import Readings
from dcron_log_ingester.sight import Sight
from dcron_schemas.api import FinishedFrame, Frame, GapFrame, StateFrame


class Viewing(Struct, frozen=True):
    """The sources of live views."""

    hub: Hub
    readings: Readings
    texts: FrameTexts
    history: History  # knows the names of jobs
    clock: Clock
    metrics: Metrics

    async def run(
        self, execution_id: str, from_seq: int, principal: Principal
    ) -> AsyncGenerator[tuple[Frame, str], None]:
        """Yield the frames of a run with their text. Ends after a FinishedFrame or a GapFrame.

        Raises UnknownExecutionError when no such run appears in time that the principal may see. The state comes
        before any output, so nothing of the run is sent before it is known whose it is.
        """
        sight = Sight(principal, self.history)
        if not await sight.of_some_run_like(execution_id):
            raise UnknownExecutionError(f"there is no execution {execution_id!r}")
        with self.metrics.viewers.track_inprogress():
            frames = watch(execution_id, self.hub, self.readings, self.clock, from_seq=from_seq)
            async with aclosing(frames):
                async for frame in frames:
                    if isinstance(frame, StateFrame | FinishedFrame) and not await sight.of(frame.execution):
                        raise UnknownExecutionError(f"there is no execution {execution_id!r}")
                    if isinstance(frame, GapFrame):
                        self.metrics.gaps.inc()
                    yield frame, self.texts.of(frame)

    async def feed(self, wanted: FeedFilter) -> AsyncGenerator[FeedItem, None]:
        """Yield the frames of the feed, for ever."""
        with self.metrics.viewers.track_inprogress(), self.hub.subscribe_feed(wanted) as queue:
            while True:
                for item in await queue.take():
                    yield item


def seconds_left(principal: Principal, clock: Clock) -> float | None:
    """Return for how long what the principal was let in with still holds; None: for ever."""
    if principal.expires_at is None:
        return None
    return max(0.0, (principal.expires_at - clock.now()).total_seconds())
