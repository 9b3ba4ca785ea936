"""How long the page of runs takes to be listed when a million runs are stored.

A log-ingester answers its HTTP API; the runs of two hundred jobs over the days before are in the MongoDB-protocol
server. Pages of fifty are asked for with each of the usual filters, the first page and pages in the middle, one
after the other. BENCH_RUNS sets another number of runs.

The limit is the server's answer to the least that a page takes: the same fifty documents, asked for by their ids.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection

from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.stack import TOKEN, running_log_ingester, running_servers
from dcron_log_ingester.batches import Document
from dcron_log_ingester.cursors import Cursor, cursor_text
from dcron_log_ingester.store import INDEXES
from dcron_standalone.terminal import say

RUNS = int(os.environ.get("BENCH_RUNS", "1000000"))
JOBS, NAMESPACES, WORKERS = 200, 10, 20
EVERY = timedelta(milliseconds=300)  # a run begins
BATCH = 10_000
PAGE = 50
TIMES = 40  # each filter is asked for
SEED = 5
DATABASE = "lists"
GOAL_MS = 50.0

Parameters = dict[str, str]


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every page is full."""
    with running_servers("kafka", "mongodb") as servers, MongoClient[Document](servers.mongodb) as mongodb:
        executions = mongodb[DATABASE]["executions"]
        newest = datetime.now(UTC)
        began_s = time.perf_counter()
        _fill(executions, newest)
        say(f"{RUNS} runs stored in {time.perf_counter() - began_s:.0f} s; {TIMES} pages with each filter")
        settings = {"DCRON_KAFKA": servers.kafka, "DCRON_MONGODB": servers.mongodb, "DCRON_MONGODB_DATABASE": DATABASE}
        with running_log_ingester(settings) as url:
            ours = await _pages(url, newest)
        bare = _by_id(executions)
    for name, times_ms in ours.items():
        say(f"  {name}: p50 {percentile(times_ms, 0.5):.1f} ms, p99 {percentile(times_ms, 0.99):.1f} ms")
    every = [each for times_ms in ours.values() for each in times_ms]
    return [_result("list_page_p50", every, bare, 0.5), _result("list_page_p99", every, bare, 0.99)]


def _fill(executions: Collection[Document], newest: datetime) -> None:
    """Store the runs, with the indexes in place: built afterwards they would take longer."""
    executions.create_indexes(INDEXES["executions"])
    quick: Collection[Any] = executions.with_options(write_concern=WriteConcern(w=1))
    chance = random.Random(SEED)
    batch: list[Document] = []
    for number in range(RUNS):
        batch.append(_run(number, newest - (RUNS - number) * EVERY, chance))
        if len(batch) == BATCH or number == RUNS - 1:
            quick.insert_many(batch, ordered=False)
            batch = []


def _run(number: int, due_at: datetime, chance: random.Random) -> Document:
    due_at = due_at.replace(microsecond=due_at.microsecond // 1000 * 1000)
    job = number % JOBS
    duration_ms = chance.randint(1, 9000)
    job_id = f"0198f5a0-1111-7000-8000-{job:012x}"
    return {
        "_id": f"{job_id}.t{int(due_at.timestamp() * 1000)}.1",
        "job_id": job_id,
        "job_name": f"job-{job}",
        "namespace": f"team-{job % NAMESPACES}",
        "job_version": 1,
        "trigger": "tick",
        "due_at": due_at,
        "attempt": 1,
        "worker_id": f"worker-{chance.randrange(WORKERS)}",
        "claimed_at": due_at,
        "fencing_token": number,
        "status": chance.choices(["succeeded", "failed", "lost"], [90, 9, 1])[0],
        "host": "host",
        "pid": 4711,
        "started_at": due_at,
        "finished_at": due_at + timedelta(milliseconds=duration_ms),
        "duration_ms": duration_ms,
        "exit_code": 0,
        "output_chunks": 1,
        "expires_at": due_at + timedelta(days=90),
    }


async def _pages(url: str, newest: datetime) -> dict[str, list[float]]:
    """Return how long each page took, in ms, by filter."""
    chance = random.Random(SEED)
    filters: dict[str, Callable[[], Parameters]] = {
        "none": dict,
        "job": lambda: {"job_id": f"0198f5a0-1111-7000-8000-{chance.randrange(JOBS):012x}"},
        "status": lambda: {"status": "failed"},
        "rare status": lambda: {"status": "lost"},
        "worker": lambda: {"worker_id": f"worker-{chance.randrange(WORKERS)}"},
        "namespace": lambda: {"namespace": f"team-{chance.randrange(NAMESPACES)}"},
    }
    found: dict[str, list[float]] = {}
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http:
        for name, parameters in filters.items():
            await _page(http, parameters())  # to warm up
            cursors = _cursors(newest, chance)
            found[name] = [await _page(http, parameters() | cursor) for cursor in cursors]
            await asyncio.sleep(0)
    return found


def _cursors(newest: datetime, chance: random.Random) -> Iterator[Parameters]:
    """Yield where pages begin: the newest run for every second one, else anywhere in the newer half."""
    for number in range(TIMES):
        if number % 2:
            ago = chance.randrange(RUNS // 2) * EVERY
            yield {"cursor": cursor_text(Cursor(newest - ago, ""))}
        else:
            yield {}


async def _page(http: httpx.AsyncClient, parameters: Parameters) -> float:
    began_s = time.perf_counter()
    answer = await http.get("/api/v1/executions", params=parameters | {"limit": str(PAGE)})
    took_ms = (time.perf_counter() - began_s) * 1000
    listed = answer.raise_for_status().json()["executions"]
    if len(listed) != PAGE:
        raise BenchmarkError(f"{len(listed)} of {PAGE} runs were listed for {parameters}")
    return took_ms


def _by_id(executions: Collection[Document]) -> list[float]:
    """Return how long the server takes for the same number of documents by their ids, in ms."""
    last_minutes = {"due_at": {"$gt": datetime.now(UTC) - timedelta(minutes=10)}}
    some = [each["_id"] for each in executions.find(last_minutes).limit(PAGE)]
    times_ms = []
    for _ in range(6 * TIMES):
        began_s = time.perf_counter()
        executions.find({"_id": {"$in": some}}).to_list()
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return times_ms


def _result(name: str, ours: list[float], bare: list[float], share: float) -> Result:
    value, limit = percentile(ours, share), percentile(bare, share)
    return result(name, "ms", value, limit, f"at most {GOAL_MS:g} ms", met=value <= GOAL_MS)
