"""Ten worker processes share a thousand jobs that are all due in the same second, for several seconds (G4, G5)."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dcron_core.executions import tick_execution_id
from tests.claim_history import check_claims, claim_history, revision_now
from tests.cluster import Cluster, ledger_of, wait_until

WORKERS = 10
JOBS = 1000
SECONDS = 3
CREATED_WITHIN_S = 60
ENDED_WITHIN_S = CREATED_WITHIN_S + 180.0


@pytest.mark.robustness
def test_ten_workers_share_a_thousand_jobs_due_in_the_same_second(private_cluster: Cluster) -> None:
    """G4, G5: each tick is claimed once and runs, on all workers alike; 0 doubles, 0 unaccounted."""
    cluster = private_cluster
    began = asyncio.run(revision_now(cluster))
    cluster.start(workers=WORKERS)
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=CREATED_WITHIN_S)
    ticks = [first + timedelta(seconds=number) for number in range(SECONDS)]
    job_ids = _create_jobs(cluster, first, first + timedelta(seconds=SECONDS))
    assert datetime.now(UTC) < first, "the jobs were not created in time"
    expected = {tick_execution_id(job_id, tick) for job_id in job_ids for tick in ticks}
    with cluster.mongodb() as database:

        def ended() -> int:
            return int(database.executions.count_documents({"finished_at": {"$exists": True}}))

        wait_until(lambda: ended() >= len(expected), "all runs to be over and stored", ended, ENDED_WITHIN_S)
        runs = list(database.executions.find({}))
        skipped = list(database.ticks.find({}))
    assert skipped == []
    assert {run["_id"] for run in runs} == expected
    assert {run["status"] for run in runs} == {"succeeded"}
    check_claims(asyncio.run(claim_history(cluster, began)), expected)
    with cluster.api("log-ingester") as ingester:
        totals = ledger_of(ingester, {"end": (ticks[-1] + timedelta(seconds=1)).isoformat()}).totals
    assert (totals.ticks, totals.runs, totals.doubles, totals.unaccounted) == (len(expected), len(expected), 0, 0)
    shares = Counter(run["worker_id"] for run in runs)
    late_s = sorted((run["started_at"] - run["due_at"]).total_seconds() for run in runs)
    print(f"runs of each worker: {sorted(shares.values())}; the last one started {late_s[-1]:.1f} s late")
    assert len(shares) == WORKERS
    assert max(shares.values()) < len(runs) / WORKERS * 3


def _create_jobs(cluster: Cluster, start: datetime, end: datetime) -> list[str]:
    with cluster.api() as master, ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda number: _create_job(master, number, start, end), range(JOBS)))


def _create_job(master: httpx.Client, number: int, start: datetime, end: datetime) -> str:
    spec = {
        "name": f"job-{number}",
        "run": {"argv": ["/bin/true"]},
        "schedule": {"cron": "* * * * * *"},
        "start": start.isoformat(),
        "end": end.isoformat(),
        "overlap": "allow",
        "misfire": {"start_deadline": "5m"},  # on a busy machine three thousand starts take a while
    }
    answer = master.post("/api/v1/jobs", json=spec)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])
