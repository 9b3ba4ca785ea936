"""Random faults on real processes, then the ledger: every tick has exactly one run or one skip with its reason.

`make test` runs it for a short while, `make robustness` for long. The seed is printed; give it back as
`DCRON_TEST_SEED` to see the same faults in the same order.
"""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from dcron_core.executions import tick_execution_id
from tests.cluster import Cluster, wait_until
from tests.faults import Faults, Kind

JOBS = 20
KINDS: tuple[Kind, ...] = ("worker", "master", "log-ingester", "etcd", "kafka", "mongodb")
SETTLED_S = 180.0


@pytest.mark.parametrize(
    ("count", "pause_s"), [(3, 2.0), pytest.param(25, 4.0, marks=pytest.mark.robustness)], ids=["short", "long"]
)
def test_every_tick_is_accounted_for_under_random_faults(private_cluster: Cluster, count: int, pause_s: float) -> None:
    """G4, G5, G6, G8, G9: SIGKILL to services and servers, one after the other; each comes back."""
    cluster = private_cluster
    faults = Faults(cluster, KINDS, most_s=pause_s)
    cluster.start(masters=2, workers=3)
    job_ids = _create_jobs(cluster)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    for _ in range(count):
        faults.strike()
        time.sleep(pause_s)  # let it work undisturbed for a while
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    with cluster.mongodb() as database:
        expected = _ticks(job_ids, start, end)
        wait_until(
            lambda: not (expected - _accounted(database)),
            "every tick to be accounted for",
            lambda: f"{faults}: unaccounted {sorted(expected - _accounted(database))[:5]}",
            timeout_s=SETTLED_S,
        )
        _pause_all(cluster, job_ids)
        wait_until(
            lambda: not database.executions.count_documents({"status": "running"}),
            "every run to have an end",
            lambda: f"{faults}: {list(database.executions.find({'status': 'running'}))[:3]}",
            timeout_s=SETTLED_S,
        )
        _check(database, expected, str(faults))


def _create_jobs(cluster: Cluster) -> list[str]:
    with cluster.api() as master:
        specs = [
            {
                "name": f"job-{number}",
                "run": {"shell": f'echo "$DCRON_EXECUTION_ID"; sleep 0.{number % 8}; echo end'},
                "schedule": {"cron": "* * * * * *"},
                "overlap": "allow",
            }
            for number in range(JOBS)
        ]
        return [master.post("/api/v1/jobs", json=spec).json()["job_id"] for spec in specs]


def _ticks(job_ids: list[str], start: datetime, end: datetime) -> set[str]:
    seconds = int((end - start).total_seconds())
    return {tick_execution_id(job_id, start + timedelta(seconds=n)) for job_id in job_ids for n in range(seconds)}


def _accounted(database: Database[dict[str, Any]]) -> set[str]:
    """Return every tick that is a run or lies in a skip."""
    ticks = {run["_id"] for run in database.executions.find({}, {"_id": 1})}
    for skip in database.ticks.find({}):
        tick, last = skip["tick"].replace(tzinfo=UTC), (skip.get("last_tick") or skip["tick"]).replace(tzinfo=UTC)
        while tick <= last:
            ticks.add(tick_execution_id(skip["job_id"], tick))
            tick += timedelta(seconds=1)
    return ticks


def _pause_all(cluster: Cluster, job_ids: list[str]) -> None:
    with cluster.api() as master:
        for job_id in job_ids:
            assert master.post(f"/api/v1/jobs/{job_id}/pause").status_code == 200


def _check(database: Database[dict[str, Any]], expected: set[str], story: str) -> None:
    runs = {run["_id"]: run for run in database.executions.find({})}
    skips = {skip["_id"].partition("/")[0]: skip for skip in database.ticks.find({})}
    both = set(runs) & set(skips)
    assert not both, f"{story}: both run and skipped: {sorted(both)[:5]}"
    statuses = Counter(runs[id_]["status"] for id_ in expected & set(runs))
    assert set(statuses) <= {"succeeded", "lost", "killed"}, f"{story}: {statuses}"
    assert statuses["succeeded"] > len(expected) / 3, f"{story}: {statuses}"
    output: dict[str, dict[int, str]] = {}  # read at once: a search for each run would scan everything each time
    for piece in database.output.find({}):
        output.setdefault(piece["_id"].rsplit("/", 1)[0], {})[piece["seq"]] = piece["text"]
    for id_, run in runs.items():
        if run["status"] == "succeeded":
            pieces = output.get(id_, {})
            assert sorted(pieces) == list(range(run["output_chunks"])), f"{story}: {id_}"
            text = "".join(pieces[seq] for seq in sorted(pieces))
            assert text == f"{id_}\nend\n", f"{story}: {id_} said {text!r}"
