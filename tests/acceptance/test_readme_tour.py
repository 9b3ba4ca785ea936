"""The README's words, on the real servers: apply a job, see it run live, find it stored, delete it, see it stop."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from tests.cluster import TOKEN, Cluster, dcron_command, wait_until

TICKER = """
name: ticker
description: says its tick, every second
run: {shell: 'echo "tick $DCRON_DUE_AT"; sleep 0.5; echo "still here" >&2'}
schedule: {cron: "* * * * * *"}
"""


def dcron(cluster: Cluster, *arguments: str, code: int = 0) -> str:
    """Run the command line against the cluster; return what it printed, on stderr where it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")}
    environment |= {"DCRON_URL": cluster.all_of("master")[0].url, "DCRON_TOKEN": TOKEN, "COLUMNS": "200"}
    done = subprocess.run(
        [*dcron_command(), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stderr if code else done.stdout


def frames_of(ingester_url: str, execution_id: str) -> list[dict[str, Any]]:
    """Return all frames of a run's live view."""
    url = ingester_url.replace("http", "ws") + f"/ws/executions/{execution_id}"
    with connect(url, additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=None) as socket:
        return [json.loads(message) for message in socket]


def test_a_job_is_applied_runs_is_seen_live_is_stored_once_and_stops_when_deleted(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The whole path (G1, G6, G9): CLI → master → log → etcd → worker → Kafka → store and websocket."""
    cluster.start()
    file = tmp_path / "ticker.yaml"
    file.write_text(TICKER)
    assert "created" in dcron(cluster, "job", "apply", "-f", str(file))
    assert "unchanged" in dcron(cluster, "job", "apply", "-f", str(file))

    with cluster.api("log-ingester") as ingester, cluster.api() as master:
        job = master.get("/api/v1/jobs", params={"name": "ticker"}).json()["jobs"][0]
        first, frames = wait_until(lambda: _seen_live(ingester, job["job_id"]), "a live view of a run that goes on")
        assert frames[-1]["frame"] == "finished"
        assert frames[-1]["execution"]["status"] == "succeeded"
        chunks = [frame["chunk"] for frame in frames if frame["frame"] == "output"]
        due = first["due_at"].replace("Z", "+00:00")
        assert "".join(c["text"] for c in chunks if c["stream"] == "stdout") == f"tick {due}\n"
        assert "".join(c["text"] for c in chunks if c["stream"] == "stderr") == "still here\n"
        assert [c["seq"] for c in chunks] == list(range(len(chunks)))

        assert "ticker" in dcron(cluster, "job", "ls")
        logs = dcron(cluster, "logs", first["execution_id"])
        assert f"tick {due}" in logs

        with cluster.mongodb() as database:
            over = {"_id": first["execution_id"], "finished_at": {"$exists": True}}
            wait_until(lambda: database.executions.count_documents(over), "the end to be stored, after the live view")
            assert database.executions.count_documents({"_id": first["execution_id"]}) == 1
            stored = list(database.output.find({"_id": {"$regex": f"^{first['execution_id']}"}}).sort("_id"))
            assert [piece["text"] for piece in stored] == [chunk["text"] for chunk in chunks]

        assert "removed" in dcron(cluster, "job", "rm", "ticker")
        assert dcron(cluster, "job", "show", "ticker", code=1)
        deleted_at = datetime.now(UTC)
        _let_three_ticks_pass(master, ingester)
        last = ingester.get("/api/v1/executions", params={"job_id": job["job_id"], "limit": 1}).json()
        # A tick within a second of the answer may have been on its way.
        assert datetime.fromisoformat(last["executions"][0]["due_at"]) < deleted_at + timedelta(seconds=1)
        assert not _running(ingester, job["job_id"])


def _running(ingester: httpx.Client, job_id: str) -> dict[str, Any] | None:
    answer = ingester.get("/api/v1/executions", params={"job_id": job_id, "status": "running"}).json()
    executions: list[dict[str, Any]] = answer["executions"]
    return executions[0] if executions else None


def _seen_live(ingester: httpx.Client, job_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """Return a run and the frames of its live view, opened while it went on; None if it ended just before."""
    run = _running(ingester, job_id)
    frames = frames_of(str(ingester.base_url), run["execution_id"]) if run else []
    if run is None or frames[0]["execution"]["status"] != "running":
        return None
    assert frames[0]["frame"] == "state"
    return run, frames


def _let_three_ticks_pass(master: httpx.Client, ingester: httpx.Client) -> None:
    """Let another job tick three times: then the deleted one had its chances."""
    spec = {"name": "metronome", "run": {"argv": ["/bin/true"]}, "schedule": {"every": "1s"}}
    other = master.post("/api/v1/jobs", json=spec).json()["job_id"]

    def ticks() -> bool:
        answer = ingester.get("/api/v1/executions", params={"job_id": other}).json()
        return len(answer["executions"]) >= 3

    wait_until(ticks, "the metronome's third run")


def test_a_manual_run_runs_once_and_its_output_is_followed_by_the_command_line(
    cluster: Cluster, tmp_path: Path
) -> None:
    """`dcron job run` and `dcron logs -f EXECUTION` on a job without a schedule."""
    cluster.start(workers=1)
    file = tmp_path / "hello.yaml"
    file.write_text("name: hello\nrun: {shell: 'for n in 1 2 3; do echo line $n; sleep 0.3; done'}\n")
    dcron(cluster, "job", "apply", "-f", str(file))
    execution_id = dcron(cluster, "job", "run", "hello").split()[3]
    followed = dcron(cluster, "logs", "-f", execution_id)
    assert [line for line in followed.splitlines() if line.startswith("line")] == ["line 1", "line 2", "line 3"]
    with cluster.mongodb() as database:
        wait_until(lambda: database.executions.count_documents({}), "the run to be stored")
        assert [run["_id"] for run in database.executions.find({})] == [execution_id]


def test_what_the_command_line_says_about_bad_input(cluster: Cluster, tmp_path: Path) -> None:
    """One line and a non-zero exit that name field, value and remedy; nothing is written."""
    cluster.start(workers=0, ingesters=0)
    cases = {
        "name: x\nrun: {shel: 'echo'}\n": ("run.shel", "did you mean shell"),
        "name: x\nrun: {shell: 'echo'}\nschedule: {cron: '0 0 30 2 *'}\n": ("schedule.cron", "never fires"),
        "name: x\nrun: {shell: 'echo'}\ntimezone: Europe/Berlni\n": ("timezone", "Europe/Berlin"),
        "name: x\nrun: {shell: 'echo'}\nnotify: [{url: 'http://127.0.0.1'}]\n": ("notify", "refused"),
        "name: [\n": ("bad.yaml", "line"),
    }
    file = tmp_path / "bad.yaml"
    for text, expected in cases.items():
        file.write_text(text)
        said = dcron(cluster, "job", "apply", "-f", str(file), code=1)
        assert all(part in said for part in expected), said
        assert len(said.strip().splitlines()) == 1, said
    assert "nowhere" in dcron(cluster, "job", "run", "nowhere", code=1)
    with cluster.api() as master:
        assert master.get("/api/v1/jobs").json()["total"] == 0
