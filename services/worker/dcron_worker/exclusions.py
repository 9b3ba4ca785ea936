"""What a cursor goes past that is no tick: a day of rest, or what a clock change leaves out. Pure.

The transaction that moves a cursor, be it a claim, a skip or the queueing of a tick, records with it what is excluded
between where the cursor was and where it goes, so each of that is on record once. What is excluded in a row for one
cause is one range: a month of a job that runs each second is one record. What is more than MOST_RECORDED is left to
further moves.
"""

from datetime import datetime

from msgspec import Struct

from dcron_core.schedule import Excluded, JobTimetable
from dcron_worker.misfire import Missed, missed_ticks

MOST_RECORDED = 20  # ranges in one transaction: etcd takes 128 operations, and other claims go with it


class Way(Struct, frozen=True):
    """How far a cursor goes in one move, and what is excluded on the way."""

    excluded: tuple[Excluded, ...] = ()
    ticks: Missed | None = None  # from the candidate's tick on; None: not that far yet, only past what is excluded


def way_past(timetable: JobTimetable, after: datetime, tick: datetime, ticks: Missed) -> Way:
    """Return how a cursor that stands at `after` goes past `ticks`, of which `tick` is the first one."""
    rows = timetable.excluded(after, ticks.last, MOST_RECORDED + 1)
    if len(rows) <= MOST_RECORDED:
        return Way(tuple(rows), ticks)
    beyond = rows.pop().first
    return Way(tuple(rows), missed_ticks(timetable, tick, beyond) if tick < beyond else None)
