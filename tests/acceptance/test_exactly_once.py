"""Two masters, two workers, fifty jobs each second: every tick has exactly one execution (G4, G5, G6, G9)."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from dcron_core.executions import tick_execution_id
from tests.claim_history import check_claims, claim_history, revision_now
from tests.cluster import Cluster, wait_until

JOBS = 50
SECONDS = 20


def test_fifty_jobs_each_second_on_two_masters_and_two_workers(cluster: Cluster) -> None:
    """Each tick of 20 s has exactly one claim in etcd's history and one run in MongoDB, by either worker."""
    began = asyncio.run(revision_now(cluster))
    cluster.start(masters=2, workers=2)
    job_ids = _create_jobs(cluster)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    ticks = [start + timedelta(seconds=n) for n in range(SECONDS)]
    expected = {tick_execution_id(job_id, tick) for job_id in job_ids for tick in ticks}
    with cluster.mongodb() as database:

        def stored_so_far() -> int:
            query: dict[str, Any] = {
                "due_at": {"$gte": ticks[0], "$lte": ticks[-1]},
                "finished_at": {"$exists": True},
            }
            return int(database.executions.count_documents(query))

        wait_until(lambda: stored_so_far() >= len(expected), "the ticks to be over and stored", stored_so_far, 120)
        _pause_all(cluster, job_ids)
        wait_until(lambda: not database.executions.count_documents({"status": "running"}), "all runs to be over")
        stored = {run["_id"]: run for run in database.executions.find({})}
        output = Counter(piece["_id"].rsplit("/", 1)[0] for piece in database.output.find({}, {"_id": 1}))
        skipped = list(database.ticks.find({}))

    # Pausing catches some ticks between their claim and their instant; nothing else is skipped.
    assert {skip["reason"] for skip in skipped} <= {"edited"}
    assert expected.isdisjoint(skip["_id"] for skip in skipped)
    assert expected <= set(stored), sorted(expected - set(stored))[:5]
    assert all(stored[id_]["status"] == "succeeded" for id_ in expected)
    assert all(output[id_] == 1 for id_ in expected), "each run says one line, once"
    workers = Counter(stored[id_]["worker_id"] for id_ in expected)
    assert len(workers) == 2, workers
    check_claims(asyncio.run(claim_history(cluster, began)), expected)


def _create_jobs(cluster: Cluster) -> list[str]:
    """Create the jobs, every other one through the other master."""
    job_ids = []
    with cluster.api("master", 0) as first, cluster.api("master", 1) as second:
        for number in range(JOBS):
            spec = {
                "name": f"job-{number}",
                "run": {"argv": ["/bin/echo", f"job {number}"]},
                "schedule": {"cron": "* * * * * *"},
                "overlap": "allow",
            }
            answer = (first, second)[number % 2].post("/api/v1/jobs", json=spec)
            assert answer.status_code == 201, answer.text
            job_ids.append(answer.json()["job_id"])
    return job_ids


def _pause_all(cluster: Cluster, job_ids: list[str]) -> None:
    with cluster.api("master", 1) as master:
        for job_id in job_ids:
            assert master.post(f"/api/v1/jobs/{job_id}/pause").json()["spec"]["enabled"] is False
