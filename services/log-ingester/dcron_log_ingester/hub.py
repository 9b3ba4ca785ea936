"""Hands new records to the viewers of their runs and of the feed, straight from the log.

One reader follows all partitions from their ends, whoever in the consumer group stores them. A record is decoded once,
and only when somebody is there who wants it: its key says of which run it is. What came recently is kept, bounded in
bytes and age, so that a record tailed just before a viewer came but not stored yet is not missed. Whatever the hub
misses, such as while Kafka restarts, viewers get from the store.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.errors import LogUnavailableError, OffsetOutOfRangeError
from dcron_core.http.probes import Readiness
from dcron_core.ports.log import Log, Record
from dcron_core.telemetry import get_logger
from dcron_log_ingester.admission import read_record
from dcron_log_ingester.errors import BadRecordError
from dcron_log_ingester.feed import FEED_BYTES, FeedFilter, FeedQueue, feed_frame, feed_item
from dcron_log_ingester.subscriptions import Subscription
from dcron_schemas.records import ExecutionRecord, OutputChunk, TickSkipped

LIVE = "live"  # readiness: the topic is being followed
RECENT_BYTES = 32 << 20
RECENT_AGE_S = 60.0
QUEUE_BYTES = 8 << 20  # for each viewer
POLL_S = 1.0
REOPEN_S = 0.5

log = get_logger()


class Recent(Struct):
    """A record that came not long ago, decoded when it is first wanted."""

    raw: Record | None  # None: it is decoded
    execution_id: str
    size: int  # bytes
    at_s: float  # monotonic
    message: ExecutionRecord | None = None  # None: it is not decoded, or nothing for viewers

    @classmethod
    def of(cls, raw: Record, at_s: float) -> "Recent":
        return cls(raw, raw.key, len(raw.value), at_s)

    def decoded(self) -> ExecutionRecord | None:
        """Return what the record says; None if it cannot be read: the ingest loop puts it aside."""
        if self.raw is not None:
            with suppress(BadRecordError):
                self.message = read_record(self.raw)
            self.raw = None
        return self.message

    def of_run(self) -> ExecutionRecord | None:
        """Return what the record says of the run of its key; None if it says nothing of it."""
        message = self.decoded()
        if message is None or isinstance(message, TickSkipped):
            return None
        execution_id = message.execution_id if isinstance(message, OutputChunk) else message.execution.execution_id
        return message if execution_id == self.execution_id else None


class Hub:
    """The new records of all runs."""

    def __init__(
        self,
        clock: Clock,
        *,
        recent_bytes: int = RECENT_BYTES,
        queue_bytes: int = QUEUE_BYTES,
        feed_bytes: int = FEED_BYTES,
    ) -> None:
        self._clock = clock
        self._recent_bytes = recent_bytes
        self._queue_bytes = queue_bytes
        self._feed_bytes = feed_bytes
        self._feeds: set[FeedQueue] = set()
        self._bytes = 0
        self._recent: deque[Recent] = deque()  # of all runs, oldest first
        self._recent_of: defaultdict[str, deque[Recent]] = defaultdict(deque)
        self._subscriptions: defaultdict[str, set[Subscription]] = defaultdict(set)

    async def run(self, source: Log, topic: str, readiness: Readiness) -> None:
        """Follow the topic for ever; after a failure, again from its end."""
        while True:
            try:
                async with source.reader(topic) as reader:
                    readiness.met(LIVE)
                    while True:
                        self.publish(await reader.poll(POLL_S))
            except (LogUnavailableError, OffsetOutOfRangeError) as error:
                readiness.lost(LIVE, str(error))
                log.warning("the live view starts again", action="hub.reopen", error=str(error))
                await asyncio.sleep(REOPEN_S)

    def publish(self, records: Iterable[Record]) -> None:
        """Hand the records to who waits for them, and keep them for a while."""
        now_s = self._clock.monotonic()
        for raw in records:
            recent = Recent.of(raw, now_s)
            self._keep(recent)
            if self._feeds:
                self._feed(recent.decoded())
            subscriptions = self._subscriptions.get(recent.execution_id)
            if subscriptions and (record := recent.of_run()) is not None:
                for subscription in subscriptions:
                    subscription.put(record, recent.size)
        self._forget()

    @contextmanager
    def subscribe(self, execution_id: str) -> Iterator[Subscription]:
        """Open a subscription; what came last is in it already."""
        subscription = Subscription(self._queue_bytes)
        for recent in self._newest_of(execution_id):
            if (record := recent.of_run()) is not None:
                subscription.put(record, recent.size)
        self._subscriptions[execution_id].add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions[execution_id].discard(subscription)
            if not self._subscriptions[execution_id]:
                del self._subscriptions[execution_id]

    @contextmanager
    def subscribe_feed(self, wanted: FeedFilter) -> Iterator[FeedQueue]:
        """Open a queue of the feed: what comes from now on."""
        queue = FeedQueue(wanted, self._feed_bytes)
        self._feeds.add(queue)
        try:
            yield queue
        finally:
            self._feeds.discard(queue)

    def _feed(self, record: ExecutionRecord | None) -> None:
        """Hand the record's frame, encoded once, to the feeds that want it."""
        frame = None if record is None else feed_frame(record)
        if frame is None:
            return
        wanting = [queue for queue in self._feeds if queue.wanted.wants(frame)]
        if wanting:
            item = feed_item(frame)
            for queue in wanting:
                queue.put(item)

    @property
    def recent_bytes(self) -> int:
        """How much is kept."""
        return self._bytes

    @property
    def subscribed(self) -> int:
        """How many subscriptions are open."""
        return sum(map(len, self._subscriptions.values())) + len(self._feeds)

    def _newest_of(self, execution_id: str) -> list[Recent]:
        """Return what came last, up to half of a queue, oldest first: what came before is in the store, or soon is."""
        newest: list[Recent] = []
        size = 0
        for recent in reversed(self._recent_of.get(execution_id, ())):
            size += recent.size
            if size > self._queue_bytes // 2:
                break
            newest.append(recent)
        return newest[::-1]

    def _keep(self, recent: Recent) -> None:
        self._recent.append(recent)
        self._recent_of[recent.execution_id].append(recent)
        self._bytes += recent.size

    def _forget(self) -> None:
        """Drop the oldest while there is too much, or it is too old."""
        oldest_s = self._clock.monotonic() - RECENT_AGE_S
        while self._recent and (self._bytes > self._recent_bytes or self._recent[0].at_s < oldest_s):
            gone = self._recent.popleft()
            self._bytes -= gone.size
            of_run = self._recent_of[gone.execution_id]
            of_run.popleft()
            if not of_run:
                del self._recent_of[gone.execution_id]
