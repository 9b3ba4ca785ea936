"""An OpenID Connect provider, asked over HTTP: its document, its keys, and a code changed into who somebody is.

Only https is spoken, but on this machine itself. The document and the keys are read again after an hour, and the keys
when a token names one that is not known, though not more often than every ten seconds.
"""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import msgspec
from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.errors import UnavailableError
from dcron_master.oidc_tokens import UnknownKeyError, verified_claims

TIMEOUT_S = 10.0
LASTS_S, NOT_SOONER_S = 3600.0, 10.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ProviderError(UnavailableError):
    """The provider does not answer, or not as it should."""


class Client(Struct, frozen=True):
    """What the provider knows of us."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: str


class _Document(Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(Struct, frozen=True):
    id_token: str


class Provider:
    """One provider, as one master knows it."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._document: tuple[_Document, float] | None = None  # and when it was read
        self._keys: tuple[Mapping[str, Any], float] | None = None

    async def authorization_url(self, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Return where a browser asks the provider to let somebody in. `verifier`: of PKCE (RFC 7636)."""
        document = await self._read_document()
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": redirect_uri,
            "scope": self._client.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(document.authorization_endpoint).query else "?"
        return f"{document.authorization_endpoint}{joint}{urlencode(parameters)}"

    async def claims(self, code: str, redirect_uri: str, nonce: str, verifier: str) -> dict[str, Any]:
        """Change the code into an ID token; return what it says. Raises IdTokenError, ProviderError."""
        document = await self._read_document()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self._client.client_id,
        }
        headers = {"Accept": "application/json"}
        if "client_secret_basic" in document.token_endpoint_auth_methods_supported:
            pair = f"{quote(self._client.client_id, safe='')}:{quote(self._client.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {_base64(pair)}"
        else:
            form["client_secret"] = self._client.client_secret
        answer = await _ask("POST", document.token_endpoint, data=form, headers=headers)
        token = _decoded(answer, _Tokens, document.token_endpoint).id_token
        expected = (self._client.issuer, self._client.client_id, nonce, self._clock.now())
        try:
            return verified_claims(token, await self._read_keys(document, LASTS_S), *expected)
        except UnknownKeyError:  # it may have changed its keys
            return verified_claims(token, await self._read_keys(document, NOT_SOONER_S), *expected)

    async def _read_document(self) -> _Document:
        now = self._clock.monotonic()
        if self._document is None or now - self._document[1] > LASTS_S:
            url = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
            document = _decoded(await _ask("GET", url), _Document, url)
            if document.issuer != self._client.issuer:
                raise ProviderError(
                    f"{url} is of issuer {document.issuer!r}, and DCRON_OIDC_ISSUER is {self._client.issuer!r}"
                )
            self._document = (document, now)
        return self._document[0]

    async def _read_keys(self, document: _Document, at_most_old_s: float) -> Mapping[str, Any]:
        now = self._clock.monotonic()
        if self._keys is None or now - self._keys[1] > at_most_old_s:
            answer = await _ask("GET", document.jwks_uri)
            self._keys = (_decoded(answer, dict[str, Any], document.jwks_uri), now)
        return self._keys[0]


def is_private(url: str) -> bool:
    """Tell whether nobody listens on the way: https, or this machine."""
    parts = urlsplit(url)
    return (parts.scheme == "https" and bool(parts.hostname)) or (parts.scheme == "http" and parts.hostname in LOOPBACK)


async def _ask(method: str, url: str, **arguments: Any) -> httpx.Response:
    if not is_private(url):
        raise ProviderError(f"{url!r} is not https, so it is not asked")
    trust_env = urlsplit(url).hostname not in LOOPBACK
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=trust_env) as client:
            answer = await client.request(method, url, **arguments)
    except httpx.HTTPError as error:
        raise ProviderError(f"{url} does not answer: {error!r}") from error
    if not answer.is_success:
        raise ProviderError(f"{url} answered {answer.status_code}: {answer.text[:200]!r}")
    return answer


def _decoded(answer: httpx.Response, kind: Any, url: str) -> Any:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProviderError(f"{url} gave an answer that is not one of OpenID Connect: {error}") from error


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
