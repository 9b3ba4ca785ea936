"""A claimed run: held until its instant, looked at once more, started, read, ended.

A run ends in exactly one closing record (G6). It is stopped early by its timeout, by a kill request, by the
loss of the worker's lease (an exclusive run must not go on when another worker may start the next one, G7),
or by the worker's own shutdown.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.session import LeaseSession
from dcron_core.telemetry import get_logger
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionStarted, Outcome, TickSkipped
from dcron_schemas.state import JobEntry
from dcron_worker.census import Census
from dcron_worker.entries import Entries
from dcron_worker.errors import ProcessStartError
from dcron_worker.guard import Guard
from dcron_worker.http_call import HttpRun
from dcron_worker.instants import Instants
from dcron_worker.mask import Mask
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.output import Chunk, output_of
from dcron_worker.output_bound import OutputBound
from dcron_worker.process import Process, start_process
from dcron_worker.run_ledger import RunLedger
from dcron_worker.run_output import RunOutput
from dcron_worker.secrets_known import SecretsKnown
from dcron_worker.start import CallStart, ProcessStart, call_start, process_start
from dcron_worker.under_way import Ended, UnderWay
from dcron_worker.users import JobUsers

log = get_logger()


class Claimed(Struct, frozen=True):
    """A run that this worker has claimed."""

    execution: Execution  # with its fencing token
    entry: JobEntry  # the definition it was claimed on
    job_revision: int


class Stop(Struct, frozen=True):
    """Why a run is ended early."""

    outcome: Literal["timed_out", "killed"]
    why: str
    grace: timedelta | None = None  # None: the job's own


class Terms(Struct, frozen=True):
    """What this worker grants to every run."""

    output_bytes: int  # most output that is kept, of a job that does not say
    users: JobUsers  # whom runs are started as
    secrets: SecretsKnown


class _Running(Struct):
    claimed: Claimed
    stop: asyncio.Future[Stop]


class Runner:
    """Runs what was claimed. `refusal` tells why a claimed run must not start after all; "" when it may."""

    def __init__(
        self,
        entries: Entries,
        ledger: RunLedger,
        guard: Guard,
        clock: Clock,
        metrics: WorkerMetrics,
        refusal: Callable[[Claimed], str],
        terms: Terms,
    ) -> None:
        self._entries = entries
        self._ledger = ledger
        self._guard = guard
        self._terms = terms
        self._census = Census()
        self._clock = clock
        self._instants = Instants(clock)
        self._metrics = metrics
        self._refusal = refusal
        self._running: dict[str, _Running] = {}
        self._host = socket.gethostname()

    @property
    def running(self) -> int:
        """How many runs are claimed and not over."""
        return len(self._running)

    def runs(self, execution_id: str) -> bool:
        """Tell whether that run is claimed here and not over."""
        return execution_id in self._running

    def stop(self, execution_id: str, stop: Stop) -> None:
        """End a run early; nothing happens if it is not here, or being stopped already."""
        running = self._running.get(execution_id)
        if running is not None and not running.stop.done():
            running.stop.set_result(stop)

    def stop_all(self, stop: Stop, *, exclusive_only: bool = False) -> None:
        """End all runs early, or only those whose job forbids overlap."""
        for execution_id, running in list(self._running.items()):
            if not exclusive_only or running.claimed.entry.spec.overlap != "allow":
                self.stop(execution_id, stop)

    async def run(
        self,
        claimed: Claimed,
        session: LeaseSession,
        stop: Stop | None = None,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        """Run to the end. The end is in etcd when this returns; Kafka gets its record in its own time.

        With `stop`, the run is ended before it begins. So is an exclusive one when the lease that it was claimed under
        is not trusted any more at its start: another run of the job may be alive by then (G7). A worker that stood
        still while it held the run would otherwise start it before it notices. `on_over` is called when the run is
        over, and its end is not yet written down.
        """
        execution = claimed.execution
        running = _Running(claimed, asyncio.get_running_loop().create_future())
        if stop is not None:
            running.stop.set_result(stop)
        self._running[execution.execution_id] = running
        self._metrics.running.inc()
        try:
            prepared = self._prepared(claimed)
            await self._hold_until(execution.due_at, running)
            if not session.trusted and claimed.entry.spec.overlap != "allow":
                self.stop(execution.execution_id, Stop("killed", "the worker lost its lease before the run began"))
            why_not = self._refusal(claimed)
            if why_not:
                await self._give_up(execution, why_not)
                return
            record = await self._started(running, prepared)
        finally:
            self._guard.over(execution.execution_id)
            self._ledger.over(execution.execution_id)
            self._metrics.running.dec()
            del self._running[execution.execution_id]
        on_over()
        log.debug("a run is over", action="run.over", outcome=record.outcome, error=record.error)
        self._metrics.runs.labels(record.outcome).inc()
        await self._entries.end(execution, record)

    def _prepared(self, claimed: Claimed) -> ProcessStart | None:
        """Do what can be done before the instant; None: there is nothing to prepare, or it is to be tried again then.

        From now on guard and ledger know the run: there is no process that they do not know.
        """
        execution, spec = claimed.execution, claimed.entry.spec
        if spec.run.http is not None:
            return None
        self._guard.begins(execution.execution_id)
        self._ledger.begins(execution.execution_id)
        try:
            return process_start(spec, execution, self._terms.users, self._terms.secrets)
        except ProcessStartError:
            return None

    async def _hold_until(self, instant: datetime, running: _Running) -> None:
        if instant > self._clock.now():
            reached = self._instants.reached(instant)
            await asyncio.wait((running.stop, reached), return_when=asyncio.FIRST_COMPLETED)

    async def _give_up(self, execution: Execution, why: str) -> None:
        self._metrics.skips.labels("edited").inc()
        log.info("a claimed run does not start", action="run.given_up", why=why)
        skipped = TickSkipped(execution=execution, reason="edited", at=self._clock.now(), detail=why)
        await self._entries.end(execution, skipped)

    def _ready(self, claimed: Claimed) -> ProcessStart | CallStart:
        spec, secrets = claimed.entry.spec, self._terms.secrets
        if spec.run.http is not None:
            return call_start(spec.run.http, spec.namespace, claimed.execution, secrets)
        return process_start(spec, claimed.execution, self._terms.users, secrets)

    async def _started(self, running: _Running, prepared: ProcessStart | None) -> ExecutionFinished:
        """Start the run and see it through; return the record of its end."""
        execution = running.claimed.execution
        if running.stop.done():
            return self._not_started(execution, running.stop.result().outcome, running.stop.result().why)
        try:
            start = prepared or self._ready(running.claimed)
            under_way = self._start(execution, start)
        except ProcessStartError as error:
            return self._not_started(execution, "failed", str(error))
        await asyncio.sleep(0)  # the others that are due at the same instant start first
        log.debug("a run began", action="run.began", pid=under_way.pid)
        self._metrics.lateness.observe(max(0.0, (under_way.started_at - execution.due_at).total_seconds()))
        output = asyncio.create_task(self._report(running.claimed, under_way, start.mask))
        stop = await self._watch(under_way, running)
        written = await output
        ended = under_way.over.result()
        ended = replace(ended, error=start.mask.of(ended.error))
        return self._finished(running.claimed, under_way.started_at, ended, written, stop)

    def _start(self, execution: Execution, start: ProcessStart | CallStart) -> UnderWay:
        if isinstance(start, CallStart):
            return HttpRun(start.call, start.headers, self._clock)
        process = start_process(start.program, self._clock, self._census)
        self._guard.runs(execution.execution_id, process)
        self._ledger.runs(execution.execution_id, process)
        return process

    async def _watch(self, under_way: UnderWay, running: _Running) -> Stop | None:
        """Wait for the end of the run, or bring it about; return why, if so."""
        spec = running.claimed.entry.spec
        timeout_s = parse_duration(spec.timeout).total_seconds() if spec.timeout else None
        await asyncio.wait((under_way.over, running.stop), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if under_way.over.done():
            return None
        stop = running.stop.result() if running.stop.done() else Stop("timed_out", f"ran longer than {spec.timeout}")
        grace = stop.grace if stop.grace is not None else parse_duration(spec.kill_grace)
        log.info("ending a run", action="run.stop", why=stop.why)
        await under_way.terminate(grace)
        await asyncio.wait((under_way.over,))
        return stop

    async def _report(self, claimed: Claimed, under_way: UnderWay, mask: Mask) -> RunOutput:
        """Put the start and what the run writes on the spool, masked, and within its bound."""
        started = ExecutionStarted(
            execution=claimed.execution, started_at=under_way.started_at, host=self._host, pid=under_way.pid
        )
        self._entries.started(started)
        bound = OutputBound(claimed.entry.spec.limits.output_bytes or self._terms.output_bytes)
        written = RunOutput(claimed.execution, bound, self._entries, self._metrics, mask)
        if isinstance(under_way, Process):
            async with output_of(under_way, self._clock) as output:
                await _take_all(output, written)
        else:
            assert isinstance(under_way, HttpRun)
            await _take_all(under_way.output(), written)
        written.end(self._clock.now())
        return written

    def _not_started(self, execution: Execution, outcome: Outcome, error: str) -> ExecutionFinished:
        return ExecutionFinished(
            execution=execution,
            outcome=outcome,
            started_at=None,
            finished_at=self._clock.now(),
            output_chunks=0,
            error=error,
        )

    def _finished(
        self, claimed: Claimed, started_at: datetime, ended: Ended, written: RunOutput, stop: Stop | None
    ) -> ExecutionFinished:
        outcome: Outcome = stop.outcome if stop else ("succeeded" if ended.succeeded else "failed")
        return ExecutionFinished(
            execution=claimed.execution,
            outcome=outcome,
            started_at=started_at,
            finished_at=self._clock.now(),
            output_chunks=written.chunks,
            output_cut_bytes=written.cut_bytes,
            exit_code=ended.exit_code,
            signal=ended.signal,
            error=stop.why if stop else ended.error or _limit_that_ended(claimed, ended),
            cpu_user_s=ended.cpu_user_s,
            cpu_system_s=ended.cpu_system_s,
            max_rss_bytes=ended.max_rss_bytes,
        )


async def _take_all(output: AsyncIterator[Chunk], written: RunOutput) -> None:
    async for chunk in output:
        written.take(chunk)


def _limit_that_ended(claimed: Claimed, ended: Ended) -> str:
    cpu_time = claimed.entry.spec.limits.cpu_time
    if cpu_time is not None and ended.signal == signal.SIGXCPU:
        return f"it used more CPU time than limits.cpu_time allows: {cpu_time}"
    return ""
