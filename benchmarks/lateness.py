"""How late ticks start: from the due instant to the process; 10, 100 and 1,000 due in the same second, two workers.

The job is `date +%s.%N`: a small program that notes the time before all else; dcron records what it prints.

The limit is one process that waits for the instant and starts as many programs with bare `os.posix_spawn`.
Its rounds lie halfway between those of the jobs, in the same minutes on the same machine, with the stack running.

A figure is the median of all rounds' percentiles, so that a round in which the machine did something else decides
neither side; what each round gave is printed.
"""

import math
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from msgspec import Struct

from benchmarks.bare_starts import ENVIRONMENT, PROGRAM, bare_round
from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.run_records import records_of_runs
from benchmarks.stack import RunningStack, running_stack
from dcron_core.executions import tick_in
from dcron_schemas.api import Job
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.records import OutputChunk
from dcron_standalone.terminal import say

RECORDED_WITHIN_S = 60.0
SLOTS = 1000  # of each worker: by default there are 64, and of 1,000 due most would have to wait
GOAL_MS = 15.0  # of the limit's, up to 100 due
GOAL_RATIO = 1.3  # of 1,000


class Load(Struct, frozen=True):
    """So many jobs, so often."""

    jobs: int
    period_s: int  # between rounds; divides a minute
    rounds: int
    warm_up_rounds: int


LOADS = (Load(10, 4, 10, 2), Load(100, 4, 15, 2), Load(1000, 12, 7, 1))


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every tick ran and noted its start."""
    results: list[Result] = []
    with running_stack({"DCRON_SLOTS": str(SLOTS)}) as stack:
        for load in LOADS:
            results += await _measured(stack, load)
    return results


async def _measured(stack: RunningStack, load: Load) -> list[Result]:
    jobs = [stack.client.create(_spec(load, number)) for number in range(load.jobs)]
    first = _first_measured_round(load)
    say(f"{load.rounds} rounds of {load.jobs} starts of each kind, after {load.warm_up_rounds} to warm up")
    with TemporaryDirectory() as directory:
        bare = [
            bare_round(load.jobs, first + (round_ + 0.5) * load.period_s, Path(directory, str(round_)))
            for round_ in range(-load.warm_up_rounds, load.rounds)
        ][load.warm_up_rounds :]
    ours = await _tick_rounds(stack.servers.kafka, load, {job.job_id for job in jobs}, first)
    _remove(stack, jobs)
    for what, rounds in (("dcron", ours), ("limit", bare)):
        say(f"  p99 of each round, {what}: {' '.join(f'{late_ms:.0f}' for late_ms in _percentiles(rounds, 0.99))} ms")
    return [_result(load, ours, bare, share) for share in (0.5, 0.99)]


def _spec(load: Load, number: int) -> JobSpec:
    schedule = Schedule(cron=f"*/{load.period_s} * * * * *")
    return JobSpec(name=f"late-{load.jobs}-{number}", run=Run(argv=PROGRAM), schedule=schedule, env=ENVIRONMENT)


def _remove(stack: RunningStack, jobs: list[Job]) -> None:
    for job in jobs:
        stack.client.delete(job)


def _first_measured_round(load: Load) -> int:
    """Return the due instant, in seconds of the epoch, before which all rounds warm up."""
    return (math.ceil(time.time() / load.period_s) + 1 + load.warm_up_rounds) * load.period_s


async def _tick_rounds(bootstrap: str, load: Load, jobs: set[str], first: int) -> list[list[float]]:
    """Wait until Kafka has what the measured rounds' runs printed; return how late each one was, in ms."""
    rounds: list[dict[str, float]] = [{} for _ in range(load.rounds)]
    missing = load.rounds * load.jobs
    async for sent in records_of_runs(bootstrap, RECORDED_WITHIN_S):
        record = sent.record
        if not isinstance(record, OutputChunk) or record.job_id not in jobs:
            continue
        due = _due_in(record.execution_id)
        number = round((due - first) / load.period_s)
        if 0 <= number < load.rounds and record.job_id not in rounds[number]:
            rounds[number][record.job_id] = (float(record.text) - due) * 1000
            missing -= 1
            if not missing:
                return [list(each.values()) for each in rounds]
    raise BenchmarkError(f"of {load.rounds * load.jobs} ticks {missing} did not run; is the machine very busy?")


def _due_in(execution_id: str) -> float:
    tick = tick_in(execution_id)
    assert tick is not None
    return tick[0] / 1000


def _percentiles(rounds: list[list[float]], share: float) -> list[float]:
    return [percentile(late_ms, share) for late_ms in rounds]


def _result(load: Load, ours: list[list[float]], bare: list[list[float]], share: float) -> Result:
    value, limit = median(_percentiles(ours, share)), median(_percentiles(bare, share))
    goal, met = "no goal of its own", True
    if share == 0.99 and load.jobs == 1000:
        goal, met = f"within {GOAL_RATIO:g} times the limit's", value <= GOAL_RATIO * limit
    elif share == 0.99:
        goal, met = f"within {GOAL_MS:g} ms of the limit's", value - limit <= GOAL_MS
    return result(f"lateness_p{share * 100:.0f}_{load.jobs}", "ms", value, limit, goal, met=met)
