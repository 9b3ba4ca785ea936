"""Execution ids: a function of job, tick (or request) and attempt, so that every write downstream is idempotent."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tick_execution_id(job_id: str, tick: datetime, attempt: int = 1) -> str:
    """Return the id of the run of `job_id` at `tick` (resolution: a millisecond)."""
    return f"{job_id}.t{(tick - _EPOCH) // timedelta(milliseconds=1)}.{attempt}"


def request_execution_id(job_id: str, event_id: str, attempt: int = 1) -> str:
    """Return the id of the run that the `RunRequested` event `event_id` asks for."""
    return f"{job_id}.r{event_id}.{attempt}"


def job_of(execution_id: str) -> str:
    """Return the job id within an execution id."""
    return execution_id.partition(".")[0]


def tick_in(execution_id: str) -> tuple[int, int] | None:
    """Return tick (milliseconds since 1970) and attempt of the run of a tick; None: it is a run of something else."""
    parts = execution_id.split(".")
    if len(parts) != 3 or not parts[1].startswith("t"):
        return None
    try:
        return int(parts[1][1:]), int(parts[2])
    except ValueError:
        return None
