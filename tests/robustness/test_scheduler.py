"""The scheduler under random faults on real processes, judged by the product's own ledger (G4, G5, G6, G7).

Jobs of all kinds tick each second, some are changed meanwhile, and one fault follows the other. Then it must come to
rest, and the ledger must know what became of every tick. `make test` runs it for a short while, `make robustness`
for two minutes. The seed is printed; `DCRON_TEST_SEED` gives the same faults again.
"""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
import pytest

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.keys import Keys
from dcron_schemas.audit import Ledger
from tests.cluster import Cluster, ledger_of, wait_until
from tests.faults import Faults, Kind

KINDS: tuple[Kind, ...] = ("worker", "pause", "drain", "etcd", "kafka", "master", "log-ingester")
LEASE_S = 4  # short, so that a worker can be stopped beyond it again and again
SETTLED_S = 240.0
EACH_SECOND = {"cron": "* * * * * *"}
TRUE = {"argv": ["/bin/true"]}
SHORT_DEADLINE = "1s"  # shorter than most faults, so that ticks are missed

STEADY: tuple[dict[str, Any], ...] = (
    {"name": "skip", "overlap": "skip"},
    {"name": "allow", "overlap": "allow", "run": {"argv": ["/bin/sleep", "0.4"]}},
    {"name": "queue", "overlap": "queue"},
    {"name": "slow", "overlap": "skip", "run": {"argv": ["/bin/sleep", "1.5"]}},
    {"name": "retry", "run": {"shell": '[ "$DCRON_ATTEMPT" != 1 ]'}, "retry": {"attempts": 2, "backoff": "300ms"}},
    {"name": "once", "misfire": {"policy": "once", "start_deadline": SHORT_DEADLINE}},
    {"name": "all", "overlap": "allow", "misfire": {"policy": "all", "start_deadline": SHORT_DEADLINE}},
    {"name": "missed", "misfire": {"start_deadline": SHORT_DEADLINE}},
)
EDITED: dict[str, Any] = {"name": "edited", "overlap": "allow"}
PAUSED: dict[str, Any] = {"name": "paused", "overlap": "queue"}
KINDS_OF_JOBS = (*STEADY, EDITED, PAUSED)
SCHEDULES: tuple[dict[str, Any], ...] = ({"every": "1s"}, EACH_SECOND, {"cron": "*/2 * * * * *"}, {"every": "2s"})


class Size(NamedTuple):
    """How large, and for how long."""

    workers: int
    jobs: int
    seconds: float
    most_s: float  # that a fault lasts
    rest_s: float  # between two


SHORT = Size(workers=3, jobs=20, seconds=15, most_s=1.5, rest_s=0.5)
LONG = Size(workers=5, jobs=200, seconds=120, most_s=3.0, rest_s=1.5)


@pytest.mark.parametrize("size", [SHORT, pytest.param(LONG, marks=pytest.mark.robustness)], ids=["short", "long"])
def test_the_ledger_knows_every_tick_after_random_faults(private_cluster: Cluster, size: Size) -> None:
    """G4, G5, G6, G7: 0 doubles, 0 unaccounted, and nothing that stays open, whatever struck."""
    cluster = private_cluster
    faults = Faults(cluster, KINDS, most_s=size.most_s, paused_s=LEASE_S * 1.25)
    cluster.start(masters=2, workers=size.workers, DCRON_LEASE_TTL=f"{LEASE_S}s")
    jobs = _Jobs(cluster, size.jobs)
    over = time.monotonic() + size.seconds
    while time.monotonic() < over:
        faults.strike()
        jobs.change()
        time.sleep(size.rest_s)  # let it work undisturbed for a while
    end = datetime.now(UTC)
    jobs.pause_all()
    ledger = _at_rest(cluster, end, faults)
    totals = ledger.totals
    print(f"{size}: {totals}, refused changes {jobs.refused}, {faults}")
    wrong = f"{faults}: {totals} {ledger.ticks[:10]}"
    assert (totals.doubles, totals.unaccounted) == (0, 0), wrong
    assert totals.ticks == totals.runs + sum(totals.skips.values()) + totals.withdrawn, wrong
    assert totals.runs > totals.ticks / 4, wrong
    with cluster.mongodb() as database:
        assert database.executions.count_documents({"status": "running"}) == 0, wrong


class _Jobs:
    """The jobs of the test: created, changed as it runs, paused at its end."""

    def __init__(self, cluster: Cluster, count: int) -> None:
        self.refused: Counter[int] = Counter()
        self._cluster = cluster
        self._turn = 0
        self._specs: dict[str, dict[str, Any]] = {}  # job id → what it was created with
        with cluster.api() as master:
            for number in range(count):
                kind = KINDS_OF_JOBS[number % len(KINDS_OF_JOBS)]
                spec = {"run": TRUE, "schedule": EACH_SECOND, **kind, "name": f"{kind['name']}-{number}"}
                answer = master.post("/api/v1/jobs", json=spec)
                assert answer.status_code == 201, answer.text
                self._specs[answer.json()["job_id"]] = spec

    def change(self) -> None:
        """Edit those that are edited, and pause or resume those that are paused."""
        self._turn += 1
        with self._cluster.api() as master:
            for job_id, spec in self._specs.items():
                if spec["name"].startswith(EDITED["name"]):
                    url, schedule = f"/api/v1/jobs/{job_id}", SCHEDULES[self._turn % len(SCHEDULES)]
                    tag = {"If-Match": master.get(url).headers.get("ETag", "")}
                    self._count(master.put(url, json={**spec, "schedule": schedule}, headers=tag))
                elif spec["name"].startswith(PAUSED["name"]):
                    self._count(master.post(f"/api/v1/jobs/{job_id}/{'resume' if self._turn % 2 else 'pause'}"))

    def pause_all(self) -> None:
        """Pause all; a job that is paused stays so."""
        with self._cluster.api() as master:
            for job_id in self._specs:
                wait_until(
                    lambda url=f"/api/v1/jobs/{job_id}/pause": master.post(url).is_success,  # type: ignore[misc]
                    f"{job_id} to be paused",
                )

    def _count(self, answer: httpx.Response) -> None:
        """A server that has just come back may still be refusing; what is not known in time may have been done."""
        if not answer.is_success:
            assert answer.status_code in (412, 428, 503, 504), answer.text
            self.refused[answer.status_code] += 1


def _at_rest(cluster: Cluster, end: datetime, faults: Faults) -> Ledger:
    """Wait until nothing is under way any more; return the ledger of all that was."""
    with cluster.api("log-ingester") as ingester:

        def pending() -> str:
            totals = ledger_of(ingester, {"end": end.isoformat()}).totals
            return f"{faults}: {totals}, in etcd {asyncio.run(_open_keys(cluster))[:10]}"

        wait_until(lambda: not asyncio.run(_open_keys(cluster)), "etcd to hold no run", pending, SETTLED_S)
        return wait_until(lambda: _settled(ingester, end), "the ledger to settle", pending, SETTLED_S)


def _settled(ingester: httpx.Client, end: datetime) -> Ledger | None:
    ledger = ledger_of(ingester, {"end": end.isoformat()})
    return None if ledger.totals.pending else ledger


async def _open_keys(cluster: Cluster) -> list[str]:
    """Return the keys of runs that are wanted, and of those without an end."""
    keys = Keys(cluster.names.etcd_prefix)
    async with EtcdStore.open(cluster.servers.etcd) as store:
        found = [await store.read_prefix(prefix) for prefix in (keys.runs, keys.executions)]
    return [item.key for each in found for item in each.items]
