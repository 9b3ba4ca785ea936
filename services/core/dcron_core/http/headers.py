"""The security headers that every answer carries, those of refusals and of the framework included.

The policy for a service without a page lets a browser do nothing with its answers. A header that an answer has
already stays as it is.
"""

from collections.abc import Mapping

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HALF_A_YEAR_S = 15_552_000


def security_headers(policy: str) -> dict[str, str]:
    """Return the headers for a service with that content security policy."""
    return {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",  # what somebody may see is theirs; files of the page say otherwise themselves
    }


class SecurityHeadersMiddleware:
    """ASGI middleware that adds the headers; over TLS also that this host is to be asked over TLS only."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        strict = f"max-age={HALF_A_YEAR_S}".encode()
        self._over_tls = [*self._headers, (b"strict-transport-security", strict)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        wanted = self._over_tls if scope["scheme"] == "https" else self._headers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(each for each in wanted if each[0] not in there)]
            await send(message)

        await self._app(scope, receive, send_with_headers)
