"""How fast the log is replayed, and how fast it makes etcd's job table again.

* `fold_events`: events in memory, folded into an empty table. The limit is decoding the same events from JSON:
  what msgspec, in C, takes to make them.
* `replay_events`: the whole way from Kafka, as every check and every history reads it: fetched, decoded, folded.
  The limit is fetching the same records with a bare consumer.
* `rebuild_jobs`: 100,000 jobs from the log into an empty etcd, as `dcron log rebuild` does it. The limit is bare:
  the same keys in transactions of 100 puts, one after the other.
"""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.signed import SIGNATURES
from benchmarks.stack import running_servers
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.job_log import JobLog
from dcron_core.jobs.replay import Replay
from dcron_core.jobs.table import JobTable
from dcron_core.keys import Keys
from dcron_core.ports.log import Topic
from dcron_core.ports.store import KeyValueStore, Put, Transaction
from dcron_master.rebuild import rebuild
from dcron_schemas.codec import decode_event, encode
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobEvent,
    JobPaused,
    JobResumed,
    JobUpdated,
    LogOpened,
    RunRequested,
    UnknownEvent,
)
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_standalone.terminal import say

JOBS = 100_000
CHANGES = 100_000  # further events, of all kinds
ROUNDS = 3
TOPIC = "cron.job-events"
SUBMITTED_AT_ONCE = 2000
PUTS_AT_ONCE = 100
FOLD_GOAL, REPLAY_GOAL, REBUILD_GOAL_S = 300_000.0, 50_000.0, 60.0
START = datetime(2026, 1, 1, tzinfo=UTC)


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless what was replayed and rebuilt is what was written."""
    values = [encode(event) for event in _log()]
    say(f"{len(values):,} events, {JOBS:,} jobs; {ROUNDS} rounds of folding and replaying")
    folded = _folded(values)
    with running_servers("etcd", "kafka") as servers:
        async with KafkaLog.open(servers.kafka) as log, EtcdStore.open(servers.etcd) as store:
            await _fill(log, values)
            replayed = await _replayed(log, servers.kafka, len(values))
            return [folded, replayed, await _rebuilt(log, store)]


def _log() -> Iterator[JobEvent]:
    """Yield a log: every job is created, then jobs are changed, paused, resumed and run in turn."""
    yield _event(0, "", LogOpened("01990000-0000-7000-8000-00000000b000"))
    for number in range(1, JOBS + CHANGES + 1):
        yield _event(number, f"01990000-0000-7000-8000-{number % JOBS:012x}", _data(number))


def _data(number: int) -> EventData:
    spec = JobSpec(
        name=f"job-{number % JOBS}",
        run=Run(shell="tar cf /backup/home.tar /home"),
        schedule=Schedule(cron="0 3 * * *"),
        description=f"change {number}",
    )
    if number <= JOBS:
        return JobCreated(spec)
    return (JobUpdated(spec), JobPaused(), JobResumed(), RunRequested())[number % 4]


def _event(number: int, job_id: str, data: EventData) -> JobEvent:
    return JobEvent(
        event_id=f"01990000-1111-7000-8000-{number:012x}",
        job_id=job_id,
        actor="token",
        request_id=f"01990000-2222-7000-8000-{number:012x}",
        at=START + timedelta(milliseconds=number),
        data=data,
    )


def _folded(values: list[bytes]) -> Result:
    folds, decodes = [], []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        events = [decode_event(value) for value in values]
        decodes.append(len(values) / (time.perf_counter() - began_s))
        replay = Replay()
        began_s = time.perf_counter()
        for position, event in enumerate(events):
            assert not isinstance(event, UnknownEvent)
            replay.step(position, event)
        folds.append(len(values) / (time.perf_counter() - began_s))
        _check(replay.table)
    value = percentile(folds, 0.5)
    goal = f"at least {FOLD_GOAL:,.0f} a second"
    return result("fold_events", "1/s", value, percentile(decodes, 0.5), goal, met=value >= FOLD_GOAL)


async def _fill(log: KafkaLog, values: list[bytes]) -> None:
    await log.ensure_topics([Topic(TOPIC, partitions=1)])
    async with log.producer() as producer:
        for start in range(0, len(values), SUBMITTED_AT_ONCE):
            some = values[start : start + SUBMITTED_AT_ONCE]
            await asyncio.gather(*[await producer.submit(TOPIC, "", value) for value in some])


async def _replayed(log: KafkaLog, bootstrap: str, total: int) -> Result:
    ours, bare = [], []
    for round_ in range(ROUNDS):
        bare.append(total / await _fetched(bootstrap, total))
        began_s = time.perf_counter()
        replay = await JobLog(log, TOPIC).replayed(total)
        ours.append(total / (time.perf_counter() - began_s))
        _check(replay.table)
        say(f"  round {round_ + 1}: replayed {ours[-1]:,.0f} events a second, the limit {bare[-1]:,.0f}")
    value = percentile(ours, 0.5)
    goal = f"at least {REPLAY_GOAL:,.0f} a second"
    return result("replay_events", "1/s", value, percentile(bare, 0.5), goal, met=value >= REPLAY_GOAL)


async def _fetched(bootstrap: str, total: int) -> float:
    """Fetch the topic with a bare consumer; return how many seconds that took."""
    began_s = time.perf_counter()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None)
    consumer.assign([TopicPartition(TOPIC, 0)])
    await consumer.start()
    try:
        await consumer.seek_to_beginning()
        fetched = 0
        while fetched < total:
            fetched += sum(map(len, (await consumer.getmany(timeout_ms=1000)).values()))
    finally:
        await consumer.stop()
    return time.perf_counter() - began_s


def _check(table: JobTable) -> None:
    if len(table) != JOBS:
        raise BenchmarkError(f"{len(table)} jobs came of the log in place of {JOBS}")


async def _rebuilt(log: KafkaLog, store: KeyValueStore) -> Result:
    bare_s = await _written_bare(store)
    keys = Keys("/rebuilt/")
    began_s = time.perf_counter()
    await rebuild(store, JobLog(log, TOPIC), keys, SIGNATURES)
    took_s = time.perf_counter() - began_s
    found = len((await store.read_prefix(keys.jobs)).items)
    if found != JOBS:
        raise BenchmarkError(f"etcd holds {found} jobs in place of {JOBS}")
    goal = f"at most {REBUILD_GOAL_S:g} s"
    return result("rebuild_100000_jobs", "s", took_s, bare_s, goal, met=took_s <= REBUILD_GOAL_S)


async def _written_bare(store: KeyValueStore) -> float:
    """Write as many jobs in full transactions; return how many seconds that took."""
    value = encode(_event(1, "01990000-0000-7000-8000-000000000001", _data(1)))
    began_s = time.perf_counter()
    for start in range(0, JOBS, PUTS_AT_ONCE):
        puts = tuple(Put(f"/bare/jobs/{start + number}", value) for number in range(PUTS_AT_ONCE))
        await store.transact(Transaction((), puts))
    return time.perf_counter() - began_s
