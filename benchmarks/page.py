"""How the page feels in Chromium: its first load, the list of many jobs, and the output of a million lines.

A whole dcron runs, and `services/web/bench` drives a browser that measures itself: long tasks, the time from a key to
the next paint (Event Timing), the time between frames, the heap after a collection. Interactive is the page when the
first row of jobs is painted and no long task follows for 300 ms; the cache is cold each time.

The limits are measured in the same browser: for loads, the same files and answers fetched at once by a page that does
nothing with them; for keys and frames, a bare field and two thousand bare rows; for the search, a plain loop over the
lines; for the heap, their text. The limit of the weight is what a first load may weigh.
"""

import gzip
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from benchmarks.crontab import create_jobs
from benchmarks.results import BenchmarkError, Result, percentile, result
from benchmarks.stack import RunningStack, running_stack
from dcron_schemas.job import JobSpec, Limits, Run, Schedule
from dcron_standalone.terminal import say

WEB = Path(__file__).parent.parent / "services" / "web"
FIRST_JOBS = 60
JOBS = 20_000
LINES = 1_000_000
WRITE = f"seq 1 {LINES} | sed 's/^/copied part /'"
OUTPUT_BYTES = 100_000_000
LONGEST_S = 400
MOST_KB = 350.0
INTERACTIVE_MS = 1500.0
KEY_MS = 100.0  # what feels immediate
ROWS_MS = 1000.0
FRAME_MS = 50.0
OUTPUT_MS = 5000.0
SEARCH_MS = 1000.0
HEAP_MB = 400.0

Measured = Any  # what the browser says, decoded JSON


async def run() -> list[Result]:
    """Measure; raise BenchmarkError if the browser cannot do what is measured."""
    with running_stack() as stack:
        results = await _first_load(stack)
        results += await _jobs(stack)
        return results + _output(stack)


async def _first_load(stack: RunningStack) -> list[Result]:
    say("the first load, with a cold cache")
    await _create(stack, range(FIRST_JOBS))
    rounds: list[Measured] = _browser(stack, "first")
    scripts = {each["name"] for each in rounds[0]["loaded"] if each["name"].endswith(".js")}
    weight = sum(_compressed(stack, url) for url in scripts) / 1000
    interactive = percentile([each["interactive"] for each in rounds], 0.5)
    bare = percentile([each["bare"] for each in rounds], 0.5)
    return [
        result("page_weight", "kB", weight, MOST_KB, f"at most {MOST_KB:g} kB", met=weight <= MOST_KB),
        _held("page_interactive", "ms", interactive, bare, INTERACTIVE_MS),
    ]


def _compressed(stack: RunningStack, url: str) -> int:
    """Return how many bytes the file is with gzip."""
    answer = httpx.get(url, headers={"Authorization": f"Bearer {stack.client.access.token}"}, trust_env=False)
    answer.raise_for_status()
    return len(gzip.compress(answer.content))


async def _jobs(stack: RunningStack) -> list[Result]:
    say(f"the list of {JOBS:,} jobs")
    await _create(stack, range(FIRST_JOBS, JOBS))
    seen: Measured = _browser(stack, "jobs")
    if int(seen["total"].replace(",", "")) < JOBS:
        raise BenchmarkError(f"the page tells of {seen['total']} jobs in place of {JOBS}")
    bare = seen["bare"]
    return [
        _held("page_jobs_shown", "ms", seen["shown"], seen["answer"], ROWS_MS),
        _held("page_jobs_key_p95", "ms", percentile(seen["keys"], 0.95), percentile(bare["keys"], 0.95), KEY_MS),
        _frames("page_jobs_frame_p99", seen["frames"], bare["frames"]),
    ]


def _output(stack: RunningStack) -> list[Result]:
    say(f"the output of {LINES:,} lines")
    spec = JobSpec(name="million-lines", run=Run(shell=WRITE), limits=Limits(output_bytes=OUTPUT_BYTES))
    job = stack.client.create(spec)
    execution_id = stack.client.run(job).execution_id
    seen: Measured = _browser(stack, "output", execution_id)
    if seen["found"] != 1:
        raise BenchmarkError(f"the whole output holds the sought line {seen['found']} times in place of once")
    finished = stack.client.execution(execution_id).finished_at
    assert finished is not None
    shown = seen["shownAt"] - finished.timestamp() * 1000
    return [
        _held("page_output_shown", "ms", shown, seen["bareLoadMs"], OUTPUT_MS),
        _frames("page_output_frame_p99", seen["frames"], seen["frames"]),
        _held("page_output_key_p95", "ms", percentile(seen["keys"], 0.95), 16.0, KEY_MS),
        _held("page_output_search", "ms", seen["searchMs"], seen["bareSearchMs"], SEARCH_MS),
        _held("page_output_heap", "MB", seen["heapMb"], seen["textMb"], HEAP_MB),
    ]


def _held(name: str, unit: str, value: float, limit: float, most: float) -> Result:
    return result(name, unit, value, limit, f"at most {most:g} {unit}", met=value <= most)


def _frames(name: str, frames: list[float], bare: list[float]) -> Result:
    say(f"  {name}: {sum(frame > FRAME_MS for frame in frames)} of {len(frames)} frames took over {FRAME_MS:g} ms")
    return _held(name, "ms", percentile(frames, 0.99), percentile(bare, 0.99), FRAME_MS)


async def _create(stack: RunningStack, numbers: Iterable[int]) -> None:
    access = stack.client.access
    await create_jobs(access.url, [_spec(number) for number in numbers], access.token)


def _spec(number: int) -> JobSpec:
    """Return one of many jobs that look alike; it is due once a day."""
    tenant = f"tenant-{number // 20:05d}"
    return JobSpec(
        name=f"{tenant}-{number}",
        namespace=f"team-{number % 40}",
        description=f"Keeps the books of {tenant} in order, number {number}",
        tags=("books",),
        run=Run(argv=("/bin/true", "--tenant", tenant)),
        schedule=Schedule(cron=f"{number % 60} {number // 60 % 24} * * *"),
    )


def _browser(stack: RunningStack, what: str, *arguments: str) -> Measured:
    """Return what `services/web/bench` measures."""
    access = stack.client.access
    environment: Mapping[str, str] = {**os.environ, "DCRON_PAGE": access.url, "DCRON_TOKEN": access.token}
    done = subprocess.run(
        ["node", "bench/measure.mjs", what, *arguments],
        cwd=WEB,
        env=environment,
        capture_output=True,
        timeout=LONGEST_S,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"the browser did not measure {what}:\n{done.stderr.decode()[-2000:]}")
    return msgspec.json.decode(done.stdout)
