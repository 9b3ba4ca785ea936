"""Random faults on real processes, then the ledger: every tick has exactly one run or one skip with its reason.

`make test` runs it for a short while, `make robustness` for long. The seed is printed; give it back as
`DCRON_TEST_SEED` to see the same faults in the same order.
"""

import os
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from dcron_core.executions import tick_execution_id
from dcron_standalone.supervision import Supervised
from tests.cluster import Cluster, wait_until

JOBS = 20
FAULTS = ("worker", "master", "log-ingester", "etcd", "kafka", "mongodb")
SETTLED_S = 180.0


@pytest.mark.parametrize(
    ("faults", "pause_s"), [(3, 2.0), pytest.param(25, 4.0, marks=pytest.mark.robustness)], ids=["short", "long"]
)
def test_every_tick_is_accounted_for_under_random_faults(private_cluster: Cluster, faults: int, pause_s: float) -> None:
    """G4, G5, G6, G8, G9: SIGKILL to services and servers, one after the other; each comes back."""
    cluster = private_cluster
    seed = int(os.environ.get("DCRON_TEST_SEED", random.SystemRandom().randrange(10_000)))
    print(f"seed {seed}")  # shown when the test fails
    cluster.start(masters=2, workers=3)
    job_ids = _create_jobs(cluster)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    dice = random.Random(seed)
    done = [_strike(cluster, dice, pause_s) for _ in range(faults)]
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    with cluster.mongodb() as database:
        expected = _ticks(job_ids, start, end)
        wait_until(
            lambda: not (expected - _accounted(database)),
            "every tick to be accounted for",
            lambda: f"seed {seed}, faults {done}: unaccounted {sorted(expected - _accounted(database))[:5]}",
            timeout_s=SETTLED_S,
        )
        _pause_all(cluster, job_ids)
        wait_until(
            lambda: not database.executions.count_documents({"status": "running"}),
            "every run to have an end",
            lambda: f"seed {seed}, faults {done}: {list(database.executions.find({'status': 'running'}))[:3]}",
            timeout_s=SETTLED_S,
        )
        _check(database, expected, f"seed {seed}, faults {done}")


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


def _strike(cluster: Cluster, dice: random.Random, pause_s: float) -> str:
    """Kill one of a kind, wait a little, start it again, wait until it is ready."""
    kind = dice.choice(FAULTS)
    down_s = dice.uniform(0.0, pause_s)
    if kind in ("etcd", "kafka", "mongodb"):
        server = {
            "etcd": cluster.servers.etcd_server,
            "kafka": cluster.servers.kafka_server,
            "mongodb": cluster.servers.mongodb_server,
        }[kind]
        server.kill()
        time.sleep(down_s)
        server.start()
    else:
        service: Supervised = dice.choice(cluster.all_of(kind))
        assert service.child is not None
        service.child.kill()
        time.sleep(down_s)
        service.start()
    for service in cluster.services:
        wait_until(service.is_ready, f"{service.name} to be ready after {kind} was down", service.last_words)
    time.sleep(pause_s)  # let it work undisturbed for a while
    return f"{kind} {down_s:.1f} s"


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
