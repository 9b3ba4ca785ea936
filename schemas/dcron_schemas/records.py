"""What happened to runs: the records of `cron.executions` (design §4).

A record's Kafka key is the execution id, so that a run's start, output and end stay in order. Every
record can be delivered twice without harm: its ids are deterministic.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

SCHEMA_VERSION = 1

Outcome = Literal["succeeded", "failed", "timed_out", "killed"]
SkipReason = Literal["overlap", "missed", "capacity", "calendar", "dst", "edited"]


class Execution(Struct, frozen=True, kw_only=True):
    """Which run a record is about: enough to store the run from any one of its records."""

    execution_id: str  # a function of job, tick (or request) and attempt
    job_id: str
    job_name: str
    namespace: str
    job_version: int
    trigger: Literal["tick", "request", "retry", "dependency"]
    due_at: datetime  # the tick, or the instant of the request
    attempt: int  # 1, 2, …
    worker_id: str
    claimed_at: datetime  # the worker's clock
    fencing_token: int = 0  # etcd revision of the claim; 0: there was none


class ExecutionStarted(Struct, frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """The process runs, or the call over HTTP is under way."""

    execution: Execution
    started_at: datetime
    host: str
    pid: int  # 0: it is no process
    schema_version: int = SCHEMA_VERSION


class OutputChunk(Struct, frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """A piece of what the process wrote; not always whole lines."""

    execution_id: str
    job_id: str
    seq: int  # 0, 1, 2, … over both streams of one execution, without gap
    stream: Literal["stdout", "stderr"]
    at: datetime  # when it was read
    text: str  # UTF-8; undecodable bytes are U+FFFD
    schema_version: int = SCHEMA_VERSION


class ExecutionFinished(Struct, frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """The run is over and its outcome known."""

    execution: Execution
    outcome: Outcome
    started_at: datetime | None  # None: the process could not be started
    finished_at: datetime
    output_chunks: int  # how many chunks there are: seq 0 … output_chunks - 1
    output_cut_bytes: int = 0  # what the run wrote beyond its limit, or when the worker had no room; not in the chunks
    exit_code: int | None = None  # None: ended by a signal, or never started
    signal: int | None = None
    error: str = ""  # why it could not start, or why it was stopped
    cpu_user_s: float = 0.0
    cpu_system_s: float = 0.0
    max_rss_bytes: int = 0  # 0: not known
    schema_version: int = SCHEMA_VERSION


class ExecutionLost(Struct, frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """The run's worker is gone and its outcome is not known. A later `ExecutionFinished` supersedes it."""

    execution: Execution
    detected_at: datetime
    detected_by: str
    reason: str
    schema_version: int = SCHEMA_VERSION


class TickSkipped(Struct, frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """A tick, or a range of them, that did not run, and why."""

    execution: Execution  # of the first tick skipped, as it would have been
    reason: SkipReason
    at: datetime
    last_tick: datetime | None = None  # the last one skipped, if there are several
    count: int = 1  # how many; 0: more than were counted
    detail: str = ""
    schema_version: int = SCHEMA_VERSION


ExecutionRecord = ExecutionStarted | OutputChunk | ExecutionFinished | ExecutionLost | TickSkipped
