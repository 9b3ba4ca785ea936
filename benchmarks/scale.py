"""What 100,000 jobs cost one worker: its start-up, its memory and its idle work; and 1,000 of them due in one second.

Start-up is from the process's start to its readiness probe, when it claims. The limit for start-up, memory and idle
work is a bare asyncio process (`bare_table`) that reads the same keys from the same etcd, decodes every value and
holds them. Both are started in turns.

Then 1,000 of the jobs are edited: they are due at the same instant every ten seconds, and a new worker starts on the
table. The limit for their lateness is the bare loop of `lateness`, which starts as many programs at an instant
halfway between those of the jobs.
"""

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from msgspec import Struct

from benchmarks.bare_starts import PROGRAM, bare_round
from benchmarks.large_table import KEYS, crontab, fill, instant, together
from benchmarks.process_use import cpu_s, memory_mb
from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.run_records import records_of_runs
from benchmarks.stack import TOKEN, running_servers, started_service, wait_until_ready
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.executions import tick_in
from dcron_core.settings import WorkerSettings
from dcron_core.topics import topics
from dcron_schemas.records import OutputChunk
from dcron_schemas.state import JobEntry
from dcron_standalone.servers import LocalServers
from dcron_standalone.terminal import say

JOBS = 100_000
STARTS = 3
SETTLE_S = 3.0  # from ready to idle
IDLE_S = 20.0
START_GOAL_S, MEMORY_GOAL_MB, IDLE_GOAL_MS = 15.0, 400.0, 50.0

TOGETHER = 1000
PERIOD_S = 10  # between rounds; divides a minute
ROUNDS = 5
RECORDED_WITHIN_S = 60.0
GOAL_RATIO = 1.3


class Use(Struct, frozen=True):
    """What a process that holds the table took."""

    start_s: float
    memory_mb: float
    idle_ms: float  # on a processor in each second; nan: not measured


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every tick ran."""
    now = instant()
    entries = crontab(JOBS, now)
    with running_servers("etcd", "kafka") as servers:
        settings = WorkerSettings(token=TOKEN, etcd=servers.etcd, kafka=servers.kafka)
        async with KafkaLog.open(servers.kafka) as log:
            await log.ensure_topics(topics(settings))
        await fill(servers.etcd, entries, now)
        say(f"{JOBS:,} jobs, and the cursors of those with a schedule; {STARTS} starts of each kind")
        bare, ours = [], []
        for number in range(STARTS):
            bare.append(_bare_use(servers, idle=number == 0))
            ours.append(_worker_use(servers, idle=number == 0))
            say(f"  worker {ours[-1]}, limit {bare[-1]}")
        late = await _due_together(servers, entries)
    return [
        _result(
            "scale_start_100k", "s", [each.start_s for each in ours], [each.start_s for each in bare], START_GOAL_S
        ),
        _result(
            "scale_memory_100k",
            "MB",
            [each.memory_mb for each in ours],
            [each.memory_mb for each in bare],
            MEMORY_GOAL_MB,
        ),
        _result("scale_idle_100k", "ms/s", [ours[0].idle_ms], [bare[0].idle_ms], IDLE_GOAL_MS),
        *late,
    ]


def _result(name: str, unit: str, ours: list[float], bare: list[float], goal: float) -> Result:
    value = median(ours)
    return result(name, unit, value, median(bare), f"at most {goal:g} {unit}", met=value <= goal)


def _worker_use(servers: LocalServers, *, idle: bool) -> Use:
    began_s = time.monotonic()
    with started_service("worker", _where(servers)) as worker:
        wait_until_ready(worker)
        start_s = time.monotonic() - began_s
        assert worker.child is not None
        return _use(worker.child.pid, start_s, idle=idle)


def _bare_use(servers: LocalServers, *, idle: bool) -> Use:
    began_s = time.monotonic()
    with _bare_table(servers) as pid:
        return _use(pid, time.monotonic() - began_s, idle=idle)


@contextmanager
def _bare_table(servers: LocalServers) -> Iterator[int]:
    """Run the bare process; give its id when it holds the table."""
    parts = (f"cursor={KEYS.ticks}", f"job={KEYS.jobs}")
    command = (sys.executable, "-P", "-m", "benchmarks.bare_table", servers.etcd, *parts)
    repository = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=repository, env={"PYTHONPATH": "."}) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline().startswith(b"ready"):
                raise BenchmarkError("the bare table could not be read")
            yield process.pid
        finally:
            process.kill()


def _use(pid: int, start_s: float, *, idle: bool) -> Use:
    time.sleep(SETTLE_S)
    if not idle:
        return Use(start_s, memory_mb(pid), math.nan)
    began_s, used_s = time.monotonic(), cpu_s(pid)
    time.sleep(IDLE_S)
    idle_ms = (cpu_s(pid) - used_s) / (time.monotonic() - began_s) * 1000
    return Use(start_s, memory_mb(pid), idle_ms)


def _where(servers: LocalServers) -> dict[str, str]:
    return {"DCRON_ETCD": servers.etcd, "DCRON_KAFKA": servers.kafka, "DCRON_SLOTS": str(TOGETHER)}


async def _due_together(servers: LocalServers, entries: list[JobEntry]) -> list[Result]:
    """Let jobs be due in the same second; return how late they started, beside the bare loop."""
    now = instant()
    edited = together(entries[:: JOBS // TOGETHER], f"*/{PERIOD_S} * * * * *", PROGRAM, now)
    await fill(servers.etcd, edited, now)
    began_s = time.monotonic()
    with started_service("worker", _where(servers)) as worker, TemporaryDirectory() as directory:
        wait_until_ready(worker)
        start_s = time.monotonic() - began_s
        first = (math.ceil(time.time() / PERIOD_S) + 1) * PERIOD_S  # the round before it warms up
        bare = [
            bare_round(TOGETHER, first + (round_ + 0.5) * PERIOD_S, Path(directory, str(round_)))
            for round_ in range(ROUNDS)
        ]
        dues = [first + round_ * PERIOD_S for round_ in range(ROUNDS)]
        ours = await _lateness(servers.kafka, dues)
    say(f"  {TOGETHER:,} due in the same second: ready after {start_s:.1f} s")
    for what, rounds in (("dcron", ours), ("limit", bare)):
        say(f"  p99 of each round, {what}: {' '.join(f'{percentile(each, 0.99):.0f}' for each in rounds)} ms")
    return [
        _late("scale_lateness_p50_1000", ours, bare, 0.5),
        _late("scale_lateness_p99_1000", ours, bare, 0.99),
    ]


def _late(name: str, ours: list[list[float]], bare: list[list[float]], share: float) -> Result:
    value, limit = (median(percentile(each, share) for each in rounds) for rounds in (ours, bare))
    return result(name, "ms", value, limit, f"at most {GOAL_RATIO:g} of the limit", met=value / limit <= GOAL_RATIO)


async def _lateness(bootstrap: str, dues: list[int]) -> list[list[float]]:
    """Read from Kafka how late each run of these instants was, in ms; raise BenchmarkError unless all of them ran."""
    rounds: dict[float, dict[str, float]] = {due: {} for due in dues}
    missing = TOGETHER * len(dues)
    async for sent in records_of_runs(bootstrap, RECORDED_WITHIN_S):
        record = sent.record
        if not isinstance(record, OutputChunk):
            continue
        tick = tick_in(record.execution_id)
        due = tick[0] / 1000 if tick else math.nan
        if due not in rounds or record.job_id in rounds[due]:
            continue
        rounds[due][record.job_id] = (float(record.text) - due) * 1000
        missing -= 1
        if not missing:
            return [list(each.values()) for each in rounds.values()]
    raise BenchmarkError(f"of {TOGETHER * len(dues)} ticks {missing} did not run; is the machine very busy?")
