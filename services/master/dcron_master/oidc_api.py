"""`/login/oidc`: to the provider and back (OpenID Connect Core, the authorization code flow with PKCE).

What has to be remembered meanwhile is in a cookie of ten minutes, sealed: so it does not matter which master the
browser comes back to. It is `SameSite=Lax`, since it is the provider's site that sends the browser back.
"""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from litestar import Request, get
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect
from msgspec import Struct

from dcron_core.access.credentials import cookie_of, matches
from dcron_core.access.rules import OPEN, ruled
from dcron_core.access.sealing import Sealer
from dcron_core.access.secret_texts import new_text
from dcron_core.clock import Clock
from dcron_core.errors import SealError, SettingsError, UnavailableError
from dcron_core.ids import IdSource
from dcron_core.settings import MasterSettings
from dcron_master.login_api import Answer, Door, refused, visitor_of
from dcron_master.login_page import LoginPage, onward_response, safe_path
from dcron_master.logins import LoginRefusedError
from dcron_master.oidc_provider import Client, Provider, is_private
from dcron_master.oidc_tokens import IdTokenError
from dcron_master.oidc_users import ProviderUsers
from dcron_master.refusals import Refusals

COOKIE, COOKIE_PATH = "dcron_oidc", "/login/oidc"
PURPOSE = b"dcron oidc login v1"
LIFE = timedelta(minutes=10)


class _Flow(Struct, frozen=True):
    """One login that is under way at the provider."""

    state: str
    nonce: str
    verifier: str
    next_path: str
    until: datetime


class Oidc(Struct, frozen=True):
    """What the routes need."""

    provider: Provider
    users: ProviderUsers
    door: Door
    refusals: Refusals
    sealer: Sealer
    clock: Clock
    ids: IdSource


def client_of(settings: MasterSettings) -> Client | None:
    """Return what the provider knows of us; None: there is none. Raises SettingsError."""
    if not settings.oidc_issuer:
        return None
    problems = [
        f"DCRON_OIDC_ISSUER is set, and DCRON_{name.upper()} is not"
        for name in ("oidc_client_id", "oidc_client_secret", "cluster_key")
        if not getattr(settings, name)
    ]
    if not is_private(settings.oidc_issuer):
        problems.append(f"DCRON_OIDC_ISSUER={settings.oidc_issuer!r}: an https:// URL is needed")
    if problems:
        raise SettingsError(problems)
    return Client(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_scopes)


def oidc_routes(oidc: Oidc) -> list[HTTPRouteHandler]:
    """Return the route handlers."""

    @get("/login/oidc", opt=ruled(OPEN), include_in_schema=False)
    async def to_provider(request: Request[Any, Any, Any]) -> Answer:
        page = LoginPage(next_path=safe_path(request.query_params.get("next", "/")), provider=oidc.door.provider)
        state, nonce, verifier = (new_text(oidc.ids) for _ in range(3))
        flow = _Flow(state, nonce, verifier, page.next_path, oidc.clock.now() + LIFE)
        try:
            url = await oidc.provider.authorization_url(_redirect_uri(oidc, request), state, nonce, verifier)
        except UnavailableError as error:
            return refused(page, error)
        sealed = oidc.sealer.seal("oidc", "login", msgspec.json.encode(flow).decode())
        cookie = _cookie(oidc, request, sealed, int(LIFE.total_seconds()))
        return Redirect(url, status_code=303, cookies=[cookie], headers={"Cache-Control": "no-store"})

    @get("/login/oidc/callback", opt=ruled(OPEN), include_in_schema=False)
    async def from_provider(request: Request[Any, Any, Any]) -> Answer:
        page, visitor = LoginPage(provider=oidc.door.provider), visitor_of(request)
        try:
            flow = _flow(oidc, request)
            claims = await _claims(oidc, request, flow)
            name = await oidc.users.known(claims, visitor)
            session = await oidc.door.logins.by_provider(name, visitor)
        except (LoginRefusedError, IdTokenError) as error:
            oidc.refusals.of_login("", visitor.address, f"oidc: {error}"[:300])
            return refused(page, LoginRefusedError(str(error)))
        except UnavailableError as error:
            return refused(page, error)
        cookies = [*oidc.door.cookies(request, session), _cookie(oidc, request, "", 0)]
        return onward_response(flow.next_path, cookies)

    return [to_provider, from_provider]


def _flow(oidc: Oidc, request: Request[Any, Any, Any]) -> _Flow:
    """Return the login that this browser began; raise LoginRefusedError if it began none, or long ago."""
    try:
        sealed = cookie_of(request.scope, COOKIE)
        flow = msgspec.json.decode(oidc.sealer.open("oidc", "login", sealed), type=_Flow)
    except (SealError, msgspec.DecodeError):
        raise LoginRefusedError("this login was not begun here, or too long ago; try again") from None
    if flow.until <= oidc.clock.now() or not matches(request.query_params.get("state", ""), flow.state):
        raise LoginRefusedError("this login was not begun here, or too long ago; try again")
    return flow


async def _claims(oidc: Oidc, request: Request[Any, Any, Any], flow: _Flow) -> dict[str, Any]:
    said = request.query_params
    if "error" in said or "code" not in said:
        detail = said.get("error_description") or said.get("error") or "it gave no code"
        raise LoginRefusedError(f"the provider let nobody in: {detail[:200]}")
    return await oidc.provider.claims(said["code"], _redirect_uri(oidc, request), flow.nonce, flow.verifier)


def _redirect_uri(oidc: Oidc, request: Request[Any, Any, Any]) -> str:
    return f"{oidc.door.base_url(request)}/login/oidc/callback"


def _cookie(oidc: Oidc, request: Request[Any, Any, Any], value: str, life_s: int) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=value,
        httponly=True,
        samesite="lax",
        secure=oidc.door.secure(request),
        max_age=life_s,
        path=COOKIE_PATH,
    )
