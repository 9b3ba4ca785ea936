"""What ticks and wanted runs are claimed with, and who may run what."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct, field

from dcron_core.access.signing import Signatures
from dcron_core.clock import Clock
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValueStore
from dcron_core.selectors import parse_selector
from dcron_schemas.state import JobEntry
from dcron_worker.awaited_ends import AwaitedEnds
from dcron_worker.batches import TransactionBatches
from dcron_worker.entries import Entries
from dcron_worker.launcher import Launcher
from dcron_worker.line import place_in_line
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.planner import Planner
from dcron_worker.refusals import Refusals
from dcron_worker.table import Table
from dcron_worker.wanted_plan import WantedPlan

AGAIN_AFTER = timedelta(milliseconds=150)  # when the lease was lost, or a claim of the same tick is under way
FIRST_WAIT = timedelta(milliseconds=150)
MOST_WAIT = timedelta(seconds=2)
TOLD_WAIT = timedelta(seconds=10)


class Claiming(Struct, frozen=True):
    """One worker's parts that both claimers use."""

    worker_id: str
    labels: Mapping[str, str]
    store: KeyValueStore
    keys: Keys
    planner: Planner
    wanted: WantedPlan
    table: Table
    transactions: TransactionBatches
    entries: Entries
    launcher: Launcher
    ends: AwaitedEnds
    clock: Clock
    stagger: timedelta  # how long the next worker in line waits for the one before
    metrics: WorkerMetrics
    signatures: Signatures
    refusals: Refusals
    in_work: set[str] = field(default_factory=set)  # executions that are being claimed, run or skipped here

    def keep(self, execution_id: str, task: asyncio.Task[None]) -> None:
        """Remember that an execution is in work until the task is over.

        A second claim or skip of it meanwhile would take the first one's entry for its own. A tick that waits for the
        run before it is one execution for both claimers.
        """
        task.set_name(execution_id)  # for the log, if it fails
        self.in_work.add(execution_id)
        task.add_done_callback(lambda _: self.in_work.discard(execution_id))

    @property
    def drained(self) -> bool:
        """Whether somebody wants this worker to claim nothing."""
        return self.worker_id in self.table.drained

    def may_run(self, job: JobEntry) -> bool:
        """Tell whether this worker matches the job's placement; one that cannot be understood nobody matches."""
        return _matches(job, self.labels)

    def somebody_may_run(self, job: JobEntry) -> bool:
        """Tell whether a worker that claims matches the job's placement."""
        return any(_matches(job, entry.labels) for entry in self.table.active_workers.values())

    def wait_in_line(self, key: str, job: JobEntry | None = None) -> timedelta:
        """Return how long to leave `key` to the workers that come first for it; of a job: those that match it."""
        workers = self.table.active_workers
        standing = workers if job is None else [id_ for id_ in workers if _matches(job, workers[id_].labels)]
        return place_in_line(self.worker_id, standing, key) * self.stagger

    def free(self, job_id: str) -> None:
        """A run of the job is over here: what waits for that need not wait for its next look."""
        self.planner.wake(job_id, self.clock.now())
        self.wanted.wake(job_id)

    def is_told_of_end(self, job_id: str, execution_id: str, revision: int) -> bool:
        """See to it that what waits for a run, alive at that revision, is looked at as soon as that is over."""
        return self.launcher.runs(execution_id) or self.ends.watch(job_id, execution_id, revision)


def wait_after(looks: int, *, told: bool = False) -> timedelta:
    """Return how long to wait after so many looks; `told`: the end of what is waited for wakes it."""
    return TOLD_WAIT if told else min(MOST_WAIT, FIRST_WAIT * (1 << min(looks - 1, 10)))


def _matches(job: JobEntry, labels: Mapping[str, str]) -> bool:
    if not job.spec.placement.labels:
        return True
    try:
        return parse_selector(job.spec.placement.labels).matches(labels)
    except ValueError:  # validation would have refused it: written by another release, or by hand
        return False
