"""Jobs in etcd that are due at the same instants, and their ticks as a worker's planner gives them."""

from datetime import UTC, datetime, timedelta

from dcron_core.keys import Keys
from dcron_core.ports.store import DeletePrefix, KeyValueStore, Put, Transaction
from dcron_schemas.codec import encode
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.state import JobEntry
from dcron_worker.planner import Candidate, Planner

START = datetime(2026, 1, 1, tzinfo=UTC)
WORKER_ID = "benchmark"
PERIOD = timedelta(seconds=10)


class DueJobs:
    """`count` jobs under a prefix of their own. `due` gives the ticks of one instant after the other."""

    def __init__(self, store: KeyValueStore, prefix: str, count: int) -> None:
        self.keys = Keys(prefix)
        self.planner = Planner(timedelta(0))
        self._store = store
        self._count = count
        self._now = START

    async def create(self) -> None:
        """Write the jobs, and plan them."""
        for number in range(self._count):
            entry = _entry(number)
            put = Put(self.keys.job(entry.job_id), encode(entry))
            written = await self._store.transact(Transaction((), (put,)))
            self.planner.job_stands(entry, written.revision)

    def due(self) -> list[Candidate]:
        """Go on to the next instant; return each job's tick."""
        self._now += PERIOD
        return self.planner.ready(self._now)

    async def end_all(self) -> None:
        """Let all runs be over at once."""
        ends = tuple(DeletePrefix(prefix) for prefix in (self.keys.all_active, self.keys.executions))
        await self._store.transact(Transaction((), ends))


def _entry(number: int) -> JobEntry:
    return JobEntry(
        job_id=f"01990000-0000-7000-8000-{number:012x}",
        version=1,
        spec=JobSpec(name=f"job-{number}", run=Run(argv=("/bin/true",)), schedule=Schedule(every="10s")),
        anchor=START,
        position=number,
        created_at=START,
        updated_at=START,
        updated_by="benchmark",
    )
