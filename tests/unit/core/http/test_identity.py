"""G11: nobody without the token gets past the middleware, but for the probes and the login link."""

from typing import Any

import msgspec
import pytest
from litestar.enums import ScopeType
from litestar.types import Message, Receive, Scope, Send

from dcron_core.http.identity import COOKIE, IdentityMiddleware, cookie_value
from dcron_schemas.api import Problem

TOKEN = "0123456789abcdef"
HOST = "127.0.0.1:8700"
OTHER_PAGE = "http://127.0.0.1:9999"
COOKIE_HEADER = {"cookie": f"other=1; {COOKIE}={cookie_value(TOKEN)}"}


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    """The application behind the middleware: says that it was reached."""
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
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in names.items()],
    }
    if method != "WEBSOCKET":
        scope["method"] = method
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append({**message})

    await IdentityMiddleware(inner, TOKEN, [f"{OTHER_PAGE}/"])(scope, receive, send)
    return sent


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
    assert await status(method, origin=origin, **COOKIE_HEADER) == (101 if method == "WEBSOCKET" else 200)


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
    assert await status(method, origin=origin, **COOKIE_HEADER) == (4403 if method == "WEBSOCKET" else 403)


async def test_no_host_is_no_ones_own_origin() -> None:
    for origin in ("null", "http://", ""):
        assert await status("POST", host="", origin=origin, **COOKIE_HEADER) == 403


async def test_a_preflight_shows_nothing_and_is_let_through() -> None:
    assert await status("OPTIONS") == 200


async def test_a_refusal_is_a_problem_that_says_what_to_send() -> None:
    start, body = await ask("POST")
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"www-authenticate"] == b'Bearer realm="dcron"'
    problem = msgspec.json.decode(body["body"], type=Problem)
    assert (problem.status, "Authorization: Bearer" in problem.detail) == (401, True)


async def test_a_browser_gets_a_page_that_says_where_the_link_is() -> None:
    start, body = await ask(path="/", accept="text/html,application/xhtml+xml")
    assert dict(start["headers"])[b"content-type"].startswith(b"text/html")
    assert b"dcron link" in body["body"]


async def test_the_lifespan_is_not_a_request() -> None:
    reached = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["type"])

    scope: Any = {"type": "lifespan"}
    nothing: Any = None
    await IdentityMiddleware(application, TOKEN)(scope, nothing, nothing)
    assert reached == ["lifespan"]
