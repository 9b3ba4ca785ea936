"""Which wanted run is to be looked at when, and which tick is first in its job's queue. Pure.

Runs of ticks that wait for the run before them (`overlap: queue` or `replace`) form a queue for each job, in the
order of their ticks: only the first of a queue is looked at. All others are looked at by themselves.
"""

import heapq
from bisect import insort
from datetime import UTC, datetime

from msgspec import Struct

from dcron_schemas.state import RunWanted

_AT_ONCE = datetime.min.replace(tzinfo=UTC)


class Wanted(Struct):
    """A wanted run as this worker knows it."""

    run: RunWanted
    revision: int  # etcd's mod revision of runs/{execution}
    looks: int = 0  # how often it was looked at
    place: int = 0  # of its one entry in the heap; 0: none


class WantedPlan:
    """The wanted runs."""

    def __init__(self) -> None:
        self._wanted: dict[str, Wanted] = {}  # by execution id
        self._queues: dict[tuple[str, str], list[tuple[datetime, str]]] = {}  # (job, worker) → (tick, execution id)
        self._of_job: dict[str, dict[str, None]] = {}  # in the order they came
        self._heap: list[tuple[datetime, int, str]] = []  # (when, place, execution id)
        self._places = 0

    def __len__(self) -> int:
        return len(self._wanted)

    def stands(self, run: RunWanted, revision: int) -> None:
        """Take in a wanted run, as it is now."""
        self.gone(run.execution_id)
        wanted = self._wanted[run.execution_id] = Wanted(run, revision)
        self._of_job.setdefault(run.job_id, {})[run.execution_id] = None
        if run.trigger == "tick":
            queue = self._queues.setdefault((run.job_id, run.worker_id), [])
            insort(queue, (due_at(run), run.execution_id))
            if queue[0][1] != run.execution_id:
                return
        self._place(wanted, run.not_before or _AT_ONCE)

    def gone(self, execution_id: str) -> None:
        """Forget a wanted run; the next one of its queue is to be looked at now."""
        wanted = self._wanted.pop(execution_id, None)
        if wanted is None:
            return
        run = wanted.run
        del self._of_job[run.job_id][execution_id]
        if not self._of_job[run.job_id]:
            del self._of_job[run.job_id]
        if run.trigger == "tick":
            queue = self._queues[run.job_id, run.worker_id]
            queue.remove((due_at(run), execution_id))
            if queue:
                self._place(self._wanted[queue[0][1]], _AT_ONCE)
            else:
                del self._queues[run.job_id, run.worker_id]

    def get(self, execution_id: str) -> Wanted | None:
        """Return a wanted run; None: it is not wanted."""
        return self._wanted.get(execution_id)

    def queue(self, job_id: str, worker_id: str = "") -> list[str]:
        """Return the executions of the job's ticks that wait, in their order."""
        return [execution_id for _, execution_id in self._queues.get((job_id, worker_id), ())]

    def next_look(self) -> datetime | None:
        """Return when `ready` will have something; None: when something changes."""
        self._drop_void()
        return self._heap[0][0] if self._heap else None

    def ready(self, now: datetime) -> list[Wanted]:
        """Take out everything that is to be looked at by `now`."""
        found = []
        while self._drop_void() and self._heap[0][0] <= now:
            wanted = self._wanted[heapq.heappop(self._heap)[2]]
            wanted.place = 0
            wanted.looks += 1
            if self._is_first(wanted):
                found.append(wanted)
        return found

    def is_current(self, wanted: Wanted) -> bool:
        """Tell whether the run is still wanted, as it was."""
        return self._wanted.get(wanted.run.execution_id) is wanted

    def look_again(self, wanted: Wanted, at: datetime) -> None:
        """Put the run back, to be looked at again; nothing happens if it is not current any more."""
        if self.is_current(wanted):
            self._place(wanted, at)

    def wake(self, job_id: str, *, in_line: bool = False) -> None:
        """Look now at the runs of a job that were to be looked at again later; `in_line`: as for the first time."""
        for execution_id in self._of_job.get(job_id, ()):
            wanted = self._wanted[execution_id]
            if wanted.place and wanted.looks:
                wanted.looks = 0 if in_line else wanted.looks
                self._place(wanted, _AT_ONCE)

    def _is_first(self, wanted: Wanted) -> bool:
        run = wanted.run
        return run.trigger != "tick" or self._queues[run.job_id, run.worker_id][0][1] == run.execution_id

    def _place(self, wanted: Wanted, at: datetime) -> None:
        self._places += 1
        wanted.place = self._places
        heapq.heappush(self._heap, (at, self._places, wanted.run.execution_id))

    def _drop_void(self) -> bool:
        """Remove places that no longer hold from the heap's top; tell whether any is left."""
        while self._heap:
            _, place, execution_id = self._heap[0]
            wanted = self._wanted.get(execution_id)
            if wanted is not None and wanted.place == place:
                return True
            heapq.heappop(self._heap)
        return False


def due_at(run: RunWanted) -> datetime:
    """Return from when on the run is due."""
    return run.not_before or run.requested_at
