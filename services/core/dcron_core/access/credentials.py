"""What a request shows of who sent it: a bearer token, cookies, origin; and comparing it in constant time. Pure."""

import hmac
from http.cookies import CookieError, SimpleCookie

from litestar.types import Scope


def header(scope: Scope, name: bytes) -> str:
    """Return a header's value; "": it is not there."""
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return ""


def authorization(scope: Scope) -> str:
    """Return the Authorization header. Whoever sends one is judged by it, and by no cookie."""
    return header(scope, b"authorization").strip()


def bearer_of(scope: Scope) -> str | None:
    """Return the bearer token; None: none was sent."""
    scheme, _, token = authorization(scope).partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def cookie_of(scope: Scope, name: str) -> str:
    """Return a cookie's value; "": it was not sent."""
    try:
        jar = SimpleCookie(header(scope, b"cookie"))
    except CookieError:
        return ""
    return jar[name].value if name in jar else ""


def matches(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())
