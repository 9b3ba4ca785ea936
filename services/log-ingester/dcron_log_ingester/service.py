"""The log-ingester as a service: opened in order, closed in the opposite one.

It starts whether or not Kafka and MongoDB are there, answers its probes at once, and is ready when it reads,
writes and follows. Stopping goes in phases: the live views and the HTTP face close, the loops are cancelled,
the batch under way is written and committed, then the connections go.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from litestar import Litestar

from dcron_core.access.key_ids import key_ids
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import Clock, SystemClock
from dcron_core.durations import parse_duration
from dcron_core.errors import UnavailableError
from dcron_core.history import History
from dcron_core.http.probes import Readiness
from dcron_core.http.server import listen, serving
from dcron_core.ids import IdSource
from dcron_core.job_log import JobLog
from dcron_core.lifecycle import Background, retrying, run_until_signalled
from dcron_core.ports.log import Log
from dcron_core.settings import LogIngesterSettings
from dcron_core.topics import topics
from dcron_log_ingester.application import application, served
from dcron_log_ingester.archive import Archive
from dcron_log_ingester.audit_api import Audit
from dcron_log_ingester.hub import LIVE, Hub
from dcron_log_ingester.ingest import KAFKA, MONGODB, Ingest, IngestPlan
from dcron_log_ingester.letter_index import LetterIndex
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.replayer import Replayer
from dcron_log_ingester.retention import Retentions
from dcron_log_ingester.store import open_store


class LogIngester(Background):
    """The running service."""

    port = 0  # where it listens
    readiness: Readiness
    hub: Hub
    routes: Litestar


@asynccontextmanager
async def open_log_ingester(
    settings: LogIngesterSettings, clock: Clock, ids: IdSource, log: Log
) -> AsyncIterator[LogIngester]:
    """Run the service while the context is open. Raises SettingsError when it cannot listen."""
    metrics = Metrics()
    metrics.show_keys(key_ids(settings))
    readiness = Readiness(KAFKA, MONGODB, LIVE)
    hub = Hub(clock)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(
            open_store(settings.mongodb, settings.mongodb_database, settings.mongodb_security.tls)
        )
        service = LogIngester()
        service.readiness = readiness
        service.hub = hub
        stack.push_async_callback(service.stop)
        job_log = JobLog(log, settings.job_events_topic)
        history, archive = History(job_log), Archive(store.events, metrics)
        retentions = Retentions(history, parse_duration(settings.retention))
        ingest = Ingest(plan_of(settings), log, store, retentions, clock, readiness, metrics)
        service.start("ingest", ingest.run())
        service.start("history", _remember(history, archive, log, settings))
        service.start("archive", archive.run(job_log))
        letters, group = settings.dead_letter_topic, f"{settings.consumer_group}-dead-letters"
        service.start("letters", LetterIndex(topics(settings), letters, group, store.letters).run(log))
        service.start("hub", hub.run(log, settings.executions_topic, readiness))
        bound = listen(settings.host, settings.log_ingester_port, "DCRON_LOG_INGESTER_PORT")
        stack.callback(bound.close)
        audit = Audit(job_log, history, archive, store.events, settings.audit_key)
        replayer = Replayer(log, store.letters, letters, settings.executions_topic, clock)
        app = application(settings, store, hub, audit, replayer, clock, readiness, metrics)
        service.routes = app
        service.port = await stack.enter_async_context(
            serving(metrics.counted(served(app, settings, clock, ids)), bound, settings.own_tls)
        )
        yield service


async def run(settings: LogIngesterSettings) -> None:
    """Run the service on the machine's clock and the real log until SIGTERM or SIGINT."""
    async with KafkaLog.open(settings.kafka, security=settings.kafka_security) as log:
        await run_until_signalled(open_log_ingester(settings, SystemClock(), IdSource(), log))


async def _remember(history: History, archive: Archive, log: Log, settings: LogIngesterSettings) -> None:
    """Read the log of job events from zero, once it is there, and hand it to the archive."""
    await retrying(lambda: log.ensure_topics(topics(settings)), on=UnavailableError, what="topics")
    await history.run(archive.take)


def plan_of(settings: LogIngesterSettings) -> IngestPlan:
    """Return what the settings make of the ingest loop."""
    return IngestPlan(
        topics=tuple(topics(settings)),
        topic=settings.executions_topic,
        dead_letter_topic=settings.dead_letter_topic,
        group=settings.consumer_group,
        batch_size=settings.batch_size,
        batch_age=parse_duration(settings.batch_age),
        flush_timeout=parse_duration(settings.shutdown_timeout),
    )
