"""Spreading jobs that are due at the same instant.

A jittered tick *is* the later instant: cursors, execution ids and the ledger know no other. How much later is a
function of the job's id and of the instant that the schedule names, in whole milliseconds, below the jitter and
below the time to the next such instant. So the ticks stay in order, none is lost or doubled, and everybody
computes the same.
"""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from dcron_core.schedule.hashing import hashed
from dcron_core.schedule.ticks import INSTANT, JobTimetable, Occurrence

_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JitteredTimetable(JobTimetable):
    """Another timetable's occurrences, each a little later."""

    __slots__ = ("_jitter", "_job_id", "_of")

    def __init__(self, of: JobTimetable, jitter: timedelta, job_id: str) -> None:
        self._of = of
        self._jitter = jitter
        self._job_id = job_id

    def following(self, after: datetime) -> Occurrence | None:
        """Return the first occurrence after `after`; None if there is none."""
        # What is nominally before `after` may come after it, if it is no more than the jitter before.
        named = self._of.following(after - self._jitter - INSTANT)
        while named is not None:
            following = self._of.following(named.at)
            at = self._later(named.at, following.at if following else None)
            if at > after:
                return replace(named, at=at, until=None) if at != named.at else named
            named = following
        return None

    def clear_until(self, after: datetime, until: datetime) -> datetime:
        """Return up to when nothing is excluded, of what may come by the jitter too."""
        return self._of.clear_until(after - self._jitter - INSTANT, until)

    def _later(self, named: datetime, following: datetime | None) -> datetime:
        most = self._jitter if following is None else min(self._jitter, following - named)
        choices = max(most // _MS, 1)
        return named + hashed(self._job_id, f"jitter {(named - _EPOCH) // _MS}") % choices * _MS
