"""Due ticks become claims (design §5, "A tick"; G4, G5).

The first worker in line for a tick claims it ahead of its instant; the next ones look only after a stagger,
and only if the cursor has not moved. A claim that fails says why: another worker was faster, the job is
another now, or a run of the job is alive. A tick that nobody could start by its deadline is skipped with its
reason, many missed ones in one go.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from msgspec.structs import replace

from dcron_core.durations import parse_duration
from dcron_core.errors import LeaseLostError
from dcron_core.ports.store import KeyValue, TransactionResult
from dcron_core.session import LeaseSession
from dcron_schemas.codec import decode_state
from dcron_schemas.records import Execution, SkipReason, TickSkipped
from dcron_schemas.state import ExecutionEntry, TickCursor
from dcron_worker.claiming import Claiming
from dcron_worker.claims import claim_tick, execution_of_tick, skip_tick
from dcron_worker.planner import Candidate, Missed
from dcron_worker.runner import Claimed
from dcron_worker.wanted import WantedRuns

AGAIN_AFTER = timedelta(milliseconds=150)  # when all slots are taken, or the lease was lost


class Claimer:
    """Claims for one worker, under one lease session at a time."""

    def __init__(self, claiming: Claiming, wanted: WantedRuns) -> None:
        self._with = claiming
        self._wanted = wanted
        self._stopped = False
        self._under_way: set[tuple[str, datetime]] = set()  # job id and tick: being claimed, run or skipped

    def stop(self) -> None:
        """Claim nothing more; what was claimed goes on."""
        self._stopped = True
        self._with.table.changed.set()

    async def claim(self, session: LeaseSession) -> None:
        """Claim what is due, until cancelled. What was claimed goes on after that."""
        while True:
            self._with.table.changed.clear()
            if self._stopped:
                await asyncio.Event().wait()
            now = self._with.clock.now()
            for candidate in self._with.planner.ready(now):
                self._look(candidate, now, session)
            looks = (self._with.planner.next_look(), self._wanted.look(now, session))
            await self._wait_for_change(min((look for look in looks if look is not None), default=None))

    async def _wait_for_change(self, until: datetime | None) -> None:
        wait_s = None if until is None else max(0.0, (until - self._with.clock.now()).total_seconds())
        try:
            async with asyncio.timeout(wait_s):
                await self._with.table.changed.wait()
        except TimeoutError:
            return

    def _look(self, candidate: Candidate, now: datetime, session: LeaseSession) -> None:
        """Decide what to do about a due tick."""
        job = candidate.entry
        if candidate.looks == 1:
            wait = self._with.wait_in_line(f"{job.job_id} {candidate.tick.isoformat()}")
            if wait:
                self._with.planner.look_again(candidate, candidate.tick + wait)
                return
        missed = self._with.planner.missed(candidate, now, parse_duration(job.spec.misfire.start_deadline))
        if missed is not None:
            self._with.launcher.spawn(self._skip_missed(candidate, missed))
        elif self._with.launcher.has_free_slot:
            self._with.launcher.spawn(self._claim_and_run(candidate, session))
        else:
            self._with.planner.look_again(candidate, now + AGAIN_AFTER)

    async def _claim_and_run(self, candidate: Candidate, session: LeaseSession) -> None:
        execution = execution_of_tick(candidate, self._with.worker_id, self._with.clock.now())
        with self._only_once(candidate) as first, self._with.launcher.slot():
            if not first:
                return
            transaction = claim_tick(self._with.keys, candidate, execution, session.lease)
            try:
                result = await self._with.transactions.until_answered(transaction, f"claim of {execution.execution_id}")
            except LeaseLostError:
                self._with.planner.look_again(candidate, self._with.clock.now() + AGAIN_AFTER)
                return
            if not result.succeeded:
                await self._not_claimed(candidate, execution, result, session)
                return
            self._with.metrics.claims.labels("won").inc()
            self._with.planner.cursor_stands(candidate.entry.job_id, candidate.tick, result.revision)
            claimed = replace(execution, fencing_token=result.revision)
            await self._with.launcher.run(Claimed(claimed, candidate.entry, candidate.job_revision), session)

    async def _skip_missed(self, candidate: Candidate, missed: Missed) -> None:
        with self._only_once(candidate) as first:
            if first:
                await self._skip(candidate, missed.last, missed.count, "missed", "nobody started it in time")

    @contextmanager
    def _only_once(self, candidate: Candidate) -> Iterator[bool]:
        """Hold the tick; give False if it is held already: the job changed while its claim or skip is under way.

        Then the answer to that one says what is next; a second one would find the entry of the first, and take it
        for its own.
        """
        tick = (candidate.entry.job_id, candidate.tick)
        if tick in self._under_way:
            self._with.planner.look_again(candidate, self._with.clock.now() + AGAIN_AFTER)
            yield False
            return
        self._under_way.add(tick)
        try:
            yield True
        finally:
            self._under_way.discard(tick)

    async def _not_claimed(
        self, candidate: Candidate, execution: Execution, result: TransactionResult, session: LeaseSession
    ) -> None:
        """Find out why a claim failed, and do what follows from it."""
        cursors, jobs, alive, entries, own = result.reads
        self._learn_cursor(candidate, cursors)
        if entries and self._is_own(entries[0], closed=False):
            claimed = Claimed(execution, candidate.entry, candidate.job_revision)
            await self._with.launcher.adopt(claimed, next(iter(own), None), entries[0].mod_revision, session)
        elif not self._with.planner.is_current(candidate):
            self._with.metrics.claims.labels("lost").inc()
        elif not jobs or jobs[0].mod_revision != candidate.job_revision:
            return  # the watch brings the job as it is now, and the planner looks again
        elif not alive or self._with.clock.now() < candidate.tick:  # what is alive may be over by the tick's instant
            self._with.planner.look_again(candidate, candidate.tick)
        else:
            self._with.metrics.claims.labels("overlap").inc()
            running = alive[0].key.rpartition("/")[2]
            await self._skip(candidate, candidate.tick, 1, "overlap", f"{running} was running")

    async def _skip(self, candidate: Candidate, last: datetime, count: int, reason: SkipReason, detail: str) -> None:
        """Consume ticks without a run, on record."""
        now = self._with.clock.now()
        skipped = TickSkipped(
            execution=execution_of_tick(candidate, self._with.worker_id, now),
            reason=reason,
            at=now,
            last_tick=last if count != 1 else None,
            count=count,
            detail=detail,
        )
        transaction = skip_tick(self._with.keys, candidate, last, skipped)
        result = await self._with.transactions.until_answered(transaction, f"skip of {skipped.execution.execution_id}")
        if result.succeeded:
            self._with.planner.cursor_stands(candidate.entry.job_id, last, result.revision)
        else:
            cursors, entries = result.reads
            self._learn_cursor(candidate, cursors)
            if not (entries and self._is_own(entries[0], closed=True)):
                return
        self._with.metrics.skips.labels(reason).inc(max(count, 1))
        await self._with.entries.skipped(skipped)

    def _learn_cursor(self, candidate: Candidate, found: tuple[KeyValue, ...]) -> None:
        """Take in the cursor that a failed transaction read."""
        if found:
            cursor = decode_state(TickCursor, found[0].value)
            self._with.planner.cursor_stands(candidate.entry.job_id, cursor.tick, found[0].mod_revision)

    def _is_own(self, item: KeyValue, *, closed: bool) -> bool:
        """Tell whether an entry is this worker's: what an earlier try wrote, whose answer was lost."""
        entry = decode_state(ExecutionEntry, item.value)
        is_closed = entry.finished is not None or entry.skipped is not None
        return entry.execution.worker_id == self._with.worker_id and is_closed == closed
