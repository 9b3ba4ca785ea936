"""A log of job events in memory, for the tests of what reads it."""

from collections.abc import Sequence

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.job_log import JobLog
from dcron_core.ports.log import Topic
from dcron_schemas.codec import encode
from dcron_schemas.events import JobEvent, LogOpened, LogRecordSkipped
from tests.services import JOB_EVENTS
from tests.unit.core.jobs.events import event

OPENED = event(LogOpened("log-1"), "", event_id="opened")
JUNK = b"not json"


class LogOfJobs:
    """What the tests append, and the JobLog over it."""

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.log = log or MemoryLog(SystemClock())
        self.reader = JobLog(self.log, JOB_EVENTS)

    @classmethod
    async def holding(cls, *values: JobEvent | bytes, log: MemoryLog | None = None) -> "LogOfJobs":
        """Return one that holds these records."""
        made = cls(log)
        await made.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
        made.append(values)
        return made

    def append(self, values: Sequence[JobEvent | bytes]) -> int:
        """Append records; return the last one's position."""
        position = -1
        for value in values:
            position = self.log.append(JOB_EVENTS, "k", value if isinstance(value, bytes) else encode(value), ())
        return position


def skipping(offset: int, sha256: str, minute: int = 0) -> JobEvent:
    """Return the event that says to step over the record at `offset`."""
    return event(LogRecordSkipped(offset, sha256, "junk"), "", event_id=f"skip-{offset}-{minute}", minute=minute)
