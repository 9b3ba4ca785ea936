"""Jobs and candidates for the tests of planning and claiming."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.state import JobEntry
from dcron_worker.planner import Candidate

START = datetime(2026, 1, 1, tzinfo=UTC)
JOB_ID = "019e0000-0000-7000-8000-000000000001"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def job(
    job_id: str = JOB_ID,
    *,
    every: str | None = "10s",
    cron: str | None = None,
    overlap: Literal["skip", "allow"] = "skip",
    anchor: datetime = START,
    version: int = 1,
) -> JobEntry:
    """A job; without `every` and `cron`, on request only."""
    schedule = Schedule(every=None if cron else every, cron=cron) if cron or every else None
    return JobEntry(
        job_id=job_id,
        version=version,
        spec=JobSpec(name=f"job-{job_id[-1]}", run=Run(shell="true"), schedule=schedule, overlap=overlap),
        anchor=anchor,
        position=version,
        created_at=START,
        updated_at=START,
        updated_by="ada",
    )


def candidate(
    entry: JobEntry, *, job_revision: int, cursor_revision: int = 0, tick: datetime | None = None
) -> Candidate:
    return Candidate(entry, job_revision, tick or at(10), cursor_revision, generation=1, looks=1, after=START)
