"""Every request has an id: the client's `X-Request-Id` if it is sane, else a new one; it is in answers and logs."""

import re

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from dcron_core.clock import Clock
from dcron_core.ids import IdSource

HEADER = "X-Request-Id"
_SANE = re.compile(r"^[A-Za-z0-9._:-]{8,64}$")


class RequestIdMiddleware:
    """ASGI middleware that names each request."""

    def __init__(self, app: ASGIApp, clock: Clock, ids: IdSource) -> None:
        self._app = app
        self._clock = clock
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"").decode("latin-1")
        request_id = given if _SANE.match(given) else self._ids.uuid7(self._clock.now())
        scope.setdefault("state", {})["request_id"] = request_id

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableScopeHeaders.from_message(message)[HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, named)


def request_id_of(scope: Scope) -> str:
    """Return the request's id; "" outside of the middleware."""
    return str(scope.get("state", {}).get("request_id", ""))
