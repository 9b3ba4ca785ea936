"""How quickly a log-ingester catches up after an outage of MongoDB, in which 100,000 lines of output came in.

The log-ingester runs all the time. Counted is from the moment at which the server answers again, what the log-ingester
waits before it tries anew included, until the last document is acknowledged. In the end MongoDB is asked whether all
are there.

The limit is the bare pair (`bare_pair.py`) on the same topic.
"""

import asyncio
import time
from collections.abc import Sequence

import httpx
from pymongo import MongoClient

from benchmarks.bare_pair import fetch_and_insert
from benchmarks.ingest import check_stored, documents_stored, fill, lines_of_runs, variables_of
from benchmarks.results import BenchmarkError, Result, result
from benchmarks.stack import TOKEN, running_log_ingester, running_servers
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.batches import Document
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
            limit = await fetch_and_insert(mongodb["bare"]["output"], settings, records)
    value = RUNS * LINES / ours_s
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
