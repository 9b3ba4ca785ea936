"""G11: nobody who is not known gets past the middleware, but for the probes and the login; a cookie changes nothing
without its CSRF token, and from another page."""

from typing import Any

import msgspec
import pytest
from litestar.enums import ScopeType
from litestar.types import Message, Receive, Scope, Send

from dcron_core.access.access_tokens import csrf_digest
from dcron_core.access.fixed_tokens import BOOTSTRAP, METRICS, FixedToken
from dcron_core.access.link_cookie import COOKIE, LinkCookie, cookie_value, csrf_value
from dcron_core.access.middleware import AccessMiddleware
from dcron_core.access.principal import Principal, principal_of
from dcron_core.clock import SystemClock
from dcron_core.http.rates import Rates
from dcron_schemas.api import Problem

TOKEN = "0123456789abcdef"
HOST = "127.0.0.1:8700"
OTHER_PAGE = "http://127.0.0.1:9999"
METRICS_TOKEN = "a-token-for-metrics"
CSRF = {"x_csrf_token": csrf_value(TOKEN)}
COOKIE_HEADER = {"cookie": f"other=1; {COOKIE}={cookie_value(TOKEN)}"}


reached: list[Principal] = []
refused: list[tuple[str, str]] = []


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind the middleware: says that it was reached."""
    if "principal" in scope.get("state", {}):
        reached.append(principal_of(scope))
    if scope["type"] is ScopeType.WEBSOCKET:
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in", "more_body": False})


async def ask(method: str = "GET", path: str = "/api/v1/jobs", **headers: str) -> list[dict[str, Any]]:
    """Ask as a client does; return what was sent back. Header names have `_` for `-`; method WEBSOCKET is one."""
    names = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope: Any = {
        "type": ScopeType.WEBSOCKET if method == "WEBSOCKET" else ScopeType.HTTP,
        "path": path,
        "query_string": b"page=2",
        "client": ("192.0.2.7", 4711),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in names.items()],
    }
    if method != "WEBSOCKET":
        scope["method"] = method
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append({**message})

    await middleware()(scope, receive, send)
    return sent


def middleware(login_path: str = "/login", rates: Rates | None = None) -> AccessMiddleware:
    reached.clear()
    refused.clear()
    return AccessMiddleware(
        inner,
        [FixedToken(TOKEN, BOOTSTRAP), FixedToken(METRICS_TOKEN, METRICS), FixedToken("", METRICS), LinkCookie(TOKEN)],
        allowed_origins=[f"{OTHER_PAGE}/"],
        on_refusal=lambda principal, what: refused.append((principal.name, what)),
        login_path=login_path,
        rates=Rates(1000, SystemClock()) if rates is None else rates,
    )


async def status(method: str = "GET", path: str = "/api/v1/jobs", **headers: str) -> int:
    """The status of the answer; for a websocket 101, or the code it was closed with."""
    first = (await ask(method, path, **headers))[0]
    if first["type"] == "websocket.accept":
        return 101
    return int(first["code"] if first["type"] == "websocket.close" else first["status"])


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong-token-of-16"},
        {"authorization": "Bearer " + TOKEN + "x"},
        {"authorization": "Bearer"},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer \xff\xfe"},
        {"cookie": f"{COOKIE}={TOKEN}"},  # the cookie is not the token
        {"cookie": f"{COOKIE}="},
        {"cookie": f"x{COOKIE}={cookie_value(TOKEN)}"},
        {"cookie": f"{COOKIE}={cookie_value('another-token-of-system')}"},
        {"cookie": "\xff;;=;"},
        {"authorization": "Bearer wrong", **COOKIE_HEADER},  # whoever names a token is judged by it
    ],
)
async def test_without_the_token_nothing_is_answered(method: str, headers: dict[str, str]) -> None:
    assert await status(method, origin=f"http://{HOST}", **headers) == (4401 if method == "WEBSOCKET" else 401)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("method", ["GET", "POST", "WEBSOCKET"])
async def test_the_bearer_of_the_token_may_do_all_from_anywhere(method: str, scheme: str) -> None:
    """A token in a header is never sent by a browser on its own, so the origin does not matter."""
    answer = await status(method, authorization=f"{scheme} {TOKEN}", origin="http://evil.example")
    assert answer == (101 if method == "WEBSOCKET" else 200)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/login"])
async def test_health_and_login_are_open(path: str) -> None:
    assert await status("GET", path) == 200


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/healthz/", "/healthz/x", "/Healthz", "/api/v1/../healthz", "/schema"]
)
async def test_every_other_path_is_closed(path: str) -> None:
    assert await status("GET", path) == 401


async def test_a_websocket_has_no_open_path() -> None:
    assert await status("WEBSOCKET", "/healthz") == 4401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("origin", ["", "http://evil.example"])
async def test_a_cookie_may_read_from_anywhere(method: str, origin: str) -> None:
    """A page of another origin cannot see the answer: CORS does not let it."""
    assert await status(method, origin=origin, **COOKIE_HEADER) == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"])
@pytest.mark.parametrize("origin", [f"http://{HOST}", f"https://{HOST}", OTHER_PAGE, OTHER_PAGE + "/"])
async def test_a_cookie_may_change_from_our_own_pages(method: str, origin: str) -> None:
    assert await status(method, origin=origin, **COOKIE_HEADER, **CSRF) == (101 if method == "WEBSOCKET" else 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"])
@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:8701",
        f"http://{HOST}.evil.example",
        f"http://evil.example/{HOST}",
        f"http://{HOST}@evil.example",
        "http://[::1",  # made urlsplit raise
    ],
)
async def test_a_cookie_may_not_change_from_elsewhere(method: str, origin: str) -> None:
    """No other page can make a browser act with its cookie."""
    assert await status(method, origin=origin, **COOKIE_HEADER, **CSRF) == (4403 if method == "WEBSOCKET" else 403)


async def test_no_host_is_no_ones_own_origin() -> None:
    for origin in ("null", "http://", ""):
        assert await status("POST", host="", origin=origin, **COOKIE_HEADER, **CSRF) == 403


async def test_a_preflight_shows_nothing_and_is_let_through() -> None:
    assert await status("OPTIONS") == 200


async def test_a_refusal_is_a_problem_that_says_what_to_send() -> None:
    start, body = await ask("POST")
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"www-authenticate"] == b'Bearer realm="dcron"'
    problem = msgspec.json.decode(body["body"], type=Problem)
    assert (problem.status, "Authorization: Bearer" in problem.detail) == (401, True)


async def test_a_browser_is_sent_to_the_login_and_back_from_there() -> None:
    (start, _) = await ask(path="/jobs/a b", accept="text/html,application/xhtml+xml")
    assert start["status"] == 303
    assert dict(start["headers"])[b"location"] == b"/login?next=%2Fjobs%2Fa%20b%3Fpage%3D2"


async def test_the_lifespan_is_not_a_request() -> None:
    seen = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    scope: Any = {"type": "lifespan"}
    nothing: Any = None
    app = AccessMiddleware(application, [], rates=Rates(1, SystemClock()))
    await app(scope, nothing, nothing)
    assert seen == ["lifespan"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "csrf", ["", "x", csrf_value("another-token-of-system"), csrf_value(TOKEN)[:-1], csrf_digest(csrf_value(TOKEN))]
)
async def test_a_stolen_cookie_without_its_csrf_token_changes_nothing(method: str, csrf: str) -> None:
    """G11: the origin can be forged by whoever is no browser; the CSRF token is in no cookie."""
    answer = await status(method, origin=f"http://{HOST}", x_csrf_token=csrf, **COOKIE_HEADER)
    assert (answer, reached) == (403, [])
    assert refused == [("bootstrap", f"{method} /api/v1/jobs")]


async def test_a_cookie_without_a_csrf_token_of_its_own_changes_nothing() -> None:
    class NoCsrf:
        async def principal(self, _: Scope) -> Principal:
            return Principal(name="somebody", grants={}, how="session", by_cookie=True)

    sent: list[Any] = []
    scope: Any = {
        "type": ScopeType.HTTP, "method": "POST", "path": "/x",
        "headers": [(b"host", HOST.encode()), (b"origin", f"http://{HOST}".encode()), (b"x-csrf-token", b"")],
    }  # fmt: skip

    async def send(message: Message) -> None:
        sent.append(message)

    nothing: Any = None
    await AccessMiddleware(inner, [NoCsrf()], rates=Rates(10, SystemClock()))(scope, nothing, send)
    assert sent[0]["status"] == 403


async def test_the_handler_is_told_who_asks() -> None:
    await status("GET", authorization=f"Bearer {TOKEN}")
    await status("GET", authorization=f"Bearer {METRICS_TOKEN}")
    assert [(each.name, each.how, each.by_cookie) for each in reached] == [("metrics", "metrics", False)]
    await status("GET", **COOKIE_HEADER)
    assert [(each.name, each.how, each.by_cookie) for each in reached] == [("bootstrap", "bootstrap", True)]


async def test_an_empty_token_of_the_settings_is_nobodys() -> None:
    assert await status("GET", authorization="Bearer ") == 401


async def test_the_refusal_of_a_known_principal_is_told_whoever_refused() -> None:
    """The audit hears of it: here a handler answered with 403."""

    async def forbids(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 403, "headers": []})

    told: list[tuple[str, str]] = []
    app = AccessMiddleware(
        forbids,
        [FixedToken(TOKEN, BOOTSTRAP)],
        on_refusal=lambda principal, what: told.append((principal.name, what)),
        rates=Rates(10, SystemClock()),
    )
    scope: Any = {
        "type": ScopeType.HTTP, "method": "PUT", "path": "/api/v1/jobs/7",
        "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
    }  # fmt: skip

    async def send(_: Message) -> None:
        return

    nothing: Any = None
    await app(scope, nothing, send)
    assert told == [("bootstrap", "PUT /api/v1/jobs/7")]


async def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    """Strangers have a tenth of the rate; what is known of one address says nothing of a user's."""
    app = middleware(rates=Rates(10, SystemClock()))

    async def answer(**headers: str) -> tuple[int, str]:
        sent: list[Any] = []
        scope: Any = {
            "type": ScopeType.HTTP, "method": "GET", "path": "/api", "query_string": b"", "client": ("192.0.2.7", 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip

        async def send(message: Message) -> None:
            sent.append(message)

        nothing: Any = None
        await app(scope, nothing, send)
        return sent[0]["status"], dict(sent[0]["headers"]).get(b"retry-after", b"").decode()

    strangers = [(await answer())[0] for _ in range(3)]
    assert strangers == [401, 401, 429]
    known = [await answer(authorization=f"Bearer {TOKEN}") for _ in range(21)]
    assert known == [(200, "")] * 20 + [(429, "1")]
