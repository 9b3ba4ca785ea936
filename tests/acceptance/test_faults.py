"""A worker is killed in mid-run; Kafka is restarted: no acknowledged record is lost (G6, G8)."""

import itertools
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from pymongo.database import Database

from tests.cluster import Cluster, wait_until

CLAIMS_WON = 'dcron_worker_claims_total{result="won"}'
LINES = 40
NUMBERED = f"for n in $(seq 1 {LINES}); do echo line $n; sleep 0.1; done"


def test_a_worker_killed_in_mid_run_loses_nothing_and_its_run_ends_as_lost(private_cluster: Cluster) -> None:
    """G6, G8: what the killed worker had spooled arrives after its restart; its process goes at once; it ends once."""
    cluster = private_cluster
    cluster.start(workers=1)
    with cluster.api() as master, cluster.api("log-ingester") as ingester, cluster.mongodb() as database:
        execution_id = _run_numbered(master, "victim")
        running = wait_until(lambda: _with_lines(ingester, execution_id, 5), "five lines to be stored", timeout_s=60)
        worker = cluster.all_of("worker")[0]
        assert worker.child is not None
        worker.child.kill()
        wait_until(lambda: not _process_lives(running["pid"]), "the guard to end the run", timeout_s=1.0)
        seen = database.output.count_documents({"job_id": running["job_id"]})
        worker.start()
        wait_until(lambda: _status(ingester, execution_id) == "lost", "the run to be recorded as lost")
        stored = list(database.output.find({"job_id": running["job_id"]}).sort("_id"))
        assert len(stored) >= seen
        assert [piece["seq"] for piece in stored] == list(range(len(stored))), "a hole in the output"
        text = "".join(piece["text"] for piece in stored)
        lines = text.splitlines()
        assert lines == [f"line {n}" for n in range(1, len(lines) + 1)]
        assert len(lines) < LINES, "the run was over before the worker was killed: the test shows nothing"
        assert database.executions.count_documents({"_id": execution_id}) == 1
        again = _run_numbered(master, "victim", exists=True)
        wait_until(lambda: _status(ingester, again) == "succeeded", "the job to run again on the restarted worker")


def test_kafka_restarted_under_running_jobs_loses_no_record(private_cluster: Cluster) -> None:
    """G8, G10: records wait on the worker's disk while Kafka is down; then every line is stored once, in order."""
    cluster = private_cluster
    cluster.start(workers=2)
    with cluster.api() as master, cluster.api("log-ingester") as ingester, cluster.mongodb() as database:
        runs = [_run_numbered(master, f"printer-{number}") for number in range(6)]
        wait_until(lambda: _with_lines(ingester, runs[-1], 3), "the runs to be under way")
        cluster.servers.kafka_server.kill()
        refused = master.post("/api/v1/jobs", json={"name": "late", "run": {"argv": ["/bin/true"]}}, timeout=30)
        assert refused.status_code == 503, refused.text
        cluster.servers.kafka_server.start()
        for execution_id in runs:
            wait_until(partial(_succeeded, ingester, execution_id), f"{execution_id} to end")
            stored = list(database.output.find({"_id": {"$regex": f"^{execution_id}/"}}).sort("_id"))
            text = "".join(piece["text"] for piece in stored)
            assert text.splitlines() == [f"line {n}" for n in range(1, LINES + 1)]
        wait_until(lambda: _created(master), "the master to take commands again")


def test_ticks_go_on_while_mongodb_and_the_ingester_are_down(private_cluster: Cluster) -> None:
    """G10: scheduling does not notice; afterwards every run is stored once."""
    cluster = private_cluster
    cluster.start(workers=1)
    with cluster.api() as master, cluster.api("log-ingester") as ingester, cluster.mongodb() as database:
        spec = {"name": "metronome", "run": {"argv": ["/bin/echo", "tick"]}, "schedule": {"every": "1s"}}
        job_id = master.post("/api/v1/jobs", json=spec).json()["job_id"]
        wait_until(lambda: _executions(ingester, job_id), "the first run")
        before = datetime.now(UTC)
        cluster.servers.mongodb_server.kill()
        ingester_process = cluster.all_of("log-ingester")[0]
        assert ingester_process.child is not None
        ingester_process.child.kill()
        wait_until(lambda: _claims_won(cluster) >= 8, "ticks to be claimed meanwhile")
        cluster.servers.mongodb_server.start()
        ingester_process.start()
        wait_until(ingester_process.is_ready, "the log-ingester to be ready")
        query: dict[str, Any] = {"job_id": job_id, "due_at": {"$gt": before}, "status": "succeeded"}
        wait_until(lambda: database.executions.count_documents(query) >= 5, "the runs to be stored")
        # Records of different runs are stored in no order, so a hole may be there for a moment; a lost tick stays one.
        wait_until(lambda: _without_hole(database, job_id), "every tick to be stored", lambda: _due(database, job_id))


def _due(database: Database[dict[str, Any]], job_id: str) -> list[datetime]:
    """Return the instants of all ticks that ran, or were skipped on record."""
    ran = [run["due_at"] for run in database.executions.find({"job_id": job_id})]
    return sorted(ran + [skip["tick"] for skip in database.ticks.find({"job_id": job_id})])


def _without_hole(database: Database[dict[str, Any]], job_id: str) -> bool:
    due = _due(database, job_id)
    return {round((after - earlier).total_seconds()) for earlier, after in itertools.pairwise(due)} == {1}


def _run_numbered(master: httpx.Client, name: str, *, exists: bool = False) -> str:
    """Create a job that prints numbered lines for four seconds, and ask for a run of it; return the run's id."""
    if exists:
        job_id = master.get("/api/v1/jobs", params={"name": name}).json()["jobs"][0]["job_id"]
    else:
        answer = master.post("/api/v1/jobs", json={"name": name, "run": {"shell": NUMBERED}})
        assert answer.status_code == 201, answer.text
        job_id = answer.json()["job_id"]
    return str(master.post(f"/api/v1/jobs/{job_id}/run").json()["execution_id"])


def _with_lines(ingester: httpx.Client, execution_id: str, lines: int) -> dict[str, Any] | None:
    output = ingester.get(f"/api/v1/executions/{execution_id}/output")
    if output.status_code != 200 or sum(c["text"].count("\n") for c in output.json()["chunks"]) < lines:
        return None
    execution: dict[str, Any] = ingester.get(f"/api/v1/executions/{execution_id}").json()
    return execution


def _status(ingester: httpx.Client, execution_id: str) -> str:
    return str(ingester.get(f"/api/v1/executions/{execution_id}").json().get("status"))


def _succeeded(ingester: httpx.Client, execution_id: str) -> bool:
    return _status(ingester, execution_id) == "succeeded"


def _executions(ingester: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    executions: list[dict[str, Any]] = ingester.get("/api/v1/executions", params={"job_id": job_id}).json()[
        "executions"
    ]
    return executions


def _claims_won(cluster: Cluster) -> float:
    with cluster.api("worker") as worker:
        metrics = worker.get("/metrics").text
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(CLAIMS_WON))


def _process_lives(pid: int) -> bool:
    return "line" in Path(f"/proc/{pid}/cmdline").read_text() if Path(f"/proc/{pid}").exists() else False


def _created(master: httpx.Client) -> bool:
    """Try again what was refused, with one key: it is created once, whatever became of the first try."""
    answer = master.post(
        "/api/v1/jobs",
        json={"name": "late", "run": {"argv": ["/bin/true"]}},
        headers={"Idempotency-Key": "late-job"},
        timeout=30,
    )
    return answer.status_code in (201, 409)
