"""Waiting for an instant."""

import asyncio
from datetime import datetime, timedelta

from dcron_core.clock import SystemClock
from dcron_worker.instants import Instants


class BusyClock(SystemClock):
    """A clock on a busy machine: each time it is read, some milliseconds pass before anything is done about it."""

    def __init__(self) -> None:
        self._late = timedelta(0)

    def now(self) -> datetime:
        self._late += timedelta(milliseconds=5)
        return super().now() - self._late


async def test_all_who_wait_for_an_instant_go_on_before_what_any_of_them_does_next() -> None:
    """Of the runs that are due at once, none is recorded before the last one is started."""
    clock = BusyClock()
    instants = Instants(clock)
    due = clock.now() + timedelta(milliseconds=50)
    done: list[str] = []

    async def run() -> None:
        await asyncio.wait((instants.reached(due),))
        done.append("start")
        await asyncio.sleep(0)
        done.append("record")

    async with asyncio.timeout(30):
        await asyncio.gather(*(run() for _ in range(20)))
    assert done == ["start"] * 20 + ["record"] * 20


async def test_an_instant_that_is_over_is_reached_at_once() -> None:
    clock = SystemClock()
    async with asyncio.timeout(30):
        await Instants(clock).reached(clock.now() - timedelta(days=1))
