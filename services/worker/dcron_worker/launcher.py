"""Slots, and the tasks of what was claimed."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from msgspec.structs import replace

from dcron_core.clock import Clock
from dcron_core.executions import job_of
from dcron_core.ports.store import KeyValue
from dcron_core.session import LeaseSession
from dcron_core.telemetry import about, get_logger
from dcron_schemas.records import ExecutionLost
from dcron_worker.entries import Entries
from dcron_worker.runner import Claimed, Runner, Stop
from dcron_worker.table import Table

MOST_ENDING = 500

log = get_logger()


class Launcher:
    """Takes claims from their decision to the end of their runs, at most `slots` at a time.

    A slot is free again as soon as the run is over: writing down its end waits for the disk and for company. When more
    than MOST_ENDING ends wait, those beyond hold their slots.
    """

    def __init__(self, runner: Runner, table: Table, entries: Entries, clock: Clock, slots: int) -> None:
        self._runner = runner
        self._table = table
        self._entries = entries
        self._clock = clock
        self._slots = slots
        self._in_slots: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()  # their runs are over
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def free_slots(self) -> int:
        """How many more runs may be claimed."""
        return self._slots - len(self._in_slots) - max(0, len(self._ending) - MOST_ENDING)

    def runs(self, execution_id: str) -> bool:
        """Tell whether that run is under way here."""
        return self._runner.runs(execution_id)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work that goes on by itself, over a change of the lease too."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def spawn_in_slot(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The same, for work that claims and runs: it holds a slot from now on until its run is over."""
        task = self.spawn(work)
        self._in_slots.add(task)
        return task

    async def drained(self) -> None:
        """Wait until nothing that was claimed is under way any more."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def run(self, claimed: Claimed, session: LeaseSession) -> None:
        """Run what was claimed under the session's lease. A kill that came before the claim holds."""
        execution = claimed.execution
        kill = self._table.kills.get(execution.execution_id)
        stop = Stop("killed", f"killed by {kill.requested_by}") if kill else None
        task = asyncio.current_task()
        assert task is not None
        with about(execution_id=execution.execution_id, job_id=execution.job_id):
            await self._runner.run(claimed, session, stop, on_over=lambda: self._free(task))

    async def adopt(self, claimed: Claimed, alive: KeyValue | None, claim_revision: int, session: LeaseSession) -> None:
        """Go on with a claim of our own whose answer was lost; if its lease is not ours any more, it is lost."""
        execution = replace(claimed.execution, fencing_token=claim_revision)
        if alive is not None and alive.lease == session.lease:
            await self.run(Claimed(execution, claimed.entry, claimed.job_revision), session)
            return
        reason = "the worker's lease ended before it learned that it had claimed the run; it was not started"
        lost = ExecutionLost(
            execution=execution, detected_at=self._clock.now(), detected_by=execution.worker_id, reason=reason
        )
        await self._entries.end(execution, lost)

    def _free(self, task: asyncio.Task[None]) -> None:
        self._in_slots.discard(task)
        self._ending.add(task)
        self._table.changed.set()  # the claimer looks when all that ends now has ended

    def _ended(self, task: asyncio.Task[None]) -> None:
        for tasks in (self._tasks, self._in_slots, self._ending):
            tasks.discard(task)
        self._table.changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            execution_id = task.get_name()  # as `Claiming.keep` names it
            with about(execution_id=execution_id, job_id=job_of(execution_id)):
                log.error("a run failed inside the worker", action="launcher.failed", error=repr(error), exc_info=error)
