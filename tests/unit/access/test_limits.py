"""Bodies and rates are bounded, and every answer carries the security headers, whoever asks, whatever comes of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from dcron_core.http.application import LARGEST_BODY
from dcron_core.http.rates import Rates
from dcron_core.jobs.validation import MAX_JOB_BYTES
from tests.unit.access.test_access_table import METRICS_TOKEN, anything, routes_of
from tests.unit.access.world import World, world


async def pieces(total: int) -> AsyncIterator[bytes]:
    """A body that does not say its length."""
    yield b'{"reason": "'
    for _ in range(total // 65536 + 1):
        yield b"x" * 65536
    yield b'"}'


@pytest.mark.parametrize(("service", "most"), [("master", 2 * MAX_JOB_BYTES), ("log-ingester", LARGEST_BODY)])
async def test_a_body_beyond_the_bound_is_refused_also_one_that_does_not_say_its_length(
    service: str, most: int, tmp_path: Path
) -> None:
    """On each route that reads one; what does not read one answers without."""
    async with world(tmp_path) as opened:
        for route in routes_of(opened.routes[service]):
            if route.method not in ("POST", "PUT", "PATCH"):
                continue
            path = anything(route).path
            said = await opened.ask(service, route.method, path, "bootstrap", content=b" " * (most + 1))
            chunked = await opened.ask(service, route.method, path, "bootstrap", content=pieces(most))
            small = await opened.ask(service, route.method, path, "bootstrap", content=b"{}")
            reads = small.status_code == 400 or route.path in BODIES
            for answer in (said, chunked):
                assert answer.status_code == 413 or not reads, (route.name, answer.status_code, answer.text)
                assert answer.status_code < 500 or small.status_code >= 500, (route.name, answer.text)


BODIES = {
    "/api/v1/jobs", "/api/v1/jobs/preview", "/api/v1/jobs/{job_id:str}", "/api/v1/dead-letters/replay",
    "/api/v1/log/skips", "/api/v1/audit/restore", "/api/v1/jobs/{job_id:str}/revert",
}  # fmt: skip


HEADERS = {
    "content-security-policy", "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy",
    "referrer-policy", "x-content-type-options", "x-frame-options", "cache-control", "x-request-id",
}  # fmt: skip


ASKED = ("/healthz", "/api/v1/jobs", "/api/v1/stats", "/", "/login", "/metrics", "/api/openapi.json", "/no/where")


@pytest.mark.parametrize("service", ["master", "log-ingester", "worker"])
async def test_every_answer_carries_the_security_headers(service: str, tmp_path: Path) -> None:
    """Of the page, the API, refusals and what is not there."""
    async with world(tmp_path, worker=service == "worker") as opened:
        paths = (
            "/healthz",
            "/api/v1/jobs",
            "/api/v1/stats",
            "/",
            "/login",
            "/metrics",
            "/api/openapi.json",
            "/no/where",
        )
        for path in paths:
            for asker in (None, "bootstrap", "nobody"):
                answer = await opened.ask(service, "GET", path, asker)
                assert sorted(HEADERS - set(answer.headers)) == [], (path, asker)
                policy = answer.headers["content-security-policy"]
                assert policy.startswith("default-src 'none'; ")
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert "strict-transport-security" not in answer.headers, "not over TLS"
                assert "server" not in answer.headers


async def test_who_asks_too_often_waits_and_holds_nobody_else_up(tmp_path: Path) -> None:
    async with world(tmp_path, request_rate="5") as opened:
        subject = await opened.subject()

        async def statuses(opened: World, asker: str | None, count: int) -> list[int]:
            path = f"/api/v1/jobs/{subject.job_id}"
            return [(await opened.ask("master", "GET", path, asker)).status_code for _ in range(count)]

        viewers = await statuses(opened, "viewer", 40)
        assert (viewers[:10], 429 in viewers) == ([200] * 10, True)
        assert await statuses(opened, "operator", 10) == [200] * 10
        assert await statuses(opened, None, 2) == [401, 429]
        refused = await opened.ask("master", "GET", "/api/v1/jobs", None)
        assert (int(refused.headers["retry-after"]) in (1, 2), refused.json()["title"]) == (True, "too many requests")
        assert "DCRON_REQUEST_RATE" in refused.json()["detail"]
        probes = [(await opened.ask("master", "GET", "/healthz", None)).status_code for _ in range(30)]
        assert probes == [200] * 30


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now(self) -> None:
        raise AssertionError("not asked")

    def monotonic(self) -> float:
        return self.at_s


def test_a_bucket_is_filled_evenly_and_holds_two_seconds() -> None:
    clock = StillClock()
    rates = Rates(10, clock)  # type: ignore[arg-type]
    assert [rates.of_somebody("ada") > 0 for _ in range(21)] == [False] * 20 + [True]
    assert rates.of_somebody("ada") == pytest.approx(0.1)
    clock.at_s = 0.1
    assert [rates.of_somebody("ada") > 0 for _ in range(2)] == [False, True]
    clock.at_s = 1000
    assert [rates.of_somebody("ada") > 0 for _ in range(21)] == [False] * 20 + [True]


def test_a_name_is_no_address() -> None:
    rates = Rates(1, StillClock(), most=5)  # type: ignore[arg-type]
    assert [rates.of_stranger("ada") > 0, rates.of_stranger("ada") > 0, rates.of_somebody("ada") > 0] == [
        False, True, False,
    ]  # fmt: skip


def test_the_memory_of_buckets_is_bounded_and_keeps_who_asks() -> None:
    rates = Rates(1, StillClock(), most=100)  # type: ignore[arg-type]
    rates.of_somebody("ada")
    rates.of_somebody("ada")
    for number in range(1000):
        rates.of_stranger(f"192.0.2.{number}")
        assert rates.of_somebody("ada") > 0
        assert len(rates) <= 100


async def test_metrics_are_for_their_token_and_for_viewers_of_everything(tmp_path: Path) -> None:
    async with world(tmp_path, worker=True, metrics_token=METRICS_TOKEN) as opened:
        for service in opened.urls:
            url = f"{opened.urls[service]}/metrics"
            headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
            assert (await opened.http.get(url, headers=headers)).status_code == 200
            assert (await opened.http.get(url)).status_code == 401
            assert (await opened.ask(service, "GET", "/metrics", "admin")).status_code == 403
            assert (await opened.ask(service, "GET", "/metrics", "everywhere")).status_code == 200
            other = "/api/v1/info" if service == "master" else "/api/v1/pipeline"
            answer: httpx.Response = await opened.http.get(opened.urls[service] + other, headers=headers)
            assert answer.status_code == (404 if service == "worker" else 403)
