"""Versions of jobs over HTTP, on memory ports: partial edits, history, going back, bringing back, repetitions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from dcron_core.adapters.memory.log import MemoryLog, MemoryReader
from dcron_core.clock import Clock
from dcron_core.ports.log import Bounds, Record
from dcron_schemas.codec import decode_event
from dcron_schemas.events import JobEvent, JobReverted, JobUpdated
from tests.services import JOB_EVENTS, Ports

HELLO: dict[str, Any] = {"name": "hello", "run": {"shell": "echo hello"}, "schedule": {"every": "1h"}}
MISSING = "01900000-0000-7000-8000-000000000000"


async def created(client: httpx.AsyncClient, **changes: object) -> str:
    """Create a job; return its address."""
    answer = await client.post("/api/v1/jobs", json=HELLO | changes)
    assert answer.status_code == 201, answer.text
    return f"/api/v1/jobs/{answer.json()['job_id']}"


def events(ports: Ports) -> list[JobEvent]:
    """Return every event in the log."""
    (partition,) = ports.log.partitions(JOB_EVENTS)
    decoded = [decode_event(record.value) for record in partition.read(0, 100_000)]
    return [event for event in decoded if isinstance(event, JobEvent)]


async def test_a_partial_edit_changes_what_it_names_and_its_event_carries_both_versions() -> None:
    """G1, and the event of an edit always says which version it is on."""
    ports = Ports()
    async with ports.master() as (_, client):
        url = await created(client, env={"A": "b"})
        answer = await client.patch(url, json={"schedule": {"every": "2h"}, "env": {"A": None}})
        assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
        assert answer.json()["spec"] == HELLO | {"schedule": {"every": "2h"}}
        put = await client.put(url, json=HELLO, headers={"If-Match": "*"})
        assert put.headers["etag"] == '"3"'
        reverted = await client.post(f"{url}/revert", json={"version": 2})
        assert reverted.headers["etag"] == '"4"'
        patched, replaced, back = events(ports)[-3:]
    assert isinstance(patched.data, JobUpdated)
    assert isinstance(replaced.data, JobUpdated)
    assert isinstance(back.data, JobReverted)
    assert [event.expected_version for event in (patched, replaced, back)] == [1, 2, 3]
    assert patched.data.before is not None
    assert patched.data.before.env == {"A": "b"}
    assert replaced.data.before == patched.data.spec == back.data.spec
    assert (back.data.before, back.data.to_version) == (replaced.data.spec, 2)


async def test_without_a_condition_an_edit_is_on_what_the_other_master_acknowledged() -> None:
    """G1: an edit by merge loses nothing that was acknowledged before it, at whichever master."""
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = await created(first)
        for number in range(10):
            one = await first.patch(url, json={"env": {f"A{number}": "x"}})
            other = await second.patch(url, json={"env": {f"B{number}": "x"}})
            assert (one.status_code, other.status_code) == (200, 200)
        assert len((await first.get(url)).json()["spec"]["env"]) == 20


EDITS: dict[str, tuple[str, str, Any]] = {
    "put": ("PUT", "", HELLO | {"description": "mine"}),
    "patch": ("PATCH", "", {"description": "mine"}),
    "revert": ("POST", "/revert", {"version": 1}),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_the_loser_of_rival_edits_on_two_masters_is_told_the_definition_now_and_the_difference(edit: str) -> None:
    """One winner, one 409, for every kind of edit."""
    method, path, body = EDITS[edit]
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = await created(first)
        await first.patch(url, json={"description": "before"})
        rival = HELLO | {"description": "theirs", "timeout": "5m"}
        condition = {"If-Match": '"2"'}
        mine, theirs = await asyncio.gather(
            second.request(method, url + path, json=body, headers=condition),
            first.put(url, json=rival, headers=condition),
        )
        assert sorted((mine.status_code, theirs.status_code)) == [200, 409]
        if mine.status_code == 200:  # then this edit is repeated, and loses
            await first.put(url, json=rival, headers={"If-Match": "*"})
            mine = await second.request(method, url + path, json=body, headers=condition)
        problem = mine.json()
        assert problem["status"] == 409
        assert problem["expected_version"] == 2
        assert problem["current"] == rival
        assert problem["current_version"] == (await second.get(url)).json()["version"]
        wanted = "" if edit == "revert" else "mine"
        assert problem["difference"] == [
            {"field": "description", "before": "theirs", "after": wanted},
            {"field": "timeout", "before": "5m", "after": None},
        ]


async def test_twenty_rival_edits_without_a_condition_all_take_effect_or_say_so() -> None:
    """G1: what was answered with 200 is in the definition; the others were told."""
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = await created(first)
        edits = [client.patch(url, json={"env": {f"V{n}": "x"}}) for n, client in enumerate((first, second) * 10)]
        answers = await asyncio.gather(*edits)
        assert {answer.status_code for answer in answers} <= {200, 409}
        took = {f"V{n}" for n, answer in enumerate(answers) if answer.status_code == 200}
        assert took
        assert set((await first.get(url)).json()["spec"]["env"]) == took


async def test_the_history_has_each_version_with_who_when_and_what_changed_after_deletion_too() -> None:
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = await created(first)
        await first.patch(url, json={"schedule": {"every": "2h"}}, headers={"X-Request-Id": "request-4711"})
        await first.post(f"{url}/pause")
        await first.delete(url)
        history = (await second.get(f"{url}/history")).json()
        assert (history["name"], history["namespace"], history["deleted"]) == ("hello", "default", True)
        told = [(version["version"], version["kind"]) for version in history["versions"]]
        assert told == [(1, "JobCreated"), (2, "JobUpdated"), (3, "JobPaused"), (3, "JobDeleted")]
        edit = history["versions"][1]
        assert (edit["request_id"], edit["actor"]) == ("request-4711", "bootstrap")
        assert edit["changes"] == [{"field": "schedule.every", "before": "1h", "after": "2h"}]


async def test_a_deleted_job_is_listed_and_stands_again_with_its_versions() -> None:
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = await created(first)
        await first.patch(url, json={"timeout": "5m"})
        assert (await second.post(f"{url}/restore")).status_code == 409
        await first.delete(url)
        (deleted,) = (await second.get("/api/v1/jobs/deleted", params={"name": "hello"})).json()["jobs"]
        assert (url.endswith(deleted["job_id"]), deleted["version"], deleted["deleted_by"]) == (True, 2, "bootstrap")
        assert (await second.get("/api/v1/jobs/deleted", params={"namespace": "other"})).json()["jobs"] == []
        other = await created(first)
        assert "taken" in (await second.post(f"{url}/restore")).text
        await first.delete(other)
        restored = await second.post(f"{url}/restore")
        assert (restored.status_code, restored.headers["etag"]) == (200, '"3"')
        assert restored.json()["spec"] == HELLO | {"timeout": "5m"}
        assert (await first.post(f"{url}/revert", json={"version": 1})).json()["spec"] == HELLO
        left = (await second.get("/api/v1/jobs/deleted")).json()["jobs"]
        assert [job["job_id"] for job in left] == [other.rpartition("/")[2]]
        again = await second.post(f"{url}/restore")
        assert (again.status_code, "stands" in again.text) == (409, True)


async def once(client: httpx.AsyncClient, method: str, url: str, body: Any) -> httpx.Response:
    """Send a command under one key, whatever it is."""
    return await client.request(method, url, json=body, headers={"Idempotency-Key": "the key", "If-Match": '"2"'})


REPEATED: dict[str, tuple[str, str, Any]] = {
    **EDITS,
    "patch of a growing field": ("PATCH", "", {"name": "renamed", "env": {"A": None, "B": "c"}}),
    "pause": ("POST", "/pause", None),
    "delete": ("DELETE", "", None),
    "run": ("POST", "/run", None),
}


@pytest.mark.parametrize("command", REPEATED)
async def test_a_repeated_command_gets_the_first_answer_whatever_happened_since_and_after_a_restart(
    command: str,
) -> None:
    """G1: also at another master, at one that was started since, and when the job is another or gone by then."""
    method, path, body = REPEATED[command]
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = await created(first, env={"A": "b"})
        await first.patch(url, json={"description": "before"})
        answers = [await once(first, method, url + path, body)]
        assert answers[0].status_code in (200, 202, 204), answers[0].text
        end = len(events(ports))
        answers += [await once(client, method, url + path, body) for client in (first, second)]
        if command != "delete":
            await first.patch(url, json={"env": {"A": "z", "Z": "z"}})
            answers.append(await once(second, method, url + path, body))
            await first.delete(url)
            end += 2
        answers += [await once(client, method, url + path, body) for client in (first, second)]
    async with ports.master() as (third, client):
        await third.history.at_end()
        answers.append(await once(client, method, url + path, body))
    assert [answer.status_code for answer in answers] == [answers[0].status_code] * len(answers)
    assert {told(answer) for answer in answers} == {told(answers[0])}
    assert len(events(ports)) == end


def told(answer: httpx.Response) -> str:
    return answer.text.partition('"next_tick"')[0]  # which is as of now


async def test_a_repeated_restore_gets_the_first_answer_when_the_job_was_deleted_again() -> None:
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        url = await created(first)
        await first.delete(url)
        headers = {"Idempotency-Key": "back"}
        answers = [await client.post(f"{url}/restore", headers=headers) for client in (first, second)]
        await first.delete(url)
        answers.append(await second.post(f"{url}/restore", headers=headers))
        assert [answer.headers.get("etag") for answer in answers] == ['"2"'] * 3
        assert (await first.get(url)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"description": "other"}),
        ("PATCH", "", {"timezone": None}),
        ("PUT", "", HELLO | {"description": "other"}),
        ("POST", "/revert", {"version": 1}),
        ("POST", "/pause", None),
    ],
)
async def test_a_key_that_was_used_for_another_command_is_refused(method: str, path: str, body: Any) -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        url = await created(client)
        await client.patch(url, json={"timeout": "5m"})
        assert (await once(client, "PATCH", url, {"description": "mine"})).status_code == 200
        misused = await once(client, method, url + path, body)
        assert (misused.status_code, "new key" in misused.text) == (409, True)


async def test_what_became_of_a_command_is_told_after_a_restart_too() -> None:
    """G1: the answer comes from the log."""
    ports = Ports()
    async with ports.master() as (_, client):
        url = await created(client)
        await client.patch(url, json={"timeout": "5m"})
        await client.delete(url)
    ids = [(event.event_id, event.job_id) for event in events(ports)[1:]]
    async with ports.master() as (_, client):
        for event_id, job_id in ids:
            outcome = (await client.get(f"/api/v1/commands/{event_id}")).json()
            assert (outcome["outcome"], outcome["job_id"]) == ("applied", job_id)
        assert (await client.get(f"/api/v1/commands/{MISSING}")).json()["outcome"] == "unknown"


async def test_while_the_log_is_down_histories_answer_503() -> None:
    """G10."""
    ports = Ports()
    async with ports.master() as (_, client):
        url = await created(client)
        ports.log.down = True
        for path in (f"{url}/history", "/api/v1/jobs/deleted"):
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        ports.log.down = False


async def test_bad_requests_are_told_and_nothing_is_written() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        url = await created(client)
        end = len(events(ports))
        cases = [
            (await client.patch(url, json={"shedule": None}), 422, "did you mean schedule?"),
            (await client.patch(url, json={"name": None}), 422, "is required"),
            (await client.patch(url, json={"schedule": {"cron": "x"}}), 422, "schedule"),
            (await client.patch(url, json=["name"]), 422, "not an object"),
            (await client.patch(url, content=b"{"), 422, "not JSON"),
            (await client.patch(url, content=b"x" * 200_000), 413, ""),
            (await client.patch(url, json={"name": "x"}, headers={"If-Match": "x"}), 400, "If-Match"),
            (await client.patch(url, json={"name": "x"}, headers={"If-Match": '"7"'}), 409, "version 7"),
            (await client.patch("/api/v1/jobs/nonsense", json={}), 404, "nonsense"),
            (await client.patch(f"/api/v1/jobs/{MISSING}", json={}), 404, MISSING),
            (await client.get(f"/api/v1/jobs/{MISSING}/history"), 404, "never was"),
            (await client.get("/api/v1/jobs/nonsense/history"), 404, "nonsense"),
            (await client.get("/api/v1/jobs/deleted", params={"nam": "x"}), 400, "nam"),
            (await client.post(f"{url}/revert", json={"version": 2}), 404, "it has 1"),
            (await client.post(f"{url}/revert", json={"version": "first"}), 400, "version"),
            (await client.post(f"{url}/revert", json={"verson": 1}), 400, "verson"),
            (await client.post(f"{url}/revert"), 400, "the body is missing"),
            (await client.post(f"{url}/revert", json={"version": 1}, headers={"If-Match": '"7"'}), 409, "version 7"),
            (await client.post(f"/api/v1/jobs/{MISSING}/revert", json={"version": 1}), 404, MISSING),
            (await client.post(f"/api/v1/jobs/{MISSING}/restore"), 404, MISSING),
            (await client.post("/api/v1/jobs/nonsense/restore"), 404, "nonsense"),
            (await client.post(f"{url}/restore"), 409, "only a deleted job"),
        ]
        for answer, status, says in cases:
            assert answer.status_code == status, answer.text
            assert says in answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        assert len(events(ports)) == end


class HeldLog(MemoryLog):
    """The same log as another one's; what it gives to read can be held back, as a slow broker does."""

    def __init__(self, shared: MemoryLog, clock: Clock) -> None:
        super().__init__(clock)
        self.appended, self._topics = shared.appended, shared._topics
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.asked_for_end = asyncio.Event()  # while it was held back

    async def bounds(self, topic: str, partition: int = 0) -> Bounds:
        if not self.flowing.is_set():
            self.asked_for_end.set()
        return await super().bounds(topic, partition)

    @asynccontextmanager
    async def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AsyncIterator[MemoryReader]:
        async with super().reader(topic, offsets) as reader:
            yield HeldReader(self, topic, reader._positions)


class HeldReader(MemoryReader):
    _log: HeldLog

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        records = await super().poll(timeout_s, limit)
        await self._log.flowing.wait()
        return records


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("PATCH", "", {"description": "mine"}), ("POST", "/revert", {"version": 1}), ("GET", "/history", None)],
)
async def test_a_master_that_is_behind_reads_on_before_it_answers(method: str, path: str, body: Any) -> None:
    """G1: what another one acknowledged is in the answer, and an edit without a condition is on it."""
    ports, behind = Ports(), Ports()
    behind.store = ports.store
    behind.log = held = HeldLog(ports.log, ports.clock)
    async with ports.master() as (_, first), behind.master() as (second, client):
        url = await created(first)
        await second.history.at_end()
        held.flowing.clear()
        acknowledged = await first.patch(url, json={"timeout": "5m"})
        assert acknowledged.status_code == 200
        asking = asyncio.create_task(client.request(method, url + path, json=body))
        reading_on = asyncio.create_task(held.asked_for_end.wait())
        await asyncio.wait((asking, reading_on), return_when=asyncio.FIRST_COMPLETED)
        held.flowing.set()
        answer = await asking
        assert answer.status_code == 200, answer.text
        assert reading_on.done()
        history = (await first.get(f"{url}/history")).json()["versions"]
        if method == "GET":
            assert answer.json()["versions"] == history
        else:
            assert [version["version"] for version in history] == [1, 2, 3]
            assert history[1]["spec"] == HELLO | {"timeout": "5m"}
            assert history[2]["spec"] == (HELLO | {"timeout": "5m", "description": "mine"} if path == "" else HELLO)
