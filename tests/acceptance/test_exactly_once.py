"""Two masters, two workers, fifty jobs each second: every tick has exactly one execution (G4, G5, G6, G9)."""

import asyncio
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.executions import tick_execution_id
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, KeyValue, Put, Transaction
from dcron_schemas.codec import decode_state
from dcron_schemas.state import ExecutionEntry, TickCursor
from tests.cluster import Cluster, wait_until

JOBS = 50
SECONDS = 20


def test_fifty_jobs_each_second_on_two_masters_and_two_workers(cluster: Cluster) -> None:
    """Each tick of 20 s has exactly one claim in etcd's history and one run in MongoDB, by either worker."""
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
    _check_history(*asyncio.run(_history(cluster)), expected=expected)


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


async def _history(cluster: Cluster) -> tuple[list[KeyValue], list[KeyValue], int]:
    """Return every write of a cursor, every first write of an entry, and how many entries are left."""
    keys = Keys(cluster.names.etcd_prefix)
    async with EtcdStore.open(cluster.servers.etcd) as store:
        end = (await store.read_prefix(keys.prefix)).revision
        cursors: list[KeyValue] = []
        opened: list[KeyValue] = []
        for prefix, found in ((keys.ticks, cursors), (keys.executions, opened)):
            last = await _last_revision(store, prefix, end)
            async for changes in store.watch(prefix, 1):
                found += [event for event in changes.events if isinstance(event, KeyValue)]
                if changes.revision >= last:
                    break
        left = JOBS
        for _ in range(200):  # entries are removed as Kafka acknowledges their records
            left = len((await store.read_prefix(keys.executions)).items)
            if not left:
                break
            await asyncio.sleep(0.05)
    return cursors, [item for item in opened if item.create_revision == item.mod_revision], left


async def _last_revision(store: EtcdStore, prefix: str, end: int) -> int:
    """Return the last revision up to which the prefix may have changes: mark it with a write of our own."""
    mark = f"{prefix}zz-mark"
    result = await store.transact(Transaction((), (Put(mark, b"{}"),)))
    await store.transact(Transaction((), (Delete(mark),)))
    assert result.revision > end
    return result.revision


def _check_history(cursors: list[KeyValue], opened: list[KeyValue], left: int, *, expected: set[str]) -> None:
    claims = Counter(
        decode_state(ExecutionEntry, item.value).execution.execution_id for item in opened if len(item.value) > 2
    )
    assert {id_: n for id_, n in claims.items() if n != 1} == {}, "an execution was opened twice"
    assert expected <= set(claims)
    by_job: dict[str, list[datetime]] = {}
    for item in cursors:
        if len(item.value) > 2:
            by_job.setdefault(item.key, []).append(decode_state(TickCursor, item.value).tick)
    for key, ticks in by_job.items():
        assert ticks == sorted(set(ticks)), f"the cursor {key} stood still or went back"
        steps = {after - before for before, after in itertools.pairwise(ticks)}
        assert steps == {timedelta(seconds=1)}, f"the cursor {key} leapt: {steps}"
    assert left == 0, "an entry is left after Kafka has its record"
