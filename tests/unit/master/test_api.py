"""The master's HTTP API over memory ports: commands, what bad input gets, identity."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from dcron_core.access.link_cookie import csrf_value
from dcron_core.adapters.memory import MemoryLog
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.store import Put, Transaction
from dcron_schemas.events import JobCreated
from tests.services import JOB_EVENTS, KEYS, TOKEN, Ports

HELLO = {"name": "hello", "run": {"shell": "echo hello"}, "schedule": {"every": "1h"}}


class ForgetfulLog(MemoryLog):
    """Takes a record in and loses the answer, once."""

    forgets = False

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        offset = super().append(topic, key, value, headers)
        if self.forgets:
            self.forgets = False
            raise LogUnavailableError("the answer is lost")
        return offset


async def created(client: httpx.AsyncClient, **changes: object) -> dict[str, object]:
    answer = await client.post("/api/v1/jobs", json=HELLO | changes)
    assert answer.status_code == 201, answer.text
    job: dict[str, object] = answer.json()
    return job


async def test_a_job_is_created_shown_changed_paused_and_deleted() -> None:
    """G1: each answer is that of the fold, and etcd has it."""
    ports = Ports()
    async with ports.master() as (_, client):
        answer = await client.post("/api/v1/jobs", json=HELLO)
        job = answer.json()
        assert answer.headers["etag"] == '"1"'
        assert job["next_tick"] is not None
        assert set(await ports.job_table()) == {job["job_id"]}
        url = f"/api/v1/jobs/{job['job_id']}"
        changed = await client.put(url, json=HELLO | {"schedule": {"every": "2h"}}, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
        paused = (await client.post(f"{url}/pause")).json()
        assert (paused["spec"]["enabled"], paused["next_tick"], paused["version"]) == (False, None, 3)
        assert (await client.post(f"{url}/resume")).json()["version"] == 4
        assert (await client.get("/api/v1/jobs", params={"q": "HEL"})).json()["total"] == 1
        accepted = await client.post(f"{url}/run")
        assert accepted.status_code == 202
        assert accepted.json()["execution_id"].startswith(job["job_id"])
        assert (await client.delete(url)).status_code == 204
        assert (await client.get(url)).status_code == 404
        assert await ports.job_table() == {}


async def test_rival_edits_on_two_masters_have_one_winner_and_one_409_with_both_versions() -> None:
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = f"/api/v1/jobs/{(await created(first))['job_id']}"
        edits = [
            client.put(url, json=HELLO | {"description": str(n)}, headers={"If-Match": '"1"'})
            for n, client in enumerate((first, second))
        ]
        answers = sorted(await asyncio.gather(*edits), key=lambda answer: answer.status_code)
        assert [answer.status_code for answer in answers] == [200, 409]
        problem = answers[1].json()
        assert (problem["expected_version"], problem["current_version"]) == (1, 2)
        assert answers[1].headers["content-type"] == "application/problem+json"
        assert (await second.get(url)).json()["version"] == 2


async def test_rival_creations_of_one_name_have_one_winner() -> None:
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        answers = await asyncio.gather(*(client.post("/api/v1/jobs", json=HELLO) for client in (first, second) * 4))
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
        assert len(await ports.job_table()) == 1


async def test_what_one_master_created_another_changes_at_once() -> None:
    """Before it refuses, a master reads on to the log's end."""
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        for number in range(20):
            job = await created(first, name=f"job-{number}")
            assert (await second.post(f"/api/v1/jobs/{job['job_id']}/pause")).status_code == 200


async def test_a_command_repeated_with_its_idempotency_key_takes_effect_once() -> None:
    """Also through another master; the answer is the first one's."""
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        headers = {"Idempotency-Key": "one"}
        tries = [await client.post("/api/v1/jobs", json=HELLO, headers=headers) for client in (first, first, second)]
        assert [answer.status_code for answer in tries] == [201] * 3
        assert len({answer.json()["job_id"] for answer in tries}) == 1
        run = f"/api/v1/jobs/{tries[0].json()['job_id']}/run"
        runs = [await client.post(run, headers={"Idempotency-Key": "two"}) for client in (first, second)]
        assert len({answer.json()["execution_id"] for answer in runs}) == 1
        misused = await first.post(run, headers=headers)
        assert misused.status_code == 409
        assert "new key" in misused.text


async def test_an_append_in_doubt_is_resolved_from_the_log() -> None:
    """The log took the record, but its answer was lost: the command is answered from the fold, never guessed."""
    ports = Ports()
    ports.log = forgetful = ForgetfulLog(ports.clock)
    async with ports.master() as (_, client):
        forgetful.forgets = True
        answer = await client.post("/api/v1/jobs", json=HELLO)
        assert answer.status_code == 201
        assert len(await ports.job_table()) == 1


async def test_while_the_log_is_down_commands_get_503_and_reads_go_on() -> None:
    """G10."""
    ports = Ports()
    async with ports.master() as (master, client):
        job = await created(client)
        ports.log.down = True
        while master.projector.caught_up.is_set():
            await asyncio.sleep(0.01)
        refused = await client.post("/api/v1/jobs", json=HELLO | {"name": "other"})
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert (await client.get(f"/api/v1/jobs/{job['job_id']}")).status_code == 200
        while (await client.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.01)
        ports.log.down = False
        await master.projector.caught_up.wait()
        assert (await client.post("/api/v1/jobs", json=HELLO | {"name": "other"})).status_code == 201


BAD = {
    "not json": (b"{", 422, "not JSON", ""),
    "not an object": (b"[]", 422, "not an object", ""),
    "unknown field": (b'{"name":"x","run":{"shell":"true"},"shedule":{}}', 422, "unknown field", "schedule"),
    "wrong type": (b'{"name":5,"run":{"shell":"true"}}', 422, "Expected `str`", ""),
    "missing": (b'{"name":"x"}', 422, "is required", ""),
    "no such zone": (b'{"name":"x","run":{"shell":"true"},"timezone":"Mars/Base"}', 422, "no such time zone", "IANA"),
    "never fires": (
        b'{"name":"x","run":{"shell":"true"},"schedule":{"cron":"0 0 31 2 *"}}', 422, "never fires", "month",
    ),
    "not yet": (
        b'{"name":"x","run":{"shell":"x"},"notify":[{"url":"http://127.0.0.1/"}]}',
        422,
        "no effect in this release",
        "leave it out",
    ),
    "too large": (b'{"name":"x","run":{"shell":"' + b"x" * 70_000 + b'"}}', 422, "at most 65536", "file"),
    "far too large": (b"x" * 200_000, 413, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
async def test_bad_bodies_get_a_problem_and_nothing_is_written(case: str) -> None:
    body, status, message, remedy = BAD[case]
    ports = Ports()
    async with ports.master() as (_, client):
        end = (await ports.log.bounds(JOB_EVENTS)).end
        answer = await client.post("/api/v1/jobs", content=body)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert message in answer.text
        assert remedy in answer.text
        assert answer.json()["instance"] == answer.headers["x-request-id"]
        assert (await ports.log.bounds(JOB_EVENTS)).end == end


async def test_bad_ids_parameters_and_conditions() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        job = await created(client)
        url = f"/api/v1/jobs/{job['job_id']}"
        missing = "01900000-0000-7000-8000-000000000000"
        cases = [
            (await client.get("/api/v1/jobs/nonsense"), 404, "nonsense"),
            (await client.get(f"/api/v1/jobs/{missing}"), 404, missing),
            (await client.post(f"/api/v1/jobs/{missing}/run"), 404, missing),
            (await client.get("/api/v1/jobs", params={"limit": "0"}), 400, "1 to 500"),
            (await client.get("/api/v1/jobs", params={"limit": "many"}), 400, "limit"),
            (await client.get("/api/v1/jobs", params={"cursor": "%%"}), 400, "next_cursor"),
            (await client.put(url, json=HELLO), 428, "If-Match"),
            (await client.put(url, json=HELLO, headers={"If-Match": "x"}), 400, "If-Match"),
            (await client.delete(url, headers={"If-Match": '"7"'}), 409, "version 7"),
            (await client.post("/api/v1/jobs", json=HELLO), 409, "taken"),
            (await client.get("/api/v1/nowhere"), 404, "openapi"),
            (await client.put("/api/v1/jobs"), 405, ""),
        ]
        for answer, status, says in cases:
            assert answer.status_code == status, answer.text
            assert says in answer.text
            assert answer.headers["content-type"] == "application/problem+json"


async def test_nothing_but_the_probes_answers_without_the_token() -> None:
    """G11: every route of the application; a new one is covered without being named here."""
    ports = Ports()
    async with ports.master() as (_, client):
        paths = (await client.get("/api/openapi.json")).json()["paths"]
        assert len(paths) >= 8
        body = paths["/api/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": "#/components/schemas/JobSpec"}
    async with ports.master() as (master, _), ports.client(master.port, token="wrong" * 4) as stranger:
        open_paths = {"/healthz", "/readyz"}
        for path, operations in paths.items():
            for method in set(operations) & {"get", "post", "put", "delete", "patch"}:
                answer = await stranger.request(method, path.replace("{", "").replace("}", ""))
                assert (answer.status_code == 401) is (path not in open_paths), (method, path, answer.status_code)
        for path in ("/", "/jobs/x", "/metrics", "/api", "/api/openapi.json", "/assets/x.js"):
            assert (await stranger.get(path)).status_code == 401, path
        assert (await stranger.get("/login", params={"token": "wrong"})).status_code == 401
    assert await ports.job_table() == {}


async def test_the_page_is_sent_compressed_to_who_reads_that_and_the_api_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first load is a third of its files' bytes."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "page-1a2b.js").write_text("tell(1);\n" * 10_000)
    monkeypatch.setattr("dcron_master.page.BUILD", tmp_path)
    async with Ports().master() as (_, client):
        plain = await client.get("/assets/page-1a2b.js", headers={"Accept-Encoding": "identity"})
        packed = await client.get("/assets/page-1a2b.js", headers={"Accept-Encoding": "gzip"})
        answer = await client.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.headers["cache-control"] == plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in answer.headers


async def test_the_login_link_sets_a_cookie_that_reads_but_changes_nothing_from_elsewhere() -> None:
    """G11: a page of another origin cannot use the cookie for commands."""
    ports = Ports()
    async with ports.master() as (master, _):
        base = f"http://127.0.0.1:{master.port}"
        async with httpx.AsyncClient(base_url=base, trust_env=False) as browser:
            login = await browser.get("/login", params={"token": TOKEN})
            assert login.status_code == 303
            assert TOKEN not in login.headers["set-cookie"]
            assert "HttpOnly" in login.headers["set-cookie"]
            assert (await browser.get("/api/v1/jobs")).status_code == 200
            foreign = await browser.post("/api/v1/jobs", json=HELLO, headers={"Origin": "http://evil.example"})
            assert foreign.status_code == 403
            assert (await browser.post("/api/v1/jobs", json=HELLO)).status_code == 403
            own_page = {"Origin": base, "X-CSRF-Token": csrf_value(TOKEN)}
            own = await browser.post("/api/v1/jobs", json=HELLO, headers=own_page)
            assert own.status_code == 201


async def test_pages_of_jobs_are_stable_and_complete() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        for number in range(25):
            await created(client, name=f"job-{number:02}", namespace="b" if number % 2 else "a")
        seen: list[str] = []
        cursor = ""
        while True:
            page = (await client.get("/api/v1/jobs", params={"limit": "10", "cursor": cursor})).json()
            assert page["total"] == 25
            seen += [job["spec"]["name"] for job in page["jobs"]]
            cursor = page.get("next_cursor") or ""
            if not cursor:
                break
        assert sorted(seen) == [f"job-{number:02}" for number in range(25)]
        assert JobCreated.__name__ in (await client.get("/metrics")).text


async def test_jobs_that_come_after_others_are_saved_if_that_can_work() -> None:
    """A circle, a name that is not there, and the end of a job that others wait for: each says what to do."""
    ports = Ports()
    async with ports.master() as (_, client), ports.master() as (_, other):
        first = await created(client, name="first")
        answer = await other.post("/api/v1/jobs", json=HELLO | {"name": "second", "after": [{"job": "first"}]})
        assert answer.status_code == 201, "also at a master that is a little behind"
        refused = await client.put(
            f"/api/v1/jobs/{first['job_id']}",
            json=HELLO | {"name": "first", "after": [{"job": "second"}]},
            headers={"If-Match": '"1"'},
        )
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["message"] == "closes a circle: first after second after first"
        unknown = await client.post("/api/v1/jobs", json=HELLO | {"name": "third", "after": [{"job": "frist"}]})
        assert unknown.json()["errors"][0]["field"] == "after[0].job"
        kept = await client.delete(f"/api/v1/jobs/{first['job_id']}")
        assert kept.status_code == 422
        assert kept.json()["errors"][0]["remedy"] == "take it out of `after` in second first"
        assert (await client.delete(f"/api/v1/jobs/{answer.json()['job_id']}")).status_code == 204
        assert (await client.delete(f"/api/v1/jobs/{first['job_id']}")).status_code == 204


async def test_of_rival_saves_on_two_masters_that_close_a_circle_one_is_refused_with_the_circle() -> None:
    """Each is right on what its master has read; the log's order decides, and every master says the same."""
    ports = Ports()
    refusals = []
    async with ports.master() as (_, client), ports.master() as (_, other):
        for number in range(20):
            names = [f"{side}-{number}" for side in ("east", "west")]
            east, west = [await created(client, name=name) for name in names]
            while (await other.get(f"/api/v1/jobs/{west['job_id']}")).status_code == 404:
                await asyncio.sleep(0)
            answers = await asyncio.gather(
                client.put(
                    f"/api/v1/jobs/{east['job_id']}",
                    json=HELLO | {"name": names[0], "after": [{"job": names[1]}]},
                    headers={"If-Match": '"1"'},
                ),
                other.put(
                    f"/api/v1/jobs/{west['job_id']}",
                    json=HELLO | {"name": names[1], "after": [{"job": names[0]}]},
                    headers={"If-Match": '"1"'},
                ),
            )
            refused = [answer for answer in answers if answer.status_code != 200]
            assert len(refused) == 1, [answer.text for answer in answers]
            assert refused[0].status_code in (409, 422), refused[0].text
            assert f"{names[0]} after {names[1]} after {names[0]}" in refused[0].text or (
                f"{names[1]} after {names[0]} after {names[1]}" in refused[0].text
            )
            refusals.append(refused[0].status_code)
    assert 409 in refusals, "none of them were rivals"


async def test_a_deleted_jobs_cursors_and_marks_go_with_it() -> None:
    """Those of every worker too."""
    ports = Ports()
    async with ports.master() as (_, client):
        job_id = str((await created(client))["job_id"])
        mine = (KEYS.tick(job_id), KEYS.worker_tick(job_id, "w1"), KEYS.worker_tick(job_id, "w2"), KEYS.marks(job_id))
        other = KEYS.worker_tick(f"{job_id}0", "w1")
        await ports.store.transact(Transaction((), tuple(Put(key, b"{}") for key in (*mine, other))))
        assert (await client.delete(f"/api/v1/jobs/{job_id}")).status_code == 204
        assert [key for key in mine if await ports.store.get(key)] == []
        assert await ports.store.get(other)
