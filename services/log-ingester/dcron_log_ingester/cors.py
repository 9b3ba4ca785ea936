"""Lets the page, which another origin serves, read the answers: CORS (Fetch standard, §3.2).

It stands outside of the identity check, so that the page can read a refusal too. Nothing is let through that
the identity check would not let through; a browser is only told whom it may show the answer to.
"""

from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

MAX_AGE_S = 600


class CorsMiddleware:
    """ASGI middleware for the origins of the page; reading, and what the page may ask for by POST."""

    def __init__(self, app: ASGIApp, allowed_origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        allowed = self._headers(headers.get(b"origin", b""))
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await _answer_preflight(allowed, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *allowed]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _headers(self, origin: bytes) -> list[tuple[bytes, bytes]]:
        vary = (b"vary", b"origin")
        if origin.decode("latin-1") not in self._origins:
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"x-request-id, retry-after"),
        ]


async def _answer_preflight(allowed: list[tuple[bytes, bytes]], send: Send) -> None:
    headers = [
        *allowed,
        (b"access-control-allow-methods", b"GET, HEAD, POST"),
        (b"access-control-allow-headers", b"authorization, content-type, x-csrf-token, x-request-id"),
        (b"access-control-max-age", str(MAX_AGE_S).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
