"""What surrounds the routes of every service, in one place: who asks, how often, ids of requests, headers (G11).

From the outside in: security headers, the request's id, the middleware of access, then the routes, each behind the
guard, which an application names itself.
"""

from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp

from dcron_core.access.access_tokens import AccessTokens, public_keys
from dcron_core.access.fixed_tokens import BOOTSTRAP, METRICS, FixedToken
from dcron_core.access.middleware import AccessMiddleware, OnRefusal, not_told
from dcron_core.access.principal import Authenticator
from dcron_core.access.rules import ANYBODY_LOGGED_IN, ruled
from dcron_core.clock import Clock
from dcron_core.http.headers import NOTHING, SecurityHeadersMiddleware, security_headers
from dcron_core.http.rates import Rates
from dcron_core.http.request_id import RequestIdMiddleware
from dcron_core.ids import IdSource
from dcron_core.settings import CommonSettings, parse_names

LARGEST_BODY = 1 << 20  # of services that take small ones only


def surrounded(
    app: ASGIApp,
    settings: CommonSettings,
    clock: Clock,
    ids: IdSource,
    *,
    authenticators: Sequence[Authenticator],
    allowed_origins: Iterable[str] = (),
    on_refusal: OnRefusal = not_told,
    login_path: str = "",
    policy: str = NOTHING,
) -> ASGIApp:
    """Return the application as it is served: closed to whoever none of the authenticators knows."""
    closed = AccessMiddleware(
        app,
        authenticators,
        allowed_origins=allowed_origins,
        on_refusal=on_refusal,
        login_path=login_path,
        rates=Rates(settings.request_rate, clock),
    )
    return SecurityHeadersMiddleware(RequestIdMiddleware(closed, clock, ids), security_headers(policy))


def authenticators_of(
    settings: CommonSettings, clock: Clock, *, own: Iterable[Ed25519PublicKey] = (), by_cookie: bool = False
) -> list[Authenticator]:
    """Return those that every service has: the settings' tokens, and access tokens (`by_cookie`: from browsers too).

    `own`: keys that are trusted beside those of the settings.
    """
    trusted = [*public_keys(parse_names(settings.trusted_keys)), *own]
    return [
        FixedToken(settings.token, BOOTSTRAP),
        FixedToken(settings.metrics_token, METRICS),
        AccessTokens(trusted, clock, by_cookie=by_cookie),
    ]


def api_document(title: str, version: str) -> OpenAPIConfig:
    """Return what serves `/api/openapi.json`, and nothing else, to whoever is logged in."""
    router = Router("/api", route_handlers=[], include_in_schema=False, opt=ruled(ANYBODY_LOGGED_IN))
    plugins = [JsonRenderPlugin(path="/openapi.json")]
    return OpenAPIConfig(title=title, version=version, openapi_router=router, render_plugins=plugins)
