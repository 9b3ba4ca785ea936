"""Days on which a job rests, by the calendar in its own time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dcron_core.schedule.calendars import Calendar
from dcron_core.schedule.ticks import INSTANT, JobTimetable, Occurrence


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
        midnight = self._begin_of(day + timedelta(days=1))
        return Occurrence(found.at, "calendar", why, midnight if midnight > found.at else None)

    def clear_until(self, after: datetime, until: datetime) -> datetime:
        """Return up to when nothing is excluded: the next day of rest, or what is excluded without one."""
        until = self._of.clear_until(after, until)
        day, last = (instant.astimezone(self._zone).date() for instant in (after, until))
        while day <= last:
            if self._calendar.rests_on(day) is not None:
                return min(max(after, self._begin_of(day) - INSTANT), until)
            day += timedelta(days=1)
        return until

    def _begin_of(self, day: date) -> datetime:
        """Return the day's midnight. By PEP 495, one that does not exist is when the clock jumps over it."""
        return datetime.combine(day, time(), self._zone).astimezone(UTC)
