"""The log-ingester's HTTP face as one ASGI application: routes, live view, probes; closed to strangers (G11)."""

from litestar import Litestar
from litestar.exceptions import ValidationException
from litestar.types import ASGIApp

from dcron_core.access.guard import access_guard
from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.http.application import LARGEST_BODY, api_document, authenticators_of, surrounded
from dcron_core.http.documents import with_problems
from dcron_core.http.probes import Readiness, probes
from dcron_core.http.problems import EXCEPTION_HANDLERS
from dcron_core.ids import IdSource
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.api import refused_parameters, routes
from dcron_log_ingester.audit_api import Audit, audit_routes
from dcron_log_ingester.cors import CorsMiddleware
from dcron_log_ingester.dead_letters_api import dead_letter_routes
from dcron_log_ingester.events import event_routes
from dcron_log_ingester.frames import FrameTexts
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.ledger_api import ledger_routes
from dcron_log_ingester.ledger_reader import LedgerReader
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.pipeline_api import pipeline_route
from dcron_log_ingester.readings import Readings
from dcron_log_ingester.replayer import Replayer
from dcron_log_ingester.stats_api import stats_route
from dcron_log_ingester.store import Store
from dcron_log_ingester.viewing import Viewing
from dcron_log_ingester.websocket import live_routes


def application(
    settings: LogIngesterSettings,
    store: Store,
    hub: Hub,
    audit: Audit,
    replayer: Replayer,
    clock: Clock,
    readiness: Readiness,
    metrics: Metrics,
) -> Litestar:
    """Return the routes, each with the rule of who may use it."""
    ledger = LedgerReader(audit.history, store.ledger, clock)
    viewing = Viewing(hub, Readings(store, clock), FrameTexts(), audit.history, clock, metrics)
    return Litestar(
        route_handlers=[
            *routes(store, audit.history, clock),
            stats_route(store, audit.history, clock),
            pipeline_route(metrics),
            *dead_letter_routes(store.letters, replayer),
            *audit_routes(audit, clock, metrics),
            *ledger_routes(ledger, audit.history, clock, parse_duration(settings.retention), metrics),
            *live_routes(viewing),
            *event_routes(viewing),
            probes(readiness, metrics.registry),
        ],
        exception_handlers={**EXCEPTION_HANDLERS, ValidationException: refused_parameters},
        guards=[access_guard],
        openapi_config=api_document("dcron log-ingester", "v1"),
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )


def served(app: Litestar, settings: LogIngesterSettings, clock: Clock, ids: IdSource) -> ASGIApp:
    """Return the application as it is served: closed but to those who are known, and readable for the page."""
    origins = allowed_origins(settings.allowed_origins)
    authenticators = authenticators_of(settings, clock, by_cookie=True)
    closed = surrounded(
        with_problems(app), settings, clock, ids, authenticators=authenticators, allowed_origins=origins
    )
    return CorsMiddleware(closed, origins)


def allowed_origins(text: str) -> tuple[str, ...]:
    """Return the origins that `text` lists, separated by commas."""
    return tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
