"""Which job is to be looked at when. Pure: time and state come in as arguments.

A job's effective cursor is `max(ticks/{job}.tick, job.anchor)`; its next tick is the first one after it. The
planner keeps, for each job with a next tick, one place in a heap: when to look at it. Looking gives a
`Candidate`; the job then has no place in the heap until its cursor moves, its definition changes, or the
caller asks to look again.
"""

import heapq
from datetime import datetime, timedelta

from msgspec import Struct

from dcron_core.schedule import Timetable, timetable_of
from dcron_schemas.state import JobEntry

COUNT_AT_MOST = 1000  # missed ticks that are counted one by one


class Candidate(Struct, frozen=True):
    """A job whose tick may be claimed, as it stood when it was looked at."""

    entry: JobEntry
    job_revision: int  # etcd's mod revision of jobs/{job}
    tick: datetime
    cursor_revision: int  # of ticks/{job}; 0: there is none
    generation: int
    looks: int  # how often it was looked at for this tick, this time included


class Cursor(Struct, frozen=True):
    """`ticks/{job}` as this worker knows it."""

    tick: datetime
    revision: int


class _Planned(Struct):
    entry: JobEntry
    revision: int
    timetable: Timetable | None
    tick: datetime | None = None
    generation: int = 0


class Planner:
    """The jobs and their next ticks. `ahead`: how long before its instant a tick is first looked at."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead
        self._jobs: dict[str, _Planned] = {}
        self._cursors: dict[str, Cursor] = {}
        self._heap: list[tuple[datetime, int, str, int]] = []  # (when, generation, job id, looks so far)
        self._generation = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def job_stands(self, entry: JobEntry, revision: int) -> None:
        """Take in a job. Raises ValueError or KeyError, and forgets the job, if its schedule cannot be understood."""
        known = self._jobs.get(entry.job_id)
        if known is not None and known.revision >= revision:
            return
        self.job_gone(entry.job_id)
        self._jobs[entry.job_id] = _Planned(entry, revision, timetable_of(entry.spec, entry.anchor, entry.job_id))
        self._plan(entry.job_id)

    def job_gone(self, job_id: str) -> None:
        """Forget a job; its place in the heap is void."""
        self._jobs.pop(job_id, None)

    def cursor_stands(self, job_id: str, tick: datetime, revision: int) -> None:
        """Take in a cursor, unless a newer one is known."""
        known = self._cursors.get(job_id)
        if known is not None and known.revision >= revision:
            return
        self._cursors[job_id] = Cursor(tick, revision)
        if job_id in self._jobs:
            self._plan(job_id)

    def cursor_gone(self, job_id: str) -> None:
        """Forget a cursor."""
        self._cursors.pop(job_id, None)

    def job(self, job_id: str) -> tuple[JobEntry, int] | None:
        """Return the job and its revision as this worker knows them."""
        planned = self._jobs.get(job_id)
        return None if planned is None else (planned.entry, planned.revision)

    def next_look(self) -> datetime | None:
        """Return when `ready` will have something; None: when something changes."""
        self._drop_void()
        return self._heap[0][0] if self._heap else None

    def ready(self, now: datetime) -> list[Candidate]:
        """Take out everything that is to be looked at by `now`."""
        candidates = []
        while self._drop_void() and self._heap[0][0] <= now:
            _, generation, job_id, looks = heapq.heappop(self._heap)
            planned = self._jobs[job_id]
            assert planned.tick is not None
            cursor = self._cursors.get(job_id)
            revision = cursor.revision if cursor else 0
            candidates.append(Candidate(planned.entry, planned.revision, planned.tick, revision, generation, looks + 1))
        return candidates

    def is_current(self, candidate: Candidate) -> bool:
        """Tell whether the job and its cursor still stand as they did."""
        planned = self._jobs.get(candidate.entry.job_id)
        return planned is not None and planned.generation == candidate.generation

    def look_again(self, candidate: Candidate, at: datetime) -> None:
        """Put the candidate back, to be looked at again; nothing happens if it is not current any more."""
        if self.is_current(candidate):
            heapq.heappush(self._heap, (at, candidate.generation, candidate.entry.job_id, candidate.looks))

    def missed(self, candidate: Candidate, now: datetime, deadline: timedelta) -> "Missed | None":
        """Return the ticks from the candidate's on that are later than `deadline` at `now`; None: it is in time."""
        planned = self._jobs.get(candidate.entry.job_id)
        if planned is None or planned.timetable is None or now - candidate.tick <= deadline:
            return None
        return missed_ticks(planned.timetable, candidate.tick, now - deadline)

    def _plan(self, job_id: str) -> None:
        planned = self._jobs[job_id]
        self._generation += 1
        planned.generation = self._generation
        cursor = self._cursors.get(job_id)
        after = max(cursor.tick, planned.entry.anchor) if cursor else planned.entry.anchor
        planned.tick = planned.timetable.next_after(after) if planned.timetable else None
        if planned.tick is not None:
            heapq.heappush(self._heap, (planned.tick - self._ahead, planned.generation, job_id, 0))

    def _drop_void(self) -> bool:
        """Remove places that no longer hold from the heap's top; tell whether any is left."""
        while self._heap:
            _, generation, job_id, _ = self._heap[0]
            planned = self._jobs.get(job_id)
            if planned is not None and planned.generation == generation:
                return True
            heapq.heappop(self._heap)
        return False


class Missed(Struct, frozen=True):
    """Ticks in a row that nobody started in time."""

    last: datetime
    count: int  # 0: more than COUNT_AT_MOST


def missed_ticks(timetable: Timetable, first: datetime, before: datetime) -> Missed:
    """Return the ticks from `first` (one of them) to the last one before `before`.

    They are counted one by one up to COUNT_AT_MOST; beyond that the last one is found by halving the time
    that it can be in, so that a month of ticks each second costs no more than an hour of them.
    """
    last, count = first, 1
    while count <= COUNT_AT_MOST:
        tick = timetable.next_after(last)
        if tick is None or tick >= before:
            return Missed(last, count)
        last, count = tick, count + 1
    end = before  # no tick from here on
    while end - last > timedelta(seconds=1):
        middle = last + (end - last) / 2
        tick = timetable.next_after(middle)
        if tick is not None and tick < before:
            last = tick
        else:
            end = middle
    while (tick := timetable.next_after(last)) is not None and tick < before:
        last = tick
    return Missed(last, 0)
