"""Every request has an id: the client's `X-Request-Id` if it is sane, else a new one; it is in answers and logs.

Each answer is a line of the log, at debug; a refusal at info. The query is left out: it may hold what nobody may see.
"""

import re

from litestar.datastructures import MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from dcron_core.clock import Clock
from dcron_core.ids import IdSource
from dcron_core.telemetry import about, get_logger

log = get_logger()

HEADER = "X-Request-Id"
REFUSALS = frozenset({401, 403, 429})
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
                _tell(scope, message["status"])
            await send(message)

        with about(request_id=request_id):
            await self._app(scope, receive, named)


def _tell(scope: Scope, status: int) -> None:
    tell = log.info if status in REFUSALS else log.debug
    client = scope.get("client") or ("", 0)
    tell(
        "answered",
        action="http.refused" if status in REFUSALS else "http.answered",
        status=status,
        method=scope.get("method", ""),
        path=scope["path"],
        client=client[0],
    )


def request_id_of(scope: Scope) -> str:
    """Return the request's id; "" outside of the middleware."""
    return str(scope.get("state", {}).get("request_id", ""))
