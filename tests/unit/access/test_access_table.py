"""G11, as a table: every route of every service × everybody who may ask × the namespace that it is about.

The routes are those that the applications have, and what is expected follows from the rule that each of them names.
A route that names none is refused to all, and fails here; so does a route for namespaces of which this table does not
know how to ask for something.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from msgspec import Struct
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dcron_core.access.fixed_tokens import BOOTSTRAP, FixedToken
from dcron_core.access.guard import access_guard
from dcron_core.access.middleware import AccessMiddleware
from dcron_core.access.principal import Principal
from dcron_core.access.rules import OPEN, Rule, rule_of
from dcron_core.clock import SystemClock
from dcron_core.http.problems import EXCEPTION_HANDLERS
from dcron_core.http.rates import Rates
from dcron_core.ids import derived_id
from tests.services import TOKEN
from tests.unit.access.world import ASKERS, HERE, Subject, World, who, world


class Route(Struct, frozen=True):
    """A method of a path, as an application has it."""

    method: str  # WEBSOCKET: it is one
    path: str
    rule: Rule | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


class Request(Struct, frozen=True):
    """What is sent to a route."""

    path: str
    arguments: dict[str, Any] = {}


Make = Callable[[World, Subject], Awaitable[Request]]


Marker = Callable[[Subject], str]


def by_name(subject: Subject) -> str:
    return subject.name


def by_deleted(subject: Subject) -> str:
    return subject.deleted_name


def by_run(subject: Subject) -> str:
    return subject.run.execution_id


def by_output(subject: Subject) -> str:
    return f"secret output of {subject.name}"


class Case(Struct, frozen=True):
    """How to ask a route about the subject."""

    make: Make
    narrowed: bool = False  # it answers everybody, with what they may see
    marker: Marker | None = by_name  # what the answer says of the subject, and nobody says who asks; None: nothing


def routes_of(app: Litestar) -> Iterator[Route]:
    """Yield every method of every path; but for OPTIONS, which only says which methods there are."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:  # type: ignore[union-attr]
            if isinstance(handler, WebsocketRouteHandler):
                yield Route("WEBSOCKET", route.path, rule_of(handler.opt))
            elif isinstance(handler, HTTPRouteHandler):
                for method in sorted(set(handler.http_methods) - {"OPTIONS"}):
                    yield Route(method, route.path, rule_of(handler.opt))


def to(path: str, **arguments: Any) -> Make:
    """Ask at a path, in which the subject's ids are filled in."""

    async def make(_: World, subject: Subject) -> Request:
        filled = path.format(
            job=subject.job_id, run=subject.run.execution_id, gone=subject.deleted_id, name=subject.name
        )  # fmt: skip
        return Request(filled, arguments)

    return make


def body(name: str, namespace: str = HERE) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "run": {"shell": "echo"}, "schedule": {"every": "2h"}}


async def create(_: World, subject: Subject) -> Request:
    return Request("/api/v1/jobs", {"json": body(f"{subject.name}-new")})


async def replace(_: World, subject: Subject) -> Request:
    return Request(f"/api/v1/jobs/{subject.job_id}", {"json": body(subject.name), "headers": {"If-Match": '"1"'}})


async def revert(world: World, subject: Subject) -> Request:
    changed = await world.ask(
        "master", "PATCH", f"/api/v1/jobs/{subject.job_id}", "bootstrap", json={"description": "other"}
    )
    assert changed.status_code == 200, changed.text
    return Request(f"/api/v1/jobs/{subject.job_id}/revert", {"json": {"version": 1}})


async def outcome(world: World, subject: Subject) -> Request:
    key = f"key of {subject.name}"
    changed = await world.ask(
        "master", "POST", f"/api/v1/jobs/{subject.job_id}/pause", "bootstrap", headers={"Idempotency-Key": key}
    )
    assert changed.status_code == 200, changed.text
    return Request(f"/api/v1/commands/{derived_id(BOOTSTRAP.name, key)}")


async def events(world: World, _: Subject) -> Request:
    await world.archived()
    return Request("/api/v1/audit/events?limit=500")


def now(world: World) -> str:
    return world.ports.clock.now().isoformat()


async def state(world: World, _: Subject) -> Request:
    return Request("/api/v1/audit/state", {"params": {"at": now(world), "limit": 500}})


async def diff(world: World, subject: Subject) -> Request:
    before = now(world)
    await world.ask("master", "PATCH", f"/api/v1/jobs/{subject.job_id}", "bootstrap", json={"description": "new"})
    return Request("/api/v1/audit/diff", {"params": {"from": before}})


async def plan(world: World, subject: Subject) -> Request:
    before = (await diff(world, subject)).arguments["params"]["from"]
    return Request("/api/v1/audit/restore", {"params": {"at": before}})


async def restore(world: World, subject: Subject) -> Request:
    at = (await plan(world, subject)).arguments["params"]["at"]
    planned = await world.ask("master", "GET", "/api/v1/audit/restore", "bootstrap", params={"at": at})
    wanted = {"at": at, "planned_at": planned.json()["planned_at"], "job_ids": [subject.job_id]}
    return Request("/api/v1/audit/restore", {"json": wanted})


async def ledger(world: World, subject: Subject) -> Request:
    return Request("/api/v1/audit/ledger", {"params": {"job_id": subject.job_id, "end": now(world)}})


async def secret(world: World, subject: Subject) -> Request:
    path = f"/api/v1/secrets/{HERE}/SECRET_{subject.name[-5:]}"
    made = await world.ask("master", "PUT", path, "bootstrap", json={"value": "secret output"})
    assert made.status_code == 200, made.text
    return Request(path)


async def secrets(world: World, subject: Subject) -> Request:
    await secret(world, subject)
    return Request("/api/v1/secrets")


def by_secret(subject: Subject) -> str:
    return f"SECRET_{subject.name[-5:]}"


async def new_secret(_: World, subject: Subject) -> Request:
    return Request(f"/api/v1/secrets/{HERE}/NEW_{subject.name[-5:]}", {"json": {"value": "x"}})


JOB = "/api/v1/jobs/{job_id:str}"
RUN = "/api/v1/executions/{execution_id:str}"
CASES: dict[str, Case] = {
    "GET /api/v1/secrets": Case(secrets, narrowed=True, marker=by_secret),
    "PUT /api/v1/secrets/{namespace:str}/{name:str}": Case(new_secret, marker=None),
    "DELETE /api/v1/secrets/{namespace:str}/{name:str}": Case(secret, marker=None),
    "GET /api/v1/jobs": Case(to("/api/v1/jobs?limit=500"), narrowed=True),
    "GET /api/v1/jobs/facets": Case(to("/api/v1/jobs/facets"), narrowed=True, marker=lambda _: f'"{HERE}"'),
    "POST /api/v1/jobs": Case(create),
    f"GET {JOB}": Case(to("/api/v1/jobs/{job}")),
    f"GET {JOB}/dependencies": Case(to("/api/v1/jobs/{job}/dependencies")),
    f"PUT {JOB}": Case(replace),
    f"PATCH {JOB}": Case(to("/api/v1/jobs/{job}", json={"description": "changed"})),
    f"DELETE {JOB}": Case(to("/api/v1/jobs/{job}"), marker=None),
    f"POST {JOB}/run": Case(to("/api/v1/jobs/{job}/run"), marker=None),
    f"POST {JOB}/pause": Case(to("/api/v1/jobs/{job}/pause")),
    f"POST {JOB}/resume": Case(to("/api/v1/jobs/{job}/resume")),
    f"POST {JOB}/executions/{{execution_id:str}}/kill": Case(
        to("/api/v1/jobs/{job}/executions/{run}/kill"), marker=None
    ),
    "GET /api/v1/commands/{event_id:uuid}": Case(outcome, narrowed=True, marker=lambda subject: subject.job_id),
    "GET /api/v1/forecast": Case(to("/api/v1/forecast?limit=5000"), narrowed=True),
    "GET /api/v1/jobs/deleted": Case(to("/api/v1/jobs/deleted"), narrowed=True, marker=by_deleted),
    f"GET {JOB}/history": Case(to("/api/v1/jobs/{job}/history")),
    f"POST {JOB}/revert": Case(revert),
    f"POST {JOB}/restore": Case(to("/api/v1/jobs/{gone}/restore"), marker=by_deleted),
    "GET /api/v1/audit/state": Case(state, narrowed=True),
    "GET /api/v1/audit/diff": Case(diff, narrowed=True),
    "GET /api/v1/audit/restore": Case(plan, narrowed=True),
    "POST /api/v1/audit/restore": Case(restore),
    "GET /api/v1/executions": Case(to("/api/v1/executions?limit=500"), narrowed=True),
    "GET /api/v1/executions/latest": Case(to("/api/v1/executions/latest?job_id={job}"), narrowed=True),
    "GET /api/v1/executions/recent": Case(to("/api/v1/executions/recent?job_id={job}"), narrowed=True, marker=by_run),
    f"GET {RUN}": Case(to("/api/v1/executions/{run}")),
    f"GET {RUN}/output": Case(to("/api/v1/executions/{run}/output"), marker=by_output),
    f"GET {RUN}/events": Case(to("/api/v1/executions/{run}/events")),
    "GET /api/v1/ticks/skipped": Case(to("/api/v1/ticks/skipped?job_id={job}"), narrowed=True),
    "GET /api/v1/stats": Case(to("/api/v1/stats"), narrowed=True),
    "GET /api/v1/feed": Case(to("/api/v1/feed"), narrowed=True, marker=None),  # see test_streams
    "GET /api/v1/audit/events": Case(events, narrowed=True),
    "GET /api/v1/audit/ledger": Case(ledger, marker=None),
    "WEBSOCKET /ws/executions/{execution_id:str}": Case(to("/ws/executions/{run}")),
    "WEBSOCKET /ws/feed": Case(to("/ws/feed"), narrowed=True, marker=None),  # see test_streams
}

PLACEHOLDERS = {"str": "x", "uuid": "0198f5a0-1111-7000-8000-000000000001", "path": "x"}
METRICS_TOKEN = "a-token-for-metrics-only"
LOGS_IN = {"/login"}  # says itself why somebody is not logged in
SOMEWHERE = "admin of some namespace"
# What is about a user (here about one that is not there): the handler asks whether it is oneself, or an admin who asks.
OF_OTHERS: dict[str, str] = {
    "GET /api/v1/users": SOMEWHERE,
    "PUT /api/v1/users/{name:str}/grants": SOMEWHERE,
    "GET /api/v1/users/{name:str}": "admin of all",
    "PUT /api/v1/users/{name:str}/password": "admin of all",
    "DELETE /api/v1/users/{name:str}/sessions": "admin of all",
    # Refuse what everybody here comes with (test_access_tokens, test_users_api).
    "POST /api/v1/session/access": "",
    "POST /api/v1/tokens": "",
}
BODIES: dict[str, dict[str, Any]] = {
    "PUT /api/v1/users/{name:str}/grants": {"grants": {}},
    "PUT /api/v1/users/{name:str}/password": {"password": "a staple of horses"},
    "POST /api/v1/tokens": {"name": "for the machine"},
}


def anything(route: Route) -> Request:
    """Ask a route that is not about a namespace; what comes of it beyond being let in does not matter."""
    path = re.sub(r"\{\w+:(\w+)\}", lambda found: PLACEHOLDERS[found[1]], route.path)
    body = BODIES.get(route.name)
    return Request(path.replace("//", "/"), {} if body is None else {"json": body})


def is_let_in(route: Route, principal: Principal) -> bool:
    """Tell what a rule that is about no namespace means for somebody."""
    assert route.rule is not None
    if route.name in OF_OTHERS:
        somewhere = OF_OTHERS[route.name] == SOMEWHERE and bool(principal.visible("admin"))
        return bool(OF_OTHERS[route.name]) and (somewhere or principal.may("admin"))
    return route.rule.kind in ("open", "logged in") or principal.may(route.rule.role or "admin")


class Answer(Struct, frozen=True):
    status: int
    text: str


async def answer(world: World, service: str, method: str, request: Request, token: str | None) -> Answer:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    headers |= request.arguments.get("headers", {})
    arguments = {name: value for name, value in request.arguments.items() if name != "headers"}
    url = world.urls[service] + request.path
    if method == "WEBSOCKET":
        return await frames(url.replace("http", "ws", 1), headers)
    async with world.http.stream(method, url, headers=headers, **arguments) as response:
        text = ""
        async for part in response.aiter_text():
            text += part
            if "/feed" in request.path:  # it has no end
                break
        return Answer(response.status_code, text)


async def frames(url: str, headers: dict[str, str]) -> Answer:
    """Return what a websocket sends until it is closed, and HTTP's word for how that was; one that goes on: 200."""
    seen: list[str] = []
    try:
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            with suppress(TimeoutError):
                while True:
                    seen.append(str(await asyncio.wait_for(socket.recv(), 0.2 if "feed" in url else 5)))
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 0
        return Answer(code - 4000 if code >= 4400 else 200, "".join(seen))
    except InvalidStatus as refused:  # closed before it was open: the server says 403 of whatever code
        return Answer(refused.response.status_code, "")
    return Answer(200, "".join(seen))


def problem_of(answer: Answer, allowed: bool, hidden: tuple[str, ...] = ()) -> str:
    """Return what is wrong with an answer; empty: nothing."""
    if allowed and not 200 <= answer.status < 300:
        return f"refused with {answer.status}: {answer.text[:200]}"
    if not allowed and answer.status not in (403, 404):
        return f"let in with {answer.status}: {answer.text[:200]}"
    leaked = [each for each in hidden if each in answer.text]
    return f"shows {leaked}" if leaked else ""


async def problems_of_namespace(world: World, service: str, route: Route) -> list[str]:
    """Hold a route that is about a namespace against its rule, for everybody."""
    case = CASES.get(route.name)
    if case is None:
        return [f"{route.name} is for namespaces, and this table has no case for it"]
    assert route.rule is not None
    assert route.rule.role is not None
    found = []
    for name in ASKERS:
        subject = await world.subject()
        request = await case.make(world, subject)
        got = await answer(world, service, route.method, request, world.token_of(name))
        sees, may = who(name).may("viewer", HERE), who(name).may(route.rule.role, HERE)
        marker = case.marker(subject) if case.marker else ""
        problem = problem_of(got, case.narrowed or may, () if sees or not marker else (marker, "secret output"))
        if not problem and marker and (sees if case.narrowed else may) and marker not in got.text:
            problem = f"does not show {marker}: {got.text[:200]}"
        if problem:
            found.append(f"{route.name} by {name} {problem}")
    return found


async def problems_of_system(world: World, service: str, route: Route) -> list[str]:
    """Hold a route that is about no namespace against its rule, for everybody."""
    found = []
    for name in ASKERS:
        got = await answer(world, service, route.method, anything(route), world.token_of(name))
        allowed = is_let_in(route, who(name))
        if (got.status in (401, 403)) is allowed and route.path not in LOGS_IN:
            found.append(f"{route.name} by {name}: {got.status} {got.text[:200]}")
    return found


async def problems_of_strangers(world: World, service: str, route: Route) -> list[str]:
    """Hold a route against whoever is not known, and against the token for metrics, which is for one route only."""
    assert route.rule is not None
    stranger = await answer(world, service, route.method, anything(route), None)
    metrics = await answer(world, service, route.method, anything(route), METRICS_TOKEN)
    is_open = route.rule == OPEN
    found = []
    refusal = 403 if route.method == "WEBSOCKET" else 401
    if (stranger.status == refusal) is is_open and route.path not in LOGS_IN:
        found.append(f"{route.name} by a stranger: {stranger.status}")
    if (metrics.status == 403) is (is_open or route.rule.kind == "metrics") and route.path not in LOGS_IN:
        found.append(f"{route.name} by the token for metrics: {metrics.status}")
    return found


@pytest.mark.parametrize("service", ["master", "log-ingester", "worker"])
async def test_every_route_lets_in_whom_its_rule_lets_in_and_nobody_else(service: str, tmp_path: Path) -> None:
    async with world(tmp_path, worker=service == "worker", metrics_token=METRICS_TOKEN) as opened:
        routes = list(routes_of(opened.routes[service]))
        problems = [f"{route.name} says nothing about who may use it" for route in routes if route.rule is None]
        for route in routes:
            if route.rule is None:
                continue
            problems += await problems_of_strangers(opened, service, route)
            of_namespace = route.rule.kind == "namespace"
            problems += await (problems_of_namespace if of_namespace else problems_of_system)(opened, service, route)
    assert problems == []
    assert len(routes) >= 3


async def test_every_case_of_the_table_is_a_route_that_is_there(tmp_path: Path) -> None:
    async with world(tmp_path) as opened:
        names = {route.name for app in opened.routes.values() for route in routes_of(app)}
    assert sorted(CASES.keys() - names) == []


async def test_a_new_route_without_a_rule_is_refused_to_everybody_and_found_by_the_table() -> None:
    """The default is refusal."""

    @get("/api/v1/new", sync_to_thread=False)
    def new() -> str:
        return "not thought about"

    app = Litestar([new], guards=[access_guard], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None)
    closed = AccessMiddleware(app, [FixedToken(TOKEN, BOOTSTRAP)], rates=Rates(100, SystemClock()))
    asgi: Any = closed
    async with httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://test") as client:
        refused = await client.get("/api/v1/new", headers={"Authorization": f"Bearer {TOKEN}"})
    assert refused.status_code == 403
    assert "does not say who may use it" in refused.json()["detail"]
    assert [route.rule for route in routes_of(app)] == [None]


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("master", "/api/v1/jobs"),
        ("master", "/api/v1/jobs/deleted"),
        ("master", "/api/v1/forecast"),
        ("master", "/api/v1/audit/state"),
        ("log-ingester", "/api/v1/executions"),
        ("log-ingester", "/api/v1/stats"),
        ("log-ingester", "/api/v1/feed"),
        ("log-ingester", "/api/v1/audit/events"),
    ],
)
async def test_asking_for_a_namespace_by_name_is_refused_whether_or_not_it_is_there(
    service: str, path: str, tmp_path: Path
) -> None:
    async with world(tmp_path) as opened:
        await opened.subject()
        for namespace in (HERE, "never-was"):
            params = {"namespace": namespace} | ({"at": now(opened)} if path.endswith("state") else {})
            got = await opened.ask(service, "GET", path, "admin-elsewhere", params=params)
            assert (got.status_code, "needs the role viewer" in got.text) == (403, True), got.text
        params["namespace"] = HERE
        if not path.endswith("feed"):
            assert (await opened.ask(service, "GET", path, "viewer", params=params)).status_code == 200
