"""A member of a consumer group."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from dcron_core.adapters.kafka.connection import Connection, let_go
from dcron_core.adapters.kafka.reader import IDLE_FETCH_MANY_MS
from dcron_core.adapters.kafka.records import records
from dcron_core.ports.log import Record
from dcron_core.telemetry import get_logger

log = get_logger()

_SESSION_MS = 10_000  # a member that is silent for so long is out
_HEARTBEAT_MS = 3_000


class Returned(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """What was returned and is not committed: the next offset of each partition.

    When the group shares out the partitions anew, all begins again from what is committed.
    """

    def __init__(self) -> None:
        self.next_offsets: dict[Any, int] = {}

    def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002  aiokafka's interface
        self.next_offsets.clear()

    def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002  aiokafka's interface
        self.next_offsets.clear()

    def add(self, fetched: Any) -> None:
        """Take note of a fetch."""
        self.next_offsets.update({partition: batch[-1].offset + 1 for partition, batch in fetched.items()})

    def settle(self, committed: dict[Any, int]) -> None:
        """Forget what is committed now."""
        for partition, offset in committed.items():
            if self.next_offsets.get(partition) == offset:
                del self.next_offsets[partition]


class KafkaGroupReader:
    """Reads what the group gives it. After an error that aiokafka does not get over, it joins anew."""

    def __init__(self, connection: Connection, topic: str, group: str) -> None:
        self._connection = connection
        self._topic = topic
        self._group = group
        self._consumer: Any = None
        self._returned = Returned()

    @classmethod
    @asynccontextmanager
    async def open(cls, connection: Connection, topic: str, group: str) -> AsyncIterator["KafkaGroupReader"]:
        """Join the group."""
        reader = cls(connection, topic, group)
        try:
            await reader._joined()
            yield reader
        finally:
            await reader._leave()

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        consumer = await self._joined()
        try:
            fetched = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=limit)
        except KafkaError as error:
            await self._leave()
            raise self._connection.meaning(error, f"read {self._topic} as {self._group}") from error
        self._returned.add(fetched)
        return records(fetched)

    async def commit(self) -> None:
        offsets = dict(self._returned.next_offsets)
        if self._consumer is None or not offsets:
            return
        async with self._connection.answering(f"commit {self._topic} as {self._group}"):
            try:
                await self._consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError) as error:
                log.info("the group was shared out anew", action="log.rebalanced", topic=self._topic, error=str(error))
                return
        self._returned.settle(offsets)

    async def rewind(self) -> None:
        self._returned.next_offsets.clear()
        if self._consumer is None:
            return
        async with self._connection.answering(f"rewind {self._topic} as {self._group}"):
            for partition in self._consumer.assignment():
                try:
                    await self._rewind(partition)
                except IllegalStateError:  # the partition was taken away: it begins where it is committed
                    continue

    async def lag(self) -> dict[int, int]:
        consumer = await self._joined()
        async with self._connection.answering(f"look up the lag of {self._group} on {self._topic}"):
            assigned = list(consumer.assignment())
            ends = await consumer.end_offsets(assigned)
            return {each.partition: ends[each] - await consumer.position(each) for each in assigned}

    async def _rewind(self, partition: Any) -> None:
        committed = await self._consumer.committed(partition)
        if committed is None:
            await self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek(partition, committed)

    async def _joined(self) -> Any:
        if self._consumer is not None:
            return self._consumer
        self._returned = Returned()
        consumer = AIOKafkaConsumer(
            **self._connection.options(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_min_bytes=1,
            fetch_max_wait_ms=IDLE_FETCH_MANY_MS,
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
        )
        try:
            async with self._connection.answering(f"join {self._group} to read {self._topic}"):
                consumer.subscribe([self._topic], listener=self._returned)
                await consumer.start()
        except BaseException:
            await let_go(consumer)
            raise
        self._consumer = consumer
        return consumer

    async def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await let_go(consumer)
