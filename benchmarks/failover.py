"""What the death of one of three workers costs: the next tick, and the run that it takes along.

A worker with a run under way gets SIGKILL, at another moment of the second each time. Jobs are due each second.

* `failover_next_tick`: from the kill to the start of the ticks of the first instant that the dead worker had not begun
  to claim for; of all jobs, the one that started last. Nobody may start them before they are due: that is the limit.
* `failover_late`: how late, at worst, a tick started while the dead worker's lease still stood in line for it. The
  limit is the same of as many seconds before the kill.
* `failover_orphan_closed`: from the kill to the record, in Kafka, that the run under way is lost. The limit is the
  time to live of the lease, for which the run might still be alive, and the masters' grace.

Medians over the rounds. After each round another worker takes the dead one's place.
"""

import asyncio
import math
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from statistics import median
from typing import TypeVar

from msgspec import Struct

from benchmarks.results import BenchmarkError, Result, result
from benchmarks.run_records import records_of_runs
from benchmarks.stack import TOKEN, running_servers, started_service, wait_until_ready
from dcron_core.durations import parse_duration
from dcron_core.settings import MasterSettings, WorkerSettings
from dcron_schemas.api import Job
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.records import Execution, ExecutionLost, ExecutionStarted
from dcron_standalone.client import Client
from dcron_standalone.data_directory import Access
from dcron_standalone.supervision import Supervised
from dcron_standalone.terminal import say

WORKERS = 3
JOBS = 30
ROUNDS = 5
INSTANTS = 6  # a second apart, before each kill and after it; fewer seconds than a lease lives
WITHIN_S = 40.0  # a start or a loss has to be on record
GOAL_S = 1.0  # after the due instant

T = TypeVar("T")
LEASE_S = parse_duration(WorkerSettings(token=TOKEN).lease_ttl).total_seconds()
AHEAD_S = parse_duration(WorkerSettings(token=TOKEN).claim_ahead).total_seconds()
GRACE_S = parse_duration(MasterSettings(token=TOKEN).orphan_grace).total_seconds()


class Start(Struct, frozen=True):
    """A run that was started, in seconds of the epoch."""

    execution: Execution
    at: float

    @property
    def due(self) -> float:
        return self.execution.due_at.timestamp()


class Round(Struct, frozen=True):
    """What one death cost, in seconds."""

    due: float  # from the kill
    next_tick: float  # from the kill
    late: float
    late_before: float
    orphan_closed: float  # from the kill


class Records:
    """The records of runs, as they come into Kafka."""

    def __init__(self) -> None:
        self.starts: list[Start] = []
        self.losses: dict[str, float] = {}  # execution id → when Kafka took it in
        self._more = asyncio.Condition()

    async def read(self, bootstrap: str) -> None:
        """Read on until cancelled."""
        async for sent in records_of_runs(bootstrap, math.inf):
            match sent.record:
                case ExecutionStarted(execution=execution, started_at=started_at):
                    self.starts.append(Start(execution, started_at.timestamp()))
                case ExecutionLost(execution=execution):
                    self.losses.setdefault(execution.execution_id, sent.at)
                case _:
                    continue
            async with self._more:
                self._more.notify_all()

    async def start_of(self, execution_id: str) -> Start:
        """Wait for that run's start."""
        return await self._until(lambda: self._find(execution_id), f"{execution_id} to start")

    async def loss_of(self, execution_id: str) -> float:
        """Wait until that run is on record as lost."""
        return await self._until(lambda: self.losses.get(execution_id), f"{execution_id} to be closed")

    async def ticks(self, first: int, instants: int) -> list[Start]:
        """Wait for the starts of all ticks of so many instants, a second apart; return them."""
        return await self._until(lambda: self._all_of(first, instants), f"{instants * JOBS} ticks to start")

    def _all_of(self, first: int, instants: int) -> list[Start] | None:
        ticks = (each for each in self.starts if each.execution.trigger == "tick")
        found = [each for each in ticks if first <= each.due < first + instants]
        return found if len(found) == instants * JOBS else None

    async def _until(self, found: Callable[[], T | None], what: str) -> T:
        try:
            async with asyncio.timeout(WITHIN_S), self._more:
                while (answer := found()) is None:
                    await self._more.wait()
                return answer
        except TimeoutError:
            raise BenchmarkError(f"waited {WITHIN_S:g} s for {what}") from None

    def _find(self, execution_id: str) -> Start | None:
        return next((each for each in self.starts if each.execution.execution_id == execution_id), None)


async def run() -> list[Result]:
    """Measure; raise BenchmarkError unless every tick runs that the dead worker had not claimed."""
    rounds = []
    with running_servers("etcd", "kafka") as servers, ExitStack() as stack:
        where = {"DCRON_ETCD": servers.etcd, "DCRON_KAFKA": servers.kafka}
        master = stack.enter_context(started_service("master", where))
        workers = [stack.enter_context(started_service("worker", where)) for _ in range(WORKERS)]
        for service in (master, *workers):
            wait_until_ready(service)
        client = stack.enter_context(closing(Client(Access(master.url, TOKEN))))
        for number in range(JOBS):
            client.create(_each_second(number))
        endless = client.create(JobSpec(name="endless", run=Run(argv=("/bin/sleep", "3600")), overlap="allow"))
        async with _records(servers.kafka) as records:
            say(f"{ROUNDS} rounds: one of {WORKERS} workers gets SIGKILL; {JOBS} jobs are due each second")
            for number in range(ROUNDS):
                rounds.append(await _round(number, records, client, endless, workers))
                say(f"  {rounds[-1]}")
                workers.append(stack.enter_context(started_service("worker", where)))
                wait_until_ready(workers[-1])
    return _results(rounds)


async def _round(number: int, records: Records, client: Client, endless: Job, workers: list[Supervised]) -> Round:
    """Kill the worker that took a run; wait until all of its work has gone elsewhere."""
    orphan = (await records.start_of(client.run(endless).execution_id)).execution
    [victim] = [each for each in workers if (each.log.parent / "worker-id").read_text().strip() == orphan.worker_id]
    workers.remove(victim)
    before = math.ceil(time.time()) + 1
    killed_at = before + INSTANTS + (number + 0.5) / ROUNDS
    await asyncio.sleep(killed_at - time.time())
    assert victim.child is not None
    victim.child.signal(signal.SIGKILL)
    killed_at = time.time()
    first = math.ceil(killed_at + AHEAD_S)
    steady, ticks = await records.ticks(before, INSTANTS), await records.ticks(first, INSTANTS)
    closed_at = await records.loss_of(orphan.execution_id)
    return Round(
        due=first - killed_at,
        next_tick=max(each.at for each in ticks if each.due == first) - killed_at,
        late=max(each.at - each.due for each in ticks),
        late_before=max(each.at - each.due for each in steady),
        orphan_closed=closed_at - killed_at,
    )


def _each_second(number: int) -> JobSpec:
    schedule = Schedule(cron="* * * * * *")
    return JobSpec(name=f"each-second-{number}", run=Run(argv=("/bin/true",)), schedule=schedule, overlap="allow")


@asynccontextmanager
async def _records(bootstrap: str) -> AsyncIterator[Records]:
    """Keep reading the records of runs while open."""
    records = Records()
    reading = asyncio.create_task(records.read(bootstrap))
    try:
        yield records
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _results(rounds: list[Round]) -> list[Result]:
    next_tick, due = median(each.next_tick for each in rounds), median(each.due for each in rounds)
    late, before = median(each.late for each in rounds), median(each.late_before for each in rounds)
    closed, bound = median(each.orphan_closed for each in rounds), LEASE_S + GRACE_S
    soon = f"within {GOAL_S:g} s of the instant"
    return [
        result("failover_next_tick", "s", next_tick, due, soon, met=next_tick - due < GOAL_S),
        result("failover_late", "s", late, before, f"under {GOAL_S:g} s", met=late < GOAL_S),
        result("failover_orphan_closed", "s", closed, bound, "at most the limit", met=closed <= bound),
    ]
