"""Logging in with an OpenID Connect provider, over HTTP (G11): the code flow with PKCE, and who is let in as whom."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from dcron_core.errors import SettingsError
from dcron_master.oidc_users import grants_of, parse_group_grants
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, SmallProvider, small_provider
from tests.people import CLUSTER_KEY, Browser, add_user, browser
from tests.services import Ports


class Stage:
    """A provider, a master, and a browser."""

    def __init__(self, provider: SmallProvider, admin: httpx.AsyncClient, ada: Browser) -> None:
        self.provider, self.admin, self.ada = provider, admin, ada

    async def go(self, path: str = "/login/oidc?next=/jobs") -> httpx.Response:
        """Go to the provider, be let in there, and come back."""
        to = await self.ada.client.get(path)
        assert to.status_code == 303, to.text
        async with httpx.AsyncClient(trust_env=False) as elsewhere:
            back = await elsewhere.get(to.headers["location"])
        assert back.status_code == 302, back.text
        return await self.ada.client.get(back.headers["location"])


@asynccontextmanager
async def stage(**settings: str) -> AsyncIterator[Stage]:
    async with small_provider() as provider:
        wanted = {
            "cluster_key": CLUSTER_KEY,
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": CLIENT_SECRET,
            "oidc_name": "Small & Co",
            **settings,
        }
        async with Ports().master(**wanted) as (master, admin), browser(master.port) as ada:
            yield Stage(provider, admin, ada)


async def test_somebody_whom_the_provider_knows_comes_in_with_the_roles_of_their_groups() -> None:
    async with stage(oidc_grants="ops:*=operator,ops:a=editor,others:*=admin") as at:
        assert "Log in with Small &amp; Co" in (await at.ada.client.get("/login")).text
        back = await at.go()
        assert back.status_code == 200
        assert "url=/jobs" in back.text
        session = await at.ada.session()
        assert (session["user"], session["display_name"]) == ("ada", "Ada")
        assert session["grants"] == {"*": "operator", "a": "editor"}
        user = (await at.admin.get("/api/v1/users/ada")).json()
        assert (user["origin"], user["created_by"], user["has_password"]) == ("oidc", "oidc", False)
        at.provider.person["groups"] = ["others"]
        await at.go()
        assert (await at.ada.session())["grants"] == {"*": "admin"}, "roles follow the groups, at each login"


async def test_without_a_mapping_an_admin_grants_roles_by_hand() -> None:
    async with stage() as at:
        await at.go()
        assert (await at.ada.session())["grants"] == {}
        await at.admin.put("/api/v1/users/ada/grants", json={"grants": {"a": "viewer"}})
        await at.go()
        assert (await at.ada.session())["grants"] == {"a": "viewer"}


async def test_who_has_no_group_with_a_role_is_not_let_in() -> None:
    async with stage(oidc_grants="ops:*=viewer") as at:
        await at.go()
        at.provider.person["groups"] = ["nobodies"]
        back = await at.go()
        assert (back.status_code, "one of the groups" in back.text) == (401, True)
        assert (await at.admin.get("/api/v1/users/ada")).json()["grants"] == {}


async def test_a_name_at_the_provider_is_not_somebody_elses_here() -> None:
    """Neither a local user's, nor that of who had the name there before, nor one that dcron itself uses."""
    async with stage() as at:
        await add_user(at.admin, "admin", {"*": "admin"})
        await at.go()
        for person in (
            {"sub": "x", "preferred_username": "admin"},
            {"sub": "another", "preferred_username": "ada"},
            {"sub": "x", "preferred_username": "bootstrap"},
            {"sub": "x", "preferred_username": "a/b"},
            {"sub": "x"},
        ):
            at.ada.client.cookies.clear()
            at.provider.person = person
            assert (await at.go()).status_code == 401, person
            assert (await at.ada.client.get("/api/v1/session")).status_code == 401


async def test_an_address_counts_when_the_provider_has_verified_it() -> None:
    async with stage(oidc_user_claim="email") as at:
        at.provider.person |= {"email": "ada@example.org", "email_verified": False}
        assert (await at.go()).status_code == 401
        at.provider.person["email_verified"] = True
        assert (await at.go()).status_code == 200
        assert (await at.ada.session())["user"] == "ada@example.org"


TAMPERED: tuple[dict[str, Any], ...] = (
    {"iss": "http://evil.example"},
    {"aud": "another-client"},
    {"aud": [CLIENT_ID, "another-client"]},
    {"azp": "another-client"},
    {"nonce": "of another login"},
    {"nonce": None},
    {"exp": int(time.time()) - 3600},
    {"exp": None},
    {"iat": int(time.time()) + 36000},
    {"sub": ""},
    {"sub": 7},
)


@pytest.mark.parametrize("tamper", TAMPERED, ids=str)
async def test_an_id_token_that_was_not_made_for_this_login_lets_nobody_in(tamper: dict[str, Any]) -> None:
    async with stage() as at:
        at.provider.tamper = tamper
        back = await at.go()
        assert back.status_code == 401, back.text
        assert "dcron_session" not in at.ada.client.cookies


async def test_a_token_that_another_key_signed_lets_nobody_in_and_a_new_key_of_the_providers_does() -> None:
    async with stage() as at:
        at.provider.signs_with = generate_private_key(65537, 2048)
        assert (await at.go()).status_code == 401
        at.provider.signs_with = None
        assert (await at.go()).status_code == 200


async def test_a_login_that_was_not_begun_in_this_browser_ends_here() -> None:
    """The code of somebody else, brought to a victim's browser, logs nobody in; nor does a code that was used."""
    async with stage() as at:
        to = await at.ada.client.get("/login/oidc")
        cookie = to.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        async with httpx.AsyncClient(trust_env=False) as elsewhere:
            back = (await elsewhere.get(to.headers["location"])).headers["location"]
            base = str(at.ada.client.base_url)
            async with httpx.AsyncClient(base_url=base, trust_env=False) as victim:
                assert (await victim.get(back)).status_code == 401
        assert (await at.ada.client.get(back.replace("state=", "state=x"))).status_code == 401
        assert (await at.ada.client.get(f"{back}&error=access_denied")).status_code == 401
        assert (await at.ada.client.get(back)).status_code == 200
        assert (await at.ada.client.get(back)).status_code in (401, 503), "a code works once"


async def test_a_provider_that_does_not_answer_is_named() -> None:
    async with stage() as at:
        at.provider.issuer = "http://127.0.0.1:1"
        answer = await at.ada.client.get("/login/oidc")
        assert answer.status_code == 503
        assert "DCRON_OIDC_ISSUER" in answer.text


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"oidc_issuer": "https://login.example.org"}, "DCRON_OIDC_CLIENT_ID"),
        ({"oidc_issuer": "http://login.example.org", "oidc_client_id": "x", "oidc_client_secret": "y",
          "cluster_key": CLUSTER_KEY}, "https://"),
    ],
)  # fmt: skip
async def test_settings_that_do_not_add_up_are_named(settings: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        async with Ports().master(**settings):
            pass


def test_groups_grant_the_highest_role() -> None:
    mapping = parse_group_grants("a:*=viewer, a:x=editor,b:x=viewer,urn:group:c:*=admin")
    assert grants_of(["a", "b"], mapping) == {"*": "viewer", "x": "editor"}
    assert grants_of("urn:group:c", mapping) == {"*": "admin"}
    assert grants_of(None, mapping) == grants_of([7, {}], mapping) == grants_of(["z"], mapping) == {}


@pytest.mark.parametrize("text", ["ops", "ops:*", "ops:*=boss", ":*=admin", "ops:a b=admin", "ops:=admin"])
def test_a_mapping_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="DCRON_OIDC_GRANTS"):
        parse_group_grants(text)
