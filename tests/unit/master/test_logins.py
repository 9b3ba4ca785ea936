"""Who is let in with a browser, and for how long (G11)."""

import asyncio
from datetime import timedelta

import httpx
from msgspec.structs import replace

from dcron_core.access.secret_texts import csrf_of, digest_of
from dcron_core.ports.store import Put, Transaction
from dcron_schemas.codec import decode_event, encode
from dcron_schemas.events import JobEvent
from dcron_schemas.identity import ApiTokenEntry, LinkEntry, SessionEntry, UserEntry
from tests.people import CLUSTER_KEY, PASSWORD, add_user, browser, link_of, with_token
from tests.services import JOB_EVENTS, KEYS, Ports


def told(ports: Ports) -> list[JobEvent]:
    """Return what the log says."""
    events = [decode_event(record.value) for record in ports.log.partitions(JOB_EVENTS)[0].read(0, 10_000)]
    return [event for event in events if isinstance(event, JobEvent)]


def kinds(ports: Ports) -> list[str]:
    return [type(event.data).__name__ for event in told(ports)]


async def test_a_password_lets_in_and_another_one_does_not() -> None:
    """The session is a cookie that scripts and other sites cannot use; the log has its digest only."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (master, client), browser(master.port) as ada:
        await add_user(client, "ada", {"*": "admin"})
        assert (await ada.client.get("/api/v1/session")).status_code == 401
        wrong = await ada.log_in("ada", "a staple of cows")
        assert wrong.status_code == 401
        assert "the password is not right" in wrong.text
        assert "set-cookie" not in wrong.headers

        answer = await ada.log_in("ada", PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie.replace("Strict", "strict")
        assert "Secure" not in cookie  # over plain HTTP it would never come back
        session = await ada.session()
        assert (session["user"], session["grants"], session["how"]) == ("ada", {"*": "admin"}, "session")
        text = ada.client.cookies["dcron_session"]
        assert session["csrf"] == csrf_of(text)
        log = b"".join(record.value for record in ports.log.partitions(JOB_EVENTS)[0].read(0, 10_000))
        assert digest_of(text).encode() in log
        assert text.encode() not in log
        assert PASSWORD.encode() not in log
        assert b"argon2" not in log, "the verifier is sealed"


async def test_who_is_there_and_who_is_not_get_the_same_answer() -> None:
    """A guesser does not learn which users there are, nor who is disabled."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (master, client), browser(master.port) as stranger:
        await add_user(client, "ada", {"*": "admin"})
        await add_user(client, "bob", {})
        await client.post("/api/v1/users/bob/disable")
        answers = [
            await stranger.log_in("ada", "wrong wrong wrong"),
            await stranger.log_in("nobody", "wrong wrong wrong"),
            await stranger.log_in("bob", PASSWORD),
        ]
        texts = {answer.text.replace('value="ada"', "").replace('value="nobody"', "").replace('value="bob"', "")
                 for answer in answers}  # fmt: skip
        assert len(texts) == 1
        assert {answer.status_code for answer in answers} == {401}


async def test_a_login_link_works_once() -> None:
    """Whoever comes first has used it up; of many at the same time one gets in."""
    ports = Ports()
    async with ports.master() as (master, client):
        await add_user(client, "ada", {"*": "admin"}, password="")
        link = await link_of(client, "ada")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{master.port}", trust_env=False) as plain:
            answers = await asyncio.gather(*(plain.get(link) for _ in range(8)))
            assert sorted(answer.status_code for answer in answers) == [303] + [401] * 7
            assert (await plain.get(link)).status_code == 401
        assert kinds(ports).count("LoggedIn") - kinds(ports).count("LoginRefused") < 8
        assert len(master.projector.table.directory.user("ada").sessions) == 1  # type: ignore[union-attr]


async def test_a_link_followed_from_elsewhere_goes_on_by_a_page_of_its_own() -> None:
    """After a redirect that another site began, a browser would not send the strict cookies."""
    ports = Ports()
    async with ports.master() as (master, client), browser(master.port) as ada:
        await add_user(client, "ada", {}, password="")
        answer = await ada.client.get(
            await link_of(client, "ada") + "&next=/jobs", headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 200
        assert 'http-equiv="refresh" content="0; url=/jobs"' in answer.text
        assert (await ada.session())["user"] == "ada"


async def test_a_form_of_another_page_logs_nobody_in() -> None:
    """G11: a page elsewhere cannot log somebody in as somebody else."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (master, client), browser(master.port) as ada:
        await add_user(client, "ada", {})
        form = {"user": "ada", "password": PASSWORD}
        for origin in ("http://evil.example", "null", "http://[", ""):
            answer = await ada.client.post("/login", data=form, headers={"Origin": origin})
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False), origin


async def test_the_page_goes_to_this_origin_only() -> None:
    """`next` leads nowhere else, and stands in the page as text."""
    ports = Ports()
    async with ports.master() as (master, client), browser(master.port) as ada:
        await add_user(client, "ada", {}, password="")
        for wanted in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil"):
            answer = await ada.client.get(await link_of(client, "ada"), params={"link": "x", "next": wanted})
            assert 'name="next" value="/"' in answer.text, wanted
        page = await ada.client.get("/login", params={"next": '/"><script>alert(1)</script>'})
        assert "<script>" not in page.text
        assert "script-src" not in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_session_ends_with_its_time_its_user_or_a_logout() -> None:
    """Whatever ends it, the cookie lets nobody in any more, on no master."""
    ports = Ports()
    async with (
        ports.master(cluster_key=CLUSTER_KEY) as (master, client),
        ports.master(cluster_key=CLUSTER_KEY) as (other, _),
        browser(master.port) as ada,
        browser(other.port) as there,
    ):
        await add_user(client, "ada", {"default": "viewer"})
        await add_user(client, "root", {"*": "admin"})
        for end in ("logout", "everywhere", "disable", "password"):
            await client.post("/api/v1/users/ada/enable")
            assert (await ada.log_in("ada", PASSWORD)).status_code == 303, end
            text = ada.client.cookies["dcron_session"]
            there.client.cookies.clear()
            there.client.cookies.set("dcron_session", text)
            assert (await there.session())["user"] == "ada", "another master knows it at once"
            match end:
                case "logout":
                    answer = await ada.send("POST", "/api/v1/session/logout")
                    assert "dcron_session" not in ada.client.cookies
                case "everywhere":
                    answer = await client.delete("/api/v1/users/ada/sessions")
                case "disable":
                    answer = await client.post("/api/v1/users/ada/disable")
                case _:
                    answer = await client.put("/api/v1/users/ada/password", json={"password": "another staple of it"})
            assert answer.status_code in (200, 204), (end, answer.text)
            ada.client.cookies.set("dcron_session", text)
            assert (await ada.client.get("/api/v1/session")).status_code == 401, end
            ada.client.cookies.clear()


async def test_a_session_is_over_when_its_time_is() -> None:
    ports = Ports()
    async with (
        ports.master(cluster_key=CLUSTER_KEY, session_life="1ms") as (master, client),
        browser(master.port) as ada,
    ):
        await add_user(client, "ada", {})
        origin = {"Origin": f"http://127.0.0.1:{master.port}"}
        answer = await ada.client.post("/login", data={"user": "ada", "password": PASSWORD}, headers=origin)
        assert answer.status_code == 303
        ada.client.cookies.set("dcron_session", answer.cookies.get("dcron_session") or _cookie(answer))
        assert (await ada.client.get("/api/v1/session")).status_code == 401


async def test_guessing_is_slowed_and_everything_is_in_the_log() -> None:
    """G11: after five failures a user waits; the log tells of it once a minute, and not what was typed."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (master, client), browser(master.port) as guesser:
        await add_user(client, "ada", {})
        for number in range(5):
            assert (await guesser.log_in("ada", f"wrong-{number}-password")).status_code == 401
        slowed = await guesser.log_in("ada", PASSWORD)
        assert slowed.status_code == 429
        assert int(slowed.headers["retry-after"]) >= 1
        await guesser.log_in("hunter2 typed in the wrong field", "x")
        while kinds(ports).count("LoginRefused") < 2:
            await asyncio.sleep(0.01)
        refusals = [event for event in told(ports) if type(event.data).__name__ == "LoginRefused"]
        assert [event.actor for event in refusals] == ["anonymous"] * 2
        assert [getattr(event.data, "user", None) for event in refusals] == ["ada", ""]
        assert b"hunter2" not in b"".join(r.value for r in ports.log.partitions(JOB_EVENTS)[0].read(0, 10_000))


async def test_a_token_of_another_system_lets_nobody_in() -> None:
    ports = Ports()
    async with ports.master() as (master, _), with_token(master.port, "dcron_" + "x" * 43) as stranger:
        answer = await stranger.get("/api/v1/jobs")
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"


def _cookie(answer: httpx.Response) -> str:
    return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


async def test_who_stands_in_etcd_and_not_in_the_log_is_nobody() -> None:
    """G11: whoever can write to etcd lets nobody in: a master believes the log alone, after a restart too."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (_, client):
        await add_user(client, "ada", {}, password="")
    forged = UserEntry(
        name="mallory",
        display_name="",
        grants={"*": "admin"},
        enabled=True,
        origin="local",
        created_at=ports.clock.now(),
        created_by="ada",
    )
    later = ports.clock.now() + timedelta(days=1)
    session = SessionEntry(session_id="s", digest=digest_of("forged"), created_at=ports.clock.now(), expires_at=later)
    token = ApiTokenEntry(
        token_id="t",
        digest=digest_of("dcron_forged"),
        user="mallory",
        name="x",
        grants=None,
        created_at=ports.clock.now(),
        created_by="ada",
        expires_at=later,
    )
    forged = replace(forged, sessions=(session,), links=(LinkEntry(digest=digest_of("forged-link"), expires_at=later),))
    writes = (Put(KEYS.user("mallory"), encode(forged)), Put(KEYS.token("t"), encode(token)))
    await ports.store.transact(Transaction((), writes))
    async with ports.master(cluster_key=CLUSTER_KEY) as (master, client), browser(master.port) as mallory:
        mallory.client.cookies.set("dcron_session", "forged")
        assert (await mallory.client.get("/api/v1/session")).status_code == 401
        mallory.client.cookies.clear()
        assert (await mallory.client.get("/login", params={"link": "forged-link"})).status_code == 401
        async with with_token(master.port, "dcron_forged") as forger:
            assert (await forger.get("/api/v1/session")).status_code == 401
        users = (await client.get("/api/v1/users")).json()["users"]
        assert [user["name"] for user in users] == ["ada"]
