"""When a job is due: pure functions of the definition and of time.

A *timetable* answers two questions: which tick is the first one after an instant, and what would have been a
tick and is none, and why. All instants are in UTC; zones matter inside `cron`, and for days of rest.
"""

from dcron_core.schedule.ticks import Excluded, JobTimetable, Timetable
from dcron_core.schedule.timetable import describe, due, excluded, timetable_of

__all__ = ["Excluded", "JobTimetable", "Timetable", "describe", "due", "excluded", "timetable_of"]
