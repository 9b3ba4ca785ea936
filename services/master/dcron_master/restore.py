"""The plan that brings the crontab back to how it stood, and the order to do it in. Pure."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.jobs.table import JobTable
from dcron_master.comparison import compared
from dcron_schemas.audit import JobDifference, RestoreStep
from dcron_schemas.job import JobSpec

_ACTIONS = {"deleted": "delete", "changed": "revert", "created": "restore"}
_ORDER = tuple(_ACTIONS.values())


class Order(Struct, frozen=True):
    """Steps in waves: a step comes in a later wave than the one that frees its name.

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


def ordered(steps: Sequence[RestoreStep], now: JobTable) -> Order:
    """Return the steps of a plan that was made on `now` so that names are free before they are taken."""
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
    waves: defaultdict[int, list[RestoreStep]] = defaultdict(list)
    for step in steps:
        waves[_depth(step.job_id, waits_for)].append(step)
    return Order(aside, tuple(tuple(waves[depth]) for depth in sorted(waves)))


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


def _depth(job_id: str, waits_for: dict[str, str]) -> int:
    depth = 0
    while job_id in waits_for:
        job_id = waits_for[job_id]
        depth += 1
    return depth
