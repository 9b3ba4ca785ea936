"""Runs wanted outside the ticks, and those of ticks that wait for the run before them (`overlap`).

They are claimed like ticks, in line, by a worker that matches. A run of a tick waits for as long as it takes;
any other that could not start within GIVE_UP_AFTER is given up on record.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dcron_core.access.signing import REFUSALS, Refusal
from dcron_core.errors import LeaseLostError, StoreUnavailableError
from dcron_core.lifecycle import retrying
from dcron_core.ports.store import KeyValue, Put, Transaction
from dcron_core.session import LeaseSession
from dcron_core.telemetry import about, get_logger
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.records import Execution, SkipReason, TickSkipped
from dcron_schemas.state import ExecutionEntry, JobEntry, KillWanted
from dcron_worker.claiming import AGAIN_AFTER, Claiming, wait_after
from dcron_worker.claims import claim_run, execution_of_run, in_the_way, is_own, settle_run, skip_run
from dcron_worker.runner import Claimed
from dcron_worker.wanted_plan import Wanted, due_at

GIVE_UP_AFTER = timedelta(minutes=5)  # a run that could not start by then is skipped
KILL_LEASE_S = 60

log = get_logger()


class WantedRuns:
    """Looks at `runs/` for one worker."""

    def __init__(self, claiming: Claiming) -> None:
        self._with = claiming
        self._without_slot: dict[str, None] = {}  # jobs whose runs wait for a slot, in order

    def look(self, now: datetime, session: LeaseSession) -> datetime | None:
        """Begin what can begin; return when to look again, None: when something changes."""
        for job_id in list(self._without_slot)[: max(0, self._with.launcher.free_slots)]:
            del self._without_slot[job_id]
            self._with.wanted.wake(job_id)
        self._give_up_killed()
        for wanted in self._with.wanted.ready(now):
            self._look(wanted, now, session)
        return self._with.wanted.next_look()

    def _give_up_killed(self) -> None:
        """Give up what is to be killed before it has begun: a kill request lasts for a minute, a queue for hours."""
        for execution_id, kill in self._with.table.kills.items():
            wanted = self._with.wanted.get(execution_id)
            if wanted is not None and execution_id not in self._with.in_work:
                job = self._with.planner.job(wanted.run.job_id)
                why = f"killed by {kill.requested_by} before it started"
                task = self._with.launcher.spawn(self._give_up(wanted, job and job[0], "edited", why))
                self._with.keep(execution_id, task)

    def _look(self, wanted: Wanted, now: datetime, session: LeaseSession) -> None:
        run = wanted.run
        job = self._with.planner.job(run.job_id)
        if wanted.looks == 1:
            mine = run.worker_id == self._with.worker_id  # then nobody else stands in line
            wait = self._with.wait_in_line(run.execution_id, job[0] if job and self._may_run(wanted, job[0]) else None)
            if wait and not mine:
                self._with.wanted.look_again(wanted, now + wait)
                return
        if run.execution_id in self._with.in_work:
            self._with.wanted.look_again(wanted, now + AGAIN_AFTER)
            return
        if job is None and (refusal := self._with.refusals.of_job(run.job_id)) is not None:
            self._look_at_refused(wanted, now, refusal)
            return
        why = self._why_not(wanted, job[0] if job else None, now)
        if why is not None:
            self._with.keep(
                run.execution_id, self._with.launcher.spawn(self._give_up(wanted, job[0] if job else None, *why))
            )
        elif job is not None and not self._may_run(wanted, job[0]):
            self._with.wanted.look_again(wanted, max(now + wait_after(wanted.looks), due_at(run) + GIVE_UP_AFTER))
        elif job is not None and self._with.launcher.free_slots > 0:
            work = self._claim_and_run(wanted, job[0], job[1], session)
            self._with.keep(run.execution_id, self._with.launcher.spawn_in_slot(work))
        else:
            self._without_slot[run.job_id] = None
            self._with.wanted.look_again(wanted, now + wait_after(wanted.looks))

    def _look_at_refused(self, wanted: Wanted, now: datetime, refusal: Refusal) -> None:
        """Leave a run to its time while its job's definition cannot be trusted; it is woken when there is another."""
        give_up_at = due_at(wanted.run) + GIVE_UP_AFTER
        if wanted.run.trigger == "tick" or now <= give_up_at:
            self._with.wanted.look_again(wanted, max(give_up_at, now + AGAIN_AFTER) + GIVE_UP_AFTER / 100)
            return
        why = f"its job's definition in etcd is refused: {REFUSALS[refusal]}"
        task = self._with.launcher.spawn(self._give_up(wanted, None, "edited", why, job_gone=False))
        self._with.keep(wanted.run.execution_id, task)

    def _may_run(self, wanted: Wanted, job: JobEntry) -> bool:
        return self._with.may_run(job) and wanted.run.worker_id in ("", self._with.worker_id)

    def _why_not(self, wanted: Wanted, job: JobEntry | None, now: datetime) -> tuple[SkipReason, str] | None:
        """Return why the run is not to start any more; None: it is to start."""
        run = wanted.run
        if job is None:
            return "edited", "the job is gone"
        if run.trigger == "tick" and not job.spec.enabled:
            return "edited", "the job was paused while the tick waited for the run before it"
        queue = self._with.wanted.queue(run.job_id, run.worker_id) if run.trigger == "tick" else []
        if job.spec.overlap == "replace" and len(queue) > 1:
            return "overlap", f"{queue[-1]} came before it could start, and replaced it"
        if now - due_at(run) <= GIVE_UP_AFTER:
            return None
        if not self._with.somebody_may_run(job):
            return "capacity", f"no worker that claims matches {job.spec.placement.labels!r}"
        if run.worker_id and run.worker_id not in self._with.table.active_workers:
            return "capacity", f"it is for {run.worker_id}, which does not claim"
        if run.trigger == "tick" or not self._may_run(wanted, job):
            return None
        late = f"it could not start within {GIVE_UP_AFTER}"
        return ("overlap", late) if self._with.launcher.free_slots > 0 else ("capacity", late)

    async def _claim_and_run(self, wanted: Wanted, job: JobEntry, job_revision: int, session: LeaseSession) -> None:
        try:
            await self._claim(wanted, job, job_revision, session)
        except LeaseLostError:
            self._with.wanted.look_again(wanted, self._with.clock.now() + wait_after(wanted.looks))

    async def _claim(self, wanted: Wanted, job: JobEntry, job_revision: int, session: LeaseSession) -> None:
        run = wanted.run
        execution = execution_of_run(run, job, self._with.worker_id, self._with.clock.now())
        transaction = claim_run(self._with.keys, wanted.revision, job, execution, session.lease)
        doubts: list[str] = []
        result = await self._with.transactions.until_answered(
            transaction, f"claim of {run.execution_id}", doubt=doubts.append
        )
        if result.succeeded:
            self._with.metrics.claims.labels("won").inc()
            execution = replace(execution, fencing_token=result.revision)
            await self._with.launcher.run(Claimed(execution, job, job_revision), session)
            self._with.free(job.job_id)
            return
        entries, own, alive = result.reads
        if doubts and not entries:
            entries, own = await self._settled(execution)
        if entries and is_own(entries[0], self._with.worker_id, closed=False):
            claimed = Claimed(execution, job, job_revision)
            await self._with.launcher.adopt(claimed, next(iter(own), None), entries[0].mod_revision, session)
            self._with.free(job.job_id)
            return
        running = in_the_way(self._with.keys, job, self._with.worker_id, alive)
        if running and job.spec.overlap == "replace" and run.trigger != "retry":
            await self._replace(running, run.execution_id, job.job_id)
        told = bool(running) and self._with.is_told_of_end(job.job_id, running, result.revision)
        # A run that is to replace another may be replaced itself meanwhile, which nothing but a look finds out.
        wait = wait_after(wanted.looks, told=told and job.spec.overlap != "replace")
        self._with.wanted.look_again(wanted, self._with.clock.now() + wait)

    async def _settled(self, execution: Execution) -> tuple[tuple[KeyValue, ...], ...]:
        """See to it that no earlier try of what was refused takes effect; return [its entry], [its liveness].

        It may be on its way yet, and what was in the way of the later try (a run that was alive, or a job's definition)
        be gone when it arrives: then nobody would know of the run.
        """
        what, key = f"doubt about {execution.execution_id}", self._with.keys.run(execution.execution_id)
        wanted = await retrying(lambda: self._with.store.get(key), on=StoreUnavailableError, what=what)
        settling = settle_run(self._with.keys, wanted, execution)
        result = await self._with.transactions.until_answered(settling, what)
        return result.reads or ((), ())

    async def _replace(self, running: str, by: str, job_id: str) -> None:
        """Ask for the end of the live run, once: the request is seen by its worker, and by whoever looks here next."""
        if running in self._with.table.kills:
            return
        kill = KillWanted(requested_by=f"overlap: {by} replaces it", requested_at=self._with.clock.now())
        try:
            lease = await self._with.store.grant_lease(KILL_LEASE_S)
            put = Put(self._with.keys.kill(running), encode(kill), lease)
            await self._with.transactions.transact(Transaction((), (put,)))
        except StoreUnavailableError as error:  # the next look asks again
            with about(execution_id=running, job_id=job_id):
                log.warning("asking for the kill later", action="replace.later", error=str(error))

    async def _give_up(
        self, wanted: Wanted, job: JobEntry | None, reason: SkipReason, detail: str, *, job_gone: bool | None = None
    ) -> None:
        now = self._with.clock.now()
        execution = execution_of_run(wanted.run, job, self._with.worker_id, now)
        skipped = TickSkipped(execution=execution, reason=reason, at=now, detail=detail)
        gone = job is None if job_gone is None else job_gone
        transaction = skip_run(self._with.keys, wanted.revision, skipped, job_gone=gone)
        doubts: list[str] = []
        result = await self._with.transactions.until_answered(
            transaction, f"skip of {execution.execution_id}", doubt=doubts.append
        )
        entries = () if result.succeeded else result.reads[0]
        if not result.succeeded and doubts and not entries:
            entries, _ = await self._settled(execution)
        # If it failed with an entry of ours, an earlier try of it was faster.
        if result.succeeded or any(_is_skip_of(item, execution) for item in entries):
            self._with.metrics.skips.labels(skipped.reason).inc()
            await self._with.entries.skipped(skipped)
        else:
            self._with.wanted.look_again(wanted, self._with.clock.now() + wait_after(wanted.looks))


def _is_skip_of(item: KeyValue, execution: Execution) -> bool:
    entry = decode_state(ExecutionEntry, item.value)
    return entry.skipped is not None and entry.execution == execution
