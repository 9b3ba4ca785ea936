"""Which job is to be looked at when. Pure: time and state come in as arguments.

A job's effective cursor is `max(ticks/{job}.tick, job.anchor)`; its next tick is the first one after it. A job
that runs on every worker has a cursor for each, and a worker that has none yet begins when it registered. The
planner keeps, for each job with a next tick, one place in a heap: when to look at it. Looking gives a
`Candidate`; the job then has no place in the heap until its cursor moves, its definition changes, or the
caller asks to look again.

A definition is trusted, or not, when something is to be done with it for the first time (G12), or its first tick is
near: of 100,000 jobs few are looked at in a minute, and to look at all signatures would take seconds of a start.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.jobs.dependencies import Dependants
from dcron_core.schedule import JobTimetable, timetable_of
from dcron_schemas.job import Misfire
from dcron_schemas.state import JobEntry
from dcron_worker.definitions import pack, timetable, unpack
from dcron_worker.exclusions import Way, way_past
from dcron_worker.misfire import Backlog, Missed, Verdict, judge

TRUST_AHEAD = timedelta(seconds=5)  # before the first look: of many jobs that are due together, this is done by then

_ALWAYS = datetime.min.replace(tzinfo=UTC)

Trusted = Callable[[str, bytes, int], bool]  # (job id, proof, revision) → may it run? Asked once for a version.


class Candidate(Struct, frozen=True):
    """A job whose tick may be claimed, as it stood when it was looked at."""

    entry: JobEntry
    job_revision: int  # etcd's mod revision of jobs/{job}
    tick: datetime
    cursor_revision: int  # of the job's cursor; 0: there is none
    generation: int
    looks: int  # how often it was looked at for this tick, this time included
    after: datetime  # the effective cursor: the tick is the first one after it


class Cursor(Struct, frozen=True, gc=False):
    """A job's cursor as this worker knows it."""

    tick: datetime
    revision: int


class _Planned(Struct, gc=False):
    packed: bytes  # the job's definition
    revision: int
    tick: datetime | None = None
    generation: int = 0
    place: int = 0  # of its one entry in the heap; 0: none
    looks: int = 0
    backlog: Backlog | None = None
    proof: bytes | None = None  # what shows that a master wrote it; None: it was looked at, and does

    @property
    def entry(self) -> JobEntry:
        return unpack(self.packed)

    @property
    def timetable(self) -> JobTimetable | None:
        return timetable(self.packed)


class Planner:
    """The jobs and their next ticks.

    `ahead`: how long before its instant a tick is first looked at. `worker_id` and `since`: who this worker is,
    and since when it is there, for the jobs that run on every worker. `trusted`: which versions of jobs may run.
    """

    def __init__(
        self,
        ahead: timedelta,
        worker_id: str = "",
        since: datetime = _ALWAYS,
        trusted: Trusted = lambda *_: True,
    ) -> None:
        self._ahead = ahead
        self._worker_id = worker_id
        self._since = since
        self._trusted = trusted
        self._jobs: dict[str, _Planned] = {}
        self._cursors: dict[str, Cursor] = {}  # by job; those of this worker by job/worker
        self._heap: list[tuple[datetime, int, str]] = []  # (when, place, job id)
        self._generation = 0
        self._places = 0
        self.rebuilt_from = 0  # etcd's table was made anew when the log was so long; 0: not known
        self._dependants = Dependants()

    def __len__(self) -> int:
        return len(self._jobs)

    def job_stands(self, entry: JobEntry, revision: int, proof: bytes | None = None) -> None:
        """Take in a job, and what shows that a master wrote it; None: nobody asks.

        Raises ValueError or KeyError, and forgets the job, if its schedule cannot be understood.
        """
        known = self._jobs.get(entry.job_id)
        if known is not None and known.revision >= revision:
            return
        self.job_gone(entry.job_id)
        ticks = timetable_of(entry.spec, entry.anchor, entry.job_id)
        self._jobs[entry.job_id] = planned = _Planned(pack(entry), revision, proof=proof)
        self._dependants.stands(entry)
        self._plan(planned, entry, ticks)

    def job_gone(self, job_id: str) -> None:
        """Forget a job; its place in the heap is void."""
        if self._jobs.pop(job_id, None) is not None:
            self._dependants.gone(job_id)

    def cursor_stands(self, cursor: str, tick: datetime, revision: int) -> None:
        """Take in a cursor, unless a newer one is known: `job`, or `job/worker` for a job that runs on every one."""
        job_id, _, worker_id = cursor.partition("/")
        if worker_id not in ("", self._worker_id):
            return
        known = self._cursors.get(cursor)
        if known is not None and known.revision >= revision:
            return
        self._cursors[cursor] = Cursor(tick, revision)
        planned = self._jobs.get(job_id)
        if planned is not None and self.cursor_of(planned.entry) == cursor:
            self._plan(planned, planned.entry, planned.timetable)

    def cursor_gone(self, cursor: str) -> None:
        """Forget a cursor."""
        self._cursors.pop(cursor, None)

    def cursor_of(self, entry: JobEntry) -> str:
        """Return which cursor the job has here: its key under `ticks/`."""
        return f"{entry.job_id}/{self._worker_id}" if entry.spec.placement.workers == "every" else entry.job_id

    def job(self, job_id: str) -> tuple[JobEntry, int] | None:
        """Return the job and its revision as this worker knows them; one that is not to be trusted it does not know."""
        planned = self._jobs.get(job_id)
        return (planned.entry, planned.revision) if planned is not None and self._is_trusted(job_id, planned) else None

    def dependants_of(self, namespace: str, name: str) -> list[JobEntry]:
        """Return the jobs that come after that one."""
        return [entry for entry in self._dependants.of(namespace, name) if self.job(entry.job_id) is not None]

    def next_look(self) -> datetime | None:
        """Return when `ready` will have something; None: when something changes."""
        self._drop_void()
        return self._heap[0][0] if self._heap else None

    def ready(self, now: datetime, limit: int | None = None) -> list[Candidate]:
        """Take out what is to be looked at by `now`; of more than `limit`, what was to be looked at first.

        A job that is not to be trusted is forgotten, and counts: however many there are, others have their turn.
        """
        candidates: list[Candidate] = []
        looked_at = 0
        while looked_at != limit and self._drop_void() and self._heap[0][0] <= now:
            job_id = heapq.heappop(self._heap)[2]
            planned = self._jobs[job_id]
            assert planned.tick is not None
            planned.place = 0
            looked_at += 1
            if not self._is_trusted(job_id, planned):
                continue
            if planned.tick - self._ahead > now:  # it was its turn for that only
                self._place(job_id, planned.tick - self._ahead)
                continue
            planned.looks += 1
            cursor = self._cursors.get(self.cursor_of(planned.entry))
            candidates.append(
                Candidate(
                    planned.entry,
                    planned.revision,
                    planned.tick,
                    cursor.revision if cursor else 0,
                    planned.generation,
                    planned.looks,
                    self._effective_cursor(planned.entry),
                )
            )
        return candidates

    def is_current(self, candidate: Candidate) -> bool:
        """Tell whether the job and its cursor still stand as they did."""
        planned = self._jobs.get(candidate.entry.job_id)
        return planned is not None and planned.generation == candidate.generation

    def look_again(self, candidate: Candidate, at: datetime) -> None:
        """Put the candidate back, to be looked at again; nothing happens if it is not current any more."""
        if self.is_current(candidate):
            self._place(candidate.entry.job_id, at)

    def wake(self, job_id: str, now: datetime, *, in_line: bool = False) -> bool:
        """Look now at a job that was to be looked at again later; False: it is not, or its tick is being claimed.

        `in_line`: look at it as for the first time.
        """
        planned = self._jobs.get(job_id)
        if planned is None or not planned.place or not planned.looks:
            return False
        planned.looks = 0 if in_line else planned.looks
        self._place(job_id, now)
        return True

    def is_near(self, job_id: str, by: datetime) -> bool:
        """Tell whether the job has a tick by then."""
        planned = self._jobs.get(job_id)
        return planned is not None and planned.tick is not None and planned.tick <= by

    def verdict(self, candidate: Candidate, now: datetime) -> Verdict:
        """Return what is to be done about the candidate's tick at `now`."""
        planned = self._jobs.get(candidate.entry.job_id)
        if planned is None or planned.timetable is None:
            return Verdict()
        misfire = self._misfire(candidate.entry)
        verdict = judge(planned.timetable, candidate.tick, now, misfire, planned.backlog)
        planned.backlog = verdict.backlog
        return verdict

    def way_past(self, candidate: Candidate, ticks: Missed) -> Way:
        """Return how the cursor goes past ticks, of which the candidate's is the first one."""
        planned = self._jobs.get(candidate.entry.job_id)
        if planned is None or planned.timetable is None:
            return Way(ticks=ticks)
        return way_past(planned.timetable, candidate.after, candidate.tick, ticks)

    def _misfire(self, entry: JobEntry) -> Misfire:
        """Return what becomes of the job's missed ticks.

        A job from before etcd's table was made anew that has no cursor has lost it: nobody knows which of its ticks
        ran, and what was done must not be done again. So nothing is made up for.
        """
        misfire = entry.spec.misfire
        lost = entry.position < self.rebuilt_from and self.cursor_of(entry) not in self._cursors
        return replace(misfire, policy="skip") if lost else misfire

    def _is_trusted(self, job_id: str, planned: _Planned) -> bool:
        """Tell whether a master wrote the definition; one that was not written by a master is forgotten."""
        proof, planned.proof = planned.proof, None
        if proof is not None and not self._trusted(job_id, proof, planned.revision):
            self.job_gone(job_id)
            return False
        return True

    def _plan(self, planned: _Planned, entry: JobEntry, ticks: JobTimetable | None) -> None:
        self._generation += 1
        planned.generation, planned.place, planned.looks = self._generation, 0, 0
        planned.tick = ticks.next_after(self._effective_cursor(entry)) if ticks else None
        if planned.tick is not None:
            trust_ahead = timedelta() if planned.proof is None else TRUST_AHEAD
            self._place(entry.job_id, planned.tick - self._ahead - trust_ahead)

    def _effective_cursor(self, entry: JobEntry) -> datetime:
        cursor = self._cursors.get(self.cursor_of(entry))
        if cursor is not None:
            return max(cursor.tick, entry.anchor)
        return max(self._since, entry.anchor) if entry.spec.placement.workers == "every" else entry.anchor

    def _place(self, job_id: str, at: datetime) -> None:
        """Give the job its one place in the heap; the one it had is void."""
        self._places += 1
        self._jobs[job_id].place = self._places
        heapq.heappush(self._heap, (at, self._places, job_id))

    def _drop_void(self) -> bool:
        """Remove places that no longer hold from the heap's top; tell whether any is left."""
        while self._heap:
            _, place, job_id = self._heap[0]
            planned = self._jobs.get(job_id)
            if planned is not None and planned.place == place:
                return True
            heapq.heappop(self._heap)
        return False
