"""The bodies of HTTP answers and the frames of the websockets.

The master serves `/api/v1/jobs…`, `/api/v1/commands/{id}` and `/api/v1/info`; the log-ingester serves
`/api/v1/executions…`, `/api/v1/ticks/skipped`, `/api/v1/stats`, `/api/v1/feed`, `/ws/executions/{id}` and
`/ws/feed`. Errors of both are RFC 9457 problems (`application/problem+json`).
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from dcron_schemas.audit import FieldChange
from dcron_schemas.job import JobSpec
from dcron_schemas.records import SkipReason

Status = Literal["running", "succeeded", "failed", "timed_out", "killed", "lost"]


class FieldProblem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with a request."""

    field: str  # a path such as run.shell; "" for the whole body
    message: str  # what is wrong
    value: str = ""  # what was given, shortened
    remedy: str = ""  # what would be right


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An RFC 9457 problem."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    instance: str = ""  # the request id
    errors: tuple[FieldProblem, ...] = ()
    current_version: int | None = None  # with 409 and 412: the job's version now
    expected_version: int | None = None  # with 409 and 412: the version the command was meant for
    current: JobSpec | None = None  # with 409: the job's definition now
    difference: tuple[FieldChange, ...] = ()  # with 409 of an edit: from the definition now to the one that was sent


class Job(Struct, frozen=True, kw_only=True):
    """A job as the master knows it."""

    job_id: str
    version: int
    spec: JobSpec
    anchor: datetime
    position: int
    created_at: datetime
    updated_at: datetime
    updated_by: str
    next_tick: datetime | None  # None: paused, manual or over
    schedule_text: str  # the schedule as it is written
    schedule_words: str = ""  # in words, as a preview has them


class JobList(Struct, frozen=True, kw_only=True):
    """A page of jobs, ordered by namespace and name."""

    jobs: tuple[Job, ...]
    total: int  # that match, over all pages
    next_cursor: str | None = None  # give it back as ?cursor= for the next page


class JobFacet(Struct, frozen=True, kw_only=True):
    """A namespace, tag or state, and how many jobs have it."""

    value: str
    jobs: int


class JobFacets(Struct, frozen=True, kw_only=True):
    """By what jobs can be chosen; of each the 500 with the most jobs, by name."""

    namespaces: tuple[JobFacet, ...]
    tags: tuple[JobFacet, ...]
    states: tuple[JobFacet, ...]  # enabled, paused


class DependencyNode(Struct, frozen=True, kw_only=True):
    """A job among those that hang together."""

    job_id: str
    name: str
    enabled: bool


class DependencyEdge(Struct, frozen=True, kw_only=True):
    """One job comes after another."""

    before: str  # a job id
    after: str  # a job id
    on: Literal["succeeded", "failed", "finished"]  # which ends of the one start the other


class DependencyGraph(Struct, frozen=True, kw_only=True):
    """The jobs that hang together with one, itself first, and what comes after what."""

    jobs: tuple[DependencyNode, ...]
    edges: tuple[DependencyEdge, ...]


class RunAccepted(Struct, frozen=True, kw_only=True):
    """A manual run was put in the log; the run will have this id."""

    execution_id: str
    job_id: str
    execution_ids: tuple[str, ...] = ()  # all of them: of a job that runs on every worker, one for each that matched


class CommandOutcome(Struct, frozen=True, kw_only=True):
    """What became of an earlier command."""

    event_id: str
    outcome: Literal["applied", "rejected", "unknown"]
    detail: str = ""
    job_id: str = ""
    execution_id: str = ""


class Info(Struct, frozen=True, kw_only=True):
    """What a client needs to find its way."""

    version: str
    log_ingester_url: str  # where executions and output are served


class PreviewTick(Struct, frozen=True, kw_only=True):
    """A tick to come."""

    at: datetime
    local: str  # the same in the job's time zone, such as 2026-03-29T03:30:00+02:00


class PreviewExclusion(Struct, frozen=True, kw_only=True):
    """What would be ticks, in a row, and are none."""

    first: datetime
    last: datetime
    count: int  # 0: more than were counted
    reason: SkipReason
    detail: str  # which calendar, or which time of day does not exist


class OddDate(Struct, frozen=True, kw_only=True):
    """A clock change that meets times at which the job runs."""

    at: datetime  # the instant of the change
    kind: Literal["gap", "overlap"]  # times are left out, or come twice
    clock: str  # what the clock does, such as 2026-03-29 02:00 → 03:00
    effect: str  # what the job does


class Preview(Struct, frozen=True, kw_only=True):
    """A schedule in words, its next ticks, and what is odd about it."""

    words: str
    timezone: str
    ticks: tuple[PreviewTick, ...]
    excluded: tuple[PreviewExclusion, ...]  # up to the last of the ticks
    odd_dates: tuple[OddDate, ...]  # in the year to come
    depends_on_job: bool  # the ticks are other ones for another job id: H, or jitter


class ComingTick(Struct, frozen=True, kw_only=True):
    """A tick to come of one of many jobs."""

    at: datetime
    job_id: str
    job_name: str
    namespace: str


class Forecast(Struct, frozen=True, kw_only=True):
    """The ticks with `start` < tick ≤ `end`; of very many, `end` is earlier than was asked."""

    start: datetime
    end: datetime  # whole up to here
    bucket_s: float  # how long a bucket is
    counts: tuple[int, ...]  # ticks in each bucket: the first one begins at `start`; the last may be shorter
    ticks: tuple[ComingTick, ...]  # the first of them, in order


class ExecutionView(Struct, frozen=True, kw_only=True):
    """A run as it is stored."""

    execution_id: str
    job_id: str
    job_name: str
    namespace: str
    job_version: int
    trigger: str
    due_at: datetime
    attempt: int
    worker_id: str
    claimed_at: datetime
    fencing_token: int
    status: Status
    host: str = ""
    pid: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: str = ""
    output_chunks: int | None = None  # known when the run is over
    output_cut_bytes: int | None = None  # how much output was left out; known when the run is over
    cpu_user_s: float | None = None
    cpu_system_s: float | None = None
    max_rss_bytes: int | None = None


class ExecutionList(Struct, frozen=True, kw_only=True):
    """A page of runs, newest due first."""

    executions: tuple[ExecutionView, ...]
    next_cursor: str | None = None
    searched_to: datetime | None = None  # the search stopped here, at its bound; `next_cursor` goes on with it


class RecentRun(Struct, frozen=True, kw_only=True):
    """One of a job's last runs, in short."""

    execution_id: str
    due_at: datetime
    status: Status
    started_at: datetime | None
    finished_at: datetime | None


class RecentRuns(Struct, frozen=True, kw_only=True):
    """The last runs of one job, newest due first."""

    job_id: str
    runs: tuple[RecentRun, ...]


class RecentRunsList(Struct, frozen=True, kw_only=True):
    """The last runs of several jobs, in the order in which they were asked for."""

    jobs: tuple[RecentRuns, ...]


class OutputPiece(Struct, frozen=True, kw_only=True):
    """A chunk of output as it is stored."""

    seq: int
    stream: Literal["stdout", "stderr"]
    at: datetime
    text: str


class OutputPage(Struct, frozen=True, kw_only=True):
    """Chunks of one run, in order."""

    execution_id: str
    chunks: tuple[OutputPiece, ...]
    next_seq: int | None = None  # ask again with ?from_seq=; None: that was all there is for now


class SkippedTick(Struct, frozen=True, kw_only=True):
    """A tick, or a range of them, that did not run."""

    job_id: str
    job_name: str
    namespace: str
    tick: datetime
    last_tick: datetime | None
    count: int
    reason: SkipReason
    at: datetime
    worker_id: str
    detail: str


class SkippedTickList(Struct, frozen=True, kw_only=True):
    """Skipped ticks, newest first."""

    ticks: tuple[SkippedTick, ...]
    next_cursor: str | None = None


class RunStats(Struct, frozen=True, kw_only=True):
    """What became of a number of runs."""

    runs: int
    running: int
    succeeded: int
    failed: int
    timed_out: int
    killed: int
    lost: int
    success_rate: float | None  # of those that are over; None: none is
    p50_s: float | None  # duration of those that started and whose end is known; None: none
    p95_s: float | None


class JobStats(Struct, frozen=True, kw_only=True):
    """What became of one job's runs."""

    job_id: str
    job_name: str  # as it was in its last run
    namespace: str
    stats: RunStats


class BucketStats(Struct, frozen=True, kw_only=True):
    """What became of the runs that were due in a span of time."""

    start: datetime  # the span reaches to the next one's start
    stats: RunStats


class Stats(Struct, frozen=True, kw_only=True):
    """What became of the runs with `start` ≤ due_at < `end`."""

    start: datetime
    end: datetime
    bucket_s: float  # how long a bucket is
    total: RunStats
    jobs: tuple[JobStats, ...]  # those with the most runs first
    jobs_left_out: int  # how many more jobs there are
    buckets: tuple[BucketStats, ...]  # oldest first, empty ones too


class Pipeline(Struct, frozen=True, kw_only=True):
    """How far one log-ingester is behind the log of runs."""

    partitions: int  # that it reads; others read the rest. 0: it has not measured yet
    waiting_records: int  # in them, that are not read yet
    viewers: int  # live views that are open at it


class StateFrame(Struct, frozen=True, kw_only=True, tag="state", tag_field="frame"):
    """The run as it is now; the first frame, and again when it starts."""

    execution: ExecutionView


class OutputFrame(Struct, frozen=True, kw_only=True, tag="output", tag_field="frame"):
    """The next chunk."""

    chunk: OutputPiece


class GapFrame(Struct, frozen=True, kw_only=True, tag="gap", tag_field="frame"):
    """The viewer was too slow: chunks from `from_seq` on are to be fetched over HTTP; the socket closes."""

    from_seq: int


class FinishedFrame(Struct, frozen=True, kw_only=True, tag="finished", tag_field="frame"):
    """The run is over and all of its output was sent; the last frame."""

    execution: ExecutionView


class RunFrame(Struct, frozen=True, kw_only=True, tag="run", tag_field="frame"):
    """In the feed: a run started, finished or was lost."""

    change: Literal["started", "finished", "lost"]
    execution: ExecutionView


class SkipFrame(Struct, frozen=True, kw_only=True, tag="skipped", tag_field="frame"):
    """In the feed: a tick, or a range of them, did not run."""

    tick: SkippedTick


class FeedGapFrame(Struct, frozen=True, kw_only=True, tag="gap", tag_field="frame"):
    """In the feed: the viewer was too slow for so many frames. The feed goes on; the lists have what was missed."""

    missed: int


FeedFrame = RunFrame | SkipFrame | FeedGapFrame
Frame = StateFrame | OutputFrame | GapFrame | FinishedFrame
