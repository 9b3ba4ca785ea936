"""Days on which a job rests, by the calendar in its own time zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dcron_core.schedule.calendars import Calendar
from dcron_core.schedule.ticks import JobTimetable, Occurrence


class RestingTimetable(JobTimetable):
    """Another timetable's occurrences; those on a day of rest are excluded."""

    __slots__ = ("_calendar", "_of", "_zone")

    def __init__(self, of: JobTimetable, zone: str, calendar: Calendar) -> None:
        self._of = of
        self._zone = ZoneInfo(zone)
        self._calendar = calendar

    def following(self, after: datetime) -> Occurrence | None:
        """Return the first occurrence after `after`; None if there is none."""
        found = self._of.following(after)
        if found is None:
            return None
        day = found.at.astimezone(self._zone).date()
        why = self._calendar.rests_on(day)
        if why is None:
            return found
        # By PEP 495, a midnight that does not exist is the instant at which the clock jumps over it.
        midnight = datetime.combine(day + timedelta(days=1), time(), self._zone).astimezone(UTC)
        return Occurrence(found.at, "calendar", why, midnight if midnight > found.at else None)
