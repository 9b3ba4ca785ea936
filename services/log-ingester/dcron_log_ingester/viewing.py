"""What a viewer is served from, whichever way it comes: websocket or server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.history import History
from dcron_log_ingester.feed import FeedFilter, FeedItem
from dcron_log_ingester.frames import FrameTexts
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.live import watch
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.readings import Readings
from dcron_schemas.api import Frame, GapFrame


class Viewing(Struct, frozen=True):
    """The sources of live views."""

    hub: Hub
    readings: Readings
    texts: FrameTexts
    history: History  # knows the names of jobs
    clock: Clock
    metrics: Metrics

    async def run(self, execution_id: str, from_seq: int) -> AsyncGenerator[tuple[Frame, str], None]:
        """Yield the frames of a run with their text. Ends after a FinishedFrame or a GapFrame.

        Raises UnknownExecutionError when no such run appears in time.
        """
        with self.metrics.viewers.track_inprogress():
            frames = watch(execution_id, self.hub, self.readings, self.clock, from_seq=from_seq)
            async with aclosing(frames):
                async for frame in frames:
                    if isinstance(frame, GapFrame):
                        self.metrics.gaps.inc()
                    yield frame, self.texts.of(frame)

    async def feed(self, wanted: FeedFilter) -> AsyncGenerator[FeedItem, None]:
        """Yield the frames of the feed, for ever."""
        with self.metrics.viewers.track_inprogress(), self.hub.subscribe_feed(wanted) as queue:
            while True:
                for item in await queue.take():
                    yield item
