"""All jobs at one position of the log."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from dcron_core.jobs.changes import Change, JobGone, JobStands, LogNamed
from dcron_schemas.state import JobEntry

# How many positions back an event id is recognised as a repetition. A function of the log alone, so that a
# master that started from a snapshot decides like one that has read everything.
REPETITION_WINDOW = 10_000


class _Seen(NamedTuple):
    """Where an event id stands in the log."""

    first: int
    last: int


class JobTable:
    """The jobs, their names, and the event ids of the last positions. Changed by `absorb` only."""

    def __init__(self, *, log_id: str = "", position: int = -1, entries: Iterable[JobEntry] = ()) -> None:
        self.log_id = log_id
        self.position = position  # offset of the last event absorbed; -1: none
        self._entries = {entry.job_id: entry for entry in entries}
        self._names = {(e.spec.namespace, e.spec.name): e.job_id for e in self._entries.values()}
        self._event_ids: OrderedDict[str, _Seen] = OrderedDict()  # by their last positions
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
        seen = self._event_ids.get(event_id)
        return None if seen is None else seen.first

    def absorb(self, position: int, event_id: str, changes: Iterable[Change]) -> None:
        """Advance to `position`, with the changes that its event made."""
        for change in changes:
            self._sorted = None
            match change:
                case LogNamed(log_id):
                    self.log_id = log_id
                case JobStands(entry):
                    self._replace(entry)
                case JobGone(entry):
                    del self._entries[entry.job_id]
                    del self._names[entry.spec.namespace, entry.spec.name]
        self.remember(position, event_id)
        self.position = position

    def remember(self, position: int, event_id: str) -> None:
        """Take the event id into the window of repetitions. Positions come in order.

        A repetition keeps the id in the window: whether an event is one must follow from the records in the
        window alone, and a master that started from a snapshot has not read those before it.
        """
        seen = self._event_ids.pop(event_id, None)
        self._event_ids[event_id] = _Seen(seen.first if seen else position, position)
        while next(iter(self._event_ids.values())).last <= position - REPETITION_WINDOW:
            self._event_ids.popitem(last=False)

    def _replace(self, entry: JobEntry) -> None:
        former = self._entries.get(entry.job_id)
        if former is not None:
            del self._names[former.spec.namespace, former.spec.name]
        self._entries[entry.job_id] = entry
        self._names[entry.spec.namespace, entry.spec.name] = entry.job_id
