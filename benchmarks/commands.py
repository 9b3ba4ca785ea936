"""How long a command takes, from the request to the answer: with one client, and with 50 at a time.

The command creates a job. It is answered when its event is acknowledged by Kafka, folded by the master, and its
job stands in etcd. The limit is the bare pair of writes that this cannot do without: the same event produced to a
topic of the same Kafka (acks=all, idempotent) and then the same job written to the same etcd in one transaction,
by as many loops at a time in one process, past HTTP and past dcron. The two take turns.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from benchmarks.http_client import Connection
from benchmarks.results import Result, percentile, result
from benchmarks.stack import running_servers, running_service
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.ids import IdSource
from dcron_core.jobs.replay import Replay
from dcron_core.ports.log import Topic
from dcron_core.ports.store import Put, Transaction
from dcron_schemas.codec import encode
from dcron_schemas.events import JobCreated, JobEvent
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_standalone.servers import LocalServers
from dcron_standalone.terminal import say

COMMANDS = {1: 600, 50: 3000}  # clients at a time → commands, and as many bare pairs
WARM_UP = 100
ROUNDS = 3
TOPIC = "bare"
GOAL_RATIO = 2.5

Work = Callable[[int], Awaitable[None]]  # given which client works


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every command is answered with success."""
    results = []
    with running_servers("etcd", "kafka") as servers:
        settings = {"DCRON_ETCD": servers.etcd, "DCRON_KAFKA": servers.kafka}
        with running_service("master", settings) as url:
            for clients in COMMANDS:
                results += await _measured(servers, url, clients)
    return results


async def _measured(servers: LocalServers, url: str, clients: int) -> list[Result]:
    count = COMMANDS[clients] // ROUNDS
    say(f"{ROUNDS} rounds of {count} commands by {clients} at a time, and as many bare pairs")
    ours_ms: list[float] = []
    bare_ms: list[float] = []
    async with AsyncExitStack() as stack:
        pair = await _bare_pair(servers, stack)
        create = await _creating(url, clients, stack)
        await _timed(pair, clients, WARM_UP)
        await _timed(create, clients, WARM_UP)
        for _ in range(ROUNDS):
            bare_ms += await _timed(pair, clients, count)
            ours_ms += await _timed(create, clients, count)
    return [_result(clients, share, ours_ms, bare_ms) for share in (0.5, 0.99)]


def _result(clients: int, share: float, ours_ms: list[float], bare_ms: list[float]) -> Result:
    value, limit = percentile(ours_ms, share), percentile(bare_ms, share)
    name = f"command_p{share * 100:.0f}_{clients}_client{'s' * (clients > 1)}"
    goal = f"under {GOAL_RATIO:g} times the limit" if share == 0.5 else "no goal of its own"
    return result(name, "ms", value, limit, goal, met=share != 0.5 or value < GOAL_RATIO * limit)


async def _timed(work: Work, clients: int, count: int) -> list[float]:
    """Do `work` `count` times, `clients` at a time; return how long each took, in ms."""
    took_ms: list[float] = []

    async def client(number: int) -> None:
        for _ in range(count // clients):
            began_s = time.perf_counter()
            await work(number)
            took_ms.append((time.perf_counter() - began_s) * 1000)

    await asyncio.gather(*(client(number) for number in range(clients)))
    return took_ms


async def _creating(url: str, clients: int, stack: AsyncExitStack) -> Work:
    connections = [await stack.enter_async_context(Connection.open(url)) for _ in range(clients)]
    names = IdSource()

    async def create(client: int) -> None:
        await connections[client].post("/api/v1/jobs", encode(_spec(names.token(64))))

    return create


async def _bare_pair(servers: LocalServers, stack: AsyncExitStack) -> Work:
    """Return what produces an event and then writes its job."""
    log = await stack.enter_async_context(KafkaLog.open(servers.kafka))
    await log.ensure_topics([Topic(TOPIC, partitions=1)])
    store = await stack.enter_async_context(EtcdStore.open(servers.etcd))
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    stack.push_async_callback(producer.stop)
    ids = IdSource()

    async def pair(_client: int) -> None:
        now = datetime.now(UTC)
        event = JobEvent(
            event_id=ids.uuid7(now),
            job_id=ids.uuid7(now),
            actor="token",
            request_id=ids.uuid7(now),
            at=now,
            data=JobCreated(_spec(ids.token(64))),
        )
        job = Replay().step(0, event).after
        assert job is not None
        await producer.send_and_wait(TOPIC, encode(event), event.job_id.encode())
        await store.transact(Transaction((), (Put("/bare/projection", b"0"), Put(f"/bare/{job.job_id}", encode(job)))))

    return pair


def _spec(name: str) -> JobSpec:
    return JobSpec(name=name, run=Run(shell="echo hello"), schedule=Schedule(cron="0 3 * * *"), description="a job")
