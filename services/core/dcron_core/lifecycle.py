"""How a service lives: opened in one AsyncExitStack, told to stop by a signal, closed in order.

A service is an async context manager that is running while it is open. Leaving it stops it in phases
(stop taking in, drain, cancel, flush, release the lease); each service's `service.py` says how.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from dcron_core.telemetry import get_logger

T = TypeVar("T")

log = get_logger()


async def run_until_signalled(service: AbstractAsyncContextManager["Background"]) -> None:
    """Open the service, wait for SIGTERM or SIGINT (or a part of it to fail), close it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with service as background:
        log.info("running", action="service.running")
        await _first(stop.wait(), background.failed())
        log.info("stopping", action="service.stopping")
    log.info("stopped", action="service.stopped")


async def _first(*waits: Awaitable[Any]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Background:
    """The tasks of a service. The first that fails, or ends, without being asked to, fails the service."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the order of their starts
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work`, which is to go on until it is cancelled."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    async def failed(self) -> None:
        """Wait until a task fails, and raise what it raised."""
        await asyncio.shield(self._failure)

    async def stop(self, *tasks: asyncio.Task[None]) -> None:
        """Cancel the given tasks (none given: all), and wait for them."""
        ending = list(tasks or self._tasks)
        for task in ending:
            self._tasks.pop(task, None)
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if not self._tasks and self._failure.done() and not self._failure.cancelled():
            self._failure.exception()  # it was seen

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task not in self._tasks or self._failure.done():
            return
        # Nobody who owns the task cancelled it: then a library let a CancelledError of its own escape.
        failure = None if task.cancelled() else task.exception()
        error = failure or RuntimeError(f"{task.get_name()} ended by itself")
        log.error("a part of the service failed", action="service.failed", part=task.get_name(), error=repr(error))
        self._failure.set_exception(error)


async def retrying(
    work: Callable[[], Awaitable[T]],
    *,
    on: type[Exception],
    what: str,
    first_delay_s: float = 0.1,
    most_delay_s: float = 5.0,
    tell: Callable[[str], None] = lambda _: None,
) -> T:
    """Do `work` until it returns, and return what it does, waiting longer after each failure of kind `on`.

    `tell` is given the reason of each failure.
    """
    delay_s = first_delay_s
    while True:
        try:
            return await work()
        except on as error:
            tell(str(error))
            log.warning("trying again", action="retry", what=what, error=str(error), delay_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, most_delay_s)
