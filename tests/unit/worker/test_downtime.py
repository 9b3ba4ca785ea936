"""A month without workers costs neither a flood nor a stall, whatever `misfire` says (G5)."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dcron_core.ports.store import Put
from dcron_schemas.codec import encode
from dcron_schemas.records import ExecutionStarted, TickSkipped
from tests.services import KEYS, Ports
from tests.unit.worker.test_service import PATIENCE_S, each_second, job, put, put_job

MONTH = timedelta(days=31)
LIMIT = 20
CAUGHT_UP_S = 10.0  # from the worker's start; a walk through the month tick by tick takes minutes
MANY = 400
STALL_S = 0.7  # of work at a stretch, in which no lease is renewed; all at once they would take some 2 s


@pytest.mark.parametrize(
    ("misfire", "made_up_for"),
    [
        ({"policy": "skip"}, 0),
        ({"policy": "once"}, 1),
        ({"policy": "all", "limit": LIMIT}, LIMIT),
    ],
    ids=lambda value: value["policy"] if isinstance(value, dict) else "",
)
async def test_a_month_of_ticks_each_second_is_caught_up_with_in_seconds(
    tmp_path: Path, misfire: dict[str, Any], made_up_for: int
) -> None:
    """G5: one range is skipped, as much as `misfire` says is made up for, and another job's ticks are in time."""
    ports = Ports()
    fields: dict[str, Any] = {"overlap": "allow", "misfire": {"start_deadline": "2s", **misfire}}
    entry = await put_job(ports, each_second("away", **fields), ports.clock.now() - MONTH)
    other = await put_job(ports, each_second("other", overlap="allow"))
    began_s = time.monotonic()
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        while not [start for start in starts_of(ports, entry.job_id) if is_in_time(start)]:
            await asyncio.sleep(0.01)
        took_s = time.monotonic() - began_s
    assert took_s < CAUGHT_UP_S
    late = [start for start in starts_of(ports, entry.job_id) if not is_in_time(start)]
    assert made_up_for <= len(late) <= made_up_for + took_s + 1, "ticks that were missed meanwhile are made up for too"
    skips = [r for r in ports.records() if isinstance(r, TickSkipped) and r.execution.job_id == entry.job_id]
    assert 1 <= len(skips) <= 3
    assert skips[0].execution.due_at == min(skip.execution.due_at for skip in skips)
    assert all(is_in_time(start) for start in starts_of(ports, other.job_id))


async def test_many_jobs_after_a_month_do_not_keep_the_worker_from_its_lease(tmp_path: Path) -> None:
    """G5: each is looked at in milliseconds, and all together would take longer than a lease is trusted."""
    ports = Ports()
    anchor = ports.clock.now() - MONTH
    entries = [job(ports, each_second(f"away-{number}", misfire={"limit": 1}), anchor) for number in range(MANY)]
    for entry in entries:
        await put(ports, Put(KEYS.job(entry.job_id), encode(entry)))
    async with asyncio.timeout(3 * PATIENCE_S), ports.worker(tmp_path, slots="1"):
        watch = asyncio.create_task(longest_stretch_s())
        await ports.wait_for(TickSkipped, MANY)
        watch.cancel()
        stretch_s = await watch
    assert stretch_s < STALL_S


async def longest_stretch_s() -> float:
    """Until cancelled, take the longest time on a processor for which the loop let nobody else have a turn."""
    longest_s, turn_s = 0.0, time.thread_time()
    try:
        while True:
            await asyncio.sleep(0)
            longest_s, turn_s = max(longest_s, time.thread_time() - turn_s), time.thread_time()
    except asyncio.CancelledError:
        return longest_s


def starts_of(ports: Ports, job_id: str) -> list[ExecutionStarted]:
    return [r for r in ports.records() if isinstance(r, ExecutionStarted) and r.execution.job_id == job_id]


def is_in_time(start: ExecutionStarted) -> bool:
    return start.started_at - start.execution.due_at < timedelta(seconds=2)
