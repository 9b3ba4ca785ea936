"""A whole worker over memory ports whose store loses answers, or holds them and what it tells back."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dcron_core.adapters.memory import MemoryStore
from dcron_core.clock import Clock
from dcron_core.errors import StoreUnavailableError
from dcron_core.ports.store import Changes, Delete, Put, Transaction, TransactionResult
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.records import (
    ExecutionFinished,
    ExecutionLost,
    ExecutionStarted,
    TickSkipped,
)
from dcron_schemas.state import ActiveRun, TickCursor
from tests.services import KEYS, Ports
from tests.unit.worker.test_service import (
    PATIENCE_S,
    each_second,
    finished_of,
    job,
    nothing_left,
    of,
    on_request,
    put,
    put_job,
    want_run,
)


def has_claim(transactions: Iterable[Transaction]) -> bool:
    """Tell whether one of them is a claim: only claims write under the lease."""
    return any(isinstance(op, Put) and op.lease for txn in transactions for op in txn.success)


class LosingStore(MemoryStore):
    """Does what it is asked, and loses the answers of the first two claims."""

    left = 2

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        results = await super().transact_all(transactions)
        if self.left and has_claim(transactions):
            self.left -= 1
            raise StoreUnavailableError("the answer is lost")
        return results


async def test_a_claim_whose_answer_is_lost_is_run_once(tmp_path: Path) -> None:
    """G4, G6: the worker finds its own claim when it asks again; ticks and wanted runs alike."""
    ports = Ports()
    ports.store = losing = LosingStore(ports.clock)
    ticking = await put_job(ports, each_second("ticking"))
    asked = await put_job(ports, on_request("asked", "true"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        wanted = await want_run(ports, asked)
        while not [r for r in of(ports.records(), wanted) if isinstance(r, ExecutionFinished)]:
            await asyncio.sleep(0.01)
        while len({r.execution.due_at for r in finished_of(ports, ticking.job_id)}) < 2:
            await asyncio.sleep(0.01)
        await ports.store.transact(Transaction((), (Delete(KEYS.job(ticking.job_id)),)))
    starts = [r.execution.execution_id for r in ports.records() if isinstance(r, ExecutionStarted)]
    assert losing.left == 0
    assert len(starts) == len(set(starts))
    assert not [r for r in ports.records() if isinstance(r, ExecutionLost)]
    await nothing_left(ports)


class OvertakenStore(MemoryStore):
    """Loses the answer of the first claim of a tick; before the next try another worker takes the tick after it."""

    overtaken = False

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        results = await super().transact_all(transactions)
        if not self.overtaken and has_claim(transactions):
            self.overtaken = True
            [put] = [op for op in transactions[0].success if isinstance(op, Put) and op.key.startswith(KEYS.ticks)]
            cursor = decode_state(TickCursor, put.value)
            other = TickCursor(tick=cursor.tick + timedelta(seconds=1), worker_id="other", execution_id="its")
            await super().transact_all([Transaction((), (Put(put.key, encode(other)),))])
            raise StoreUnavailableError("the answer is lost")
        return results


async def test_a_claim_whose_answer_is_lost_is_run_although_the_next_tick_is_taken(tmp_path: Path) -> None:
    """G5, G6: the cursor has moved on, so it does not tell whose the tick is; the entry does."""
    ports = Ports()
    ports.store = OvertakenStore(ports.clock)
    entry = await put_job(ports, each_second("ticking"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await ports.wait_for(ExecutionFinished, 2)  # the second one only if the first one let the job go
        await ports.store.transact(Transaction((), (Delete(KEYS.job(entry.job_id)),)))
    ticks = sorted(end.execution.due_at for end in finished_of(ports, entry.job_id))
    assert ticks[1] - ticks[0] == timedelta(seconds=2), "the tick between was the other worker's"
    await nothing_left(ports)


class LateTryStore(MemoryStore):
    """Is reached by the first try of a claim only after the second one, which found something in the way.

    `settled`: only after the call that follows, too. By then `in_the_way` is gone.
    """

    def __init__(self, clock: Clock, in_the_way: Put, *, settled: bool) -> None:
        super().__init__(clock)
        self._in_the_way = in_the_way
        self._calls_before = 2 if settled else 1
        self._late: list[Transaction] = []
        self.arrived = asyncio.Event()

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        if not self._late and opens_an_entry(transactions):
            self._late = list(transactions)
            await super().transact_all([Transaction((), (self._in_the_way,))])
            raise StoreUnavailableError("no answer in time")
        results = await super().transact_all(transactions)
        if self._late and not self.arrived.is_set():
            await super().transact_all([Transaction((), (Delete(self._in_the_way.key),))])
            self._calls_before -= 1
            if not self._calls_before:
                await super().transact_all(self._late)
                self.arrived.set()
        return results


def opens_an_entry(transactions: Iterable[Transaction]) -> bool:
    """Tell whether one of them claims or skips a run."""
    return any(isinstance(op, Put) and op.key.startswith(KEYS.executions) for txn in transactions for op in txn.success)


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("kind", ["tick", "wanted", "skipped"])
async def test_a_try_that_arrives_after_a_later_one_was_refused_is_not_forgotten(
    tmp_path: Path, kind: str, *, settled: bool
) -> None:
    """G6: it claims or skips the run, or it takes no effect any more; the run does not stay open for ever."""
    ports = Ports()
    entry = job(ports, each_second("late") if kind == "tick" else on_request("late", "true"))
    definition = Put(KEYS.job(entry.job_id), encode(entry))
    alive = Put(KEYS.active(entry.job_id, "other"), encode(ActiveRun(worker_id="other")))
    in_the_way = definition if kind == "skipped" else alive  # a run is skipped as long as there is no such job
    ports.store = late = LateTryStore(ports.clock, in_the_way, settled=settled)
    if kind != "skipped":
        await put(ports, definition)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        if kind != "tick":
            await want_run(ports, entry)
        await late.arrived.wait()
        await ports.wait_for(TickSkipped if kind == "skipped" else ExecutionFinished)
        await ports.store.transact(Transaction((), (Delete(KEYS.job(entry.job_id)),)))
    closings = [r.execution.execution_id for r in ports.records() if isinstance(r, ExecutionFinished | TickSkipped)]
    assert len(closings) == len(set(closings))
    assert not [r for r in ports.records() if isinstance(r, ExecutionLost)]
    await nothing_left(ports)


class HeldAnswersStore(MemoryStore):
    """Keeps the answer of the first claim, and all cursors, back until it is opened; tells when another job's comes."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.first, self.later, self.opened = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        async with aclosing(super().watch(prefix, from_revision)) as changes:
            async for batch in changes:
                if prefix == KEYS.ticks:
                    await self.opened.wait()
                yield batch

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        results = await super().transact_all(transactions)
        if has_claim(transactions) and not self.first.is_set():
            self.first.set()
            await self.opened.wait()
        elif any(isinstance(op, Put) and "id-of-later" in op.key for txn in transactions for op in txn.success):
            self.later.set()
        return results


async def test_a_job_that_changes_while_its_claim_is_under_way_is_not_claimed_twice(tmp_path: Path) -> None:
    """G6: the claim's entry is there before its answer; a second claim must not take it for its own."""
    ports = Ports()
    ports.store = held = HeldAnswersStore(ports.clock)
    entry = await put_job(ports, each_second("changing"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await held.first.wait()
        changed = msgspec.structs.replace(entry, version=2)
        await put(ports, Put(KEYS.job(entry.job_id), encode(changed)))
        await put_job(ports, each_second("later"))  # once it is claimed, the change before it is known too
        await held.later.wait()
        held.opened.set()
        await ports.wait_for(ExecutionFinished, 4)
    closings = [
        record.execution.execution_id
        for record in ports.records()
        if isinstance(record, ExecutionFinished | ExecutionLost | TickSkipped)
    ]
    assert len(closings) == len(set(closings)), "a claim was closed twice"


async def test_a_run_wanted_of_a_job_that_is_not_known_yet_waits_for_it(tmp_path: Path) -> None:
    """G5: the watches of jobs and of runs are two; what is only late is not taken for gone."""
    ports = Ports()
    ports.store = held = HeldJobsStore(ports.clock)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path) as worker, ports.client(worker.port) as client:
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.01)
        wanted = await want_run(ports, await put_job(ports, on_request("late", "true")))
        await held.looked_at_run.wait()
        held.opened.set()
        [end] = await ports.wait_for(ExecutionFinished)
    assert isinstance(end, ExecutionFinished)
    assert end.execution.execution_id == wanted
    assert not [record for record in ports.records() if isinstance(record, TickSkipped)]


async def test_an_exclusive_claim_that_is_answered_after_its_lease_was_lost_does_not_start(tmp_path: Path) -> None:
    """G7: the lease may end, and free the job, before the run does."""
    ports = Ports()
    ports.store = gate = HeldClaimsStore(ports.clock)
    entry = await put_job(ports, on_request("late", "true"))
    timeout, worker = asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, lease_ttl="5s")
    async with timeout, worker as opened, ports.client(opened.port) as client:
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.01)
        wanted = await want_run(ports, entry)
        await gate.reached.wait()
        ports.store.down = True
        while (await client.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.01)
        ports.store.down = False
        gate.opened.set()
        [end] = await ports.wait_for(ExecutionFinished)
    assert isinstance(end, ExecutionFinished)
    assert (end.execution.execution_id, end.outcome, end.started_at) == (wanted, "killed", None)
    assert end.error == "the worker lost its lease before the run began"


class HeldJobsStore(MemoryStore):
    """Keeps the changes of jobs from its watchers until it is opened; tells when a wanted run was looked at."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.looked_at_run, self.opened = asyncio.Event(), asyncio.Event()

    async def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        async with aclosing(super().watch(prefix, from_revision)) as changes:
            async for batch in changes:
                if prefix == KEYS.jobs:
                    await self.opened.wait()
                yield batch

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        results = await super().transact_all(transactions)
        if any(isinstance(op, Delete) and op.key.startswith(KEYS.runs) for t in transactions for op in t.success):
            self.looked_at_run.set()
        return results


class HeldClaimsStore(MemoryStore):
    """Holds claims at its door until it is opened."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        if has_claim(transactions):
            self.reached.set()
            await self.opened.wait()
        return await super().transact_all(transactions)
