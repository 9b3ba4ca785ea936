"""Which steps of a plan have to wait for which, so that each finds the jobs it needs for its `after`. Pure.

Each step is a command of its own, and is refused if it comes after a job that is not there, takes away one that others
come after, or closes a circle with what still stands. So, of the jobs that the plan moves from `now` to `then`:

* one that stays waits for all that it will come after, directly or over others: the order of `then` from its roots
  up. All that leads on from it then is as it will be, which has no circle;
* one that gives its name away, by going or by another name, waits for those that come after it now and will not.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

from dcron_core.jobs.table import JobTable
from dcron_schemas.state import JobEntry

_Name = tuple[str, str]  # namespace, name


def dependency_waits(moving: Collection[str], now: JobTable, then: JobTable) -> dict[str, set[str]]:
    """Return job id → the ids of the jobs whose steps come first; those without any are left out."""
    moves = _Moves(moving, now, then)
    waits = {job_id: moves.come_before(job_id) | moves.leavers(job_id) for job_id in moving}
    return {job_id: blockers for job_id, blockers in waits.items() if blockers}


class _Moves:
    def __init__(self, moving: Collection[str], now: JobTable, then: JobTable) -> None:
        self._moving = set(moving)
        self._now, self._then = now, then
        self._after_now: defaultdict[_Name, set[str]] = defaultdict(set)  # name → jobs that come after it now
        for entry in now.entries():
            for name in _after(entry):
                self._after_now[name].add(entry.job_id)

    def come_before(self, job_id: str) -> set[str]:
        """Return the jobs that the job will come after, directly or over others, and that have steps of their own."""
        reached: set[str] = set()
        edge = self._ahead_of(job_id)
        while edge:
            reached |= edge
            edge = set().union(*map(self._ahead_of, edge)) - reached
        return (reached & self._moving) - {job_id}

    def leavers(self, job_id: str) -> set[str]:
        """Return the jobs that come after the name that the job gives away, and will not."""
        name = _name(self._now.get(job_id))
        if name is None or name == _name(self._then.get(job_id)):
            return set()
        return {
            other
            for other in self._after_now[name] & self._moving
            if other != job_id and name not in _after(self._then.get(other))
        }

    def _ahead_of(self, job_id: str) -> set[str]:
        return self._holders(_after(self._then.get(job_id)))

    def _holders(self, names: Iterable[_Name]) -> set[str]:
        return {entry.job_id for name in names if (entry := self._then.named(*name)) is not None}


def _name(entry: JobEntry | None) -> _Name | None:
    return None if entry is None else (entry.spec.namespace, entry.spec.name)


def _after(entry: JobEntry | None) -> set[_Name]:
    return set() if entry is None else {(entry.spec.namespace, after.job) for after in entry.spec.after}
