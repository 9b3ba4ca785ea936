"""The log-ingester's HTTP face as one ASGI application: routes, live view, probes; closed without the token (G11)."""

from litestar import Litestar
from litestar.exceptions import ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp

from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.http.documents import with_problems
from dcron_core.http.identity import IdentityMiddleware
from dcron_core.http.probes import Readiness, probes
from dcron_core.http.problems import EXCEPTION_HANDLERS
from dcron_core.http.request_id import RequestIdMiddleware
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
    ids: IdSource,
    readiness: Readiness,
    metrics: Metrics,
) -> ASGIApp:
    """Return the application; whatever it does not name as open needs the token."""
    ledger = LedgerReader(audit.history, store.ledger, clock)
    viewing = Viewing(hub, Readings(store, clock), FrameTexts(), audit.history, clock, metrics)
    app = Litestar(
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
        openapi_config=OpenAPIConfig(
            title="dcron log-ingester",
            version="v1",
            path="/api",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        logging_config=None,
    )
    origins = allowed_origins(settings.allowed_origins)
    closed = IdentityMiddleware(with_problems(app), settings.token, origins)
    return CorsMiddleware(RequestIdMiddleware(closed, clock, ids), origins)


def allowed_origins(text: str) -> tuple[str, ...]:
    """Return the origins that `text` lists, separated by commas."""
    return tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
