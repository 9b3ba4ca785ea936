"""Job definitions, packed: of 100,000 jobs few are looked at in a minute.

A definition that is unpacked takes four times the memory of its JSON; so only those that were used last are.
"""

from functools import lru_cache

from dcron_core.schedule import JobTimetable, timetable_of
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.state import JobEntry

UNPACKED = 4096  # definitions: about 10 MB


def pack(entry: JobEntry) -> bytes:
    """Return the definition, packed."""
    return encode(entry)


@lru_cache(maxsize=UNPACKED)
def unpack(packed: bytes) -> JobEntry:
    """Return the definition."""
    return decode_state(JobEntry, packed)


@lru_cache(maxsize=UNPACKED)
def timetable(packed: bytes) -> JobTimetable | None:
    """Return its timetable; raise ValueError or KeyError if its schedule cannot be understood."""
    entry = unpack(packed)
    return timetable_of(entry.spec, entry.anchor, entry.job_id)
