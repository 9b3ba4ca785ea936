"""The benchmarks by name, and how they are run: one after the other, each on servers of its own."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from rich.console import Console

from benchmarks import (
    calls,
    catch_up,
    claims,
    commands,
    failover,
    ingest,
    latency,
    lateness,
    lists,
    output,
    page,
    replay,
    scale,
    throughput,
)
from benchmarks.results import RESULTS, Result, save, table

Benchmark = Callable[[], Coroutine[Any, Any, list[Result]]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "lateness": lateness.run,
    "throughput": throughput.run,
    "claims": claims.run,
    "calls": calls.run,
    "latency": latency.run,
    "ingest": ingest.run,
    "catch_up": catch_up.run,
    "commands": commands.run,
    "replay": replay.run,
    "lists": lists.run,
    "output": output.run,
    "scale": scale.run,
    "failover": failover.run,
    "page": page.run,
}


def run_benchmarks(names: Sequence[str], console: Console) -> None:
    """Run those benchmarks; print a table for each and save its results as soon as it is over."""
    for name in names:
        console.rule(name)
        load = os.getloadavg()[0]
        results = asyncio.run(BENCHMARKS[name]())
        save(results)
        console.print(table(name, f"{os.cpu_count()} cores; load when it began {load:.1f}", results))
    console.print(f"written to {RESULTS}")
