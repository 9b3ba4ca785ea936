"""How long the page of runs takes to be listed when a million runs are stored.

A log-ingester answers its HTTP API; the runs of two hundred jobs over the days before are in the MongoDB-protocol
server. Pages of fifty are asked for with each of the usual filters, the first page and pages in the middle, one
after the other; also by a viewer who sees three of the ten namespaces. Besides, pages of runs with a text in their
output, which no index has: such an answer is bounded.

To store a million runs takes the server of one machine five minutes. BENCH_RUNS sets another number; with BENCH_DATA,
a directory, they are stored once and found there the next time.

The limit is the server's answer to the least that a page takes: the same fifty documents, asked for by their ids.
"""

import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database

from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.stack import TOKEN, running_log_ingester, running_servers
from dcron_core.access.access_tokens import AccessTokenMaker
from dcron_core.access.principal import Principal
from dcron_core.clock import SystemClock
from dcron_log_ingester.batches import Document, output_id
from dcron_log_ingester.cursors import Cursor, cursor_text
from dcron_log_ingester.store.runs import INDEXES, NEWEST_FIRST
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
TEXT, TEXT_IN = "needle", 40  # one of so many runs has it in its output
WITH_OUTPUT = 20_000  # the newest runs, which are those that a search reads
TEXT_GOAL_MS = 1500.0  # an answer is begun to be cut short after 1 s

SIGNING_KEY = "11" * 32
VIEWER = Principal(
    name="viewer", grants={"team-1": "viewer", "team-4": "operator", "team-7": "viewer"}, how="token"
)  # fmt: skip

Parameters = dict[str, str]


class Loaded(Struct, frozen=True):
    """What the server holds."""

    runs: int
    newest: datetime  # when the last of them was due


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every page is full."""
    kept = os.environ.get("BENCH_DATA")
    with (
        running_servers("kafka", "mongodb", data=Path(kept) if kept else None) as servers,
        MongoClient[Document](servers.mongodb) as mongodb,
    ):
        newest = _loaded(mongodb[DATABASE])
        tokens = AccessTokenMaker(SIGNING_KEY, SystemClock())
        settings = {
            "DCRON_KAFKA": servers.kafka,
            "DCRON_MONGODB": servers.mongodb,
            "DCRON_MONGODB_DATABASE": DATABASE,
            "DCRON_TRUSTED_KEYS": tokens.public_key.public_bytes_raw().hex(),
        }
        with running_log_ingester(settings) as url:
            ours = await _pages(url, newest, tokens)
        bare = _by_id(mongodb[DATABASE]["executions"])
    for name, times_ms in ours.items():
        say(f"  {name}: p50 {percentile(times_ms, 0.5):.1f} ms, p99 {percentile(times_ms, 0.99):.1f} ms")
    text = ours.pop("text")
    every = [each for times_ms in ours.values() for each in times_ms]
    return [
        _result("list_page_p50", every, bare, 0.5, GOAL_MS),
        _result("list_page_p99", every, bare, 0.99, GOAL_MS),
        _result("list_text_p50", text, bare, 0.5, TEXT_GOAL_MS),
        _result("list_text_p99", text, bare, 0.99, TEXT_GOAL_MS),
    ]


def _loaded(database: Database[Document]) -> datetime:
    """Store the runs unless they are there; return when the newest was due."""
    found = database["loaded"].find_one({})
    if found is not None:
        loaded = Loaded(found["runs"], found["newest"].replace(tzinfo=UTC))
        if loaded.runs != RUNS:
            raise BenchmarkError(f"BENCH_DATA holds {loaded.runs} runs, not {RUNS}; remove it")
        return loaded.newest
    newest = datetime.now(UTC)
    began_s = time.perf_counter()
    _fill(database["executions"], newest)
    _fill_output(database["output"], database["executions"])
    database["loaded"].insert_one({"runs": RUNS, "newest": newest})
    say(f"{RUNS:,} runs stored in {time.perf_counter() - began_s:.0f} s; {TIMES} pages with each filter")
    return newest


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


def _fill_output(output: Collection[Document], executions: Collection[Document]) -> None:
    """Store a chunk of output of each of the newest runs."""
    output.create_indexes(INDEXES["output"])
    chunks = [
        {
            "_id": output_id(run["_id"], 0),
            "seq": 0,
            "stream": "stdout",
            "at": run["started_at"],
            "text": f"copied {number} files; {TEXT if number % TEXT_IN == 0 else 'nothing'} was left over\n" * 20,
            "expires_at": run["expires_at"],
        }
        for number, run in enumerate(executions.find({}).sort(NEWEST_FIRST).limit(WITH_OUTPUT))
    ]
    for start in range(0, len(chunks), BATCH):
        output.insert_many(chunks[start : start + BATCH], ordered=False)


def _run(number: int, due_at: datetime, chance: random.Random) -> Document:
    due_at = due_at.replace(microsecond=due_at.microsecond // 1000 * 1000)
    job = number % JOBS
    duration_ms = chance.randint(1, 9000)
    job_id = _job_id(job)
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


async def _pages(url: str, newest: datetime, tokens: AccessTokenMaker) -> dict[str, list[float]]:
    """Return how long each page took, in ms, by filter."""
    chance = random.Random(SEED)
    filters: dict[str, Callable[[], Parameters]] = {
        "none": lambda: _somewhere(newest, chance),
        "job": lambda: {"job_id": _job_id(chance.randrange(JOBS)), **_somewhere(newest, chance)},
        "status": lambda: {"status": "failed", **_somewhere(newest, chance)},
        "rare status": lambda: {"status": "lost", **_somewhere(newest, chance)},
        "worker": lambda: {"worker_id": f"worker-{chance.randrange(WORKERS)}", **_somewhere(newest, chance)},
        "namespace": lambda: {"namespace": f"team-{chance.randrange(NAMESPACES)}", **_somewhere(newest, chance)},
        "some namespaces": lambda: _somewhere(newest, chance),
        "time range": lambda: _hour(newest, chance),
        "text": lambda: {"text": TEXT, **_after(newest - chance.randrange(WITH_OUTPUT // 2) * EVERY)},
    }
    found: dict[str, list[float]] = {}
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        for name, parameters in filters.items():
            token = tokens.make(VIEWER).token if name == "some namespaces" else TOKEN
            http.headers["Authorization"] = f"Bearer {token}"
            at_least = 1 if name == "text" else PAGE
            await _page(http, parameters(), at_least)  # to warm up
            found[name] = [await _page(http, parameters(), at_least) for _ in range(TIMES)]
    return found


def _somewhere(newest: datetime, chance: random.Random) -> Parameters:
    """Return where a page begins: every second time with the newest run, else anywhere in the newer half."""
    return {} if chance.random() < 0.5 else _after(newest - chance.randrange(RUNS // 2) * EVERY)


def _after(due_at: datetime) -> Parameters:
    return {"cursor": cursor_text(Cursor(due_at, ""))}


def _hour(newest: datetime, chance: random.Random) -> Parameters:
    """Return an hour of the newer half."""
    end = newest - chance.randrange(RUNS // 2) * EVERY
    return {"start": (end - timedelta(hours=1)).isoformat(), "end": end.isoformat()}


async def _page(http: httpx.AsyncClient, parameters: Parameters, at_least: int) -> float:
    began_s = time.perf_counter()
    answer = await http.get("/api/v1/executions", params=parameters | {"limit": str(PAGE)})
    took_ms = (time.perf_counter() - began_s) * 1000
    listed = answer.raise_for_status().json()["executions"]
    if len(listed) < at_least:
        raise BenchmarkError(f"{len(listed)} of {PAGE} runs were listed for {parameters}")
    return took_ms


def _by_id(executions: Collection[Document]) -> list[float]:
    """Return how long the server takes for the same number of documents by their ids, in ms."""
    some = [each["_id"] for each in executions.find({}).sort(NEWEST_FIRST).limit(PAGE)]
    times_ms = []
    for _ in range(6 * TIMES):
        began_s = time.perf_counter()
        executions.find({"_id": {"$in": some}}).to_list()
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return times_ms


def _job_id(number: int) -> str:
    return f"0198f5a0-1111-7000-8000-{number:012x}"


def _result(name: str, ours: list[float], bare: list[float], share: float, goal_ms: float) -> Result:
    value, limit = percentile(ours, share), percentile(bare, share)
    return result(name, "ms", value, limit, f"at most {goal_ms:g} ms", met=value <= goal_ms)
