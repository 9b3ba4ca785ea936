"""Due ticks become claims (design §5, "A tick"; G4, G5).

The first worker in line for a tick claims it ahead of its instant; the next ones look only after a stagger,
and only if the cursor has not moved. Only workers that match the job's placement stand in line. A claim that
fails says why: another worker was faster, the job is another now, or a run of the job is alive; in the last
case `overlap` decides. A tick that nobody could start by its deadline is left to `misfire`: skipped with its
reason, many in one go, or made up for.
"""

import asyncio
from datetime import datetime, timedelta

from msgspec.structs import replace

from dcron_core.durations import parse_duration
from dcron_core.errors import LeaseLostError
from dcron_core.ports.store import KeyValue, TransactionResult
from dcron_core.session import LeaseSession
from dcron_schemas.codec import decode_state
from dcron_schemas.records import Execution, SkipReason, TickSkipped
from dcron_schemas.state import TickCursor
from dcron_worker.claiming import AGAIN_AFTER, Claiming, wait_after
from dcron_worker.claims import (
    claim_tick,
    excluded_records,
    execution_of_tick,
    in_the_way,
    is_own,
    queue_tick,
    settle_tick,
    skip_tick,
    tick_execution_of,
    waits,
)
from dcron_worker.exclusions import Way
from dcron_worker.misfire import Missed
from dcron_worker.planner import Candidate
from dcron_worker.runner import Claimed
from dcron_worker.wanted import WantedRuns

STRANGERS_LOOK = timedelta(seconds=5)  # how often, at most, a worker looks at late ticks that it may not run
LOOKS_AT_A_TIME = 20
LOOK_AROUND_S = 0.05  # then others have their turn, whatever else there is to look at
Skips = tuple[TickSkipped, ...]
LONGEST_QUEUE = 100  # ticks of a job that wait; one that comes when so many do is skipped


class Claimer:
    """Claims for one worker, under one lease session at a time."""

    def __init__(self, claiming: Claiming, wanted: WantedRuns) -> None:
        self._with = claiming
        self._wanted = wanted
        self._stopped = False
        self._since = claiming.clock.now()
        self._without_slot: dict[str, None] = {}  # jobs whose tick waits for a slot, in order

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
            look = None if self._with.drained else self._look_around(session)
            await self._wait_for_change(look)

    def _look_around(self, session: LeaseSession) -> datetime | None:
        """Do what is to be done now; return when to look again, None: when something changes."""
        now = self._with.clock.now()
        self._wake_for_slots(now)
        over = self._with.clock.monotonic() + LOOK_AROUND_S
        while candidates := self._with.planner.ready(now, LOOKS_AT_A_TIME):
            for candidate in sorted(candidates, key=lambda candidate: candidate.tick):
                self._look(candidate, now, session)  # the oldest tick gets the slot
            if self._with.clock.monotonic() > over:
                break  # after a long downtime a look can take milliseconds, and the lease is to be renewed meanwhile
        looks = (self._with.planner.next_look(), self._wanted.look(now, session))
        return min((look for look in looks if look is not None), default=None)

    def _wake_for_slots(self, now: datetime) -> None:
        """Let as many of those that wait for a slot be looked at as there are slots."""
        free = self._with.launcher.free_slots
        while free > 0 and self._without_slot:
            job_id = next(iter(self._without_slot))
            del self._without_slot[job_id]
            free -= self._with.planner.wake(job_id, now)

    async def _wait_for_change(self, until: datetime | None) -> None:
        wait_s = None if until is None else max(0.0, (until - self._with.clock.now()).total_seconds())
        try:
            async with asyncio.timeout(wait_s):
                await self._with.table.changed.wait()
        except TimeoutError:
            return

    def _look(self, candidate: Candidate, now: datetime, session: LeaseSession) -> None:
        """Decide what to do about a tick that is due, or soon will be."""
        job = candidate.entry
        if self._id_of(candidate) in self._with.in_work:  # the job was changed while a claim was in doubt
            self._with.planner.look_again(candidate, now + AGAIN_AFTER)
            return
        if not self._with.may_run(job):
            self._look_as_stranger(candidate, now)
            return
        if candidate.looks == 1 and job.spec.placement.workers == "one":
            wait = self._with.wait_in_line(f"{job.job_id} {candidate.tick.isoformat()}", job)
            if wait:
                self._with.planner.look_again(candidate, max(candidate.tick, now) + wait)
                return
        waited = job.job_id in self._without_slot
        self._without_slot.pop(job.job_id, None)
        verdict = self._with.planner.verdict(candidate, now)
        full = self._with.launcher.free_slots < 1
        if verdict.skip is not None:
            self._skip_late(candidate, verdict.skip, for_want_of_slots=full or waited)
        elif full:
            self._wait_for_slot(candidate, now)
        else:
            work = self._claim_and_run(candidate, session, late=verdict.late)
            self._keep(candidate, self._with.launcher.spawn_in_slot(work))

    def _look_as_stranger(self, candidate: Candidate, now: datetime) -> None:
        """Leave a tick to those who match; when it is late and nobody does, it is skipped from here."""
        spec = candidate.entry.spec
        if spec.placement.workers == "every":
            return  # each of those who match has a cursor of its own
        if candidate.looks > 1 and not self._with.somebody_may_run(candidate.entry):
            verdict = self._with.planner.verdict(candidate, now)
            if verdict.skip is not None:
                detail = f"no worker that claims matches {spec.placement.labels!r}"
                skip = self._skip(candidate, verdict.skip, "capacity", detail)
                self._keep(candidate, self._with.launcher.spawn(skip))
                return
        wait = max(parse_duration(spec.misfire.start_deadline), STRANGERS_LOOK if candidate.looks > 1 else AGAIN_AFTER)
        wait += self._with.wait_in_line(f"{candidate.entry.job_id} {candidate.tick.isoformat()}")
        self._with.planner.look_again(candidate, max(candidate.tick, now) + wait)

    def _wait_for_slot(self, candidate: Candidate, now: datetime) -> None:
        """Come back when a slot is free, or the tick's deadline is over."""
        self._without_slot[candidate.entry.job_id] = None
        deadline = candidate.tick + parse_duration(candidate.entry.spec.misfire.start_deadline)
        self._with.planner.look_again(candidate, max(deadline, now + wait_after(candidate.looks)))

    def _skip_late(self, candidate: Candidate, missed: Missed, *, for_want_of_slots: bool) -> None:
        reason: SkipReason = "missed"
        detail = "nobody started it in time"
        if for_want_of_slots and candidate.tick >= self._since:
            reason, detail = "capacity", "no slot was free in time"
        self._keep(candidate, self._with.launcher.spawn(self._skip(candidate, missed, reason, detail)))

    def _keep(self, candidate: Candidate, task: asyncio.Task[None]) -> None:
        self._with.keep(self._id_of(candidate), task)

    def _id_of(self, candidate: Candidate) -> str:
        return tick_execution_of(candidate, self._with.worker_id)

    async def _claim_and_run(self, candidate: Candidate, session: LeaseSession, *, late: bool) -> None:
        execution = execution_of_tick(candidate, self._with.worker_id, self._with.clock.now())
        try:
            await self._claim(candidate, execution, session, late=late)
        except LeaseLostError:
            self._with.planner.look_again(candidate, self._with.clock.now() + AGAIN_AFTER)

    async def _claim(self, candidate: Candidate, execution: Execution, session: LeaseSession, *, late: bool) -> None:
        way = self._with.planner.way_past(candidate, Missed(candidate.tick, 1))
        excluded = self._on_record(candidate, way)
        if way.ticks is None:
            await self._consume(candidate, way.excluded[-1].last, excluded)
            return
        transaction = claim_tick(self._with.keys, candidate, execution, session.lease, excluded)
        doubts: list[str] = []
        result = await self._with.transactions.until_answered(
            transaction, f"claim of {execution.execution_id}", doubt=doubts.append
        )
        if not result.succeeded:
            refused = await self._settled(candidate, execution, result) if doubts else result
            if refused is not None:
                await self._not_claimed(candidate, execution, excluded, refused, session, late=late)
            return
        self._record(excluded)
        self._with.metrics.claims.labels("won").inc()
        self._with.planner.cursor_stands(self._with.planner.cursor_of(candidate.entry), candidate.tick, result.revision)
        claimed = replace(execution, fencing_token=result.revision)
        await self._with.launcher.run(Claimed(claimed, candidate.entry, candidate.job_revision), session)
        self._with.free(candidate.entry.job_id)

    async def _settled(
        self, candidate: Candidate, execution: Execution, refused: TransactionResult
    ) -> TransactionResult | None:
        """See to it that no earlier try of a claim that was refused takes effect any more.

        It may be on its way yet, and what was in the way of the later try (a run that was alive) be over when it
        arrives: then nobody would know of the run. Return how the claim stands; None: the tick is to be claimed anew.
        """
        cursors, *others, entries, _ = refused.reads
        if entries or (cursors[0].mod_revision if cursors else 0) != candidate.cursor_revision:
            return refused
        transaction = settle_tick(self._with.keys, candidate, execution)
        result = await self._with.transactions.until_answered(transaction, f"doubt about {execution.execution_id}")
        if not result.succeeded:
            return replace(refused, reads=(cursors, *others, *result.reads))
        cursor = self._with.planner.cursor_of(candidate.entry)
        self._with.planner.cursor_stands(cursor, candidate.after, result.revision)
        return None

    async def _not_claimed(
        self,
        candidate: Candidate,
        execution: Execution,
        excluded: Skips,
        result: TransactionResult,
        session: LeaseSession,
        *,
        late: bool,
    ) -> None:
        """Find out why a claim failed, and do what follows from it."""
        cursors, jobs, alive, queue, entries, own = result.reads
        now = self._with.clock.now()
        self._learn_cursor(candidate, cursors)
        if entries and is_own(entries[0], self._with.worker_id, closed=False):
            self._record(excluded)
            claimed = Claimed(execution, candidate.entry, candidate.job_revision)
            await self._with.launcher.adopt(claimed, next(iter(own), None), entries[0].mod_revision, session)
            self._with.free(candidate.entry.job_id)
        elif not self._with.planner.is_current(candidate):
            self._with.metrics.claims.labels("lost").inc()
        elif not jobs or jobs[0].mod_revision != candidate.job_revision:
            return  # the watch brings the job as it is now, and the planner looks again
        else:
            running = in_the_way(self._with.keys, candidate.entry, self._with.worker_id, alive)
            before = running or next((item.key.rpartition("/")[2] for item in queue), "")
            if not before or now < candidate.tick:  # what is alive may be over by the tick's instant
                self._with.planner.look_again(candidate, candidate.tick)
            elif late:  # one that is made up for comes after those before it
                told = bool(running) and self._with.is_told_of_end(candidate.entry.job_id, running, result.revision)
                self._with.planner.look_again(candidate, now + wait_after(candidate.looks, told=told))
            else:
                self._with.metrics.claims.labels("overlap").inc()
                await self._overlapped(candidate, before)

    async def _overlapped(self, candidate: Candidate, before: str) -> None:
        """A run that was to be over is not: let the tick wait, or skip it."""
        job = candidate.entry
        if not waits(job):
            await self._skip(candidate, Missed(candidate.tick, 1), "overlap", f"{before} was running")
            return
        own = self._with.worker_id if job.spec.placement.workers == "every" else ""
        queued = len(self._with.wanted.queue(job.job_id, own))
        if job.spec.overlap == "queue" and queued >= LONGEST_QUEUE:
            await self._skip(
                candidate, Missed(candidate.tick, 1), "overlap", f"{queued} earlier ticks wait for {before}"
            )
            return
        execution = execution_of_tick(candidate, self._with.worker_id, self._with.clock.now())
        way = self._with.planner.way_past(candidate, Missed(candidate.tick, 1))
        excluded = self._on_record(candidate, way)
        transaction = queue_tick(self._with.keys, candidate, execution, excluded, self._with.signatures)
        result = await self._with.transactions.until_answered(transaction, f"queueing of {execution.execution_id}")
        if result.succeeded:
            self._with.planner.cursor_stands(self._with.planner.cursor_of(job), candidate.tick, result.revision)
            self._record(excluded)
        else:
            cursors, *entries = result.reads
            self._learn_cursor(candidate, cursors)
            if any(is_own(item, self._with.worker_id, closed=True) for found in entries for item in found):
                self._record(excluded)

    async def _skip(self, candidate: Candidate, missed: Missed, reason: SkipReason, detail: str) -> None:
        """Consume ticks without a run, on record."""
        now = self._with.clock.now()
        way = self._with.planner.way_past(candidate, missed)
        skips = self._on_record(candidate, way)
        if way.ticks is None:
            await self._consume(candidate, way.excluded[-1].last, skips)
            return
        skipped = TickSkipped(
            execution=execution_of_tick(candidate, self._with.worker_id, now),
            reason=reason,
            at=now,
            last_tick=way.ticks.last if way.ticks.count != 1 else None,
            count=way.ticks.count,
            detail=detail,
        )
        await self._consume(candidate, way.ticks.last, (skipped, *skips))

    async def _consume(self, candidate: Candidate, last: datetime, skips: Skips) -> None:
        """Move the cursor to `last` with nothing but skips."""
        transaction = skip_tick(self._with.keys, candidate, last, *skips)
        result = await self._with.transactions.until_answered(transaction, f"skip of {skips[0].execution.execution_id}")
        if result.succeeded:
            self._with.planner.cursor_stands(self._with.planner.cursor_of(candidate.entry), last, result.revision)
        else:
            cursors, entries = result.reads
            self._learn_cursor(candidate, cursors)
            if not (entries and is_own(entries[0], self._with.worker_id, closed=True)):
                return
        self._record(skips)

    def _on_record(self, candidate: Candidate, way: Way) -> Skips:
        return excluded_records(way.excluded, candidate, self._with.worker_id, self._with.clock.now())

    def _record(self, skips: Skips) -> None:
        """Send the records of skips whose entries a transaction has written; a run does not wait for that."""
        for skipped in skips:
            self._with.metrics.skips.labels(skipped.reason).inc(max(skipped.count, 1))
            self._with.launcher.spawn(self._with.entries.skipped(skipped))

    def _learn_cursor(self, candidate: Candidate, found: tuple[KeyValue, ...]) -> None:
        """Take in the cursor that a failed transaction read."""
        if found:
            cursor, of = decode_state(TickCursor, found[0].value), self._with.planner.cursor_of(candidate.entry)
            self._with.planner.cursor_stands(of, cursor.tick, found[0].mod_revision)
