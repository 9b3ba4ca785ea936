"""The worker, opened and closed in order.

It lives in lease sessions: registered under a lease, claiming while the lease is trusted. When the lease is
lost, exclusive runs are ended before another worker can start the next one, and a new session begins. An
orderly stop goes in phases: no more claims; runs under way may finish; what is left is ended; records are
sent; the lease is given back.
"""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from litestar import Litestar
from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.guard import access_guard
from dcron_core.access.key_ids import key_ids
from dcron_core.access.signing import REFUSALS
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import Clock, SystemClock
from dcron_core.durations import parse_duration
from dcron_core.errors import LeaseLostError, StoreUnavailableError, UnavailableError
from dcron_core.http.application import LARGEST_BODY, authenticators_of, surrounded
from dcron_core.http.probes import Readiness, probes
from dcron_core.http.problems import EXCEPTION_HANDLERS
from dcron_core.http.server import listen, serving
from dcron_core.ids import IdSource
from dcron_core.keys import Keys
from dcron_core.lifecycle import Background, retrying, run_until_signalled
from dcron_core.ports.log import Log
from dcron_core.ports.store import KeyValueStore, Put, Transaction
from dcron_core.session import LeaseSession
from dcron_core.settings import WorkerSettings, parse_labels, parse_names
from dcron_core.telemetry import about_all, get_logger
from dcron_core.version import VERSION
from dcron_schemas.codec import encode
from dcron_schemas.state import WorkerEntry
from dcron_worker.awaited_ends import AwaitedEnds
from dcron_worker.batches import TransactionBatches
from dcron_worker.claimer import Claimer
from dcron_worker.claiming import Claiming
from dcron_worker.clocks import Clocks
from dcron_worker.descriptors import allow_descriptors, keep_descriptors_from_children
from dcron_worker.entries import Entries
from dcron_worker.exposure import say_what_is_exposed
from dcron_worker.former import close_former_entries
from dcron_worker.guard import Guard
from dcron_worker.identity import worker_id_in
from dcron_worker.launcher import Launcher
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.planner import Planner
from dcron_worker.refusals import Refusals, signatures_of
from dcron_worker.run_ledger import RunLedger
from dcron_worker.runner import Claimed, Runner, Stop, Terms
from dcron_worker.secrets_known import SecretsKnown
from dcron_worker.shipper import Shipper
from dcron_worker.spool import Spool
from dcron_worker.spool_state import SpoolState
from dcron_worker.table import Table
from dcron_worker.users import JobUsers, job_users
from dcron_worker.wanted import WantedRuns
from dcron_worker.wanted_plan import WantedPlan

FENCE_GRACE = 0.1  # of the lease's time to live: half of the part that is not trusted, so that SIGKILL comes in time
STOP_GRACE = timedelta(seconds=2)
# Python looks for cycles of objects after each 700 new ones. Here nearly all are freed by counting references, and the
# job table is large: looking that often took a fifth of a busy worker's time, and held up starts.
LOOK_FOR_CYCLES = (50_000, 20, 100)
REFUSALS_EVERY_S = 1.0  # how often, at most, others are told of them: somebody may write thousands
_DELETED = "the job was deleted between the claim and the tick"
BEATS_IN_A_LEASE = 5  # how often the clock is shown to the others

log = get_logger()


class Worker(Struct, frozen=True):
    """A worker that is open."""

    background: Background
    port: int
    worker_id: str
    guard: Guard
    routes: Litestar


class _Parts(Struct, frozen=True):
    settings: WorkerSettings
    store: KeyValueStore
    keys: Keys
    clock: Clock
    entry: WorkerEntry
    spool: Spool
    shipper: Shipper
    entries: Entries
    ledger: RunLedger
    table: Table
    planner: Planner
    runner: Runner
    launcher: Launcher
    ends: AwaitedEnds
    claimer: Claimer
    clocks: Clocks
    metrics: WorkerMetrics
    readiness: Readiness
    draining: asyncio.Event
    spool_state: SpoolState
    refusals: Refusals


@asynccontextmanager
async def open_worker(
    settings: WorkerSettings, store: KeyValueStore, log_: Log, clock: Clock, ids: IdSource
) -> AsyncIterator[Worker]:
    """Run a worker on `store` and `log_` while open. Servers that do not answer yet are waited for, not ready."""
    data = Path(settings.worker_data).absolute()
    worker_id = worker_id_in(data, clock, ids)
    about_all(worker_id=worker_id)
    async with AsyncExitStack() as stack:
        bound = listen(settings.host, settings.worker_port, "DCRON_WORKER_PORT")
        stack.callback(bound.close)
        spool = await stack.enter_async_context(Spool(data / "spool", clock, limit_bytes=settings.worker_spool_bytes))
        guard = await stack.enter_async_context(Guard.open(worker_id))
        ledger = stack.enter_context(RunLedger.open(data / "run-ledger", worker_id))
        parts = _assemble(settings, store, log_, clock, spool, ledger, guard)
        stack.push_async_callback(parts.ends.stop)
        background = Background()
        stack.push_async_callback(background.stop)
        background.start("shipper", parts.shipper.run())
        background.start("entries", parts.entries.remove_acknowledged(parts.shipper))
        background.start("gauges", _keep_gauges(parts))
        background.start("spool state", parts.spool_state.run())
        routes = _routes(parts)
        served = surrounded(routes, settings, clock, ids, authenticators=authenticators_of(settings, clock))
        port = await stack.enter_async_context(serving(parts.metrics.counted(served), bound, settings.own_tls))
        sessions = background.start("sessions", _live(parts))
        stack.push_async_callback(_stop_orderly, parts, background, sessions)
        log.info("worker serves", action="worker.serving", port=port)
        yield Worker(background, port, worker_id, guard, routes)


async def run(settings: WorkerSettings) -> None:
    """Run a worker on etcd and Kafka until a signal comes."""
    keep_descriptors_from_children()
    allow_descriptors(settings.slots)
    say_what_is_exposed(os.environ, _users(settings).usual)
    gc.set_threshold(*LOOK_FOR_CYCLES)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Background]:
        async with (
            EtcdStore.open(settings.etcd, security=settings.etcd_security) as store,
            KafkaLog.open(settings.kafka, security=settings.kafka_security) as log_,
            open_worker(settings, store, log_, SystemClock(), IdSource()) as worker,
        ):
            yield worker.background

    await run_until_signalled(opened())


def _assemble(
    settings: WorkerSettings,
    store: KeyValueStore,
    log_: Log,
    clock: Clock,
    spool: Spool,
    ledger: RunLedger,
    guard: Guard,
) -> _Parts:
    keys = Keys(settings.etcd_prefix)
    metrics = WorkerMetrics()
    metrics.show_keys(key_ids(settings))
    metrics.slots.set(settings.slots)
    metrics.spool_limit.set(settings.worker_spool_bytes)
    stagger = parse_duration(settings.claim_stagger)
    labels = parse_labels(settings.labels)
    signatures = signatures_of(settings)
    refusals = Refusals(signatures, keys, metrics)
    ahead = parse_duration(settings.claim_ahead)
    planner, wanted = Planner(ahead, guard.worker_id, clock.now(), refusals.trusts), WantedPlan()
    secrets = SecretsKnown(settings.cluster_key)
    table = Table(store, keys, planner, wanted, secrets, metrics, signatures, refusals)
    transactions = TransactionBatches(store)
    shipper = Shipper(spool, log_, settings.executions_topic)
    entries = Entries(keys, transactions, spool, planner, signatures)
    terms = Terms(settings.output_bytes, _users(settings), secrets)
    runner = Runner(entries, ledger, guard, clock, metrics, lambda claimed: _refusal(planner, refusals, claimed), terms)
    launcher = Launcher(runner, table, entries, clock, settings.slots)
    ends = AwaitedEnds(store, keys, lambda job_id: _over_elsewhere(planner, wanted, table, clock, job_id))
    claiming = Claiming(
        worker_id=guard.worker_id,
        labels=labels,
        store=store,
        keys=keys,
        planner=planner,
        wanted=wanted,
        table=table,
        transactions=transactions,
        entries=entries,
        launcher=launcher,
        ends=ends,
        clock=clock,
        stagger=stagger,
        metrics=metrics,
        signatures=signatures,
        refusals=refusals,
    )
    claimer = Claimer(claiming, WantedRuns(claiming))
    entry = WorkerEntry(
        worker_id=guard.worker_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=VERSION,
        started_at=clock.now(),
        slots=settings.slots,
        keys=key_ids(settings),
        labels=labels,
        verifies=signatures.verifies,
    )
    readiness = Readiness("job table", "lease")
    return _Parts(
        settings=settings,
        store=store,
        keys=keys,
        clock=clock,
        entry=entry,
        spool=spool,
        shipper=shipper,
        entries=entries,
        ledger=ledger,
        table=table,
        planner=planner,
        runner=runner,
        launcher=launcher,
        ends=ends,
        claimer=claimer,
        clocks=Clocks(guard.worker_id, store, keys, clock, parse_duration(settings.clock_offset_limit), metrics),
        metrics=metrics,
        readiness=readiness,
        draining=asyncio.Event(),
        spool_state=SpoolState(spool, metrics, readiness),
        refusals=refusals,
    )


def _users(settings: WorkerSettings) -> JobUsers:
    return job_users(settings.job_user, frozenset(parse_names(settings.run_as_allowed)))


def _over_elsewhere(planner: Planner, wanted: WantedPlan, table: Table, clock: Clock, job_id: str) -> None:
    """A run elsewhere is over: look at what waits for that, each worker in its turn."""
    planner.wake(job_id, clock.now(), in_line=True)
    wanted.wake(job_id, in_line=True)
    table.changed.set()


def _refusal(planner: Planner, refusals: Refusals, claimed: Claimed) -> str:
    """Look at the job once more: tell why a claimed run must not start after all; "" when it may.

    A definition that was written again as it was, with another signature, is the same.
    """
    job = planner.job(claimed.execution.job_id)
    if job is None:
        refusal = refusals.of_job(claimed.execution.job_id)
        return f"the job's definition is refused: {REFUSALS[refusal]}" if refusal else _DELETED
    if claimed.execution.trigger == "tick" and job[1] != claimed.job_revision and job[0] != claimed.entry:
        return "the job was changed between the claim and the tick"
    return ""


async def _live(parts: _Parts) -> None:
    """End what is left of former lives, then live in one lease session after the other."""
    left_over = await parts.ledger.end_left_overs()

    async def close_former() -> None:
        closed = await close_former_entries(
            parts.store, parts.keys, parts.entry.worker_id, parts.spool, parts.entries, parts.clock
        )
        log.info("former lives are closed", action="worker.former", processes=left_over, entries=closed)

    parts.table.tell = partial(parts.readiness.lost, "job table")
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.table.run())
        group.create_task(_obey_kills(parts))
        group.create_task(parts.clocks.run())
        await parts.table.loaded.wait()
        # Only now: what follows from the end of a run is written with it, and the jobs say what that is.
        await retrying(close_former, on=StoreUnavailableError, what="close the entries of former lives")
        parts.readiness.met("job table")
        no_lease = partial(parts.readiness.lost, "lease")
        while True:
            await retrying(lambda: _session(parts), on=UnavailableError, what="lease session", tell=no_lease)


async def _session(parts: _Parts) -> None:
    """Register under a lease and claim until the lease is lost."""
    ttl_s = max(2, round(parse_duration(parts.settings.lease_ttl).total_seconds()))
    async with LeaseSession.open(parts.store, parts.clock, ttl_s) as session:
        try:
            await _register(parts, session.lease)
        except LeaseLostError as error:  # this worker stood still for so long, or etcd was so slow
            log.warning("the lease ended before the registration", action="session.again", error=str(error))
            return
        parts.readiness.met("lease")
        work = [
            asyncio.create_task(_claim_by_a_right_clock(parts, session)),
            asyncio.create_task(_show_draining(parts, session.lease)),
            asyncio.create_task(parts.clocks.beat(session.lease, ttl_s / BEATS_IN_A_LEASE)),
            asyncio.create_task(_show_clock(parts, session.lease)),
            asyncio.create_task(_show_spool(parts, session.lease)),
            asyncio.create_task(_show_refusals(parts, session.lease)),
        ]
        lost = asyncio.create_task(session.lost())
        trust = asyncio.create_task(_show_trust(parts, session))
        try:
            done, _ = await asyncio.wait((work[0], lost), return_when=asyncio.FIRST_COMPLETED)
            if work[0] in done:
                work[0].result()
            session.orphan()
            parts.readiness.lost("lease", "it could not be renewed")
            parts.metrics.leases_lost.inc()
            stop = Stop("killed", "the worker lost its lease", timedelta(seconds=ttl_s * FENCE_GRACE))
            parts.runner.stop_all(stop, exclusive_only=True)
        finally:
            for task in (*work, lost, trust):
                task.cancel()
            await asyncio.gather(*work, lost, trust, return_exceptions=True)


async def _register(parts: _Parts, lease: int) -> None:
    clock = parts.clocks.verdict
    state: Literal["active", "draining", "clock_wrong"] = "clock_wrong" if clock.wrong else "active"
    drained = parts.draining.is_set() or parts.entry.worker_id in parts.table.drained
    entry = replace(
        parts.entry,
        state="draining" if drained else state,
        clock_offset_ms=None if clock.offset_s is None else round(clock.offset_s * 1000, 1),
        spool=parts.spool_state.words,
        refused=parts.refusals.words,
    )
    put = Put(parts.keys.worker(entry.worker_id), encode(entry), lease)
    await parts.store.transact(Transaction(compare=(), success=(put,)))


async def _claim_by_a_right_clock(parts: _Parts, session: LeaseSession) -> None:
    """Claim, but not while the clock is known to be wrong. Runs that were claimed go on."""
    while True:
        await parts.clocks.right.wait()
        claiming = asyncio.create_task(parts.claimer.claim(session))
        wrong = asyncio.create_task(parts.clocks.wrong.wait())
        try:
            await asyncio.wait((claiming, wrong), return_when=asyncio.FIRST_COMPLETED)
            if claiming.done():
                claiming.result()
        finally:
            claiming.cancel()
            wrong.cancel()
            await asyncio.gather(claiming, wrong, return_exceptions=True)


async def _show_clock(parts: _Parts, lease: int) -> None:
    """Tell people, and the others, so that they do not wait for a worker whose clock is wrong."""
    while True:
        await parts.clocks.changed.wait()
        parts.clocks.changed.clear()
        if parts.clocks.verdict.wrong:
            parts.readiness.lost("clock", parts.clocks.verdict.wrong)
        else:
            parts.readiness.met("clock")
        await retrying(lambda: _register(parts, lease), on=UnavailableError, what="show the clock's offset")


async def _show_draining(parts: _Parts, lease: int) -> None:
    """Tell the others when this worker stops or begins to claim, so that they do not wait for it in line."""
    while True:
        await parts.table.drains_changed.wait()
        parts.table.drains_changed.clear()
        await retrying(lambda: _register(parts, lease), on=UnavailableError, what="show draining")


async def _show_spool(parts: _Parts, lease: int) -> None:
    while True:
        await parts.spool_state.changed.wait()
        parts.spool_state.changed.clear()
        await retrying(lambda: _register(parts, lease), on=UnavailableError, what="show the spool's state")


async def _show_refusals(parts: _Parts, lease: int) -> None:
    while True:
        await parts.refusals.changed.wait()
        parts.refusals.changed.clear()
        await retrying(lambda: _register(parts, lease), on=UnavailableError, what="show what is refused")
        await asyncio.sleep(REFUSALS_EVERY_S)


async def _show_trust(parts: _Parts, session: LeaseSession) -> None:
    metrics = parts.metrics
    try:
        while True:
            monotonic, now = parts.clock.monotonic(), parts.clock.now().timestamp()
            metrics.lease_trust.set(max(0.0, session.trusted_until - monotonic))
            metrics.lease_granted.set(now - monotonic + session.granted_at)
            metrics.lease_renewed.set(now - monotonic + session.renewed_at)
            await asyncio.sleep(1.0)
    finally:
        metrics.lease_trust.set(0)  # until the next session


async def _obey_kills(parts: _Parts) -> None:
    while True:
        await parts.table.kill_arrived.wait()
        parts.table.kill_arrived.clear()
        for execution_id, kill in parts.table.kills.items():
            parts.runner.stop(execution_id, Stop("killed", f"killed by {kill.requested_by}"))


async def _keep_gauges(parts: _Parts) -> None:
    while True:
        parts.metrics.jobs.set(len(parts.planner))
        await asyncio.sleep(1.0)


async def _stop_orderly(parts: _Parts, background: Background, sessions: asyncio.Task[None]) -> None:
    """Drain: the lease is kept until the runs are over, and the records are sent before it is given back."""
    phase_s = parse_duration(parts.settings.shutdown_timeout).total_seconds()
    parts.draining.set()
    parts.table.drains_changed.set()
    parts.claimer.stop()
    log.info("draining", action="worker.draining", running=parts.runner.running)
    if not await _within(parts.launcher.drained(), phase_s):
        parts.runner.stop_all(Stop("killed", "the worker was shut down", STOP_GRACE))
        await _within(parts.launcher.drained(), phase_s)
    await _within(parts.shipper.drained(), phase_s)
    await _within(parts.entries.removed(), phase_s)
    await background.stop(sessions)


async def _within(wait: Awaitable[None], timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await wait
    except TimeoutError:
        return False
    return True


def _routes(parts: _Parts) -> Litestar:
    return Litestar(
        route_handlers=[probes(parts.readiness, parts.metrics.registry)],
        guards=[access_guard],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=None,
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )
