"""What a worker costs for each megabyte that its runs write: CPU time, and time until Kafka has it all.

A run writes as fast as it can, in large blocks or line by line, and all of it is kept. CPU time is the worker
process's own; the time goes from the request to the removal of the run's entry, when Kafka has every record. Of that,
about 0.3 s (the claim, and the removal, which waits for company) are for the run and not for its output, so the time
of fewer megabytes line by line is not told.

The limit is a bare program for the same road: an asyncio reader of the pipe of the same command, which appends each
read of at most 32 KiB to a file and sends it to the same Kafka (acks=all, idempotent, as much in flight as the worker
has), with no decoding, numbering, bound or replay. The two take turns.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaProducer
from msgspec import Struct

from benchmarks.results import BenchmarkError, Result, result
from benchmarks.signed import signed_put
from benchmarks.stack import running_servers, running_service
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import SystemClock
from dcron_core.keys import Keys
from dcron_core.ports.log import Topic
from dcron_core.ports.store import KeyValueStore, Transaction
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import JobSpec, Limits, Run
from dcron_schemas.state import JobEntry, RunWanted, WorkerEntry
from dcron_standalone.servers import LocalServers
from dcron_standalone.terminal import say
from dcron_worker import shipper

MB = 1_000_000
LINE = "2026-01-01T00:00:00.000000 INFO copied part 000042 of archive-0001.tar.zst and checked its hash"
BLOCKS, LINES = "blocks", "lines"
COMMANDS = {  # kind of writing → megabytes, and the command that writes them
    BLOCKS: (150, f"yes '{LINE}' | head -c {150 * MB}"),
    LINES: (40, f"yes '{LINE}' | head -c {40 * MB} | stdbuf -oL cat"),
}
ROUNDS = 3
READ_BYTES = 32 << 10
IN_FLIGHT = shipper.IN_FLIGHT * shipper.READ_BYTES // READ_BYTES
TOPIC = "bare"
GOAL_RATIO = 2.0
DONE_WITHIN_S = 120.0
KEYS = Keys()


class Cost(Struct, frozen=True):
    """What some megabytes took."""

    megabytes: float
    cpu_s: float
    wall_s: float


async def run() -> list[Result]:
    """Measure; raise BenchmarkError if a run's output does not come to Kafka."""
    results = []
    with running_servers("etcd", "kafka") as servers:
        async with EtcdStore.open(servers.etcd) as store, KafkaLog.open(servers.kafka) as log:
            await log.ensure_topics([Topic(TOPIC, partitions=6), Topic("cron.executions", partitions=6)])
            with TemporaryDirectory(prefix="dcron-benchmark-") as data:
                settings = {"DCRON_ETCD": servers.etcd, "DCRON_KAFKA": servers.kafka, "DCRON_WORKER_DATA": data}
                with running_service("worker", settings):
                    for kind in COMMANDS:
                        results += await _measured(kind, store, servers)
    return results


async def _measured(kind: str, store: KeyValueStore, servers: LocalServers) -> list[Result]:
    megabytes, command = COMMANDS[kind]
    say(f"{ROUNDS} rounds of {megabytes} MB in {kind} each way")
    ours: list[Cost] = []
    bare: list[Cost] = []
    for round_ in range(-1, ROUNDS):  # one more to warm up
        costs = (await _by_hand(servers, command, megabytes), await _by_worker(store, kind, round_))
        if round_ >= 0:
            bare.append(costs[0])
            ours.append(costs[1])
            say(f"  round {round_ + 1}: dcron {costs[1].cpu_s:.2f} s of CPU, the limit {costs[0].cpu_s:.2f} s")
    cpu, cpu_limit = _per_megabyte(ours, lambda cost: cost.cpu_s), _per_megabyte(bare, lambda cost: cost.cpu_s)
    goal = f"at most {GOAL_RATIO:g} of the limit"
    results = [result(f"output_{kind}_cpu", "ms/MB", cpu, cpu_limit, goal, met=cpu / cpu_limit <= GOAL_RATIO)]
    if kind == LINES:
        return results
    wall, wall_limit = _per_megabyte(ours, lambda cost: cost.wall_s), _per_megabyte(bare, lambda cost: cost.wall_s)
    met = wall / wall_limit <= GOAL_RATIO
    return [*results, result(f"output_{kind}_time", "ms/MB", wall, wall_limit, goal, met=met)]


def _per_megabyte(costs: list[Cost], part: Callable[[Cost], float]) -> float:
    return 1000 * sum(map(part, costs)) / sum(cost.megabytes for cost in costs)


async def _by_worker(store: KeyValueStore, kind: str, round_: int) -> Cost:
    """Have the worker run the command; return what that took it."""
    megabytes, command = COMMANDS[kind]
    (registered,) = (await store.read_prefix(KEYS.workers)).items
    pid = decode_state(WorkerEntry, registered.value).pid
    now = SystemClock().now()
    spec = JobSpec(name=kind, run=Run(shell=command), limits=Limits(output_bytes=4 * megabytes * MB))
    job = JobEntry(
        job_id=kind, version=1, spec=spec, anchor=now, position=0, created_at=now, updated_at=now, updated_by="me"
    )  # fmt: skip
    execution_id = f"{kind}.r{round_ + 1}.1"
    wanted = RunWanted(
        execution_id=execution_id, job_id=kind, trigger="request", requested_at=now, requested_by="benchmark"
    )
    await store.transact(Transaction((), (signed_put(KEYS, KEYS.job(kind), encode(job)),)))
    began_s, cpu_began_s = time.perf_counter(), _cpu_s(pid)
    await store.transact(Transaction((), (signed_put(KEYS, KEYS.run(execution_id), encode(wanted)),)))
    while (await store.read_prefix(KEYS.runs)).items or (await store.read_prefix(KEYS.executions)).items:
        if time.perf_counter() - began_s > DONE_WITHIN_S:
            raise BenchmarkError(f"Kafka did not have all output of {execution_id} in {DONE_WITHIN_S:g} s")
        await asyncio.sleep(0.02)
    return Cost(megabytes, _cpu_s(pid) - cpu_began_s, time.perf_counter() - began_s)


def _cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used itself."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _by_hand(servers: LocalServers, command: str, megabytes: int) -> Cost:
    """Bring the command's output to a file and to Kafka in the barest way."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers.kafka, acks="all", enable_idempotence=True, max_batch_size=256 << 10
    )
    await producer.start()
    try:
        with (
            TemporaryDirectory(prefix="dcron-benchmark-") as directory,
            (Path(directory) / "file").open("wb", 0) as file,
        ):
            began_s, cpu_began_s = time.perf_counter(), time.process_time()
            process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
            assert process.stdout is not None
            answers: deque[Awaitable[object]] = deque()
            while data := await process.stdout.read(READ_BYTES):
                file.write(data)
                answers.append(await producer.send(TOPIC, data, b"key"))
                if len(answers) > IN_FLIGHT:
                    await answers.popleft()
            await asyncio.gather(*answers, process.wait())
            return Cost(megabytes, time.process_time() - cpu_began_s, time.perf_counter() - began_s)
    finally:
        await producer.stop()
