"""The values of the keys in etcd (design §4), as JSON so that `etcdctl get` is readable."""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from dcron_schemas.job import JobSpec
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionLost, TickSkipped


class JobEntry(Struct, frozen=True, gc=False, kw_only=True):
    """`jobs/{job_id}`: a job as the fold of the log has it."""

    job_id: str
    version: int  # 1, 2, …: grows with every change
    spec: JobSpec
    anchor: datetime  # no tick at or before; moves when created, rescheduled or resumed
    position: int  # log offset of the event that made this version
    created_at: datetime
    updated_at: datetime
    updated_by: str


class Projection(Struct, frozen=True, gc=False, kw_only=True):
    """`projection`: how much of which log etcd's job table holds."""

    position: int  # offset of the last applied event; -1: none
    log_id: str
    requests_from: int = 0  # requests for runs and kills before this position are not repeated: etcd lost its data


class TickCursor(Struct, frozen=True, gc=False, kw_only=True):
    """`ticks/{job_id}`: the last consumed tick; `ticks/{job_id}/{worker_id}` of a job that runs on every worker."""

    tick: datetime
    worker_id: str
    execution_id: str


class RunWanted(Struct, frozen=True, gc=False, kw_only=True):
    """`runs/{execution_id}`: a run wanted outside the ticks, or that of a tick which waits for the run before it."""

    execution_id: str
    job_id: str
    trigger: Literal["tick", "request", "retry", "dependency"]
    requested_at: datetime
    requested_by: str  # who asked; the execution that was retried, or whose end started this one
    attempt: int = 1
    not_before: datetime | None = None  # of a tick: the tick
    worker_id: str = ""  # the one worker that may run it; "": any that matches


class ExecutionEntry(Struct, frozen=True, gc=False, kw_only=True):
    """`executions/{execution_id}`: what Kafka has not acknowledged yet.

    Open while `finished`, `skipped` and `lost` are None; then it carries the record that closes it.
    """

    execution: Execution
    finished: ExecutionFinished | None = None
    skipped: TickSkipped | None = None
    lost: ExecutionLost | None = None  # its retry and its dependants are in etcd already


class DependencyMarks(Struct, frozen=True, gc=False, kw_only=True):
    """`marks/{job_id}`: which of the jobs that this one comes after have ended, since it was last started by them."""

    ended: dict[str, str] = field(default_factory=dict)  # job name → execution id of its last end that counts


class ActiveRun(Struct, frozen=True, gc=False, kw_only=True):
    """`active/{job_id}/{execution_id}`: liveness of a run, under the worker's lease."""

    worker_id: str


class KillWanted(Struct, frozen=True, gc=False, kw_only=True):
    """`kills/{execution_id}`: a kill request, under a short lease."""

    requested_by: str
    requested_at: datetime


class DrainWanted(Struct, frozen=True, gc=False, kw_only=True):
    """`drains/{worker_id}`: the worker is to claim nothing, until this is taken away."""

    requested_by: str
    requested_at: datetime


class WorkerEntry(Struct, frozen=True, gc=False, kw_only=True):
    """`workers/{worker_id}`: a worker's registration, under its lease."""

    worker_id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    slots: int
    keys: tuple[str, ...] = ()  # ids of the keys that it has, each with its use: `trusted:…`, `cluster:…`
    state: Literal["active", "draining", "clock_wrong"] = "active"  # only an active one claims
    labels: dict[str, str] = field(default_factory=dict)
    clock_offset_ms: float | None = None  # its clock minus the median of all workers'; None: not known
    spool: str = ""  # what is wrong with its spool: output is cut, results wait; "": nothing
    verifies: bool = False  # it runs only what masters signed
    refused: str = ""  # how much in etcd it does not run, because no trusted key vouches for it; "": nothing


class ClockBeat(Struct, frozen=True, gc=False, kw_only=True):
    """`clocks/{worker_id}`: what a worker's clock said, under its lease; written again and again."""

    at: datetime
