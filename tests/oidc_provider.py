"""A small OpenID Connect provider on a port of its own: it holds its clients to the rules, as real ones do."""

import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from litestar import Litestar, Request, Response, get, post
from litestar.response import Redirect

from dcron_core.http.server import listen, serving

CLIENT_ID, CLIENT_SECRET = "dcron", "a secret: with signs/"


class SmallProvider:
    """Whoever comes is `person`; `tamper` changes the claims of an ID token before it is signed."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"sub": "f81d4fae", "preferred_username": "ada", "name": "Ada", "groups": ["ops"]}
        self.tamper: dict[str, Any] = {}
        self.issuer = ""
        self.asked: list[dict[str, str]] = []
        self.keys: list[tuple[str, RSAPrivateKey]] = []
        self.signs_with: RSAPrivateKey | None = None  # another key than the one that is named
        self._codes: dict[str, dict[str, str]] = {}
        self.rotate()

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that one only."""
        self.keys = [(f"key-{time.monotonic_ns()}", generate_private_key(65537, 2048))]

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def jwks(self) -> dict[str, Any]:
        algorithm = jwt.algorithms.RSAAlgorithm
        named = [(name, json.loads(algorithm.to_jwk(key.public_key()))) for name, key in self.keys]
        return {"keys": [{**each, "kid": name, "use": "sig"} for name, each in named]}

    def authorize(self, query: dict[str, str]) -> str:
        """Let `person` in; return where the browser goes back to."""
        assert query["client_id"] == CLIENT_ID
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        assert "openid" in query["scope"].split()
        self.asked.append(query)
        code = f"code-{len(self.asked)}"
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, authorization: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Change a code, once, for whoever knows the client's secret and the verifier of the challenge."""
        expected = base64.b64encode(f"{CLIENT_ID}:a%20secret%3A%20with%20signs%2F".encode()).decode()
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        query = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if query is None or query["code_challenge"] != challenge or query["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": query["nonce"]}
        name, key = self.keys[0]
        token = jwt.encode(
            claims | self.person | self.tamper, self.signs_with or key, algorithm="RS256", headers={"kid": name}
        )
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": token}


@asynccontextmanager
async def small_provider() -> AsyncIterator[SmallProvider]:
    """Run a provider."""
    provider = SmallProvider()

    @get("/.well-known/openid-configuration", sync_to_thread=False)
    def document() -> dict[str, Any]:
        return provider.document()

    @get("/keys", sync_to_thread=False)
    def keys() -> dict[str, Any]:
        return provider.jwks()

    @get("/authorize", sync_to_thread=False)
    def authorize(request: Request[Any, Any, Any]) -> Redirect:
        return Redirect(provider.authorize({name: str(value) for name, value in request.query_params.items()}))

    @post("/token")
    async def token(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        status, body = provider.token(request.headers.get("authorization", ""), form)
        return Response(body, status_code=status)

    app = Litestar([document, keys, authorize, token], openapi_config=None, logging_config=None)
    bound = listen("127.0.0.1", 0, "the provider's port")
    async with serving(app, bound) as port:
        provider.issuer = f"http://127.0.0.1:{port}"
        yield provider
