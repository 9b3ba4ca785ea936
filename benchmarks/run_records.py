"""What runs leave in Kafka, read past dcron: their records, from the topic's beginning on."""

import time
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer
from msgspec import Struct

from dcron_core.settings import WorkerSettings
from dcron_schemas.codec import decode_record
from dcron_schemas.records import ExecutionRecord

TOPIC = WorkerSettings(token="none").executions_topic
POLL_MS = 200


class Sent(Struct, frozen=True):
    """A record in Kafka."""

    at: float  # when it was sent, in seconds of the epoch
    record: ExecutionRecord


async def records_of_runs(bootstrap: str, within_s: float) -> AsyncIterator[Sent]:
    """Yield all records that there are, and those that come within `within_s` from now."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            for batch in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                for item in batch:
                    yield Sent(item.timestamp / 1000, decode_record(item.value))
    finally:
        await consumer.stop()
