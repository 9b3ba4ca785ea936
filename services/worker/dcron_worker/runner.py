"""A claimed run: held until its instant, looked at once more, started, read, ended.

A run ends in exactly one closing record (G6). It is stopped early by its timeout, by a kill request, by the
loss of the worker's lease (an exclusive run must not go on when another worker may start the next one, G7),
or by the worker's own shutdown.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.telemetry import get_logger
from dcron_schemas.job import JobSpec
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionStarted, Outcome, OutputChunk, TickSkipped
from dcron_schemas.state import JobEntry
from dcron_worker.entries import Entries
from dcron_worker.errors import ProcessStartError
from dcron_worker.former import RunLedger
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.output import output_of
from dcron_worker.process import Ended, Process, start_process

# What a job finds in its environment besides its own; nothing of the worker's own environment leaks in.
BASE_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SHELL": "/bin/sh",
}

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


class _Running(Struct):
    claimed: Claimed
    stop: asyncio.Future[Stop]


class Runner:
    """Runs what was claimed. `refusal` tells why a claimed run must not start after all; "" when it may."""

    def __init__(
        self,
        entries: Entries,
        ledger: RunLedger,
        clock: Clock,
        metrics: WorkerMetrics,
        refusal: Callable[[Claimed], str],
    ) -> None:
        self._entries = entries
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._refusal = refusal
        self._running: dict[str, _Running] = {}
        self._host = socket.gethostname()
        self._user_environment = {name: os.environ[name] for name in ("HOME", "USER") if name in os.environ}

    @property
    def running(self) -> int:
        """How many runs are claimed and not over."""
        return len(self._running)

    def owns(self, execution_id: str) -> bool:
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

    async def run(self, claimed: Claimed, stop: Stop | None = None) -> None:
        """Run to the end. The end is in etcd when this returns; Kafka gets its record in its own time.

        With `stop`, the run is ended before it begins.
        """
        execution = claimed.execution
        running = _Running(claimed, asyncio.get_running_loop().create_future())
        if stop is not None:
            running.stop.set_result(stop)
        self._running[execution.execution_id] = running
        self._metrics.running.inc()
        try:
            argv, environment = _command(claimed.entry.spec), self._environment(claimed)
            await self._hold_until(execution.due_at, running)
            why_not = self._refusal(claimed)
            if why_not:
                await self._give_up(execution, why_not)
                return
            record = await self._started(running, argv, environment)
        finally:
            self._metrics.running.dec()
            del self._running[execution.execution_id]
        self._metrics.runs.labels(record.outcome).inc()
        await self._entries.end(execution, record)

    async def _hold_until(self, instant: datetime, running: _Running) -> None:
        delay_s = (instant - self._clock.now()).total_seconds()
        if delay_s > 0:
            await asyncio.wait((running.stop,), timeout=delay_s)

    async def _give_up(self, execution: Execution, why: str) -> None:
        self._metrics.skips.labels("edited").inc()
        skipped = TickSkipped(execution=execution, reason="edited", at=self._clock.now(), detail=why)
        await self._entries.end(execution, skipped)

    async def _started(self, running: _Running, argv: list[str], environment: dict[str, str]) -> ExecutionFinished:
        """Start the process and see it through; return the record of its end."""
        execution, spec = running.claimed.execution, running.claimed.entry.spec
        if running.stop.done():
            return self._not_started(execution, running.stop.result().outcome, running.stop.result().why)
        try:
            process = start_process(argv, env=environment, working_directory=spec.working_directory, clock=self._clock)
        except ProcessStartError as error:
            return self._not_started(execution, "failed", str(error))
        self._metrics.lateness.observe(max(0.0, (process.started_at - execution.due_at).total_seconds()))
        self._ledger.remember(execution.execution_id, process)
        started = ExecutionStarted(execution=execution, started_at=process.started_at, host=self._host, pid=process.pid)
        output = asyncio.create_task(self._report(started, process))
        stop = await self._watch(process, running)
        chunks = await output
        self._ledger.forget(execution.execution_id)
        return self._finished(execution, process.started_at, await process.wait(), chunks, stop)

    async def _watch(self, process: Process, running: _Running) -> Stop | None:
        """Wait for the end of the process, or bring it about; return why, if so."""
        spec = running.claimed.entry.spec
        timeout_s = parse_duration(spec.timeout).total_seconds() if spec.timeout else None
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait((ended, running.stop), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return None
        stop = running.stop.result() if running.stop.done() else Stop("timed_out", f"ran longer than {spec.timeout}")
        grace = stop.grace if stop.grace is not None else parse_duration(spec.kill_grace)
        log.info("ending a run", action="run.stop", execution_id=running.claimed.execution.execution_id, why=stop.why)
        await process.terminate(grace)
        await ended
        return stop

    async def _report(self, started: ExecutionStarted, process: Process) -> int:
        """Put the start and what the process writes on the spool; return how many chunks that were."""
        execution, chunks = started.execution, 0
        await self._entries.record(execution.execution_id, started)
        async with output_of(process, self._clock) as reader:
            async for chunk in reader:
                record = OutputChunk(
                    execution_id=execution.execution_id,
                    job_id=execution.job_id,
                    seq=chunk.seq,
                    stream=chunk.stream,
                    at=chunk.at,
                    text=chunk.text,
                )
                await self._entries.record(execution.execution_id, record)
                chunks = chunk.seq + 1
        return chunks

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
        self, execution: Execution, started_at: datetime, ended: Ended, chunks: int, stop: Stop | None
    ) -> ExecutionFinished:
        outcome: Outcome = stop.outcome if stop else ("succeeded" if ended.exit_code == 0 else "failed")
        return ExecutionFinished(
            execution=execution,
            outcome=outcome,
            started_at=started_at,
            finished_at=self._clock.now(),
            output_chunks=chunks,
            exit_code=ended.exit_code,
            signal=ended.signal,
            error=stop.why if stop else "",
            cpu_user_s=ended.cpu_user_s,
            cpu_system_s=ended.cpu_system_s,
            max_rss_bytes=ended.max_rss_bytes,
        )

    def _environment(self, claimed: Claimed) -> dict[str, str]:
        execution = claimed.execution
        return {
            **BASE_ENVIRONMENT,
            **self._user_environment,
            **claimed.entry.spec.env,
            "DCRON_EXECUTION_ID": execution.execution_id,
            "DCRON_JOB_ID": execution.job_id,
            "DCRON_JOB_NAME": execution.job_name,
            "DCRON_NAMESPACE": execution.namespace,
            "DCRON_DUE_AT": execution.due_at.isoformat(),
            "DCRON_ATTEMPT": str(execution.attempt),
            "DCRON_FENCING_TOKEN": str(execution.fencing_token),
        }


def _command(spec: JobSpec) -> list[str]:
    if spec.run.argv is not None:
        return list(spec.run.argv)
    return ["/bin/sh", "-c", spec.run.shell or ""]
