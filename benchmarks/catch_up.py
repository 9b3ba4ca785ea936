"""How quickly a log-ingester catches up after an outage of MongoDB, in which 100,000 lines of output came in.

The log-ingester runs all the time. Counted is from the moment at which the server answers again, what the log-ingester
waits before it tries anew included, until the last document is acknowledged. In the end MongoDB is asked whether all
are there.

The limit is the bare pair: a consumer that fetches the same records from the same topic, and `insert_many` of the
same documents in batches of the same size, with the same indexes and write concern, in turn, in one process.
"""

import asyncio
import time
from collections.abc import Sequence

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection

from benchmarks.ingest import check_stored, documents_stored, fill, lines_of_runs, variables_of
from benchmarks.results import BenchmarkError, Result, result
from benchmarks.stack import TOKEN, running_log_ingester, running_servers
from dcron_core.durations import parse_duration
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.batches import Document, batch_of
from dcron_log_ingester.store import INDEXES
from dcron_schemas.records import OutputChunk
from dcron_standalone.servers import LocalServers
from dcron_standalone.terminal import say

RUNS, LINES = 40, 2500
BEFORE = 50  # lines of each run that are stored before the outage
LOOK_EVERY_S = 0.1
CAUGHT_UP_WITHIN_S = 180.0
GOAL_RATIO = 0.8


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every document is stored."""
    records = list(lines_of_runs(RUNS, LINES + BEFORE))
    with running_servers("kafka", "mongodb") as servers:
        settings = LogIngesterSettings(token=TOKEN, kafka=servers.kafka, mongodb=servers.mongodb)
        ours_s = await _caught_up(servers, settings, records)
        with MongoClient[Document](servers.mongodb, retryWrites=False) as mongodb:
            check_stored(mongodb[settings.mongodb_database]["output"], len(records))
            bare_s = await _bare(mongodb["bare"]["output"], settings, records)
    value, limit = RUNS * LINES / ours_s, len(records) / bare_s
    goal = f"at least {GOAL_RATIO:g} of the limit"
    return [result("catch_up_records", "1/s", value, limit, goal, met=value / limit >= GOAL_RATIO)]


async def _caught_up(servers: LocalServers, settings: LogIngesterSettings, records: Sequence[OutputChunk]) -> float:
    """Let the records come in while MongoDB is away; return how long it took from its return to the last one, in s."""
    before = RUNS * BEFORE
    with running_log_ingester(variables_of(settings)) as url:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
            await fill(settings, records[:before])
            await _until_stored(http, before)
            servers.mongodb_server.kill()
            say(f"{len(records) - before:,} records come in while MongoDB is away")
            await fill(settings, records[before:])
            await asyncio.to_thread(servers.mongodb_server.start)
            began_s = time.perf_counter()
            return await _until_stored(http, len(records)) - began_s


async def _until_stored(http: httpx.AsyncClient, count: int) -> float:
    """Return when so many documents of output were stored."""
    deadline_s = time.perf_counter() + CAUGHT_UP_WITHIN_S
    while True:
        stored, at_s = await documents_stored(http)
        if stored >= count:
            return at_s
        if at_s > deadline_s:
            raise BenchmarkError(f"{stored} of {count} documents were stored in {CAUGHT_UP_WITHIN_S:g} s")
        await asyncio.sleep(LOOK_EVERY_S)


async def _bare(
    collection: Collection[Document], settings: LogIngesterSettings, records: Sequence[OutputChunk]
) -> float:
    """Fetch the topic and insert as many documents, in turn; return how many seconds that took."""
    bare = collection.with_options(write_concern=WriteConcern(w="majority", j=True))
    bare.create_indexes(INDEXES["output"])
    documents = list(batch_of(records, parse_duration(settings.retention)).output)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id=None)
    topic = settings.executions_topic
    consumer.assign([TopicPartition(topic, number) for number in range(settings.execution_partitions)])
    began_s = time.perf_counter()
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
    finally:
        await consumer.stop()
    return time.perf_counter() - began_s
