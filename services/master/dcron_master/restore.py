"""The plan that brings the crontab back to how it stood, and the order to do it in. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.jobs.table import JobTable
from dcron_master.comparison import compared
from dcron_master.dependency_order import dependency_waits
from dcron_schemas.audit import JobDifference, RestoreStep
from dcron_schemas.job import JobSpec

_ACTIONS = {"deleted": "delete", "changed": "revert", "created": "restore"}
_ORDER = tuple(_ACTIONS.values())


class Order(Struct, frozen=True):
    """Steps in waves: a step comes in a later wave than the one that frees its name, and than those that let it depend
    on what it depended on (`after`): a job comes back after the ones that it comes after, goes after the ones that come
    after it, and where dependencies were turned round, the old one is taken away first.

    Where jobs have passed their names round in a circle, one of them has to step aside first.
    """

    aside: dict[str, JobSpec]  # job id → the definition it is given before the first wave: named after its id
    waves: tuple[tuple[RestoreStep, ...], ...]


def planned(then: JobTable, now: JobTable, job_ids: Collection[str] = ()) -> tuple[RestoreStep, ...]:
    """Return what brings the jobs back from `now` to `then`: deletions, reversions, restorations; no ids: all jobs.

    A job whose definition is the same gets no step, whatever happened to it in between.
    """
    steps = [_step(each, now) for each in compared(now, then) if not job_ids or each.job_id in job_ids]
    return tuple(sorted(steps, key=lambda step: _ORDER.index(step.action)))


def ordered(steps: Sequence[RestoreStep], now: JobTable, then: JobTable) -> Order:
    """Return the steps of a plan to go from `now` to `then` in an order in which they can be done."""
    waits_for = _waits(steps, now)
    waiting = {blocker: job_id for job_id, blocker in waits_for.items()}
    aside = {}
    for step in steps:
        seen: set[str] = set()
        job_id = step.job_id
        while job_id in waits_for and job_id not in seen:
            seen.add(job_id)
            job_id = waits_for[job_id]
        if job_id == step.job_id and seen:  # it waits for itself
            aside[job_id] = _named_after_its_id(job_id, now)
            del waits_for[waiting[job_id]]
    waits: dict[str, set[str]] = {job_id: {blocker} for job_id, blocker in waits_for.items()}
    for job_id, blockers in dependency_waits([step.job_id for step in steps], now, then).items():
        waits.setdefault(job_id, set()).update(blockers)
    return Order(aside, tuple(_waves(steps, waits)))


def _step(change: JobDifference, now: JobTable) -> RestoreStep:
    current = now.get(change.job_id)
    return RestoreStep(
        job_id=change.job_id,
        namespace=change.namespace,
        name=change.name,
        action=_ACTIONS[change.change],  # type: ignore[arg-type]  # one of the three
        current_version=current.version if current else None,
        to_version=change.to_version,
        changes=change.changes,
    )


def _named_after_its_id(job_id: str, now: JobTable) -> JobSpec:
    entry = now.get(job_id)
    assert entry is not None
    return replace(entry.spec, name=job_id)


def _waits(steps: Sequence[RestoreStep], now: JobTable) -> dict[str, str]:
    """Return job id → the job that has its name now and gives it away in a step of its own."""
    moving = {step.job_id for step in steps}
    waits = {}
    for step in steps:
        holder = now.named(step.namespace, step.name) if step.action != "delete" else None
        if holder is not None and holder.job_id != step.job_id and holder.job_id in moving:
            waits[step.job_id] = holder.job_id
    return waits


def _waves(steps: Sequence[RestoreStep], waits: Mapping[str, Collection[str]]) -> Iterator[tuple[RestoreStep, ...]]:
    """Yield the steps, each after those that it waits for; what waits for itself comes last, and may be refused."""
    left = list(steps)
    while left:
        waiting = {step.job_id for step in left}
        ready = [step for step in left if waiting.isdisjoint(waits.get(step.job_id, ()))] or left
        yield tuple(ready)
        left = [step for step in left if step not in ready]
