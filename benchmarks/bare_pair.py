"""The bare pair that ingest is held against: fetch the records from Kafka, insert the documents into MongoDB.

One process does both in turn, in batches of a log-ingester's size, with the same indexes and write concern. It
decodes nothing, and keeps no offsets.
"""

import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import WriteConcern
from pymongo.collection import Collection

from dcron_core.durations import parse_duration
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.batches import Document, batch_of
from dcron_log_ingester.store import INDEXES
from dcron_schemas.records import OutputChunk


async def fetch_and_insert(
    collection: Collection[Document], settings: LogIngesterSettings, records: Sequence[OutputChunk], warm_up: int = 0
) -> float:
    """Return how many documents a second it inserts, after at least `warm_up` of them."""
    bare = collection.with_options(write_concern=WriteConcern(w="majority", j=True))
    bare.create_indexes(INDEXES["output"])
    documents = list(batch_of(records, parse_duration(settings.retention)).output)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=None)
    topic = settings.executions_topic
    consumer.assign([TopicPartition(topic, number) for number in range(settings.execution_partitions)])
    warm, began_s = 0, time.perf_counter()
    await consumer.start()
    try:
        await consumer.seek_to_beginning()
        inserted = 0
        while inserted < len(documents):
            fetched = await consumer.getmany(timeout_ms=1000, max_records=settings.batch_size)
            count = sum(map(len, fetched.values()))
            if count:
                bare.insert_many(documents[inserted : inserted + count], ordered=False)
                inserted += count
                if warm_up and not warm and inserted >= warm_up:
                    warm, began_s = inserted, time.perf_counter()
    finally:
        await consumer.stop()
    return (len(documents) - warm) / (time.perf_counter() - began_s)
