"""Finds out who sent a request before anything else sees it, and refuses whoever nobody knows (G11).

Closed is everything but the probes and the login; a new path is closed unless it is listed here. Whoever names a
token in a header is judged by it alone. Whoever comes by cookie comes with a browser, which sends it along whatever
page made it: so what changes something must come from our own page (`Origin`) and say the CSRF token, which no other
page can read; and a websocket, which cannot say one, must come from our own page. Whoever asks too often is told to
wait: the known by name, others by address.
"""

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from dcron_core.access.access_tokens import csrf_fits
from dcron_core.access.credentials import authorization, header
from dcron_core.access.principal import Authenticator, Principal
from dcron_core.http.problems import PROBLEM_JSON
from dcron_core.http.rates import Rates
from dcron_core.http.request_id import request_id_of
from dcron_schemas.api import Problem

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/login", "/login/oidc", "/login/oidc/callback"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = b"x-csrf-token"
PROBES = frozenset({"/healthz", "/readyz"})  # asked by what restarts services, however often
UNAUTHORIZED, FORBIDDEN = 4401, 4403  # of websockets: 4000 + HTTP's status

OnRefusal = Callable[[Principal, str], None]

NOBODY = Problem(
    title="not logged in",
    status=401,
    detail="log in at /login, or send 'Authorization: Bearer <token>'; `dcron login` and `dcron token create` give one",
)
NOT_OURS = Problem(title="not logged in", status=401, detail="the bearer token is not this system's, or holds no more")


def not_told(_principal: Principal, _what: str) -> None:
    """Tell nobody of a refusal."""


class AccessMiddleware:
    """ASGI middleware: the principal of each request is in its state from here on (`principal_of`).

    `on_refusal` hears of each known principal who was refused, with what it wanted. With a `login_path`, a browser
    that nobody is logged in with is sent there.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticators: Sequence[Authenticator],
        *,
        allowed_origins: Iterable[str] = (),
        on_refusal: OnRefusal = not_told,
        login_path: str = "",
        rates: Rates,
    ) -> None:
        self._app = app
        self._authenticators = authenticators
        self._rates = rates
        self._origins = frozenset(origin.rstrip("/") for origin in allowed_origins)
        self._on_refusal = on_refusal
        self._login_path = login_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == "lifespan" or (scope["path"] in PROBES and _is_open(scope)):
            await self._app(scope, receive, send)
            return
        found = None if _is_open(scope) else await self._principal(scope)
        problem = found if isinstance(found, Problem) else None
        if isinstance(found, Principal):
            scope.setdefault("state", {})["principal"] = found
            send = self._listening(scope, found, send)
            problem = self._refusal(scope, found)
            wait_s = self._rates.of_somebody(found.name)
        else:
            wait_s = self._rates.of_stranger(_address(scope))
        if wait_s:
            await self._refuse(_too_many(wait_s), scope, receive, send, wait_s)
        elif problem is not None:
            await self._refuse(problem, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _principal(self, scope: Scope) -> Principal | Problem:
        """Return who it is as the first one says who knows what was shown."""
        shown = authorization(scope)
        for authenticator in self._authenticators:
            found = await authenticator.principal(scope)
            if isinstance(found, Principal) and found.by_cookie and shown:
                continue
            if found is not None:
                return found
        return NOT_OURS if shown else NOBODY

    def _refusal(self, scope: Scope, principal: Principal) -> Problem | None:
        """Return why somebody who comes by cookie is refused: another page may have made the browser come."""
        method = _method(scope)
        if not principal.by_cookie or method in SAFE_METHODS:
            return None
        if not self._own_origin(scope):
            origin = header(scope, b"origin") or "(none)"
            return Problem(title="wrong origin", status=403, detail=f"origin {origin!r} is not this system's page")
        if method != "WEBSOCKET" and not csrf_fits(principal, header(scope, CSRF_HEADER)):
            detail = "X-CSRF-Token is not the one of this session; GET /api/v1/session says it (csrf)"
            return Problem(title="no CSRF token", status=403, detail=detail)
        return None

    def _own_origin(self, scope: Scope) -> bool:
        origin = header(scope, b"origin").rstrip("/")
        return origin in self._origins or _host_of(origin) == header(scope, b"host") != ""

    def _listening(self, scope: Scope, principal: Principal, send: Send) -> Send:
        """Return a `send` that tells of refusals, whoever made them: this, the guard or a handler."""

        async def told(message: Message) -> None:
            refused: Any = message.get("status") if message["type"] == "http.response.start" else message.get("code")
            if refused in (403, FORBIDDEN):
                self._on_refusal(principal, f"{_method(scope)} {scope['path'][:200]}")
            await send(message)

        return told

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send, wait_s: float = 0.0) -> None:
        if scope["type"] == ScopeType.WEBSOCKET:
            await receive()
            await send({"type": "websocket.close", "code": 4000 + problem.status, "reason": ""})
            return
        browses = _method(scope) == "GET" and "text/html" in header(scope, b"accept")
        if problem.status == 401 and browses and self._login_path:
            await _answer(303, b"", [(b"location", self._login(scope))], send)
            return
        headers = [(b"content-type", PROBLEM_JSON.encode())]
        if problem.status == 401:
            headers.append((b"www-authenticate", b'Bearer realm="dcron"'))
        if wait_s:
            headers.append((b"retry-after", str(ceil(wait_s)).encode()))
        body = msgspec.json.encode(msgspec.structs.replace(problem, instance=request_id_of(scope)))
        await _answer(problem.status, body, headers, send)

    def _login(self, scope: Scope) -> bytes:
        query = scope["query_string"].decode("latin-1")
        wanted = scope["path"] + (f"?{query}" if query else "")
        return f"{self._login_path}?next={quote(wanted, safe='')}".encode()


def _is_open(scope: Scope) -> bool:
    """Tell whether nobody has to be known. OPTIONS: a CORS preflight has no credentials; the answer shows nothing."""
    method = _method(scope)
    return method == "OPTIONS" or (method != "WEBSOCKET" and scope["path"] in OPEN_PATHS)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["type"] == ScopeType.HTTP else "WEBSOCKET"


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "(unknown)"


def _too_many(wait_s: float) -> Problem:
    detail = f"these are more than DCRON_REQUEST_RATE allows; try again in {ceil(wait_s)} s"
    return Problem(title="too many requests", status=429, detail=detail)


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # half of an IPv6 address
        return ""


async def _answer(status: int, body: bytes, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
