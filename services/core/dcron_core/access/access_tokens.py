"""Access tokens: who somebody is and what they may do, signed by a master, for services that know no users (G11).

A token is a JWT (RFC 7519) signed with Ed25519 (`EdDSA`, RFC 8037), which lives for ten minutes: so long may a role
that was taken away still be used where the directory of users is not at hand. Nobody can make one without a master's
private key; the log-ingester and the workers hold the public keys only. This is the only place that knows the JWT
library. What is trusted is in the settings: a token cannot say itself by which key, or how, it is to be verified.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from litestar.types import Scope

from dcron_core.access.credentials import authorization, bearer_of, cookie_of
from dcron_core.access.principal import Principal
from dcron_core.clock import Clock
from dcron_core.jobs import heads
from dcron_schemas.api import Problem
from dcron_schemas.identity import AccessToken, Grants

ALGORITHM = "EdDSA"
ISSUER = "dcron"
LIFE = timedelta(minutes=10)
CLOCKS_DIFFER = timedelta(minutes=1)  # by which a master's clock may be ahead of ours
COOKIE = "dcron_access"
_REQUIRED = ("sub", "iat", "exp", "iss", "grants")


class _Claims(msgspec.Struct, frozen=True):
    sub: str
    iat: int
    exp: int
    grants: Grants
    cred: str = ""
    csrf: str = ""


def key_id(public_key: Ed25519PublicKey) -> str:
    """Return the short name of a public key."""
    return heads.key_id(public_key.public_bytes_raw())


def csrf_digest(csrf: str) -> str:
    """Return what stands in a token for the CSRF token that goes with it; of none: nothing."""
    return hashlib.sha256(csrf.encode()).hexdigest() if csrf else ""


def csrf_fits(principal: Principal, given: str) -> bool:
    """Tell whether that CSRF token was sent along with the cookie that it belongs to; a cookie without one: never."""
    expected = principal.csrf if principal.how == "access" else csrf_digest(principal.csrf)
    return bool(expected and given) and hmac.compare_digest(csrf_digest(given), expected)


class AccessTokenMaker:
    """Makes tokens with one private key (64 hexadecimal digits)."""

    def __init__(self, signing_key: str, clock: Clock) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(signing_key))
        self._clock = clock
        self.public_key = self._key.public_key()

    def make(self, principal: Principal) -> AccessToken:
        """Return a token for the principal, which does not outlive what it was got with."""
        now = self._clock.now().replace(microsecond=0)
        expires_at = min(now + LIFE, principal.expires_at or now + LIFE)
        claims = {
            "iss": ISSUER,
            "sub": principal.name,
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "grants": principal.grants,
            "cred": principal.credential,
        }
        if principal.by_cookie:
            claims["csrf"] = csrf_digest(principal.csrf)
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": key_id(self.public_key)})
        return AccessToken(token=token, expires_at=expires_at)


class AccessTokens:
    """Knows who comes with an access token, as a bearer or, where it is asked for, by cookie."""

    def __init__(self, trusted: Iterable[Ed25519PublicKey], clock: Clock, *, by_cookie: bool = False) -> None:
        self._keys = {key_id(key): key for key in trusted}
        self._clock = clock
        self._by_cookie = by_cookie

    async def principal(self, scope: Scope) -> Principal | Problem | None:
        """Return who it is; a Problem for a token that is not valid; None for what is no access token."""
        bearer = bearer_of(scope)
        if bearer is not None:
            return self._of_bearer(bearer) if bearer.count(".") == 2 else None
        if not self._by_cookie or authorization(scope):
            return None
        cookie = cookie_of(scope, COOKIE)
        return self.verified(cookie, by_cookie=True) if cookie else None

    def _of_bearer(self, token: str) -> Principal | Problem:
        """Return the principal; a browser's token is no bearer's: whoever steals its cookie has no CSRF token to it."""
        found = self.verified(token)
        if isinstance(found, Principal) and found.csrf:
            return _refused("this access token was made for a browser, and comes by cookie only")
        return found

    def verified(self, token: str, *, by_cookie: bool = False) -> Principal | Problem:
        """Return the principal of a token that one of the trusted keys signed and that has not expired."""
        try:
            claims = self._claims(token)
            expires_at = datetime.fromtimestamp(claims.exp, UTC)
            issued_at = datetime.fromtimestamp(claims.iat, UTC)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, TypeError, OverflowError, OSError):
            return _refused("the access token is not one of this system's; get another at /api/v1/session/access")
        now = self._clock.now()
        if expires_at <= now:
            return _refused("the access token has expired; get another at /api/v1/session/access")
        if issued_at > now + CLOCKS_DIFFER or expires_at - issued_at > LIFE:
            return _refused("the access token is not of now; compare this machine's clock with the master's")
        return Principal(
            name=claims.sub,
            grants=claims.grants,
            how="access",
            by_cookie=by_cookie,
            csrf=claims.csrf,
            expires_at=expires_at,
            credential=claims.cred,
        )

    def _claims(self, token: str) -> _Claims:
        named = jwt.get_unverified_header(token).get("kid")
        key = self._keys.get(named) if isinstance(named, str) else None
        if key is None:
            raise jwt.InvalidKeyError("no such key")
        # Instants are held against our own clock above. No algorithm but ours is tried, whatever the header says.
        options: Any = {"require": list(_REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        claims = jwt.decode(token, key, algorithms=[ALGORITHM], issuer=ISSUER, options=options)
        return msgspec.convert(claims, _Claims)


def public_keys(hexadecimal: Iterable[str]) -> list[Ed25519PublicKey]:
    """Return the keys that are written as 64 hexadecimal digits each."""
    return [Ed25519PublicKey.from_public_bytes(bytes.fromhex(each)) for each in hexadecimal if each]


def _refused(detail: str) -> Problem:
    return Problem(title="not logged in", status=401, detail=detail)
