"""Execution ids: a function of job, tick (or request) and attempt, so that every write downstream is idempotent."""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tick_execution_id(job_id: str, tick: datetime, attempt: int = 1) -> str:
    """Return the id of the run of `job_id` at `tick` (resolution: a millisecond)."""
    return f"{job_id}.t{(tick - _EPOCH) // timedelta(milliseconds=1)}.{attempt}"


def worker_tick_execution_id(job_id: str, worker_id: str, tick: datetime, attempt: int = 1) -> str:
    """Return the id of the run at `tick` of a job that runs on every worker (placement.workers: every)."""
    tick_part = tick_execution_id(job_id, tick, attempt).removeprefix(job_id)
    return f"{worker_run_prefix(job_id, worker_id).removesuffix('.')}{tick_part}"


def worker_run_prefix(job_id: str, worker_id: str) -> str:
    """Return how the ids of a job's runs on one worker begin. A worker's id may hold dots; its digest does not."""
    return f"{job_id}.w{_digest(worker_id)}."


def dependency_execution_id(job_id: str, upstream_execution_id: str, attempt: int = 1) -> str:
    """Return the id of the run that the end of another job's run starts; it does not grow with the chain."""
    return f"{job_id}.d{_digest(upstream_execution_id)}.{attempt}"


def other_attempt(execution_id: str, attempt: int) -> str:
    """Return the id of another attempt at the same run."""
    return f"{execution_id.rpartition('.')[0]}.{attempt}"


def request_execution_id(job_id: str, event_id: str, attempt: int = 1) -> str:
    """Return the id of the run that the `RunRequested` event `event_id` asks for."""
    return f"{job_id}.r{event_id}.{attempt}"


def worker_request_execution_id(job_id: str, worker_id: str, event_id: str, attempt: int = 1) -> str:
    """Return the id of the run that `event_id` asks of one worker, of a job that runs on every worker."""
    return f"{worker_run_prefix(job_id, worker_id)}r{event_id}.{attempt}"


def job_of(execution_id: str) -> str:
    """Return the job id within an execution id."""
    return execution_id.partition(".")[0]


def tick_in(execution_id: str) -> tuple[int, int] | None:
    """Return tick (milliseconds since 1970) and attempt of the run of a tick; None: it is a run of something else."""
    parts = execution_id.split(".")
    own_worker = len(parts) == 4 and parts[1].startswith("w")
    if not (len(parts) == 3 or own_worker) or not parts[-2].startswith("t"):
        return None
    try:
        return int(parts[-2][1:]), int(parts[-1])
    except ValueError:
        return None


def own_part(execution_id: str) -> str:
    """Return which worker's own the run of a tick is, as its digest; "": it is no worker's own."""
    parts = execution_id.split(".")
    return parts[1] if len(parts) == 4 else ""


def is_own_part(part: str, worker_id: str) -> bool:
    """Tell whether `own_part` gave it for a run of that worker's."""
    return part == f"w{_digest(worker_id)}"


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()
