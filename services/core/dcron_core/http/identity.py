"""Who may talk to a service: the holder of the token, as a bearer or by a cookie that the token set (G11).

Everything but the probes and the login link is refused without it; a new route is closed unless it is
listed here. Whoever comes by cookie must come from our own page: a request that changes something, and
every websocket, needs an `Origin` that is this host's or one of the allowed ones.
"""

import hashlib
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from dcron_core.access.principal import Authenticator, Principal
from dcron_core.http.problems import PROBLEM_JSON
from dcron_schemas.api import Problem

BOOTSTRAP = Principal(name="bootstrap", grants={"*": "admin"}, how="bootstrap")
COOKIE = "dcron_session"
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
UNAUTHORIZED_PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>dcron</title>"
    b"<body style='font:16px system-ui;max-width:36rem;margin:15vh auto;padding:0 1rem'><h1>dcron</h1>"
    b"<p>This page needs the login link that <code>dcron up</code> printed when it started. "
    b"<code>dcron link</code> prints it again.</p>"
)


def cookie_value(token: str) -> str:
    """Return what the cookie holds: derived from the token, so that a stolen cookie is not the token."""
    return hmac.new(token.encode(), b"dcron session cookie v1", hashlib.sha256).hexdigest()


def matches(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


class IdentityMiddleware:
    """ASGI middleware that refuses whoever does not hold the token."""

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        allowed_origins: Iterable[str] = (),
        authenticators: Iterable[Authenticator] = (),
    ) -> None:
        self._authenticators = tuple(authenticators)
        self._app = app
        self._token = token
        self._cookie = cookie_value(token)
        self._origins = frozenset(origin.rstrip("/") for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = BOOTSTRAP
        if not (scope["type"] == ScopeType.HTTP and scope["path"] in OPEN_PATHS):
            for authenticator in self._authenticators:
                found = await authenticator.principal(scope)
                method = scope["method"] if scope["type"] == ScopeType.HTTP else "WEBSOCKET"
                if isinstance(found, Principal) and (
                    not found.by_cookie or method in SAFE_METHODS or self._own_origin(scope)
                ):
                    scope["state"]["principal"] = found
                    await self._app(scope, receive, send)
                    return
        problem = self._refusal(scope)
        if problem is None:
            await self._app(scope, receive, send)
        elif scope["type"] == ScopeType.WEBSOCKET:
            await receive()
            await send({"type": "websocket.close", "code": 4401 if problem.status == 401 else 4403, "reason": ""})
        else:
            await _answer(problem, _header(scope, b"accept"), send)

    def _refusal(self, scope: Scope) -> Problem | None:
        method = scope["method"] if scope["type"] == ScopeType.HTTP else "WEBSOCKET"
        if method == "OPTIONS" or (method != "WEBSOCKET" and scope["path"] in OPEN_PATHS):
            return None  # OPTIONS: a CORS preflight has no credentials; the answer shows nothing
        scheme, _, bearer = _header(scope, b"authorization").partition(" ")
        if bearer:
            if scheme.lower() == "bearer" and matches(bearer.strip(), self._token):
                return None
            return Problem(title="not logged in", status=401, detail="the bearer token is not this system's")
        if COOKIE in _header(scope, b"cookie") and method not in SAFE_METHODS and not self._own_origin(scope):
            return Problem(title="wrong origin", status=403, detail="this is not this system's page")
        if not matches(_cookie(scope), self._cookie):
            return Problem(
                title="not logged in",
                status=401,
                detail="send 'Authorization: Bearer <token>', or open the login link; `dcron link` prints it",
            )
        if method not in SAFE_METHODS and not self._own_origin(scope):
            origin = _header(scope, b"origin") or "(none)"
            return Problem(title="wrong origin", status=403, detail=f"origin {origin!r} is not this system's page")
        return None

    def _own_origin(self, scope: Scope) -> bool:
        origin = _header(scope, b"origin").rstrip("/")
        return origin in self._origins or _host_of(origin) == _header(scope, b"host") != ""


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # half of an IPv6 address
        return ""


def _cookie(scope: Scope) -> str:
    try:
        jar = SimpleCookie(_header(scope, b"cookie"))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""


async def _answer(problem: Problem, accept: str, send: Send) -> None:
    page = problem.status == 401 and "text/html" in accept
    body = UNAUTHORIZED_PAGE if page else msgspec.json.encode(problem)
    headers = [
        (b"content-type", b"text/html; charset=utf-8" if page else PROBLEM_JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"www-authenticate", b'Bearer realm="dcron"'),
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
