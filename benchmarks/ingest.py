"""How many lines of output a log-ingester brings from Kafka into MongoDB in a second.

The records are in Kafka before the log-ingester starts; it counts the documents that MongoDB acknowledged, and
its first batches and its own start do not count. In the end MongoDB is asked whether all are there.

The limit is the bare pair (`bare_pair.py`): a consumer of the same topic and `insert_many`, into a collection of its
own on the same server. The two take turns.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import harmonic_mean

import httpx
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families
from pymongo import MongoClient
from pymongo.collection import Collection

from benchmarks.bare_pair import fetch_and_insert
from benchmarks.results import BenchmarkError, Result, result
from benchmarks.stack import TOKEN, running_log_ingester, running_servers
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.batches import Document
from dcron_log_ingester.service import plan_of
from dcron_schemas.codec import encode
from dcron_schemas.records import OutputChunk
from dcron_standalone.servers import LocalServers
from dcron_standalone.terminal import say

RUNS = 40
LINES = 500  # of each run
WARM_UP_BATCHES = 2
ROUNDS = 3
LOOK_EVERY_S = 0.1  # often enough for one per cent, and seldom enough not to slow down what is looked at
INGESTED_WITHIN_S = 180.0
GOAL_RATIO = 0.8
SUBMITTED_AT_ONCE = 1000

DEFAULTS = LogIngesterSettings(token=TOKEN)


class Stored(Struct, frozen=True):
    """What was stored after the warm-up, and how long that took."""

    documents: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.documents / self.seconds


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every document is stored."""
    records = list(lines_of_runs(RUNS, LINES))
    ours: list[Stored] = []
    bare: list[float] = []
    with (
        running_servers("kafka", "mongodb") as servers,
        MongoClient[Document](servers.mongodb, retryWrites=False) as mongodb,
    ):
        say(f"{ROUNDS} rounds of {len(records)} documents each way, the first {_warm_up()} to warm up")
        for round_ in range(ROUNDS):
            settings = await _filled(servers, round_, records)
            bare.append(await fetch_and_insert(mongodb[f"bare_{round_}"]["output"], settings, records, _warm_up()))
            ours.append(await _ingest(settings, len(records)))
            check_stored(mongodb[settings.mongodb_database]["output"], len(records))
            say(f"  round {round_ + 1}: dcron {ours[-1].rate:,.0f} documents a second, the limit {bare[-1]:,.0f}")
    value, limit = _whole(ours).rate, harmonic_mean(bare)
    goal = f"at least {GOAL_RATIO:g} of the limit"
    return [result("ingest_documents", "1/s", value, limit, goal, met=value / limit >= GOAL_RATIO)]


def _whole(rounds: list[Stored]) -> Stored:
    return Stored(sum(each.documents for each in rounds), sum(each.seconds for each in rounds))


def _warm_up() -> int:
    return WARM_UP_BATCHES * DEFAULTS.batch_size


def lines_of_runs(runs: int, lines: int) -> Iterator[OutputChunk]:
    """Yield output as runs write it side by side: a line of about 110 bytes from each in turn."""
    began = datetime.now(UTC)
    for seq in range(lines):
        for number in range(runs):
            job_id = f"0198f5a0-1111-7000-8000-{number:012x}"
            at = began + timedelta(milliseconds=seq)
            text = f"{at.isoformat()} INFO copied part {seq:06d} of archive-{number:04d}.tar.zst, checked its hash\n"
            yield OutputChunk(
                execution_id=f"{job_id}.t1763800000000.1", job_id=job_id, seq=seq, stream="stdout", at=at, text=text
            )


async def _filled(servers: LocalServers, round_: int, records: list[OutputChunk]) -> LogIngesterSettings:
    """Put the records into a topic of the round's own; return the settings to ingest it with."""
    settings = LogIngesterSettings(
        token=TOKEN,
        kafka=servers.kafka,
        topic_prefix=f"round-{round_}.",
        mongodb=servers.mongodb,
        mongodb_database=f"round_{round_}",
        consumer_group=f"round-{round_}",
    )
    await fill(settings, records)
    return settings


async def fill(settings: LogIngesterSettings, records: Sequence[OutputChunk]) -> None:
    """Produce the records as workers do."""
    async with KafkaLog.open(settings.kafka) as log, log.producer() as producer:
        await log.ensure_topics(plan_of(settings).topics)
        for start in range(0, len(records), SUBMITTED_AT_ONCE):
            some = records[start : start + SUBMITTED_AT_ONCE]
            topic = settings.executions_topic
            await asyncio.gather(*[await producer.submit(topic, each.execution_id, encode(each)) for each in some])


def variables_of(settings: LogIngesterSettings) -> dict[str, str]:
    """Return where these settings differ from the defaults, as a service reads it."""
    given = ("kafka", "topic_prefix", "mongodb", "mongodb_database", "consumer_group")
    return {f"DCRON_{name.upper()}": str(getattr(settings, name)) for name in given}


async def _ingest(settings: LogIngesterSettings, total: int) -> Stored:
    """Ingest the topic, which holds `total` records."""
    with running_log_ingester(variables_of(settings)) as url:
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
            began, began_s = await documents_stored(http)
            while True:
                stored, at_s = await documents_stored(http)
                if began < _warm_up():
                    began, began_s = stored, at_s
                if stored >= total:
                    return Stored(stored - began, at_s - began_s)
                if at_s - began_s > INGESTED_WITHIN_S:
                    raise BenchmarkError(f"{stored} of {total} documents were stored in {INGESTED_WITHIN_S:g} s")
                await asyncio.sleep(LOOK_EVERY_S)


async def documents_stored(http: httpx.AsyncClient) -> tuple[int, float]:
    """Return how many documents of output the log-ingester has stored, and when it said so."""
    answer = await http.get("/metrics")
    now_s = time.perf_counter()
    for family in text_string_to_metric_families(answer.raise_for_status().text):
        for sample in family.samples:
            if sample.name == "dcron_ingester_documents_total" and sample.labels["collection"] == "output":
                return int(sample.value), now_s
    return 0, now_s


def check_stored(collection: Collection[Document], total: int) -> None:
    """Raise BenchmarkError unless the collection holds so many documents."""
    found = collection.count_documents({})
    if found != total:
        raise BenchmarkError(f"MongoDB holds {found} documents in place of {total}")
