"""How many etcd calls a tick costs: 1,000 jobs due in the same second, again and again, five workers and a master.

etcd counts its calls itself; what the workers do besides, such as keeping their leases and showing their clocks,
and what the master does, is among them. Only the streams of watches are not.

The limit is one bare program that claims as many ticks, ends their runs and removes their entries, each step in
as few calls as etcd takes.
"""

import asyncio
import math
import time

from msgspec.structs import replace

from benchmarks.crontab import create_jobs
from benchmarks.due_jobs import WORKER_ID, DueJobs
from benchmarks.etcd_calls import calls_answered
from benchmarks.results import BenchmarkError, Result, result
from benchmarks.run_records import records_of_runs
from benchmarks.stack import running_servers, running_service, running_workers
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.executions import tick_in
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.records import Execution, ExecutionFinished
from dcron_standalone.servers import LocalServers
from dcron_standalone.terminal import say
from dcron_worker.claims import claim_tick, end_run, execution_of_tick, remove_entries

JOBS = 1000
WORKERS = 5
SLOTS = 1000  # of each worker: none has to wait
PERIOD_S = 6
WARM_UP_ROUNDS = 2
ROUNDS = 8
REMOVED_AT_ONCE = 80  # etcd takes no more operations in one transaction than 128
READ_WITHIN_S = 20.0
GOAL = 0.3


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every tick ran."""
    with running_servers("etcd", "kafka") as servers:
        limit = await _calls_of_a_bare_tick(servers)
        settings = {"DCRON_ETCD": servers.etcd, "DCRON_KAFKA": servers.kafka, "DCRON_SLOTS": str(SLOTS)}
        with running_service("master", settings) as master_url, running_workers(WORKERS, settings):
            await create_jobs(master_url, [_spec(number) for number in range(JOBS)])
            say(f"{ROUNDS} rounds of {JOBS} ticks, after {WARM_UP_ROUNDS} to warm up")
            first = (math.ceil(time.time() / PERIOD_S) + WARM_UP_ROUNDS) * PERIOD_S
            before = await _calls_at(servers, first - PERIOD_S / 2)
            after = await _calls_at(servers, first + (ROUNDS - 0.5) * PERIOD_S)
            await _check(servers, first)
    value = (after - before) / (ROUNDS * JOBS)
    return [result("etcd_calls_a_tick", "", value, limit, f"at most {GOAL:g}", met=value <= GOAL)]


def _spec(number: int) -> JobSpec:
    schedule = Schedule(cron=f"*/{PERIOD_S} * * * * *")
    return JobSpec(name=f"together-{number}", run=Run(argv=("/bin/true",)), schedule=schedule)


async def _calls_at(servers: LocalServers, instant: float) -> int:
    await asyncio.sleep(max(0.0, instant - time.time()))
    return calls_answered(servers.etcd)


async def _check(servers: LocalServers, first: int) -> None:
    """Wait until Kafka has the ends of all measured ticks."""
    missing = ROUNDS * JOBS
    async for sent in records_of_runs(servers.kafka, READ_WITHIN_S):
        if isinstance(sent.record, ExecutionFinished):
            tick = tick_in(sent.record.execution.execution_id)
            assert tick is not None
            missing -= first <= tick[0] / 1000 < first + ROUNDS * PERIOD_S
            if not missing:
                return
    raise BenchmarkError(f"of {ROUNDS * JOBS} ticks {missing} did not run; is the machine very busy?")


async def _calls_of_a_bare_tick(servers: LocalServers) -> float:
    """Take as many ticks through claim, end and removal; return how many calls each cost."""
    async with EtcdStore.open(servers.etcd) as store:
        jobs = DueJobs(store, "/bare/", JOBS)
        await jobs.create()
        lease = await store.grant_lease(600)
        ticks = [(each, execution_of_tick(each, WORKER_ID, each.tick)) for each in jobs.due()]
        before = calls_answered(servers.etcd)
        claimed = await store.transact_all([claim_tick(jobs.keys, *tick, lease) for tick in ticks])
        runs = [replace(tick[1], fencing_token=each.revision) for tick, each in zip(ticks, claimed, strict=True)]
        ended = await store.transact_all([end_run(jobs.keys, each, _end(each)) for each in runs])
        if not all(each.succeeded for each in (*claimed, *ended)):
            raise BenchmarkError("a claim was lost, and there is nobody to lose it to")
        for start in range(0, JOBS, REMOVED_AT_ONCE):
            removed = (run.execution_id for run in runs[start : start + REMOVED_AT_ONCE])
            await store.transact(remove_entries(jobs.keys, removed))
        return (calls_answered(servers.etcd) - before) / JOBS


def _end(execution: Execution) -> ExecutionFinished:
    return ExecutionFinished(
        execution=execution, outcome="succeeded", started_at=None, finished_at=execution.due_at, output_chunks=0
    )
