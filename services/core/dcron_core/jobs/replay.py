"""The log folded from zero, one step for each record (G3). Pure.

`Replay` is what every reader of the whole log is made of: the history, the archive, the checks of etcd, the
ledger. A `Step` says what an event came to, and how its job stood before and after it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import get_args

from msgspec import Struct

from dcron_core.jobs.changes import Change, JobGone, JobStands
from dcron_core.jobs.fold import Applied, Outcome, fold
from dcron_core.jobs.table import JobTable, restored_by
from dcron_schemas import events
from dcron_schemas.audit import EventKind
from dcron_schemas.events import JobEvent
from dcron_schemas.state import JobEntry

_KINDS: dict[type, EventKind] = {getattr(events, kind): kind for kind in get_args(EventKind)}
BEGINNING = datetime.min.replace(tzinfo=UTC)


class Step(Struct, frozen=True, gc=False):
    """What one record of the log came to."""

    position: int
    time: datetime  # log time: the latest instant of this event and all before it, so that it never falls back
    event: JobEvent | None  # None: the record cannot be read, and is stepped over
    outcome: Outcome | None  # None: likewise
    before: JobEntry | None = None  # the event's job before it; None: it did not stand
    after: JobEntry | None = None  # and after it

    @property
    def changed(self) -> bool:
        """True if the job has another version now, or is gone."""
        return self.before is not self.after


class Replay:
    """A table that is advanced record by record, from the beginning of a log."""

    def __init__(self) -> None:
        self.table = JobTable()
        self.time = BEGINNING

    @property
    def position(self) -> int:
        """Offset of the last record taken in; -1: none."""
        return self.table.position

    def step(self, position: int, event: JobEvent | None) -> Step:
        """Fold the next record; None for one that is stepped over."""
        table = self.table
        if event is None:
            table.step_over(position)
            return Step(position, self.time, None, None)
        before = table.get(event.job_id)
        outcome = fold(table, position, event)
        changes: Iterable[Change] = outcome.changes if isinstance(outcome, Applied) else ()
        table.absorb(position, event.event_id, changes, restored_by(event))
        self.time = max(self.time, event.at)
        return Step(position, self.time, event, outcome, before, table.get(event.job_id))


def kind_of(event: JobEvent) -> EventKind:
    """Return the event's kind."""
    return _KINDS[type(event.data)]


def new_version(step: Step) -> JobStands | JobGone | None:
    """Return how the step changed its job's definition; None if it did not."""
    if isinstance(step.outcome, Applied):
        for change in step.outcome.changes:
            if isinstance(change, JobStands | JobGone):
                return change
    return None
