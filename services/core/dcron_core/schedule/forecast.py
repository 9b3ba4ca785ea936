"""The ticks to come of many jobs, in the order in which they are due.

It is a merge of the jobs' timetables over a heap (k-way merge: Knuth, The Art of Computer Programming 3, §5.4.1),
so what has been counted when it stops is all there is up to that instant.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heapify, heappop, heapreplace

from msgspec import Struct

from dcron_core.schedule.ticks import Timetable
from dcron_core.schedule.timetable import timetable_of
from dcron_schemas.state import JobEntry


class Coming(Struct, frozen=True, gc=False):
    """A tick to come."""

    at: datetime
    entry: JobEntry


Lane = tuple[datetime, int, Timetable, JobEntry]  # a job's next tick; the number decides between equal instants


def lane_of(entry: JobEntry, number: int, after: datetime, until: datetime) -> Lane | None:
    """Return where the job begins: its first tick with `after` < tick ≤ `until`; None: it has none."""
    try:
        timetable = timetable_of(entry.spec, entry.anchor, entry.job_id)
    except (ValueError, KeyError):  # written by another release, or by hand
        return None
    tick = timetable.next_after(max(after, entry.anchor)) if timetable else None
    return (tick, number, timetable, entry) if timetable and tick is not None and tick <= until else None


def merged(lanes: Iterable[Lane], until: datetime) -> Iterator[Coming]:
    """Yield the ticks of all lanes up to `until`, in order; those of one instant in the order of the lanes."""
    heap = list(lanes)
    heapify(heap)
    while heap:
        tick, number, timetable, entry = heap[0]
        yield Coming(tick, entry)
        following = timetable.next_after(tick)
        if following is None or following > until:
            heappop(heap)
        else:
            heapreplace(heap, (following, number, timetable, entry))
