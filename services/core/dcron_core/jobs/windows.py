"""From when to when a job's definitions were in force, and which ticks they implied. Pure.

A *window* is a span in which a job had one timetable: it begins at the anchor of the version that gave the job its
timetable, and ends when a later version gives it another one, pauses it or deletes it. Versions that leave the ticks
as they are stay in the same window. The instants are those that workers act on, the anchors and the times of the
events, not the log's time; a window never begins before the one before it, so every tick belongs to one.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.durations import parse_duration
from dcron_core.jobs.changes import JobGone, JobStands
from dcron_core.jobs.fold import is_rescheduled
from dcron_core.jobs.replay import Step, kind_of, new_version
from dcron_core.schedule import Excluded, JobTimetable, timetable_of
from dcron_schemas.audit import EventKind, JobVersion
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry


class Definition(Struct, frozen=True):
    """A version of a job, or its end, as far as its ticks go."""

    version: int
    position: int
    kind: EventKind | None  # of the event that made it; None: not known, it stands still
    at: datetime
    spec: JobSpec | None  # None: the job was deleted
    anchor: datetime | None  # likewise


class Ending(Struct, frozen=True):
    """What ended a window."""

    at: datetime  # the last instant at which a tick belongs to the window
    position: int
    kind: EventKind | None


class Window(Struct, frozen=True):
    """A span in which a job had one timetable: after < tick ≤ ending.at."""

    job_id: str
    spec: JobSpec  # of its first version; the later ones have the same ticks
    after: datetime  # the anchor
    versions: tuple[tuple[datetime, int], ...]  # from when on which version stood, oldest first
    ending: Ending | None = None  # None: in force

    @property
    def first_version(self) -> int:
        return self.versions[0][1]

    @property
    def last_version(self) -> int:
        return self.versions[-1][1]

    @property
    def start_deadline(self) -> timedelta:
        """How late a worker may still start a tick; then it records it as missed."""
        return parse_duration(self.spec.misfire.start_deadline)

    def version_at(self, tick: datetime) -> int:
        """Return the version in force as `tick` came."""
        return next((version for at, version in reversed(self.versions) if at < tick), self.first_version)

    def ticks(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the window's ticks with `after` < tick ≤ `until`, in order; one by one, for they can be many."""
        last = min(until, self.ending.at) if self.ending else until
        timetable = self._timetable() if last > after else None
        tick = timetable.next_after(max(after, self.after)) if timetable else None
        while timetable and tick is not None and tick <= last:
            yield tick
            tick = timetable.next_after(tick)

    def excluded(self, after: datetime, until: datetime) -> list[Excluded]:
        """Return what would be ticks with `after` < t ≤ `until`, but for a day of rest or a clock change."""
        if not self.spec.exclude and self.spec.dst.gap != "skip":
            return []
        last = min(until, self.ending.at) if self.ending else until
        timetable = self._timetable() if last > after else None
        return timetable.excluded(max(after, self.after), last) if timetable else []

    def _timetable(self) -> JobTimetable | None:
        """Return the timetable; None for a definition that no worker can read either: it has no ticks."""
        try:
            return timetable_of(self.spec, self.after, self.job_id)
        except (ValueError, KeyError):
            return None


def windows_of(job_id: str, definitions: Iterable[Definition]) -> list[Window]:
    """Return the windows of one job, oldest first, from all its definitions in the log's order."""
    closed: list[Window] = []
    current: Window | None = None
    for definition in definitions:
        spec, anchor = definition.spec, definition.anchor
        if current is not None and spec is not None and _same_ticks(current, spec, anchor):
            current = replace(current, versions=(*current.versions, (definition.at, definition.version)))
            continue
        if current is not None:
            closed.append(_ended(current, definition))
            current = None
        if spec is not None and anchor is not None and _has_ticks(spec):
            closed = [_cut(window, anchor) for window in closed]
            current = Window(job_id, spec, anchor, ((definition.at, definition.version),))
    return closed if current is None else [*closed, current]


def of_version(version: JobVersion) -> Definition:
    """Return the version as a definition."""
    return Definition(version.version, version.position, version.kind, version.at, version.spec, version.anchor)


def of_entry(entry: JobEntry) -> Definition:
    """Return a job that stands as a definition: its last one."""
    return Definition(entry.version, entry.position, None, entry.updated_at, entry.spec, entry.anchor)


def of_step(step: Step) -> Definition | None:
    """Return the definition that a step of the log made; None if it changed none."""
    change: JobStands | JobGone | None = new_version(step)
    if change is None or step.event is None:
        return None
    kind, entry = kind_of(step.event), change.entry
    if isinstance(change, JobGone):
        return Definition(entry.version, step.position, kind, step.event.at, None, None)
    return Definition(entry.version, step.position, kind, step.event.at, entry.spec, entry.anchor)


def _has_ticks(spec: JobSpec) -> bool:
    return spec.enabled and spec.schedule is not None


def _same_ticks(window: Window, spec: JobSpec, anchor: datetime | None) -> bool:
    return spec.enabled and window.after == anchor and not is_rescheduled(window.spec, spec)


def _ended(window: Window, by: Definition) -> Window:
    """Return the window as it ended: where the next timetable begins, or when the job was paused or deleted."""
    at = by.anchor if by.spec is not None and by.anchor is not None and _has_ticks(by.spec) else by.at
    return replace(window, ending=Ending(max(at, window.after), by.position, by.kind))


def _cut(window: Window, anchor: datetime) -> Window:
    """Return the window without what is after the next one's anchor: a master's clock may have been behind."""
    assert window.ending is not None
    if window.ending.at <= anchor:
        return window
    return replace(window, ending=replace(window.ending, at=max(anchor, window.after)))
