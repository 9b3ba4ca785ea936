"""All jobs at one position of the log, and beside them who may do what."""

from collections import deque
from collections.abc import Iterable

from dcron_core.access.directory import Directory
from dcron_core.jobs.changes import Change, DirectoryChange, JobGone, JobStands, LogNamed
from dcron_schemas.events import JobEvent, JobRestored
from dcron_schemas.state import JobEntry

# How many positions back an event id is recognised as a repetition. A function of the log alone, so that a
# master that started from a snapshot decides like one that has read everything.
REPETITION_WINDOW = 10_000


def restored_by(event: JobEvent) -> str:
    """Return the id of the job that the event brings back, or tries to; "": it is another event."""
    return event.job_id if isinstance(event.data, JobRestored) else ""


class JobTable:
    """The jobs, their names, and the event ids of the last positions. Changed by `absorb` only."""

    def __init__(
        self,
        *,
        log_id: str = "",
        position: int = -1,
        entries: Iterable[JobEntry] = (),
        directory: Directory | None = None,
    ) -> None:
        self.log_id = log_id
        self.directory = Directory() if directory is None else directory
        self.position = position  # offset of the last event absorbed; -1: none
        self._entries = {entry.job_id: entry for entry in entries}
        self._names = {(e.spec.namespace, e.spec.name): e.job_id for e in self._entries.values()}
        self._first: dict[str, int] = {}  # event id → its first position known
        self._last: dict[str, int] = {}  # the same for the last one, of those that were repeated
        self._window: deque[tuple[int, str]] = deque()  # positions and event ids, the last REPETITION_WINDOW positions
        self._restores: deque[tuple[int, str]] = deque()  # positions and job ids of JobRestored, in the same window
        self._sorted: list[JobEntry] | None = None  # made when asked for, forgotten with the next change

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, job_id: str) -> JobEntry | None:
        """Return the job, or None."""
        return self._entries.get(job_id)

    def named(self, namespace: str, name: str) -> JobEntry | None:
        """Return the job of that name, or None."""
        job_id = self._names.get((namespace, name))
        return None if job_id is None else self._entries[job_id]

    def entries(self) -> list[JobEntry]:
        """Return all jobs, by namespace and name; not to be changed by the caller."""
        if self._sorted is None:
            self._sorted = [self._entries[self._names[key]] for key in sorted(self._names)]
        return self._sorted

    def position_of(self, event_id: str) -> int | None:
        """Return the first known position of that event, if it is among the last `REPETITION_WINDOW` ones."""
        return self._first.get(event_id)

    def may_be_restored(self, job_id: str, seen: int, position: int) -> bool:
        """Tell whether a job that was deleted at `seen` still is at `position`, as it was then.

        True if nobody wrote a JobRestored of it in between, whatever came of that. What is further back than
        `REPETITION_WINDOW` positions is not known, by anybody.
        """
        if position - seen > REPETITION_WINDOW:
            return False
        return all(other != job_id or at <= seen for at, other in self._restores)

    def absorb(self, position: int, event_id: str, changes: Iterable[Change], restored: str = "") -> None:
        """Advance to `position`, with the changes that its event made; `restored` as for `remember`."""
        for change in changes:
            if isinstance(change, JobStands):
                self._replace(change.entry)
            elif isinstance(change, JobGone):
                self._remove(change.entry)
            elif isinstance(change, LogNamed):
                self.log_id = change.log_id
            elif isinstance(change, DirectoryChange):
                self.directory.absorb(change)
        self.remember(position, event_id, restored)
        self.position = position

    def remember(self, position: int, event_id: str, restored: str = "") -> None:
        """Take the event id into the window of repetitions, and the job's that a JobRestored is about (`restored_by`).

        Positions come in order.

        A repetition keeps the id in the window: whether an event is one must follow from the records in the
        window alone, and a master that started from a snapshot has not read those before it.
        """
        if event_id in self._first:
            self._last[event_id] = position
        else:
            self._first[event_id] = position
        self._window.append((position, event_id))
        if restored:
            self._restores.append((position, restored))
        self._slide(position)

    def step_over(self, position: int) -> None:
        """Advance to `position`, whose record cannot be read and is stepped over."""
        self._slide(position)
        self.position = position

    def _slide(self, position: int) -> None:
        """Let the window end at `position`: what is too far back for the next event is forgotten."""
        window = self._window
        while window and window[0][0] <= position - REPETITION_WINDOW:
            self._forget(*window.popleft())
        while self._restores and self._restores[0][0] <= position - REPETITION_WINDOW:
            self._restores.popleft()

    def _forget(self, position: int, event_id: str) -> None:
        """Take the event id out of the window, unless it was repeated after `position`."""
        if self._last.get(event_id, position) <= position:
            del self._first[event_id]
            self._last.pop(event_id, None)

    def _replace(self, entry: JobEntry) -> None:
        former = self._entries.get(entry.job_id)
        self._entries[entry.job_id] = entry
        self._sorted = None
        name = (entry.spec.namespace, entry.spec.name)
        if former is not None:
            former_name = (former.spec.namespace, former.spec.name)
            if former_name == name:
                return
            del self._names[former_name]
        self._names[name] = entry.job_id

    def _remove(self, entry: JobEntry) -> None:
        del self._entries[entry.job_id]
        del self._names[entry.spec.namespace, entry.spec.name]
        self._sorted = None
