"""`/login`: the page, the form and the one-time link. What a browser gets for them are cookies, and nothing else.

The form is taken from our own page only: another one could log somebody in as somebody else.
"""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from litestar.response import Redirect
from msgspec import Struct

from dcron_core.access.access_tokens import AccessTokenMaker
from dcron_core.access.rules import OPEN, ruled
from dcron_core.access.secret_texts import SESSION_COOKIE
from dcron_core.clock import Clock
from dcron_core.errors import UnavailableError
from dcron_core.http.request_id import request_id_of
from dcron_master.access_api import access_cookie
from dcron_master.login_attempts import TooManyAttemptsError
from dcron_master.login_page import LoginPage, login_response, onward_response, safe_path
from dcron_master.logins import LoginRefusedError, Logins, NewSession, Visitor

FORM = "application/x-www-form-urlencoded"
LONGEST_NAME, LONGEST_FORM = 200, 8192

Answer = Response[str] | Redirect


class Door(Struct, frozen=True):
    """What the routes need."""

    logins: Logins
    clock: Clock
    maker: AccessTokenMaker | None
    public_url: str = ""
    provider: str = ""

    def secure(self, request: Request[Any, Any, Any]) -> bool:
        """Tell whether the browser is to send cookies over TLS only."""
        return request.url.scheme == "https" or self.public_url.startswith("https:")

    def cookies(self, request: Request[Any, Any, Any], session: NewSession) -> list[Cookie]:
        """Return what the browser keeps of a session."""
        secure = self.secure(request)
        cookie = Cookie(
            key=SESSION_COOKIE,
            value=session.text,
            httponly=True,
            samesite="strict",
            secure=secure,
            max_age=int(session.life.total_seconds()),
            path="/",
        )
        if self.maker is None:
            return [cookie]
        access = access_cookie(request, self.maker.make(session.principal), self.clock)
        return [cookie, replace(access, secure=secure)]

    def base_url(self, request: Request[Any, Any, Any]) -> str:
        """Return where browsers find this system."""
        return self.public_url.rstrip("/") or f"{request.url.scheme}://{request.headers.get('host', '')}"


def login_routes(door: Door) -> list[HTTPRouteHandler]:
    """Return the route handlers."""

    @get("/login", opt=ruled(OPEN), include_in_schema=False)
    async def show_login(request: Request[Any, Any, Any], link: FromQuery[str] = "") -> Answer:
        wanted = safe_path(request.query_params.get("next", "/"))
        page = LoginPage(next_path=wanted, provider=door.provider)
        if not link:
            return login_response(page)
        try:
            session = await door.logins.by_link(link, visitor_of(request))
        except (LoginRefusedError, TooManyAttemptsError, UnavailableError) as error:
            return refused(page, error)
        if request.headers.get("sec-fetch-site") == "cross-site":
            return onward_response(wanted, door.cookies(request, session))
        return _onward(wanted, door.cookies(request, session))

    @post("/login", opt=ruled(OPEN), include_in_schema=False, status_code=303)
    async def log_in(request: Request[Any, Any, Any]) -> Answer:
        fields = await _form(request)
        page = LoginPage(next_path=safe_path(fields.get("next", "")), provider=door.provider, user=fields["user"])
        if not _from_our_page(request, door):
            return login_response(_with(page, 403, "This came from another page; log in here."))
        try:
            session = await door.logins.by_password(fields["user"], fields["password"], visitor_of(request))
        except (LoginRefusedError, TooManyAttemptsError, UnavailableError) as error:
            return refused(page, error)
        return _onward(page.next_path, door.cookies(request, session))

    return [show_login, log_in]


def visitor_of(request: Request[Any, Any, Any]) -> Visitor:
    """Return who sent the request, as far as that is known."""
    return Visitor(request.client.host if request.client else "", request_id_of(request.scope))


def refused(page: LoginPage, error: LoginRefusedError | TooManyAttemptsError | UnavailableError) -> Answer:
    """Return the login page with what went wrong."""
    text = f"{str(error)[:1].upper()}{str(error)[1:]}."
    match error:
        case TooManyAttemptsError(wait_s=wait_s):
            return login_response(_with(page, 429, text, wait_s))
        case UnavailableError():
            return login_response(_with(page, 503, f"{text} Try again.", 1))
    return login_response(_with(page, 401, text))


def _with(page: LoginPage, status: int, problem: str, retry_after_s: int = 0) -> LoginPage:
    return LoginPage(
        next_path=page.next_path,
        user=page.user,
        provider=page.provider,
        problem=problem,
        status=status,
        retry_after_s=retry_after_s,
    )


def _onward(path: str, cookies: list[Cookie]) -> Redirect:
    return Redirect(path, status_code=303, cookies=cookies, headers={"Cache-Control": "no-store"})


async def _form(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the fields of the form; one that is missing, or of a form that is none, is empty."""
    body = await request.body()
    if request.content_type[0] != FORM or len(body) > LONGEST_FORM:
        body = b""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        fields = {}
    found = {name: values[0] for name, values in fields.items()}
    return {"user": "", "password": ""} | found | {"user": found.get("user", "").strip()[:LONGEST_NAME]}


def _from_our_page(request: Request[Any, Any, Any], door: Door) -> bool:
    """Tell whether the form was ours. What is no browser sends no `Origin`, and nobody is led astray by it."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") in (None, "same-origin", "none")
    try:
        return urlsplit(origin).netloc in (request.headers.get("host"), urlsplit(door.public_url).netloc or None)
    except ValueError:
        return False
