"""G11: an access token is a master's word, for ten minutes, and nobody else can say it."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar.enums import ScopeType
from msgspec.structs import replace

from dcron_core.access.access_tokens import COOKIE, LIFE, AccessTokenMaker, AccessTokens, csrf_digest, csrf_fits, key_id
from dcron_core.access.principal import Principal
from dcron_core.access.secret_texts import SESSION_COOKIE
from dcron_schemas.api import Problem
from dcron_schemas.identity import AccessToken, PublicKeys
from tests.people import PASSWORD, add_user, browser
from tests.unit.access.world import SIGNING_KEY, world

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Principal(name="ada", grants={"here": "editor"}, how="session", credential="s1", by_cookie=True, csrf="the csrf")
OTHER_KEY = "33" * 32
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SIGNING_KEY))
KID = key_id(KEY.public_key())
CLAIMS: dict[str, Any] = {
    "iss": "dcron", "sub": "mallory", "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 600,
    "grants": {"*": "admin"}, "cred": "",
}  # fmt: skip


class At:
    """A clock that stands."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0


def scope(**headers: str) -> Any:
    return {"type": ScopeType.HTTP, "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}


def known(clock: At | None = None, *, by_cookie: bool = False) -> AccessTokens:
    return AccessTokens([KEY.public_key()], clock or At(), by_cookie=by_cookie)


def made(principal: Principal = ADA, key: str = SIGNING_KEY, at: datetime = NOW) -> str:
    return AccessTokenMaker(key, At(at)).make(principal).token


def signed(key: Any = KEY, algorithm: str = "EdDSA", kid: Any = KID, **claims: Any) -> str:
    return jwt.encode(CLAIMS | claims, key, algorithm=algorithm, headers={"kid": kid} if kid is not None else None)


def without(claim: str) -> str:
    claims = {name: value for name, value in CLAIMS.items() if name != claim}
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": KID})


def altered(token: str, **claims: Any) -> str:
    """Put other claims under the signature."""
    head, body, signature = token.split(".")
    there = json.loads(base64.urlsafe_b64decode(body + "=="))
    new = base64.urlsafe_b64encode(json.dumps(there | claims).encode()).decode().rstrip("=")
    return f"{head}.{new}.{signature}"


def header_of(token: str, **fields: Any) -> str:
    """Put another header before the claims, under the old signature."""
    head, body, signature = token.split(".")
    there = json.loads(base64.urlsafe_b64decode(head + "=="))
    new = base64.urlsafe_b64encode(json.dumps(there | fields).encode()).decode().rstrip("=")
    return f"{new}.{body}.{signature}"


async def test_a_token_says_who_somebody_is_and_what_they_may_do() -> None:
    found = await known().principal(scope(authorization=f"Bearer {made(replace(ADA, by_cookie=False))}"))
    assert isinstance(found, Principal)
    assert (found.name, found.grants, found.how, found.credential) == ("ada", {"here": "editor"}, "access", "s1")
    assert (found.expires_at, found.by_cookie, found.csrf) == (NOW + LIFE, False, "")


async def test_a_browsers_token_is_no_bearers() -> None:
    """Else whoever steals the cookie sends it in a header, where no CSRF token is asked for."""
    found = await known(by_cookie=True).principal(scope(authorization=f"Bearer {made()}"))
    assert isinstance(found, Problem)
    assert (found.status, "comes by cookie only" in found.detail) == (401, True)


async def test_a_token_comes_by_cookie_only_where_it_is_asked_for_and_brings_its_csrf_token() -> None:
    request = scope(cookie=f"dcron_access={made()}")
    found = await known(by_cookie=True).principal(request)
    assert isinstance(found, Principal)
    assert (found.by_cookie, csrf_fits(found, "the csrf")) == (True, True)
    assert [csrf_fits(found, each) for each in ("", "another", csrf_digest("the csrf"), found.csrf)] == [False] * 4
    assert await known().principal(request) is None
    assert (
        await known(by_cookie=True).principal(scope(cookie=f"dcron_access={made()}", authorization="Basic x")) is None
    )


async def test_a_token_without_a_csrf_token_changes_nothing_by_cookie() -> None:
    """One that was made for a bearer is no good as a cookie."""
    bearer = Principal(name="ada", grants={}, how="token")
    found = await known(by_cookie=True).principal(scope(cookie=f"dcron_access={made(bearer)}"))
    assert isinstance(found, Principal)
    assert not csrf_fits(found, "")


HMAC_WITH_THE_PUBLIC_KEY = jwt.encode(
    CLAIMS, KEY.public_key().public_bytes_raw(), algorithm="HS256", headers={"kid": KID}
)  # fmt: skip


@pytest.mark.parametrize(
    "token",
    [
        made(key=OTHER_KEY),
        signed(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(OTHER_KEY))),  # another key under our key's name
        signed(None, "none"),
        header_of(made(), alg="none"),
        header_of(made(), alg="none").rpartition(".")[0] + ".",
        header_of(made(), alg="HS256"),
        HMAC_WITH_THE_PUBLIC_KEY,
        signed(kid="0123456789abcdef"),
        signed(kid=None),
        header_of(made(), kid=7),
        header_of(made(), kid="../../key"),
        header_of(made(), jwk={"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        altered(made(), grants={"*": "admin"}),
        altered(made(), sub="root"),
        altered(made(), exp=int(NOW.timestamp()) + 10**6),
        signed(iss="another"),
        without("exp"),
        without("iat"),
        without("sub"),
        without("iss"),
        without("grants"),
        signed(grants={"here": "owner"}),
        signed(grants="*"),
        signed(exp="soon"),
        signed(exp=10**30),
        signed(sub=7),
        "a.b.c",
        "..",
        "\xff.\xfe.\x00",
        made()[:-4],
    ],
)  # fmt: skip
async def test_what_no_trusted_key_has_signed_as_it_stands_is_nobody(token: str) -> None:
    found = known().verified(token)
    assert isinstance(found, Problem), found
    assert found.status == 401


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (NOW + LIFE, "has expired"),
        (NOW + timedelta(days=1), "has expired"),
        (NOW - timedelta(minutes=2), "not of now"),
    ],
)
async def test_a_token_holds_in_its_time_only(at: datetime, said: str) -> None:
    found = known(At(at)).verified(made())
    assert isinstance(found, Problem)
    assert said in found.detail
    assert isinstance(known(At(NOW + LIFE - timedelta(seconds=1))).verified(made()), Principal)
    assert isinstance(known(At(NOW - timedelta(seconds=30))).verified(made()), Principal), "clocks differ a little"


async def test_a_token_that_would_hold_for_longer_than_they_do_is_refused_whoever_signed_it() -> None:
    assert isinstance(known().verified(signed(exp=int((NOW + 2 * LIFE).timestamp()))), Problem)


async def test_a_token_does_not_outlive_what_it_was_got_with() -> None:
    soon = NOW + timedelta(minutes=3)
    short = Principal(name="ada", grants={}, how="token", expires_at=soon)
    assert AccessTokenMaker(SIGNING_KEY, At()).make(short).expires_at == soon


async def test_masters_exchange_what_they_know_for_a_token_that_all_services_take(tmp_path: Path) -> None:
    """And not an access token for another one: it would live for ever."""
    async with world(tmp_path, worker=True) as opened:
        answer = await opened.ask("master", "POST", "/api/v1/session/access", "bootstrap")
        token = AccessToken(**answer.json()).token
        assert "set-cookie" not in answer.headers, "a bearer gets no cookie"
        headers = {"Authorization": f"Bearer {token}"}
        for service, path in (("master", "/api/v1/jobs"), ("log-ingester", "/api/v1/stats"), ("worker", "/metrics")):
            assert (await opened.http.get(opened.urls[service] + path, headers=headers)).status_code == 200
        again = await opened.http.post(f"{opened.urls['master']}/api/v1/session/access", headers=headers)
        assert (again.status_code, "not renewed with itself" in again.text) == (403, True)
        listed = await opened.ask("master", "GET", "/api/v1/keys", "nobody")
        [key] = msgspec.json.decode(listed.content, type=PublicKeys).keys
        public = KEY.public_key().public_bytes_raw().hex()
        assert (key.key_id, key.public_key, key.current) == (KID, public, True)


async def test_a_browser_gets_the_token_as_a_cookie_and_a_stolen_one_changes_nothing(tmp_path: Path) -> None:
    """A stolen cookie without the CSRF token changes nothing, at the master and at the log-ingester."""
    async with world(tmp_path, allowed_origins="http://page.example") as opened:
        master, ingester = opened.urls["master"], opened.urls["log-ingester"]
        subject = await opened.subject()
        opened.http.headers["Authorization"] = f"Bearer {opened.token}"
        opened.http.base_url = httpx.URL(master)
        await add_user(opened.http, "ada", {"*": "admin"})
        del opened.http.headers["Authorization"]
        async with browser(httpx.URL(master).port or 0) as ada:
            assert (await ada.log_in("ada", PASSWORD)).status_code == 303
            csrf = {"X-CSRF-Token": ada.csrf}
            stolen_session = {"Cookie": f"{SESSION_COOKIE}={ada.client.cookies[SESSION_COOKIE]}", "Origin": master}
            answer = await ada.send("POST", "/api/v1/session/access")
        attributes = answer.headers["set-cookie"].lower()
        assert [each for each in ("httponly", "samesite=strict", "path=/", "max-age=") if each not in attributes] == []
        stolen = {"Cookie": f"{COOKIE}={answer.json()['token']}", "Origin": "http://page.example"}

        async def replayed(**headers: str) -> httpx.Response:
            url = f"{ingester}/api/v1/dead-letters/replay"
            return await opened.http.post(url, json={"all": True}, headers={**stolen, **headers})

        assert (await opened.http.get(f"{ingester}/api/v1/stats", headers=stolen)).status_code == 200
        assert (await replayed()).json()["title"] == "no CSRF token"
        assert (await replayed(**{"X-CSRF-Token": "guess"})).status_code == 403
        assert (await replayed(Origin="http://evil.example", **csrf)).json()["title"] == "wrong origin"
        assert (await replayed(**csrf)).status_code == 200
        job = f"{master}/api/v1/jobs/{subject.job_id}"
        changes = [("DELETE", job), ("POST", f"{job}/run"), ("POST", f"{job}/pause"), ("PATCH", job)]
        for method, url in [*changes, ("POST", f"{master}/api/v1/session/access")]:
            assert (await opened.http.request(method, url, headers=stolen_session)).status_code == 403
        as_bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
        for method, url in changes:
            assert (await opened.http.request(method, url, headers=as_bearer)).status_code == 401
        shown = (await opened.ask("master", "GET", f"/api/v1/jobs/{subject.job_id}", "bootstrap")).json()
        assert (shown["version"], shown["spec"].get("enabled", True)) == (1, True)
        assert (await opened.http.post(f"{job}/pause", headers=stolen_session | csrf)).status_code == 200
