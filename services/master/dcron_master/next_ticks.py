"""When each job ticks next, remembered: a list that is sorted by it asks for all jobs at once.

A remembered tick holds until it is past or the job changes. Working out many is done in portions, between which
the event loop serves others.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from dcron_core.schedule import timetable_of
from dcron_schemas.state import JobEntry

MOST_REMEMBERED = 500_000  # of jobs that may be gone meanwhile
PORTION = 100  # jobs worked out in one go: a few milliseconds


def next_tick(entry: JobEntry, now: datetime) -> datetime | None:
    """Return the job's first tick after `now`; None: paused, run on request only, or over."""
    try:
        timetable = timetable_of(entry.spec, entry.anchor, entry.job_id)
    except (ValueError, KeyError):  # written by another release, or by hand: shown, without a next tick
        return None
    return timetable.next_after(max(now, entry.anchor)) if timetable else None


class NextTicks:
    """The next ticks of many jobs. Holds one entry for each job it was asked for, and forgets those that are gone."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[JobEntry, datetime | None]] = {}

    async def of_all(
        self, entries: Sequence[JobEntry], now: datetime, *, whole: bool = True
    ) -> dict[str, datetime | None]:
        """Return the next tick after `now` of every job, by its id.

        Unless these are the `whole` of the jobs, those of others stay remembered: who sees a few does not make it slow
        for who sees all.
        """
        known: dict[str, tuple[JobEntry, datetime | None]] = {}
        worked_out = 0
        for entry in entries:
            before = self._known.get(entry.job_id)
            if before is not None and before[0] is entry and (before[1] is None or before[1] > now):
                known[entry.job_id] = before
                continue
            known[entry.job_id] = (entry, next_tick(entry, now))
            worked_out += 1
            if worked_out % PORTION == 0:
                await asyncio.sleep(0)
        others = {} if whole or len(self._known) > MOST_REMEMBERED else self._known
        self._known = {**others, **known}
        return {job_id: tick for job_id, (_, tick) in known.items()}
