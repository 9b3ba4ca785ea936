"""G11 where a namespace's edge is: jobs that move, and answers that could tell of what is out of sight."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import convert

from dcron_core.ids import derived_id
from dcron_master.commands import Commands
from dcron_schemas.codec import encode
from dcron_schemas.events import JobEvent, JobUpdated
from dcron_schemas.job import JobSpec
from tests.services import JOB_EVENTS
from tests.unit.access.test_access_table import body, now
from tests.unit.access.world import ASKERS, ELSEWHERE, HERE, World, world

BOTH = {HERE: "editor", ELSEWHERE: "editor"}
ASKERS_OF_BOTH = {
    "editor-of-both": BOTH,
    "viewer-there": {HERE: "editor", ELSEWHERE: "viewer"},
    "two": {HERE: "viewer", ELSEWHERE: "viewer"},
}


@pytest.fixture(autouse=True)
def _more_askers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, grants in ASKERS_OF_BOTH.items():
        monkeypatch.setitem(ASKERS, name, grants)


async def moved(opened: World, job_id: str, asker: str = "bootstrap", to: str = ELSEWHERE) -> httpx.Response:
    return await opened.ask("master", "PATCH", f"/api/v1/jobs/{job_id}", asker, json={"namespace": to})


async def test_moving_a_job_needs_an_editor_in_both_namespaces(tmp_path: Path) -> None:
    async with world(tmp_path) as opened:
        job_id = (await opened.subject()).job_id
        for asker in ("editor", "admin", "viewer-there"):
            refused = await moved(opened, job_id, asker)
            assert (refused.status_code, "needs the role editor in namespace 'elsewhere'" in refused.text) == (
                403,
                True,
            )
        put = await opened.ask(
            "master", "PUT", f"/api/v1/jobs/{job_id}", "admin-elsewhere", json=body("x", ELSEWHERE),
            headers={"If-Match": '"1"'},
        )  # fmt: skip
        assert put.status_code == 404
        assert (await moved(opened, job_id, "editor-of-both")).status_code == 200
        assert (await moved(opened, job_id, "editor", HERE)).status_code == 404


async def test_an_old_version_from_out_of_sight_is_neither_shown_nor_brought_back(tmp_path: Path) -> None:
    async with world(tmp_path) as opened:
        job_id = await opened.job("wanderer", ELSEWHERE, description="what it was there")
        change = {"namespace": HERE, "description": "what it is here"}
        await opened.ask("master", "PATCH", f"/api/v1/jobs/{job_id}", "bootstrap", json=change)
        history = (await opened.ask("master", "GET", f"/api/v1/jobs/{job_id}/history", "editor")).json()
        assert [(each["version"], each["changes"]) for each in history["versions"]] == [(2, [])]
        assert "what it was there" not in str(history)
        url = f"/api/v1/jobs/{job_id}/revert"
        reverted = await opened.ask("master", "POST", url, "editor", json={"version": 1})
        assert (reverted.status_code, "it has 2" in reverted.text) == (404, True)
        refused = await opened.ask("master", "POST", url, "viewer-there", json={"version": 1})
        assert refused.status_code == 403
        await opened.archived()
        events = await opened.ask("log-ingester", "GET", "/api/v1/audit/events", "viewer")
        assert "what it is here" not in events.text, "a change that says what was before"
        assert "what it was there" not in events.text
        assert "what it was there" in (await opened.ask("log-ingester", "GET", "/api/v1/audit/events", "two")).text
        before = (await opened.ask("master", "GET", f"/api/v1/jobs/{job_id}/history", "admin-elsewhere")).json()
        assert [each["version"] for each in before["versions"]] == [1]
        assert (await opened.ask("master", "GET", f"/api/v1/jobs/{job_id}", "admin-elsewhere")).status_code == 404


async def test_a_conflict_shows_no_definition_that_is_out_of_sight(tmp_path: Path) -> None:
    """An edit that is meant for the version before the move is a conflict; its answer holds the job as it is now."""
    async with world(tmp_path) as opened:
        job_id = (await opened.subject()).job_id
        await opened.ask(
            "master", "PATCH", f"/api/v1/jobs/{job_id}", "bootstrap",
            json={"namespace": ELSEWHERE, "description": "out of sight"},
        )  # fmt: skip
        for method, path, wanted in (
            ("PATCH", "", {"description": "y"}),
            ("DELETE", "", None),
            ("POST", "/pause", None),
        ):
            answer = await opened.ask(
                "master", method, f"/api/v1/jobs/{job_id}{path}", "editor", json=wanted, headers={"If-Match": '"1"'}
            )
            assert (answer.status_code, "out of sight" in answer.text) == (404, False)


@pytest.mark.parametrize("version", ["", '"1"'], ids=["any version", "If-Match"])
@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [("POST", "/pause", None), ("POST", "/run", None), ("DELETE", "", None), ("PATCH", "", {"description": "y"})],
)
async def test_a_permit_is_for_the_version_that_was_looked_at(
    method: str, path: str, wanted: Any, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is moved while somebody's command on it is on its way is out of their reach.

    The move comes between the look at the job and the event's place in the log, as it may by another master. The event
    was meant for the version that was looked at, so it does nothing, and its answer shows nothing of the job.
    """
    async with world(tmp_path) as opened:
        subject = await opened.subject()
        append, moves = Commands._append, [subject.job_id]

        async def after_the_move(self: Commands, event: JobEvent) -> int:
            if moves:
                spec = convert(body("moved", ELSEWHERE), JobSpec)
                move = JobEvent(
                    event_id="move", job_id=moves.pop(), actor="else", request_id="", at=event.at, data=JobUpdated(spec)
                )
                async with opened.ports.log.producer() as producer:
                    await producer.append(JOB_EVENTS, move.job_id, encode(move))
            return await append(self, event)

        monkeypatch.setattr(Commands, "_append", after_the_move)
        headers = {"If-Match": version} if version else {}
        url = f"/api/v1/jobs/{subject.job_id}"
        answer = await opened.ask("master", method, url + path, "editor", json=wanted, headers=headers)
        assert (answer.status_code, "moved" in answer.text) == (404, False)
        there = (await opened.ask("master", "GET", url, "admin-elsewhere")).json()
        assert (there["version"], there["spec"]["name"], there["spec"].get("enabled", True)) == (2, "moved", True)


async def test_who_may_act_everywhere_means_any_version(tmp_path: Path) -> None:
    """So nobody's command is in conflict with an edit for the sake of a permit that does not hang on it."""
    async with world(tmp_path) as opened:
        job_id = (await opened.subject()).job_id
        for asker in ("operator", "bootstrap"):
            paused = await opened.ask("master", "POST", f"/api/v1/jobs/{job_id}/pause", asker)
            assert paused.status_code == 200
        by_operator, by_bootstrap = opened.job_events()[-2:]
        assert (by_operator.actor, by_operator.expected_version) == ("operator", 1)
        assert (by_bootstrap.actor, by_bootstrap.expected_version) == ("bootstrap", None)


async def test_what_a_command_came_to_is_told_again_to_who_still_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same key, by the same name, whose grants were taken away meanwhile; and by another name it is another one."""
    async with world(tmp_path) as opened:
        key = {"Idempotency-Key": "once"}

        async def create(asker: str) -> httpx.Response:
            return await opened.ask("master", "POST", "/api/v1/jobs", asker, json=body("one"), headers=key)

        first = await create("editor")
        assert first.status_code == 201
        assert (await create("editor")).json()["job_id"] == first.json()["job_id"]
        assert (await create("admin")).status_code == 409
        deleted = await opened.ask(
            "master", "DELETE", f"/api/v1/jobs/{first.json()['job_id']}", "editor", headers={"Idempotency-Key": "gone"}
        )
        assert deleted.status_code == 204
        monkeypatch.setitem(ASKERS, "editor", {ELSEWHERE: "admin"})
        refused = await create("editor")
        assert (refused.status_code, first.json()["job_id"] in refused.text) == (403, False)
        again = await opened.ask(
            "master", "DELETE", f"/api/v1/jobs/{first.json()['job_id']}", "editor", headers={"Idempotency-Key": "gone"}
        )
        assert again.status_code == 404
        outcome = await opened.ask("master", "GET", f"/api/v1/commands/{derived_id('editor', 'once')}", "editor")
        assert outcome.json()["outcome"] == "unknown"


async def test_a_restore_takes_no_job_over_an_edge_that_its_asker_does_not_see(tmp_path: Path) -> None:
    """A job that came from elsewhere is not deleted as if it were new; one that went is not brought back."""
    async with world(tmp_path) as opened:
        came, went = await opened.job("came", ELSEWHERE), await opened.job("went", HERE)
        changed = await opened.job("changed", HERE)
        at = now(opened)
        await moved(opened, came, to=HERE)
        await moved(opened, went)
        await opened.ask("master", "PATCH", f"/api/v1/jobs/{changed}", "bootstrap", json={"description": "x"})

        async def plan(asker: str) -> Any:
            answer = await opened.ask("master", "GET", "/api/v1/audit/restore", asker, params={"at": at})
            return answer.json()

        planned = await plan("editor")
        assert [(step["job_id"], step["action"]) for step in planned["steps"]] == [(changed, "revert")]
        assert len((await plan("everywhere"))["steps"]) == 3
        wanted = {"at": at, "planned_at": planned["planned_at"]}
        refused = await opened.ask("master", "POST", "/api/v1/audit/restore", "viewer", json=wanted)
        assert refused.status_code == 403
        refused = await opened.ask("master", "POST", "/api/v1/audit/restore", "viewer-there", json=wanted)
        assert refused.status_code == 403, "the jobs that moved are in its sight, and not all its own"
        done = (await opened.ask("master", "POST", "/api/v1/audit/restore", "editor", json=wanted)).json()
        assert (done["done"], done["failed"]) == (1, 0)
        assert (await opened.ask("master", "GET", f"/api/v1/jobs/{came}", "viewer")).status_code == 200


async def test_names_counts_and_searches_end_at_the_edge(tmp_path: Path) -> None:
    async with world(tmp_path) as opened:
        ours = await opened.subject(HERE)
        theirs = await opened.job(ours.name, ELSEWHERE, description="needle", tags=["their-tag"])
        await opened.run(theirs, ours.name, ELSEWHERE)
        await opened.archived()

        async def got(service: str, path: str, asker: str = "viewer", **params: str) -> Any:
            answer = await opened.ask(service, "GET", path, asker, params=params)
            assert answer.status_code == 200, answer.text
            return answer.json()

        assert (await got("master", "/api/v1/jobs", q="needle"))["total"] == 0
        assert (await got("master", "/api/v1/jobs", name=ours.name))["total"] == 1
        assert "their-tag" not in str(await got("master", "/api/v1/jobs/facets"))
        assert len((await got("master", "/api/v1/jobs/facets", "two"))["namespaces"]) == 2
        runs = (await got("log-ingester", "/api/v1/executions", job=ours.name))["executions"]
        assert [run["namespace"] for run in runs] == [HERE]
        assert len((await got("log-ingester", "/api/v1/executions", "two", job=ours.name))["executions"]) == 2
        assert len((await got("log-ingester", "/api/v1/executions", job_id=theirs))["executions"]) == 0
        found = await got("log-ingester", "/api/v1/executions", text="secret output")
        assert {run["namespace"] for run in found["executions"]} == {HERE}
        ledger = await got("log-ingester", "/api/v1/audit/ledger", job=ours.name)
        assert ledger["job_id"] == ours.job_id
        asked = await opened.ask("log-ingester", "GET", "/api/v1/audit/ledger", "two", params={"job": ours.name})
        assert (asked.status_code, "elsewhere" in asked.text) == (422, True)
        refused = await opened.ask("log-ingester", "GET", "/api/v1/audit/ledger", "viewer", params={"job_id": theirs})
        assert refused.status_code == 404
        absent = await opened.ask("log-ingester", "GET", "/api/v1/stats", "nobody", params={"job": ours.name})
        assert absent.status_code == 404
        previewed = await opened.ask(
            "master", "POST", f"/api/v1/jobs/preview?job_id={theirs}", "viewer", json={"schedule": {"every": "1h"}}
        )
        assert previewed.status_code == 200


async def test_lists_ask_the_index_of_namespaces_and_of_nobody_who_sees_all(tmp_path: Path) -> None:
    """Whoever sees everything pays nothing for this; whoever sees one namespace has an index for it."""
    async with world(tmp_path) as opened:
        await opened.subject()
        for asker, expected in (("everywhere", [{}]), ("viewer", [{"namespace": HERE}]), ("nobody", [])):
            opened.store.asked.clear()
            await opened.ask("log-ingester", "GET", "/api/v1/executions", asker)
            assert [query for query in opened.store.asked if query not in expected] == []
            assert bool(opened.store.asked) is bool(expected)
