"""The cookie of the login link that holds the bootstrap token: to go once browsers have sessions of users.

It is derived from the token, so that a stolen cookie is not the token; as every cookie it changes nothing without
its CSRF token.
"""

import hashlib
import hmac

from litestar.types import Scope
from msgspec.structs import replace

from dcron_core.access.credentials import cookie_of, matches
from dcron_core.access.fixed_tokens import BOOTSTRAP
from dcron_core.access.principal import Principal
from dcron_schemas.api import Problem

COOKIE = "dcron_session"


def cookie_value(token: str) -> str:
    """Return what the cookie holds."""
    return _derived(token, b"dcron session cookie v1")


def csrf_value(token: str) -> str:
    """Return the CSRF token that belongs to the cookie."""
    return _derived(token, b"dcron csrf token v1")


class LinkCookie:
    """Knows whoever came by the login link."""

    def __init__(self, token: str) -> None:
        self._value = cookie_value(token) if token else ""
        self._principal = replace(BOOTSTRAP, by_cookie=True, csrf=csrf_value(token))

    async def principal(self, scope: Scope) -> Principal | Problem | None:
        """Return who it is, or None."""
        given = cookie_of(scope, COOKIE)
        return self._principal if self._value and given and matches(given, self._value) else None


def _derived(token: str, purpose: bytes) -> str:
    return hmac.new(token.encode(), purpose, hashlib.sha256).hexdigest()
