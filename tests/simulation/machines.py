"""What stands outside of the workers: the processes of runs, and the witness of their starts and ends.

`simulated_outside` puts it in the place of the real one. All else of a worker is the product's. What is left out:
the HTTP face, and the disk's sync; nobody cuts the power here.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dcron_core.clock import Clock
from dcron_worker import program as started
from dcron_worker import run_ledger, runner, service, spool, start
from dcron_worker.guard import Guard
from dcron_worker.output import Chunk
from dcron_worker.process import Process
from dcron_worker.process_tree import Root
from dcron_worker.under_way import Ended
from tests.simulation.lanes import LaneLoop

REACTION_S = 0.2  # from SIGTERM to the end, at most, of a process that obeys
STUBBORN = 0.1  # the share of processes that do not
GUARD_S = 0.4  # from a worker's death to that of its runs, at most
TERMINATED, KILLED = 15, 9


@dataclass
class Witnessed:
    """A process as the world saw it."""

    execution_id: str
    worker_id: str
    fencing_token: int
    started_s: float
    ended_s: float | None = None  # None: it has not ended
    exit_code: int | None = None  # None: by a signal


class Machines:
    """All processes of all workers. What one does is a function of the seed and its execution id."""

    def __init__(self, loop: LaneLoop, seed: int) -> None:
        self.seen: list[Witnessed] = []
        self._loop = loop
        self._seed = seed
        self._alive: dict[tuple[str, str], SimulatedProcess] = {}  # (worker, execution) → process

    def start(self, program: started.Program, clock: Clock, _census: object) -> "SimulatedProcess":
        """Stand in for `start_process`."""
        env = {name.decode(): value.decode() for name, value in program.environment.items()}
        witnessed = Witnessed(
            env["DCRON_EXECUTION_ID"], env["DCRON_WORKER_ID"], int(env["DCRON_FENCING_TOKEN"]), self._loop.time()
        )
        self.seen.append(witnessed)
        chance = random.Random(f"{self._seed} {witnessed.execution_id}")
        process = SimulatedProcess(self, witnessed, Program.of(program.arguments), chance, clock.now(), len(self.seen))
        self._alive[witnessed.worker_id, witnessed.execution_id] = process
        return process

    def over(self, process: "SimulatedProcess") -> None:
        self._alive.pop((process.witnessed.worker_id, process.witnessed.execution_id), None)

    def worker_died(self, worker_id: str, chance: random.Random) -> None:
        """Its guard ends its runs, in a moment."""
        for process in [each for (worker, _), each in self._alive.items() if worker == worker_id]:
            self.later(chance.uniform(0.0, GUARD_S), process)

    def later(self, delay_s: float, process: "SimulatedProcess", number: int = KILLED) -> None:
        self._loop.world_calls_later(delay_s, process.end, None, number)

    def ends_by_itself(self, delay_s: float, process: "SimulatedProcess", exit_code: int) -> None:
        self._loop.world_calls_later(delay_s, process.end, exit_code, None)

    def now_s(self) -> float:
        return self._loop.time()

    async def end_left_over(self, root: Root) -> bool:
        """Stand in for that of `process_table`."""
        assert root.mark is not None
        process = self._alive.get(root.mark)
        if process is None:
            return False
        process.end(None, KILLED)
        return True

    async def end_marked(self, roots: Sequence[Root]) -> int:
        """Stand in for that of `process_table`."""
        return sum([await self.end_left_over(root) for root in roots])


def _not_looked_for(argv: Sequence[str], env: Mapping[str, str], *_: object) -> started.Program:
    """Stand in for `program_of`: there is no such program on the disk."""
    environment = {name.encode(): value.encode() for name, value in env.items()}
    return started.Program(argv[0], [each.encode() for each in argv], environment, None, argv[0])


@dataclass(frozen=True)
class Program:
    """What a simulated process does: its `argv` says so."""

    least_s: float
    most_s: float
    failing: float  # share

    @property
    def argv(self) -> tuple[str, ...]:
        return ("simulated", str(self.least_s), str(self.most_s), str(self.failing))

    @classmethod
    def of(cls, argv: Sequence[bytes]) -> "Program":
        return cls(*(float(each) for each in argv[1:]))


class SimulatedProcess(Process):
    """Lives in the world: it goes on while its worker stands still."""

    def __init__(
        self,
        machines: Machines,
        witnessed: Witnessed,
        program: Program,
        chance: random.Random,
        started_at: datetime,
        pid: int,
    ) -> None:
        self.pid = pid
        self.root = Root(None, pid)
        self.started_at = started_at
        self.witnessed = witnessed
        self._machines = machines
        self._stubborn = chance.random() < STUBBORN
        self._reaction_s = chance.uniform(0.0, REACTION_S)
        self.over: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        exit_code = int(chance.random() < program.failing)
        machines.ends_by_itself(chance.uniform(program.least_s, program.most_s), self, exit_code)

    def end(self, exit_code: int | None, number: int | None) -> None:
        """It is over; nothing happens if it was already."""
        if self.over.done():
            return
        self.witnessed.ended_s, self.witnessed.exit_code = self._machines.now_s(), exit_code
        self._machines.over(self)
        self.over.set_result(Ended(exit_code=exit_code, signal=number))

    async def terminate(self, grace: timedelta) -> None:
        if not self._stubborn:
            self._machines.later(self._reaction_s, self, TERMINATED)
        await asyncio.wait((self.over,), timeout=grace.total_seconds())
        self.end(None, KILLED)


class SimulatedGuard(Guard):
    """A guard without a process: `Machines.worker_died` does its work."""

    def _start(self) -> None:
        self.pid = 1

    def _close_pipe(self) -> None:
        self._over.set()


@asynccontextmanager
async def _no_output(process: Process, _clock: Clock) -> AsyncIterator[AsyncIterator[Chunk]]:
    async def chunks() -> AsyncIterator[Chunk]:
        await process.wait()
        nothing: tuple[Chunk, ...] = ()
        for chunk in nothing:
            yield chunk

    yield chunks()


@asynccontextmanager
async def _no_http(*_: object) -> AsyncIterator[int]:
    yield 0


class _NoSocket:
    def close(self) -> None: ...


def _unlocked(directory: Path) -> int:
    """Open the lock's file without the lock: of one worker one life at a time runs here, but all in one process."""
    return os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)


@contextmanager
def simulated_outside(machines: Machines) -> Iterator[None]:
    """Let workers that are opened within find the simulated world outside of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "start_process", machines.start)
        patch.setattr(start, "program_of", _not_looked_for)
        patch.setattr(runner, "output_of", _no_output)
        patch.setattr(run_ledger, "end_left_over", machines.end_left_over)
        patch.setattr(run_ledger, "end_marked", machines.end_marked)
        patch.setattr(service, "Guard", SimulatedGuard)
        patch.setattr(service, "listen", lambda *_: _NoSocket())
        patch.setattr(service, "serving", _no_http)
        patch.setattr(service, "_routes", lambda *_: None)
        patch.setattr(service, "surrounded", lambda *_, **__: None)
        patch.setattr(spool, "lock_directory", _unlocked)
        patch.setattr(spool, "sync_files", lambda *_: None)
        yield
