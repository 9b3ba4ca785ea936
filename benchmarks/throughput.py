"""How many runs a second one worker sustains: 1,000 jobs due each second, more than it can start, 64 slots.

A run counts when its closing record is sent to Kafka: by then its tick was claimed, its process was started, read
and waited for, and its records were on disk. In the end the worker is stopped, and etcd must hold no entry of a run:
nothing was put off. The worker runs beside etcd and Kafka; the master is away once it has made the jobs.

There are two limits, both bare `os.posix_spawn` and `os.waitpid` of the same program, before and after, on the same
machine with the same servers, which are idle then. One loop spawns and waits, again and again; the goal is held
against it. The other one keeps as many programs alive as the worker has slots: it has every core of the machine for
the programs alone, so it says what part of the machine the worker gives to them.
"""

import asyncio
import os
import time
from collections import deque
from statistics import mean

from benchmarks.crontab import create_jobs
from benchmarks.results import BenchmarkError, Result, result
from benchmarks.run_records import records_of_runs
from benchmarks.stack import running_servers, running_service, running_workers
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.keys import Keys
from dcron_core.settings import WorkerSettings
from dcron_schemas.job import JobSpec, Misfire, Run, Schedule
from dcron_schemas.records import ExecutionFinished
from dcron_standalone.servers import LocalServers
from dcron_standalone.terminal import say

JOBS = 1000
PROGRAM = ("/bin/true",)
WARM_UP_S = 5.0
MEASURED_S = 20.0
BARE_S = 3.0  # of each limit before, and again after
READ_WITHIN_S = 10.0
GOAL_RATIO = 0.5

DEFAULTS = WorkerSettings(token="none")


async def run() -> list[Result]:
    """Measure; raise BenchmarkError if the worker leaves something behind."""
    with running_servers("etcd", "kafka") as servers:
        settings = {"DCRON_ETCD": servers.etcd, "DCRON_KAFKA": servers.kafka}
        with running_service("master", settings) as master_url:
            await create_jobs(master_url, [_spec(number) for number in range(JOBS)])
        say(
            f"{MEASURED_S:g} s of one worker, after {WARM_UP_S:g} to warm up; {BARE_S:g} s of each limit on either side"
        )
        before = _bare_rates()
        with running_workers(1, settings):
            await asyncio.sleep(WARM_UP_S + MEASURED_S)
            until = time.time()
        one, many = (mean(pair) for pair in zip(before, _bare_rates(), strict=True))
        await _check(servers)
        ours = await _ends(servers, until - MEASURED_S, until) / MEASURED_S
    goal = f"at least {GOAL_RATIO:g} of the limit"
    return [
        result("runs", "1/s", ours, one, goal, met=ours >= GOAL_RATIO * one),
        result("runs_of_all_cores", "1/s", ours, many, "no goal of its own", met=True),
    ]


def _spec(number: int) -> JobSpec:
    return JobSpec(
        name=f"often-{number}",
        run=Run(argv=PROGRAM),
        schedule=Schedule(cron="* * * * * *"),
        overlap="allow",
        misfire=Misfire(start_deadline="1h"),  # there are always more ticks than can be run; none is given up
    )


def _bare_rates() -> tuple[float, float]:
    """Return how many programs a second end with one alive at a time, and with as many as a worker has slots."""
    return _bare_rate(1), _bare_rate(DEFAULTS.slots)


def _bare_rate(most_alive: int) -> float:
    """Keep so many programs alive; return how many ended, a second."""
    alive: deque[int] = deque()
    ended = 0
    begun_s = time.monotonic()
    while time.monotonic() < begun_s + BARE_S:
        alive.append(os.posix_spawn(PROGRAM[0], PROGRAM, {}))
        if len(alive) == most_alive:
            os.waitpid(alive.popleft(), 0)
            ended += 1
    took_s = time.monotonic() - begun_s
    for process in alive:
        os.waitpid(process, 0)
    return ended / took_s


async def _check(servers: LocalServers) -> None:
    async with EtcdStore.open(servers.etcd) as store:
        left = (await store.read_prefix(Keys(DEFAULTS.etcd_prefix).executions)).items
    if left:
        raise BenchmarkError(f"the worker left {len(left)} entries in etcd")


async def _ends(servers: LocalServers, since: float, until: float) -> int:
    """Return how many runs' closing records were sent in that time."""
    ended = 0
    async for sent in records_of_runs(servers.kafka, READ_WITHIN_S):
        if isinstance(sent.record, ExecutionFinished) and since <= sent.at < until:
            if sent.record.outcome != "succeeded":
                raise BenchmarkError(f"{sent.record.execution.execution_id} {sent.record.outcome}: {sent.record.error}")
            ended += 1
    return ended
