"""Events and tables for the tests of the fold."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from dcron_core.jobs.fold import Applied, Outcome, fold
from dcron_core.jobs.table import JobTable, restored_by
from dcron_schemas.events import EventData, JobEvent
from dcron_schemas.job import JobSpec, Run, Schedule

START = datetime(2026, 1, 1, tzinfo=UTC)


def job(name: str = "a", *, cron: str = "0 0 * * *", description: str = "", enabled: bool = True) -> JobSpec:
    return JobSpec(
        name=name,
        run=Run(shell="true"),
        schedule=Schedule(cron=cron),
        description=description,
        enabled=enabled,
    )


def event(
    data: EventData, job_id: str = "job-1", *, event_id: str = "", minute: int = 0, expected: int | None = None
) -> JobEvent:
    return JobEvent(
        event_id=event_id or f"event-{minute}",
        job_id=job_id,
        actor="ada",
        request_id="request",
        at=START + timedelta(minutes=minute),
        data=data,
        expected_version=expected,
    )


def step(table: JobTable, position: int, happened: JobEvent) -> Outcome:
    """Fold one event into the table, as the projector does."""
    outcome = fold(table, position, happened)
    changes = outcome.changes if isinstance(outcome, Applied) else ()
    table.absorb(position, happened.event_id, changes, restored_by(happened))
    return outcome


def folded(events: Iterable[JobEvent], table: JobTable | None = None) -> tuple[JobTable, list[Outcome]]:
    """Fold events at the positions after the table's."""
    table = JobTable() if table is None else table
    return table, [step(table, table.position + 1, happened) for happened in events]
