"""Access tokens over HTTP: got by whoever is known here, for services that know no users; and the keys they hang on."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler

from dcron_core.access.access_tokens import COOKIE, AccessTokenMaker, key_id
from dcron_core.access.principal import principal_of
from dcron_core.access.rules import ANYBODY_LOGGED_IN, ruled
from dcron_core.clock import Clock
from dcron_core.errors import ForbiddenError
from dcron_core.http.problems import ProblemError
from dcron_schemas.identity import AccessToken, PublicKey, PublicKeys

TAG = "identity"


def access_routes(
    maker: AccessTokenMaker | None, trusted: list[Ed25519PublicKey], clock: Clock
) -> list[HTTPRouteHandler]:
    """Return the routes; without a maker no access tokens are to be had."""

    @post("/api/v1/session/access", status_code=200, tags=[TAG], opt=ruled(ANYBODY_LOGGED_IN))
    async def make_access_token(request: Request[Any, Any, Any]) -> Response[AccessToken]:
        """Make a short-lived token that says who is asking and what they may do; a browser gets it as a cookie too."""
        principal = principal_of(request.scope)
        if principal.how == "access":  # it would live for ever, whatever became of its user
            raise ForbiddenError("an access token is not renewed with itself; come with the session or the API token")
        if maker is None:
            detail = "this master has no DCRON_SIGNING_KEY, so it makes no access tokens; DCRON_TOKEN needs none"
            raise ProblemError(503, "no signing key", detail)
        made = maker.make(principal)
        cookies = [access_cookie(request, made, clock)] if principal.by_cookie else []
        return Response(made, cookies=cookies)

    @get("/api/v1/keys", tags=[TAG], opt=ruled(ANYBODY_LOGGED_IN), sync_to_thread=False)
    def list_keys() -> PublicKeys:
        """List the public keys that definitions and access tokens are verified with."""
        own = maker.public_key.public_bytes_raw() if maker else b""
        known = dict.fromkeys(([own] if own else []) + [key.public_bytes_raw() for key in trusted])
        return PublicKeys(
            keys=tuple(
                PublicKey(
                    key_id=key_id(Ed25519PublicKey.from_public_bytes(raw)), public_key=raw.hex(), current=raw == own
                )
                for raw in known
            )
        )

    return [make_access_token, list_keys]


def access_cookie(request: Request[Any, Any, Any], made: AccessToken, clock: Clock) -> Cookie:
    """Return the cookie that brings a token to the log-ingester."""
    life_s = max(0, int((made.expires_at - clock.now()).total_seconds()))
    return Cookie(
        key=COOKIE,
        value=made.token,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        max_age=life_s,
        path="/",
    )
