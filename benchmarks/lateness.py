"""How late ticks start: from the due instant to the process, 100 jobs due in the same second, two workers.

The job is `date +%s.%N`: a small program that notes the time before all else; dcron records what it prints.

The limit is one process that waits for the instant and starts the same 100 programs with bare `os.posix_spawn`.
Its rounds lie halfway between those of the jobs, in the same minutes on the same machine, with the stack running.

A figure is the median of all rounds' percentiles, so that a round in which the machine did something else decides
neither side; what each round gave is printed.
"""

import asyncio
import math
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.stack import running_stack
from dcron_schemas.api import ExecutionView, Job
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_standalone.client import Client
from dcron_standalone.terminal import say

JOBS = 100
PERIOD_S = 4  # between rounds; divides a minute
WARM_UP_ROUNDS = 2
ROUNDS = 15
PROGRAM = ("/bin/date", "+%s.%N")
ENVIRONMENT = {"LANG": "C.UTF-8"}  # as dcron's runs have it
STORED_WITHIN_S = 60.0
GOAL_MS = 60.0


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every tick ran and noted its start."""
    with running_stack() as stack, TemporaryDirectory() as directory:
        jobs = [stack.client.create(_spec(number)) for number in range(JOBS)]
        first = _first_measured_round()
        say(f"{ROUNDS} rounds of {JOBS} starts of each kind, after {WARM_UP_ROUNDS} to warm up")
        bare = [
            _bare_round(first + (round_ + 0.5) * PERIOD_S, Path(directory, str(round_)))
            for round_ in range(-WARM_UP_ROUNDS, ROUNDS)
        ][WARM_UP_ROUNDS:]
        ours = await _tick_rounds(stack.client, jobs, first)
    for what, rounds in (("dcron", ours), ("limit", bare)):
        say(f"  p99 of each round, {what}: {' '.join(f'{late_ms:.0f}' for late_ms in _percentiles(rounds, 0.99))} ms")
    return [_result("lateness_p50_100", ours, bare, 0.5), _result("lateness_p99_100", ours, bare, 0.99)]


def _spec(number: int) -> JobSpec:
    schedule = Schedule(cron=f"*/{PERIOD_S} * * * * *")
    return JobSpec(name=f"late-{number}", run=Run(argv=PROGRAM), schedule=schedule, env=ENVIRONMENT)


def _first_measured_round() -> int:
    """Return the due instant, in seconds of the epoch, before which all rounds warm up."""
    return (math.ceil(time.time() / PERIOD_S) + 1 + WARM_UP_ROUNDS) * PERIOD_S


def _bare_round(due: float, file: Path) -> list[float]:
    """Start the programs at `due`; return how late each one was, in ms."""
    output = (os.POSIX_SPAWN_OPEN, 1, str(file), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    time.sleep(max(0.0, due - time.time()))
    started = [os.posix_spawn(PROGRAM[0], PROGRAM, ENVIRONMENT, file_actions=[output]) for _ in range(JOBS)]
    for process in started:
        os.waitpid(process, 0)
    return [(float(line) - due) * 1000 for line in file.read_text().splitlines()]


async def _tick_rounds(client: Client, jobs: list[Job], first: int) -> list[list[float]]:
    """Return how late each tick of each measured round was, in ms."""
    since = datetime.fromtimestamp(first, UTC)
    until = datetime.fromtimestamp(first + ROUNDS * PERIOD_S, UTC)
    rounds: list[list[float]] = [[] for _ in range(ROUNDS)]
    for job in jobs:
        for execution in await _runs(client, job, since, until):
            due = execution.due_at.timestamp()
            printed = "".join(piece.text for piece in client.output(execution.execution_id))
            rounds[round((due - first) / PERIOD_S)].append((float(printed) - due) * 1000)
    return rounds


async def _runs(client: Client, job: Job, since: datetime, until: datetime) -> list[ExecutionView]:
    """Wait until the job's runs of the measured rounds are stored with their ends; return them."""
    deadline_s = time.monotonic() + STORED_WITHIN_S
    while True:
        runs = [each for each in client.executions(job.job_id, limit=200) if since <= each.due_at < until]
        succeeded = [each for each in runs if each.status == "succeeded"]
        if len(succeeded) == ROUNDS:
            return succeeded
        if time.monotonic() > deadline_s:
            raise BenchmarkError(
                f"{len(succeeded)} of {ROUNDS} ticks of {job.spec.name} ran; is the machine very busy?"
            )
        await asyncio.sleep(0.2)


def _percentiles(rounds: list[list[float]], share: float) -> list[float]:
    return [percentile(late_ms, share) for late_ms in rounds]


def _result(name: str, ours: list[list[float]], bare: list[list[float]], share: float) -> Result:
    value, limit = median(_percentiles(ours, share)), median(_percentiles(bare, share))
    return result(name, "ms", value, limit, f"within {GOAL_MS:g} ms of the limit's", met=value - limit <= GOAL_MS)
