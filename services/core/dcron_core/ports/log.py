"""A partitioned log of records: what dcron asks of Kafka.

All methods raise LogUnavailableError when the log does not answer within its timeout.
"""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from msgspec import Struct


class Record(Struct, frozen=True, gc=False):
    """A record as it stands in the log."""

    topic: str
    partition: int
    offset: int  # 0, 1, 2, … in its partition
    key: str
    value: bytes
    at: datetime  # when the log took it in
    headers: tuple[tuple[str, bytes], ...] = ()


class Topic(Struct, frozen=True):
    """A topic as it should be."""

    name: str
    partitions: int
    retention_ms: int = -1  # -1: kept for ever
    replication: int = 1


class Bounds(Struct, frozen=True):
    """Which offsets a partition holds: `start` ≤ offset < `end`."""

    start: int
    end: int


class Producer(Protocol):
    """Appends records; idempotent, acknowledged by all in-sync replicas."""

    async def submit(
        self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()
    ) -> Awaitable[int]:
        """Hand over a record; await the answer for its offset once it is acknowledged.

        Records of one key land in the order of the submits. When an answer raises LogUnavailableError, the record
        may be in the log or not, the answers of all records under way raise too, and so does the next submit: a
        caller who has sent ahead learns of it before a later record overtakes. It then submits the failed ones
        again, in order. Raises ValueError for a record that is too large for the log.
        """
        ...

    async def submit_all(self, topic: str, records: Sequence[tuple[str, bytes]]) -> Awaitable[object]:
        """Hand over one or more records, a key and a value each, in order; the answer comes when all are acknowledged.

        When it raises, or its answer does, some may be in the log. All else is as with `submit`.
        """
        ...

    async def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> int:
        """Submit and wait: return the offset."""
        ...


class Reader(Protocol):
    """Reads partitions from explicit positions; remembers nothing in the log."""

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        """Return the next records, in order within each partition; empty when none come in time.

        While the log does not answer, none come. Raises OffsetOutOfRangeError when the position is no longer, or
        not yet, in the log.
        """
        ...

    async def seek(self, partition: int, offset: int) -> None:
        """Read that partition from `offset` on from now."""
        ...


class GroupReader(Protocol):
    """Reads the partitions that the consumer group gives this member."""

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        """Return the next records; empty when none come in time, also while the log does not answer."""
        ...

    async def commit(self) -> None:
        """Make all records returned so far count as done for the group.

        Returns normally when a rebalance took partitions away: their records will come again, elsewhere.
        """
        ...

    async def rewind(self) -> None:
        """Go back to the last committed positions, after a failure to handle what was polled."""
        ...

    async def lag(self) -> Mapping[int, int]:
        """Return how many records of each of this member's partitions are not returned yet."""
        ...


class Log(Protocol):
    """The log."""

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        """Create the topics that do not exist; leave the others as they are."""
        ...

    async def bounds(self, topic: str, partition: int = 0) -> Bounds:
        """Return which offsets the partition holds."""
        ...

    def producer(self) -> AbstractAsyncContextManager[Producer]:
        """Open a producer; closing it waits for what was submitted."""
        ...

    def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AbstractAsyncContextManager[Reader]:
        """Open a reader of the given partitions from the given offsets; None: all partitions, from their ends."""
        ...

    def group_reader(self, topic: str, group: str) -> AbstractAsyncContextManager[GroupReader]:
        """Join the group; a partition that it never committed is read from its beginning."""
        ...
