"""Runs wanted outside the ticks: claimed like ticks, in line, and given up on record when nobody can start them."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from dcron_core.errors import LeaseLostError
from dcron_core.ports.store import KeyValue
from dcron_core.session import LeaseSession
from dcron_schemas.codec import decode_state
from dcron_schemas.records import Execution, SkipReason, TickSkipped
from dcron_schemas.state import ExecutionEntry, JobEntry, RunWanted
from dcron_worker.claiming import Claiming
from dcron_worker.claims import claim_run, execution_of_run, skip_run
from dcron_worker.runner import Claimed, Runner

AGAIN_AFTER = timedelta(milliseconds=300)  # when a run of the job is alive, or all slots are taken
GIVE_UP_AFTER = timedelta(minutes=5)  # a run that could not start by then is skipped


class WantedRuns:
    """Looks at `runs/` for one worker."""

    def __init__(self, claiming: Claiming, runner: Runner) -> None:
        self._with = claiming
        self._runner = runner
        self._look_at: dict[str, datetime] = {}
        self._under_way: set[str] = set()

    def look(self, now: datetime, session: LeaseSession) -> datetime | None:
        """Begin what can begin; return when to look again, None: when something changes."""
        wanted = self._with.table.wanted
        self._look_at = {id_: self._look_at.get(id_) or self._first_look(wanted[id_][0], now) for id_ in wanted}
        for execution_id, at in self._look_at.items():
            if at <= now and execution_id not in self._under_way:
                self._look_at[execution_id] = now + AGAIN_AFTER
                self._begin(*wanted[execution_id], now, session)
        return min(self._look_at.values(), default=None)

    def _first_look(self, run: RunWanted, now: datetime) -> datetime:
        return max(now, run.not_before or now) + self._with.wait_in_line(run.execution_id)

    def _begin(self, run: RunWanted, revision: int, now: datetime, session: LeaseSession) -> None:
        job = self._with.planner.job(run.job_id)
        if job is None:
            self._with.launcher.spawn(self._give_up(run, revision, None))
        elif now - (run.not_before or run.requested_at) > GIVE_UP_AFTER:
            self._with.launcher.spawn(self._give_up(run, revision, job[0]))
        elif self._with.launcher.has_free_slot:
            self._with.launcher.spawn(self._claim_and_run(run, revision, job[0], job[1], session))

    async def _claim_and_run(
        self, run: RunWanted, revision: int, job: JobEntry, job_revision: int, session: LeaseSession
    ) -> None:
        self._under_way.add(run.execution_id)
        try:
            with self._with.launcher.slot():
                execution = execution_of_run(run, job, self._with.worker_id, self._with.clock.now())
                transaction = claim_run(self._with.keys, revision, job, execution, session.lease)
                result = await self._with.transactions.until_answered(transaction, f"claim of {run.execution_id}")
                if result.succeeded:
                    self._with.metrics.claims.labels("won").inc()
                    execution = replace(execution, fencing_token=result.revision)
                    await self._with.launcher.run(Claimed(execution, job, job_revision), session)
                    return
                entries, alive = result.reads
                own = bool(entries) and _owner(entries[0]) == self._with.worker_id
                if own and not self._runner.owns(run.execution_id):
                    claimed = Claimed(execution, job, job_revision)
                    await self._with.launcher.adopt(claimed, next(iter(alive), None), entries[0].mod_revision, session)
        except LeaseLostError:
            return  # the next session looks again
        finally:
            self._under_way.discard(run.execution_id)

    async def _give_up(self, run: RunWanted, revision: int, job: JobEntry | None) -> None:
        now = self._with.clock.now()
        execution = (
            execution_of_run(run, job, self._with.worker_id, now)
            if job
            else _execution_of_gone_job(run, self._with.worker_id, now)
        )
        reason: SkipReason = "edited"
        if job:
            reason = "overlap" if self._with.launcher.has_free_slot else "capacity"
        skipped = TickSkipped(
            execution=execution,
            reason=reason,
            at=now,
            detail=f"it could not start within {GIVE_UP_AFTER}" if job else "the job is gone",
        )
        transaction = skip_run(self._with.keys, revision, skipped, job_gone=job is None)
        result = await self._with.transactions.until_answered(transaction, f"skip of {run.execution_id}")
        # If it failed with an entry of ours, it was the second try of a skip whose answer was lost.
        if result.succeeded or any(_owner(item) == self._with.worker_id for item in result.reads[0]):
            self._with.metrics.skips.labels(skipped.reason).inc()
            await self._with.entries.skipped(skipped)


def _owner(item: KeyValue) -> str:
    return decode_state(ExecutionEntry, item.value).execution.worker_id


def _execution_of_gone_job(run: RunWanted, worker_id: str, now: datetime) -> Execution:
    return Execution(
        execution_id=run.execution_id,
        job_id=run.job_id,
        job_name="",
        namespace="",
        job_version=0,
        trigger=run.trigger,
        due_at=run.not_before or run.requested_at,
        attempt=run.attempt,
        worker_id=worker_id,
        claimed_at=now,
    )
