"""When a job is due: pure functions of the definition and of time.

A *timetable* answers one question: which tick is the first one after an instant? All instants are in UTC;
zones only matter inside `cron`.
"""

from dcron_core.schedule.timetable import Timetable, describe, due, timetable_of

__all__ = ["Timetable", "describe", "due", "timetable_of"]
