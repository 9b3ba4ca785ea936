"""An event loop in which whole processes can stand still, or die, while time goes on for the others.

A *lane* is all that one simulated process does: its tasks, its timers and its callbacks. What is started within a
lane belongs to it, because a context variable says so. What is not in a lane is the world: the network, the servers,
the processes of runs, whoever makes faults.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from tests.virtual_time import VirtualLoop

T = TypeVar("T")

_LANE: ContextVar["Lane | None"] = ContextVar("lane", default=None)
_WORLD = Context()  # no lane, and nothing else


class Lane:
    """One simulated process. Nothing of it runs while it stands still; when it goes on, it all comes in its order."""

    def __init__(self, loop: "LaneLoop", name: str) -> None:
        self.name = name
        self.still = False
        self._loop = loop
        self._held: list[asyncio.Handle] = []
        loop.knows(self)

    def start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run work within the lane."""
        context = copy_context()
        context.run(_LANE.set, self)
        return self._loop.create_task(work, context=context)

    def stop(self) -> None:
        """Stand still: as a process does that was sent SIGSTOP, or, if it never goes on, SIGKILL."""
        self.still = True

    def go_on(self) -> None:
        """Do what has come due meanwhile."""
        self.still = False
        held, self._held = self._held, []
        self._loop.put_back(held)

    def hold(self, handle: asyncio.Handle) -> None:
        self._held.append(handle)


class LaneLoop(VirtualLoop):
    """A VirtualLoop with lanes. What others leave to threads it does at once: nothing here depends on any."""

    def __init__(self) -> None:
        super().__init__()
        self._lanes: list[Lane] = []

    def knows(self, lane: Lane) -> None:
        self._lanes.append(lane)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _LaneHandle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]  # as BaseEventLoop does
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _LaneTimer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def in_world(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run work that belongs to no lane, whoever starts it."""
        return self.create_task(work, context=_WORLD.copy())

    def world_calls_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        """Call later what belongs to no lane."""
        return self.world_calls_at(self.time() + delay, callback, *args)

    def world_calls_at(self, when: float, callback: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        """The same, at an instant."""
        return self.call_at(when, callback, *args, context=_WORLD)

    def bury(self) -> None:
        """Let every lane go on, cancel what is left, and close."""
        for lane in self._lanes:
            lane.go_on()
        for _ in range(20):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.advance(60.0)
        self.finish()

    def put_back(self, handles: list[asyncio.Handle]) -> None:
        """Let these run next, in their order."""
        self._ready.extend(handles)  # type: ignore[attr-defined]

    def run_in_executor(self, _executor: object, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except OSError as error:
            done.set_exception(error)
        return done


class _LaneHandle(asyncio.Handle):
    __slots__ = ()

    def _run(self) -> None:
        lane = self._context.get(_LANE)  # type: ignore[attr-defined]
        if lane is not None and lane.still:
            lane.hold(self)
        else:
            super()._run()


class _LaneTimer(asyncio.TimerHandle):
    __slots__ = ()

    def _run(self) -> None:
        lane = self._context.get(_LANE)  # type: ignore[attr-defined]
        if lane is not None and lane.still:
            lane.hold(self)
        else:
            super()._run()
