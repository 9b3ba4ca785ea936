"""Which steps of a plan have to wait for which, so that each finds the jobs it needs for its `after`. Pure.

Each step is a command of its own, and is refused if it comes after a job that is not there, takes away one that others
come after, or closes a circle with what still stands. So, of the jobs that the plan moves from `now` to `then`:

* one that will come after a name waits for the job that gets that name;
* one that gives its name away waits for those that come after it now and will not;
* one that gets something new to come after waits for those on a way back to it, over what is and what will be, that
  lose something.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

from dcron_core.jobs.table import JobTable
from dcron_schemas.state import JobEntry

_Name = tuple[str, str]  # namespace, name


def dependency_waits(moving: Collection[str], now: JobTable, then: JobTable) -> dict[str, set[str]]:
    """Return job id → the ids of the jobs whose steps come first; those without any are left out."""
    moves = _Moves(moving, now, then)
    waits: defaultdict[str, set[str]] = defaultdict(set)
    for job_id in moving:
        waits[job_id] |= moves.givers_of_names(job_id) | moves.leavers(job_id) | moves.losers_on_a_way_back(job_id)
    return {job_id: blockers for job_id, blockers in waits.items() if blockers}


class _Moves:
    def __init__(self, moving: Collection[str], now: JobTable, then: JobTable) -> None:
        self._moving = set(moving)
        self._now, self._then = now, then
        self._after_now: defaultdict[_Name, set[str]] = defaultdict(set)  # name → jobs that come after it now
        for entry in now.entries():
            for name in _after(entry):
                self._after_now[name].add(entry.job_id)

    def givers_of_names(self, job_id: str) -> set[str]:
        """Return the jobs that get, by steps of their own, the names that the job will come after."""
        holders = [(name, self._then.named(*name)) for name in _after(self._then.get(job_id))]
        return {
            holder.job_id
            for name, holder in holders
            if holder is not None and holder.job_id in self._moving and _name(self._now.get(holder.job_id)) != name
        } - {job_id}

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

    def losers_on_a_way_back(self, job_id: str) -> set[str]:
        """Return the jobs on a way back to the job that lose something that they come after."""
        gained = _after(self._then.get(job_id)) - _after(self._now.get(job_id))
        ahead = self._reached_from(self._named(gained))
        if job_id not in ahead:
            return set()
        losers = {other for other in ahead & self._moving if self._loses(other)} - {job_id}
        return {other for other in losers if job_id in self._reached_from({other})}

    def _loses(self, job_id: str) -> bool:
        return not _after(self._now.get(job_id)) <= _after(self._then.get(job_id))

    def _reached_from(self, job_ids: set[str]) -> set[str]:
        """Return the jobs, and all that they come after, now or then, over any number of others."""
        reached: set[str] = set()
        edge = job_ids
        while edge:
            reached |= edge
            edge = set().union(*map(self._next, edge)) - reached
        return reached

    def _next(self, job_id: str) -> set[str]:
        return self._named(_after(self._now.get(job_id)) | _after(self._then.get(job_id)))

    def _named(self, names: Iterable[_Name]) -> set[str]:
        found = [table.named(*name) for name in names for table in (self._now, self._then)]
        return {entry.job_id for entry in found if entry is not None}


def _name(entry: JobEntry | None) -> _Name | None:
    return None if entry is None else (entry.spec.namespace, entry.spec.name)


def _after(entry: JobEntry | None) -> set[_Name]:
    return set() if entry is None else {(entry.spec.namespace, after.job) for after in entry.spec.after}
