"""Who may manage whom (G11)."""

from typing import Any

import pytest

from tests.people import CLUSTER_KEY, PASSWORD, add_user, browser, with_token
from tests.services import Ports


async def token_of(client: Any, user: str, grants: dict[str, str] | None = None) -> str:
    answer = await client.post("/api/v1/tokens", params={"user": user}, json={"name": "test", "grants": grants})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


async def test_a_user_is_added_listed_granted_and_removed() -> None:
    async with Ports().master() as (_, client):
        await add_user(client, "ada", {"*": "admin"}, password="")
        answer = await client.post(
            "/api/v1/users", json={"name": "bob", "display_name": "Bob", "grants": {"a": "viewer"}}
        )
        assert answer.status_code == 201
        bob = answer.json()
        assert (bob["name"], bob["grants"], bob["enabled"], bob["has_password"]) == (
            "bob",
            {"a": "viewer"},
            True,
            False,
        )
        assert (bob["created_by"], bob["origin"]) == ("bootstrap", "local")
        assert (await client.post("/api/v1/users", json={"name": "bob"})).status_code == 409
        granted = await client.put("/api/v1/users/bob/grants", json={"grants": {"a": "editor", "b": "viewer"}})
        assert granted.json()["grants"] == {"a": "editor", "b": "viewer"}
        users = (await client.get("/api/v1/users")).json()["users"]
        assert [user["name"] for user in users] == ["ada", "bob"]
        assert (await client.delete("/api/v1/users/bob")).status_code == 204
        assert (await client.get("/api/v1/users/bob")).status_code == 404
        assert (await client.delete("/api/v1/users/bob")).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": "bootstrap"}, "name"),
        ({"name": "OIDC"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": "a", "display_name": "x\ny"}, "display_name"),
        ({"name": "a", "grants": {"not a namespace": "viewer"}}, "grants"),
        ({"name": "a", "password": "short"}, "password"),
        ({"name": "catherine", "password": "catherine2026"}, "password"),
        ({"name": "a", "password": "aaaaaaaaaaaaaaaaaaa"}, "password"),
    ],
)
async def test_what_is_not_taken_is_named(wanted: dict[str, Any], field: str) -> None:
    async with Ports().master(cluster_key=CLUSTER_KEY) as (_, client):
        answer = await client.post("/api/v1/users", json=wanted)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        assert wanted.get("password", "no password") not in answer.text


async def test_without_the_clusters_key_no_password_is_kept() -> None:
    """Rather than one that whoever has the log could guess at."""
    async with Ports().master() as (_, client):
        answer = await client.post("/api/v1/users", json={"name": "ada", "password": PASSWORD})
        assert answer.status_code == 409
        assert "DCRON_CLUSTER_KEY" in answer.json()["detail"]


async def test_the_last_administrator_stays() -> None:
    """However they are to be taken away, and whoever asks."""
    async with Ports().master() as (_, client):
        await add_user(client, "ada", {"*": "admin"}, password="")
        await add_user(client, "eve", {"*": "admin"}, password="")
        assert (await client.post("/api/v1/users/eve/disable")).status_code == 200
        tries = [
            await client.delete("/api/v1/users/ada"),
            await client.post("/api/v1/users/ada/disable"),
            await client.put("/api/v1/users/ada/grants", json={"grants": {"*": "editor"}}),
        ]
        assert [each.status_code for each in tries] == [409] * 3
        assert "last one who may administer" in tries[0].json()["detail"]
        assert (await client.post("/api/v1/users/eve/enable")).status_code == 200
        assert (await client.delete("/api/v1/users/ada")).status_code == 204


async def test_an_admin_of_a_namespace_grants_roles_in_it_and_nowhere_else() -> None:
    """G11: nobody gives or takes a role that they do not administer; what they do not see they need not say."""
    async with Ports().master() as (master, client):
        await add_user(client, "root", {"*": "admin"}, password="")
        await add_user(client, "lead", {"team": "admin", "other": "editor"}, password="")
        await add_user(client, "bob", {"other": "viewer"}, password="")
        async with with_token(master.port, await token_of(client, "lead")) as lead:
            given = await lead.put("/api/v1/users/bob/grants", json={"grants": {"team": "editor"}})
            assert (given.status_code, given.json()["grants"]) == (200, {"team": "editor"})
            assert (await client.get("/api/v1/users/bob")).json()["grants"] == {"team": "editor", "other": "viewer"}
            refused = [
                {"team": "editor", "other": "admin"},
                {"team": "editor", "other": "viewer", "*": "viewer"},
            ]
            for grants in refused:
                answer = await lead.put("/api/v1/users/bob/grants", json={"grants": grants})
                assert answer.status_code == 403, grants
            own = await lead.put("/api/v1/users/lead/grants", json={"grants": {"*": "admin"}})
            assert own.status_code == 403
            seen = {user["name"]: user["grants"] for user in (await lead.get("/api/v1/users")).json()["users"]}
            assert seen == {"root": {}, "lead": {"team": "admin"}, "bob": {"team": "editor"}}
            for method, path in (
                ("POST", "/api/v1/users"),
                ("DELETE", "/api/v1/users/bob"),
                ("POST", "/api/v1/users/bob/disable"),
                ("POST", "/api/v1/users/bob/enable"),
                ("POST", "/api/v1/users/bob/login-links"),
                ("PUT", "/api/v1/users/bob/password"),
                ("DELETE", "/api/v1/users/bob/sessions"),
                ("GET", "/api/v1/users/bob"),
            ):
                body = {"name": "x", "password": PASSWORD}
                answer = await lead.request(method, path, json=None if method in ("DELETE", "GET") else body)
                assert answer.status_code == 403, (method, path, answer.text)


async def test_a_user_without_a_role_learns_nothing_of_others() -> None:
    async with Ports().master() as (master, client):
        await add_user(client, "bob", {}, password="")
        await add_user(client, "ada", {"*": "admin"}, password="")
        async with with_token(master.port, await token_of(client, "bob")) as bob:
            assert (await bob.get("/api/v1/users")).status_code == 403
            for name in ("ada", "nobody"):
                assert (await bob.get(f"/api/v1/users/{name}")).status_code == 403
                answer = await bob.put(f"/api/v1/users/{name}/grants", json={"grants": {}})
                assert answer.status_code == 403
            assert (await bob.get("/api/v1/users/bob")).json()["name"] == "bob"
            assert (await bob.get("/api/v1/session")).json()["how"] == "token"


async def test_ones_own_password_needs_the_one_until_now() -> None:
    """A stolen cookie does not take the account over; guesses there are slowed as at the login."""
    async with Ports().master(cluster_key=CLUSTER_KEY) as (master, client), browser(master.port) as ada:
        await add_user(client, "ada", {"*": "admin"})
        await ada.log_in("ada", PASSWORD)
        path, wanted = "/api/v1/users/ada/password", "another staple of it"
        wrong = await ada.send("PUT", path, json={"password": wanted, "current_password": "wrong"})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "current_password")
        right = await ada.send("PUT", path, json={"password": wanted, "current_password": PASSWORD})
        assert right.status_code == 204
        assert (await ada.session())["user"] == "ada", "the session in which it was done goes on"
        assert (await ada.log_in("ada", PASSWORD)).status_code == 401
        for _ in range(5):
            last = await ada.send("PUT", path, json={"password": wanted, "current_password": "guess"})
        assert (last.status_code, int(last.headers["retry-after"]) > 0) == (429, True)


async def test_a_first_password_is_not_set_with_a_token() -> None:
    """A token that may do little would come to all that its user may do."""
    async with Ports().master(cluster_key=CLUSTER_KEY) as (master, client):
        await add_user(client, "bob", {"a": "admin"}, password="")
        async with with_token(master.port, await token_of(client, "bob", {"a": "viewer"})) as bob:
            answer = await bob.put("/api/v1/users/bob/password", json={"password": PASSWORD})
            assert answer.status_code == 403


async def test_a_token_may_do_no_more_than_its_user_and_itself_say() -> None:
    """Its grants are a limit: what the user may not do, it may not either; and it makes no other tokens."""
    async with Ports().master() as (master, client):
        await add_user(client, "bob", {"*": "viewer", "team": "editor"}, password="")
        whole = await token_of(client, "bob")
        little = await token_of(client, "bob", {"team": "operator", "other": "admin"})
        async with with_token(master.port, whole) as bob:
            assert (await bob.get("/api/v1/session")).json()["grants"] == {"*": "viewer", "team": "editor"}
            assert (await bob.post("/api/v1/tokens", json={"name": "second"})).status_code == 201
            assert (await bob.post("/api/v1/tokens", json={"name": "x"}, params={"user": "root"})).status_code == 403
        async with with_token(master.port, little) as bob:
            assert (await bob.get("/api/v1/session")).json()["grants"] == {"other": "viewer", "team": "operator"}
            assert (await bob.post("/api/v1/tokens", json={"name": "second"})).status_code == 403
            await client.put("/api/v1/users/bob/grants", json={"grants": {}})
            assert (await bob.get("/api/v1/session")).json()["grants"] == {}, "what the user lost, the token lost"


async def test_tokens_are_listed_without_their_text_and_revoked() -> None:
    async with Ports().master() as (master, client):
        await add_user(client, "ada", {"*": "admin"}, password="")
        await add_user(client, "bob", {}, password="")
        mine, theirs = await token_of(client, "bob"), await token_of(client, "ada")
        async with with_token(master.port, mine) as bob, with_token(master.port, theirs) as ada:
            (token,) = (await bob.get("/api/v1/tokens")).json()["tokens"]
            assert (token["user"], token["name"], token["grants"], token["last_used_on"] != "") == (
                "bob", "test", None, True,
            )  # fmt: skip
            everybodys = await ada.get("/api/v1/tokens", params={"all": "true"})
            assert {each["user"] for each in everybodys.json()["tokens"]} == {"ada", "bob"}
            assert mine not in everybodys.text
            assert (await bob.get("/api/v1/tokens", params={"all": "true"})).status_code == 403
            assert (await bob.get("/api/v1/tokens", params={"user": "ada"})).status_code == 403
            others = next(each for each in everybodys.json()["tokens"] if each["user"] == "ada")
            assert (await bob.delete(f"/api/v1/tokens/{others['token_id']}")).status_code == 404
            assert (await bob.delete(f"/api/v1/tokens/{token['token_id']}")).status_code == 204
            assert (await bob.get("/api/v1/session")).status_code == 401
            assert (await ada.post("/api/v1/session/logout")).status_code == 204, "what one came with is ended"
            assert (await ada.get("/api/v1/session")).status_code == 401


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"name": ""}, "name"), ({"name": "x", "expires_in": "366d"}, "expires_in"), ({"name": "x", "expires_in": "0s"},
     "expires_in"), ({"name": "x", "expires_in": "soon"}, "expires_in"), ({"name": "x", "grants": {"a b": "viewer"}},
     "grants")],
)  # fmt: skip
async def test_a_token_that_cannot_be_is_named(wanted: dict[str, Any], field: str) -> None:
    async with Ports().master() as (_, client):
        await add_user(client, "ada", {"*": "admin"}, password="")
        answer = await client.post("/api/v1/tokens", json=wanted, params={"user": "ada"})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_token_is_over_when_its_time_is() -> None:
    async with Ports().master() as (master, client):
        await add_user(client, "ada", {"*": "admin"}, password="")
        answer = await client.post("/api/v1/tokens", json={"name": "x", "expires_in": "1ms"}, params={"user": "ada"})
        async with with_token(master.port, answer.json()["token"]) as ada:
            assert (await ada.get("/api/v1/session")).status_code == 401


async def test_a_command_names_its_real_actor() -> None:
    """G1: the job, and its event, say who it was."""
    async with Ports().master() as (master, client):
        await add_user(client, "ada", {"*": "admin"}, password="")
        async with with_token(master.port, await token_of(client, "ada")) as ada:
            job = {"name": "hello", "run": {"shell": "true"}, "schedule": {"cron": "0 0 * * *"}}
            answer = await ada.post("/api/v1/jobs", json=job)
            assert (answer.status_code, answer.json()["updated_by"]) == (201, "ada")
