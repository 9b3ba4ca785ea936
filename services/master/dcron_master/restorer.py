"""Does what a plan says: each step is a command of its own, meant for the version that it was planned on.

A job that has changed since the plan was made is left alone, and its step says so; so does a step whose outcome is
not known. The steps follow from the log and `planned_at` alone, and so do their Idempotency-Keys: a restore that is
repeated finds what its first try did.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from dcron_core.errors import CommandRejectedError, NotPossibleError, OutcomeUnknownError, UnavailableError
from dcron_core.jobs.table import JobTable
from dcron_master.asking import Asking
from dcron_master.edits import Edit, Replacement, Reversion
from dcron_master.restore import Order
from dcron_schemas.audit import DeletedJob, RestoreResult, RestoreStep
from dcron_schemas.events import EventData, JobDeleted, JobRestored

AT_ONCE = 50  # steps under way; they share transactions

Doing = Callable[[RestoreStep], Awaitable[None]]


class Restorer:
    """Carries out one plan, on behalf of one request.

    `then` are the jobs as they stood, `deleted` those that are deleted by now: at position `seen`.
    """

    def __init__(
        self, asking: Asking, then: JobTable, order: Order, planned_at: int, deleted: Sequence[DeletedJob], seen: int
    ) -> None:
        self._asking = asking
        self._then = then
        self._order = order
        self._planned_at = planned_at
        self._deleted = {job.job_id: job for job in deleted}
        self._seen = seen
        self._problems: dict[str, str] = {}  # job id → why its step was not done

    async def carry_out(self, steps: Sequence[RestoreStep]) -> RestoreResult:
        """Do all steps; return them, each with its problem if it was not done."""
        await self._each([step for step in steps if step.job_id in self._order.aside], self._step_aside)
        for wave in self._order.waves:
            await self._each(wave, self._do)
        told = tuple(replace(step, problem=self._problems.get(step.job_id, "")) for step in steps)
        return RestoreResult(steps=told, done=len(told) - len(self._problems), failed=len(self._problems))

    async def _each(self, steps: Sequence[RestoreStep], do: Doing) -> None:
        for start in range(0, len(steps), AT_ONCE):
            batch = [step for step in steps[start : start + AT_ONCE] if step.job_id not in self._problems]
            await asyncio.gather(*(self._noting_problems(step, do) for step in batch))

    async def _noting_problems(self, step: RestoreStep, do: Doing) -> None:
        try:
            await do(step)
        except (CommandRejectedError, UnavailableError, OutcomeUnknownError) as error:
            self._problems[step.job_id] = str(error)

    async def _step_aside(self, step: RestoreStep) -> None:
        await self._command("aside", step, Replacement(self._order.aside[step.job_id]), step.current_version)

    async def _do(self, step: RestoreStep) -> None:
        then = self._then.get(step.job_id)
        if then is None:
            await self._command("delete", step, JobDeleted(), step.current_version)
        elif step.current_version is None:
            await self._command("restore", step, JobRestored(then.spec, self._next_version(step), self._seen), None)
        else:
            expected = step.current_version + (step.job_id in self._order.aside)
            await self._command("revert", step, Reversion(then.spec, then.version), expected)

    def _next_version(self, step: RestoreStep) -> int:
        """Return the version that a deleted job gets, if it still is deleted as it was when it was planned."""
        deleted = self._deleted.get(step.job_id)
        if deleted is None:  # it stands again: the fold refuses, or knows that this request did it
            return 0
        if deleted.position > self._planned_at:
            raise NotPossibleError(
                f"job {step.name!r} was restored, and deleted again at position {deleted.position}, since the plan "
                "was made; plan again"
            )
        return deleted.version + 1

    async def _command(self, name: str, step: RestoreStep, data: EventData | Edit, expected: int | None) -> None:
        await self._asking.part(f"{name} {step.job_id}", step.job_id, data, expected)
