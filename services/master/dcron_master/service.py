"""The master, opened and closed in order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from litestar import Controller, Litestar
from litestar.di import Provide
from litestar.types import ASGIApp
from msgspec import Struct

from dcron_core.access.access_tokens import AccessTokenMaker, public_keys
from dcron_core.access.guard import access_guard
from dcron_core.access.key_ids import key_ids
from dcron_core.access.signing import Signatures
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import Clock, SystemClock
from dcron_core.durations import parse_duration
from dcron_core.errors import UnavailableError
from dcron_core.failpoints import parse_failpoints
from dcron_core.history import History
from dcron_core.http.application import api_document, authenticators_of, surrounded
from dcron_core.http.documents import with_problems
from dcron_core.http.probes import Readiness, probes
from dcron_core.http.problems import EXCEPTION_HANDLERS
from dcron_core.http.server import listen, serving
from dcron_core.ids import IdSource
from dcron_core.job_log import JobLog
from dcron_core.jobs.validation import MAX_JOB_BYTES
from dcron_core.keys import Keys
from dcron_core.lifecycle import Background, retrying, run_until_signalled
from dcron_core.ports.log import Log
from dcron_core.ports.store import KeyValueStore
from dcron_core.settings import MasterSettings, parse_names
from dcron_core.telemetry import get_logger
from dcron_core.topics import topics
from dcron_core.version import VERSION
from dcron_master.access_api import access_routes
from dcron_master.api import JobController, command_outcome, info
from dcron_master.asking import asking
from dcron_master.audit_api import AuditController
from dcron_master.commands import Commands
from dcron_master.forecast_api import forecast_route
from dcron_master.gauges import watch_log, watch_readiness
from dcron_master.history_api import HistoryController
from dcron_master.identity_service import Identity, identity_of
from dcron_master.log_api import skip_record
from dcron_master.metrics import MasterMetrics
from dcron_master.next_ticks import NextTicks
from dcron_master.page import COMPRESSION, page, page_policy
from dcron_master.preview_api import preview_job
from dcron_master.projector import Projector
from dcron_master.sight import sight
from dcron_master.skips import RecordSkips
from dcron_master.sweeper import Sweeper
from dcron_master.workers_api import WorkerController, Workers
from dcron_schemas.api import Info
from dcron_schemas.events import JobEvent, LogOpened

log = get_logger()


class Master(Struct, frozen=True):
    """A master that is open."""

    background: Background
    port: int  # where it serves
    projector: Projector
    history: History
    routes: Litestar


@asynccontextmanager
async def open_master(
    settings: MasterSettings, store: KeyValueStore, log_: Log, clock: Clock, ids: IdSource
) -> AsyncIterator[Master]:
    """Run a master on `store` and `log_` while open. Servers that do not answer yet are waited for, not ready."""
    keys = Keys(settings.etcd_prefix)
    metrics = MasterMetrics()
    metrics.show_keys(key_ids(settings))
    readiness = Readiness("projection")
    failpoints = parse_failpoints(settings.failpoints)
    signatures = _signatures(settings)
    projector = Projector(store, log_, keys, settings.job_events_topic, failpoints, signatures)
    history = History(JobLog(log_, settings.job_events_topic))
    async with AsyncExitStack() as stack:
        bound = listen(settings.host, settings.master_port, "DCRON_MASTER_PORT")
        stack.callback(bound.close)
        background = Background()
        stack.push_async_callback(background.stop)
        producer = await stack.enter_async_context(log_.producer())
        timeout_s = parse_duration(settings.command_timeout).total_seconds()
        commands = Commands(
            projector, history, log_, producer, settings.job_events_topic, clock, ids, timeout_s, metrics, failpoints
        )
        skips = RecordSkips(JobLog(log_, settings.job_events_topic), producer, clock, ids)
        sweeper = Sweeper(store, producer, keys, settings, clock, metrics, projector, signatures)
        background.start("projector", _project(projector, log_, settings, _opening_event(clock, ids)))
        background.start("history", _remember(projector, history))
        background.start("readiness", watch_readiness(projector, readiness, metrics))
        background.start("sweeper", sweeper.run())
        maker = AccessTokenMaker(settings.signing_key, clock) if settings.signing_key else None
        identity = identity_of(settings, commands, history, clock, ids, maker)
        background.start("refusals", identity.refusals.run())
        workers = Workers(store, keys, clock)
        background.start("workers", workers.run())
        background.start("gauges", watch_log(projector, log_, settings.job_events_topic, workers, clock, metrics))
        app = _application(
            settings, projector, history, commands, skips, workers, readiness, metrics, clock, ids, maker, identity
        )
        served = metrics.counted(_served(app, settings, clock, ids, maker, identity))
        port = await stack.enter_async_context(serving(served, bound, settings.own_tls))
        log.info("master serves", action="master.serving", port=port)
        yield Master(background, port, projector, history, app)


async def run(settings: MasterSettings) -> None:
    """Run a master on etcd and Kafka until a signal comes."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Background]:
        async with (
            EtcdStore.open(settings.etcd, security=settings.etcd_security) as store,
            KafkaLog.open(settings.kafka, security=settings.kafka_security) as log_,
            open_master(settings, store, log_, SystemClock(), IdSource()) as master,
        ):
            yield master.background

    await run_until_signalled(opened())


def _signatures(settings: MasterSettings) -> Signatures:
    """Return the keys of this master; warn of what workers will refuse for want of one."""
    signatures = Signatures(settings.signing_key, settings.trusted_keys, settings.cluster_key)
    if not signatures.signs:
        log.warning(
            "DCRON_SIGNING_KEY is not set: workers with DCRON_TRUSTED_KEYS run nothing that this master writes",
            action="master.unsigned",
        )
    elif not signatures.confirms:
        log.warning(
            "DCRON_CLUSTER_KEY is not set: workers with DCRON_TRUSTED_KEYS run no retry and no dependant of a run "
            "whose loss this master finds",
            action="master.unconfirmed",
        )
    return signatures


def _opening_event(clock: Clock, ids: IdSource) -> JobEvent:
    now = clock.now()
    return JobEvent(
        event_id=ids.uuid7(now), job_id="", actor="dcron", request_id="", at=now, data=LogOpened(ids.uuid7(now))
    )


async def _project(projector: Projector, log_: Log, settings: MasterSettings, opening: JobEvent) -> None:
    create = partial(log_.ensure_topics, topics(settings))
    await retrying(create, on=UnavailableError, what="topics", tell=projector.tell)
    await projector.run(opening)


async def _remember(projector: Projector, history: History) -> None:
    """Read the log's history once there is a log, and beside what commands wait for."""
    await projector.started.wait()
    await history.run()


def _application(
    settings: MasterSettings,
    projector: Projector,
    history: History,
    commands: Commands,
    skips: RecordSkips,
    workers: Workers,
    readiness: Readiness,
    metrics: MasterMetrics,
    clock: Clock,
    ids: IdSource,
    maker: AccessTokenMaker | None,
    identity: Identity,
) -> Litestar:
    trusted = public_keys(parse_names(settings.trusted_keys))
    given: dict[str, Any] = {
        "projector": projector,
        "history": history,
        "commands": commands,
        "record_skips": skips,
        "workers": workers,
        "next_ticks": NextTicks(),
        "clock": clock,
        "ids": ids,
        "service_info": Info(version=VERSION, log_ingester_url=settings.log_ingester_url),
    }
    given |= identity.given
    controllers: list[type[Controller]] = [JobController, HistoryController, AuditController, WorkerController]
    return Litestar(
        route_handlers=[
            *controllers,
            *identity.controllers,
            preview_job,
            forecast_route(clock),
            *access_routes(maker, trusted, clock),
            command_outcome,
            skip_record,
            info,
            *identity.routes,
            page,
            probes(readiness, metrics.registry),
        ],
        dependencies={
            **{name: _provide(value) for name, value in given.items()},
            "asking": Provide(asking),
            "sight": Provide(sight),
        },
        guards=[access_guard],
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=api_document("dcron master", VERSION),
        request_max_body_size=2 * MAX_JOB_BYTES,
        compression_config=COMPRESSION,
        logging_config=None,
    )


def _served(
    app: Litestar,
    settings: MasterSettings,
    clock: Clock,
    ids: IdSource,
    maker: AccessTokenMaker | None,
    identity: Identity,
) -> ASGIApp:
    own = [maker.public_key] if maker else []
    authenticators = [*authenticators_of(settings, clock, own=own), identity.authenticator]
    return surrounded(
        with_problems(app),
        settings,
        clock,
        ids,
        authenticators=authenticators,
        on_refusal=identity.refusals.of_access,
        login_path="/login",
        policy=page_policy(settings.log_ingester_url),
    )


def _provide(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)
