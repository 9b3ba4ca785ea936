"""ID tokens of an OpenID Connect provider: whose signature counts, and for whom one must be. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import jwt
from jwt.types import Options

from dcron_core.errors import DcronError

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")  # asymmetric
CLOCKS_DIFFER = timedelta(minutes=2)


class IdTokenError(DcronError):
    """An ID token that proves nothing."""


class UnknownKeyError(IdTokenError):
    """It was signed with a key that the provider did not publish, as far as is known."""


def verified_claims(
    token: str, keys: Mapping[str, Any], issuer: str, client_id: str, nonce: str, now: datetime
) -> dict[str, Any]:
    """Return the claims of a token that the issuer made for us and for this login; `keys` is its JWK set."""
    try:
        header = jwt.get_unverified_header(token)
        key = _key(keys, header)
        options: Options = {
            "require": ["iss", "sub", "aud", "exp", "iat"],
            "verify_exp": False,  # held against our own clock below
            "verify_iat": False,
            "verify_nbf": False,
        }
        claims: dict[str, Any] = jwt.decode(
            token, key, algorithms=list(ALGORITHMS), audience=client_id, issuer=issuer, options=options
        )
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise IdTokenError(f"the provider's ID token is not valid: {error}") from error
    _check(claims, client_id, nonce, now)
    return claims


def _key(keys: Mapping[str, Any], header: Mapping[str, Any]) -> jwt.PyJWK:
    known = [each for each in keys.get("keys", ()) if isinstance(each, dict) and each.get("use", "sig") == "sig"]
    named = [each for each in known if each.get("kid") == header.get("kid")] if "kid" in header else known
    if len(named) != 1 or header.get("alg") not in ALGORITHMS:
        raise UnknownKeyError(f"the provider's ID token names a key that is not known: {header.get('kid')!r}")
    return jwt.PyJWK(named[0], algorithm=header["alg"])


def _check(claims: Mapping[str, Any], client_id: str, nonce: str, now: datetime) -> None:
    if not isinstance(claims["exp"], int | float) or claims["exp"] <= (now - CLOCKS_DIFFER).timestamp():
        raise IdTokenError("the provider's ID token has expired; compare the clocks of the two machines")
    if not isinstance(claims["iat"], int | float) or claims["iat"] > (now + CLOCKS_DIFFER).timestamp():
        raise IdTokenError("the provider's ID token is of the future; compare the clocks of the two machines")
    if claims.get("nonce") != nonce:
        raise IdTokenError("the provider's ID token is of another login")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", "" if several else client_id) != client_id:
        raise IdTokenError("the provider's ID token is for others too")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= 255:
        raise IdTokenError("the provider's ID token names nobody")
