"""The crontab as it was, over HTTP on memory ports: state, difference, restore, what bad input gets."""

from collections.abc import Sequence
from typing import Any

import httpx

from dcron_core.adapters.memory import MemoryLog
from dcron_core.errors import LogUnavailableError
from tests.services import JOB_EVENTS, Ports
from tests.unit.master.test_history_api import MISSING, created, events

AUDIT = "/api/v1/audit"


async def crontab(client: httpx.AsyncClient, at: str, **query: str) -> dict[str, Any]:
    """Return job id → definition at `at`."""
    answer = await client.get(f"{AUDIT}/state", params={"at": at, **query})
    assert answer.status_code == 200, answer.text
    return {job["job_id"]: job["spec"] for job in answer.json()["jobs"]}


async def standing(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return job id → definition, of the jobs as they are."""
    jobs = (await client.get("/api/v1/jobs", params={"limit": "500"})).json()["jobs"]
    return {job["job_id"]: job["spec"] for job in jobs}


def last_instant(ports: Ports) -> str:
    return events(ports)[-1].at.isoformat()


async def plan_and_do(client: httpx.AsyncClient, at: str, *job_ids: str) -> dict[str, Any]:
    """Make a plan and do it; return the result."""
    plan = (await client.get(f"{AUDIT}/restore", params={"at": at, "job_id": list(job_ids)})).json()
    body = {"at": at, "planned_at": plan["planned_at"], "job_ids": job_ids}
    answer = await client.post(f"{AUDIT}/restore", json=body)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def test_the_state_at_an_instant_is_what_stood_then_page_by_page() -> None:
    """G3, and what one master acknowledged is in the other one's answer."""
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        urls = [await created(first, name=f"job-{number}", namespace="ab"[number % 2]) for number in range(5)]
        at, then = last_instant(ports), await standing(first)
        await first.delete(urls[0])
        await first.patch(urls[1], json={"timeout": "5m"})
        assert await crontab(second, at) == then
        assert len(await crontab(second, at, namespace="a")) == 3
        assert len(await crontab(second, at, name="job-1")) == 1
        assert await crontab(second, last_instant(ports)) == await standing(first)
        seen: list[str] = []
        cursor = ""
        while True:
            query = {"at": at, "limit": "2", "cursor": cursor}
            page = (await second.get(f"{AUDIT}/state", params=query)).json()
            assert (page["total"], page["position"]) == (5, 5)
            seen += [job["spec"]["name"] for job in page["jobs"]]
            cursor = page["next_cursor"] or ""
            if not cursor:
                break
        assert seen == ["job-0", "job-2", "job-4", "job-1", "job-3"]


async def test_the_difference_names_what_was_created_changed_and_deleted_field_by_field() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        gone, edited = await created(client, name="gone"), await created(client, name="edited")
        start = last_instant(ports)
        await client.delete(gone)
        await client.patch(edited, json={"schedule": {"every": "2h"}})
        await created(client, name="added")
        end = last_instant(ports)
        await client.patch(edited, json={"schedule": {"every": "3h"}})
        answer = (await client.get(f"{AUDIT}/diff", params={"from": start, "to": end})).json()
        assert (answer["from_position"], answer["to_position"]) == (2, 5)
        told = [(job["name"], job["change"], job["from_version"], job["to_version"]) for job in answer["jobs"]]
        assert told == [("added", "created", None, 1), ("edited", "changed", 1, 2), ("gone", "deleted", 1, None)]
        assert answer["jobs"][1]["changes"] == [{"field": "schedule.every", "before": "1h", "after": "2h"}]
        assert {"field": "name", "before": "gone", "after": None} in answer["jobs"][2]["changes"]
        until_now = (await client.get(f"{AUDIT}/diff", params={"from": start})).json()
        assert until_now["jobs"][1]["changes"] == [{"field": "schedule.every", "before": "1h", "after": "3h"}]
        assert (await client.get(f"{AUDIT}/diff", params={"from": end, "to": end})).json()["jobs"] == []


async def test_a_restore_brings_every_job_back_also_where_names_were_passed_round() -> None:
    """G1, G2: a circle of names is undone too, and the events say it all."""
    ports = Ports()
    async with ports.master() as (_, client):
        urls = [await created(client, name=name) for name in ("a", "b", "c", "d")]
        at, then = last_instant(ports), await standing(client)
        await client.delete(urls[3])
        for url, name in zip(urls, ("x", "a", "b", "c"), strict=False):
            if url != urls[3]:
                assert (await client.patch(url, json={"name": name})).status_code == 200
        await client.patch(urls[0], json={"name": "c"})
        await created(client, name="d")
        result = await plan_and_do(client, at)
        assert (result["done"], result["failed"]) == (5, 0), result
        assert await standing(client) == then
        assert {job: entry.spec.name for job, entry in (await ports.job_table()).items()} == {
            job: spec["name"] for job, spec in then.items()
        }
        assert await plan_and_do(client, at) == {"steps": [], "done": 0, "failed": 0}


async def test_a_restore_brings_back_what_comes_after_what() -> None:
    """Two that were deleted, two that were turned round, and one that came after since: each in its order."""
    ports = Ports()
    async with ports.master() as (_, client):
        urls = {name: await created(client, name=name) for name in ("first", "east", "west")}
        urls["second"] = await created(client, name="second", after=[{"job": "first"}])
        await patched(client, urls["east"], "west")
        at, then = last_instant(ports), await standing(client)
        assert (await client.delete(urls["second"])).is_success
        assert (await client.delete(urls["first"])).is_success
        await patched(client, urls["east"])
        await patched(client, urls["west"], "east")
        await created(client, name="since", after=[{"job": "west"}])
        result = await plan_and_do(client, at)
        assert (result["done"], result["failed"]) == (5, 0), result
        assert await standing(client) == then


async def patched(client: httpx.AsyncClient, url: str, *after: str) -> None:
    answer = await client.patch(url, json={"after": [{"job": name} for name in after]})
    assert answer.is_success, answer.text


async def test_only_the_jobs_that_are_named_are_restored() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        one, other = await created(client, name="one"), await created(client, name="other")
        at = last_instant(ports)
        await client.delete(one)
        await client.delete(other)
        one_id = one.rpartition("/")[2]
        assert (await plan_and_do(client, at, one_id))["done"] == 1
        assert list(await standing(client)) == [one_id]


async def test_what_changed_since_the_plan_is_left_alone_and_named() -> None:
    """Each step is meant for the version it was planned on: a restore overwrites no edit that nobody saw."""
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        urls = {name: await created(first, name=name) for name in ("edited", "gone", "back", "twice", "kept")}
        at = last_instant(ports)
        later = await created(first, name="later")
        await first.patch(urls["edited"], json={"timeout": "5m"})
        await first.patch(urls["kept"], json={"timeout": "5m"})
        await first.patch(urls["gone"], json={"timeout": "5m"})
        await first.delete(urls["back"])
        await first.delete(urls["twice"])
        plan = (await first.get(f"{AUDIT}/restore", params={"at": at})).json()
        assert len(plan["steps"]) == 6

        await second.patch(urls["edited"], json={"timeout": "6m"})
        await second.delete(urls["gone"])
        await second.post(f"{urls['back']}/restore")
        await second.post(f"{urls['twice']}/restore")
        await second.patch(urls["twice"], json={"timeout": "7m"})
        await second.delete(urls["twice"])
        await second.patch(later, json={"timeout": "8m"})

        body = {"at": at, "planned_at": plan["planned_at"]}
        result = (await first.post(f"{AUDIT}/restore", json=body)).json()
        assert (result["done"], result["failed"]) == (1, 5)
        problems = {step["name"]: step["problem"] for step in result["steps"]}
        assert problems["kept"] == ""
        assert "at version 3" in problems["edited"]
        assert "no job" in problems["gone"]
        assert "stands" in problems["back"]
        assert "deleted again" in problems["twice"]
        assert "at version 2" in problems["later"]
        left = {spec["name"]: spec.get("timeout") for spec in (await standing(second)).values()}
        assert left == {"edited": "6m", "back": None, "later": "8m", "kept": None}


async def test_a_repeated_restore_finds_what_the_first_one_did() -> None:
    """G1: one key, one restore, at whichever master; a circle of names included."""
    ports = Ports()
    async with ports.master() as (_, first), ports.master() as (_, second):
        one, other = await created(first, name="a"), await created(first, name="b")
        gone = await created(first, name="gone")
        at = last_instant(ports)
        await first.patch(one, json={"name": "c"})
        await first.patch(other, json={"name": "a"})
        await first.patch(one, json={"name": "b"})
        await first.delete(gone)
        await created(first, name="added")
        plan = (await first.get(f"{AUDIT}/restore", params={"at": at})).json()
        body = {"at": at, "planned_at": plan["planned_at"]}
        headers = {"Idempotency-Key": "once"}
        tries = [await client.post(f"{AUDIT}/restore", json=body, headers=headers) for client in (first, second)]
        end = len(events(ports))
        assert tries[0].json()["failed"] == 0
        tries.append(await second.post(f"{AUDIT}/restore", json=body, headers=headers))
        assert {answer.text for answer in tries} == {tries[0].text}
        assert len(events(ports)) == end
        without_key = (await second.post(f"{AUDIT}/restore", json=body)).json()
        assert without_key["done"] == 0
        assert len(events(ports)) == end


class LosingLog(MemoryLog):
    """Loses the next append, and says that it is not available."""

    loses = False

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        if self.loses:
            self.loses = False
            raise LogUnavailableError("it is lost")
        return super().append(topic, key, value, headers)


async def test_a_step_whose_append_is_in_doubt_is_named_and_the_others_are_done() -> None:
    """G1: it is never guessed; the plan that is made next has what is left."""
    ports = Ports()
    ports.log = losing = LosingLog(ports.clock)
    async with ports.master(command_timeout="200ms") as (_, client):
        urls = [await created(client, name=name) for name in ("a", "b")]
        at, then = last_instant(ports), await standing(client)
        for url in urls:
            await client.patch(url, json={"timeout": "5m"})
        plan = (await client.get(f"{AUDIT}/restore", params={"at": at})).json()
        losing.loses = True
        result = (await client.post(f"{AUDIT}/restore", json={"at": at, "planned_at": plan["planned_at"]})).json()
        assert (result["done"], result["failed"]) == (1, 1)
        (problem,) = [step["problem"] for step in result["steps"] if step["problem"]]
        assert "in doubt" in problem
        assert (await plan_and_do(client, at))["done"] == 1
        assert await standing(client) == then


async def test_while_the_log_is_down_nothing_is_guessed() -> None:
    """G10."""
    ports = Ports()
    async with ports.master() as (_, client):
        await created(client)
        at = last_instant(ports)
        ports.log.down = True
        for path in ("state", "restore"):
            assert (await client.get(f"{AUDIT}/{path}", params={"at": at})).status_code == 503
        assert (await client.get(f"{AUDIT}/diff", params={"from": at})).status_code == 503
        assert (await client.post(f"{AUDIT}/restore", json={"at": at, "planned_at": 1})).status_code == 503
        ports.log.down = False


async def test_bad_requests_are_told_and_nothing_is_written() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        await created(client)
        at, end = last_instant(ports), (await ports.log.bounds(JOB_EVENTS)).end
        future, early, naive = "2999-01-01T00:00:00Z", "2001-01-01T00:00:00+01:00", "2026-11-24T09:30:00"
        plan = {"at": at, "planned_at": 1}

        def get(path: str, **query: Any) -> Any:
            return client.get(f"{AUDIT}/{path}", params={key.rstrip("_"): value for key, value in query.items()})

        def post(**body: Any) -> Any:
            return client.post(f"{AUDIT}/restore", json=body)

        cases = [
            (get("state"), 400, "at"),
            (get("state", at="yesterday"), 400, "not an instant"),
            (get("state", at=naive), 422, "at: 2026-11-24T09:30:00 has no zone"),
            (get("state", at=future), 422, "in the future"),
            (get("state", at=early), 422, "before the log began"),
            (get("state", at=at, limit="0"), 400, "1 to 500"),
            (get("state", at=at, cursor="%%"), 400, "next_cursor"),
            (get("state", at=at, job="x"), 400, "no parameter 'job'"),
            (get("diff", to=at), 400, "from"),
            (get("diff", from_="x"), 400, "from"),
            (get("diff", from_=at, to="x"), 400, "to 'x'"),
            (get("diff", from_=naive), 422, "from: "),
            (get("diff", from_=at, to=future), 422, "to: "),
            (get("diff", from_=early), 422, "before the log began"),
            (get("diff", from_=at, to=early), 422, "before the log began"),
            (get("diff", from_=at, until=at), 400, "until"),
            (get("restore"), 400, "at"),
            (get("restore", at=future), 422, "in the future"),
            (get("restore", at=at, job_id="nonsense"), 404, "nonsense"),
            (get("restore", at=at, job_id=MISSING), 404, MISSING),
            (get("restore", at=at, job=MISSING), 400, "no parameter 'job'"),
            (post(), 400, "at"),
            (post(**plan, jobs=[]), 400, "jobs"),
            (post(at=at), 400, "planned_at"),
            (post(at="x", planned_at=1), 400, "RFC3339"),
            (post(at=naive, planned_at=1), 422, "no zone"),
            (post(at=future, planned_at=1), 422, "in the future"),
            (post(at=early, planned_at=1), 422, "before the log began"),
            (post(at=at, planned_at=99), 422, "the log ends at 1"),
            (post(at=at, planned_at=-1), 422, "planned_at"),
            (post(**plan, job_ids=["nonsense"]), 404, "nonsense"),
            (post(**plan, job_ids=[MISSING]), 404, MISSING),
        ]
        for request, status, says in cases:
            answer = await request
            assert answer.status_code == status, (says, answer.text)
            assert says in answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        exchanged = await get("diff", from_=last_instant(ports), to=events(ports)[0].at.isoformat())
        assert (exchanged.status_code, "exchange them" in exchanged.text) == (422, True)
        assert (await ports.log.bounds(JOB_EVENTS)).end == end
