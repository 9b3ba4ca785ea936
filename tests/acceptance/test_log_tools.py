"""`dcron log …` on the real servers: etcd emptied and rebuilt under a running worker, damage found and mended, the log
backed up and brought back, a record stepped over (G2, G3, G4, G5)."""

import asyncio
import json
import os
import subprocess
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec.structs import replace

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, KeyValueStore, Operation, Put, Transaction
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.state import JobEntry
from tests.cluster import Cluster, dcron_command, wait_until
from tests.names import Names

T = TypeVar("T")
EVERY_SECOND = {"run": {"argv": ["/bin/true"]}, "schedule": {"cron": "* * * * * *"}, "overlap": "allow"}


def dcron(cluster: Cluster, *arguments: str, code: int = 0, names: Names | None = None) -> str:
    """Run a tool with the cluster's addresses; return what it printed, on stderr where it fails."""
    environment = cluster.environment() | {"COLUMNS": "300"}
    if names is not None:
        environment |= {"DCRON_ETCD_PREFIX": names.etcd_prefix, "DCRON_TOPIC_PREFIX": names.topic_prefix}
    if masters := cluster.all_of("master"):
        environment["DCRON_URL"] = masters[0].url
    done = subprocess.run(
        [*dcron_command(), "log", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr if code else done.stdout


def in_etcd(cluster: Cluster, work: Callable[[KeyValueStore], Awaitable[T]]) -> T:
    async def run() -> T:
        async with EtcdStore.open(cluster.servers.etcd) as store:
            return await work(store)

    return asyncio.run(run())


def write(cluster: Cluster, *operations: Operation) -> None:
    """Write into etcd by hand."""
    in_etcd(cluster, lambda store: store.transact(Transaction((), operations)))


def job_table(cluster: Cluster, names: Names) -> dict[str, JobEntry]:
    keys = Keys(names.etcd_prefix)
    found = in_etcd(cluster, lambda store: store.read_prefix(keys.jobs))
    return {item.key.removeprefix(keys.jobs): decode_state(JobEntry, item.value) for item in found.items}


def create(master: httpx.Client, name: str, **changes: object) -> str:
    answer = master.post("/api/v1/jobs", json={"name": name, **EVERY_SECOND, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


def some_jobs(master: httpx.Client, count: int = 5) -> list[str]:
    """Create paused jobs, with an edit and a deletion among them; return the ids of those that stand."""
    job_ids = [create(master, f"job-{n}", enabled=False) for n in range(count)]
    edit = {"name": "renamed", **EVERY_SECOND, "enabled": False}
    assert master.put(f"/api/v1/jobs/{job_ids[0]}", json=edit, headers={"If-Match": '"1"'}).status_code == 200
    assert master.delete(f"/api/v1/jobs/{job_ids.pop()}").status_code == 204
    return job_ids


def test_etcd_emptied_and_rebuilt_while_a_worker_runs_costs_no_tick(cluster: Cluster) -> None:
    """G2, G3, G4, G5: job keys and position are gone; after `dcron log rebuild` worker and master go on."""
    cluster.start(workers=1)
    keys = Keys(cluster.names.etcd_prefix)
    with cluster.api() as master, cluster.mongodb() as database:
        ghost = create(master, "ghost")  # deleted: it must not run again while the table is made
        job_id = create(master, "second")
        assert master.delete(f"/api/v1/jobs/{ghost}").status_code == 204

        def ticks() -> list[datetime]:
            query: dict[str, Any] = {"job_id": job_id, "finished_at": {"$exists": True}}
            return sorted(run["due_at"] for run in database.executions.find(query))

        wait_until(lambda: len(ticks()) >= 3, "three runs")
        ghosts = database.executions.count_documents({"job_id": ghost})
        write(cluster, *(Delete(keys.job(each)) for each in job_table(cluster, cluster.names)), Delete(keys.projection))
        assert "dcron log rebuild" in dcron(cluster, "verify", code=1)
        assert "1 jobs" in dcron(cluster, "rebuild")
        assert "is the fold of the log" in dcron(cluster, "verify")
        before = len(ticks())
        wait_until(lambda: len(ticks()) >= before + 4, "four more runs")
        assert "dcron log repair" in dcron(cluster, "rebuild", code=1), "there is a table now"
        wait_until(cluster.all_of("master")[0].is_ready, "the master to be ready by itself")
        assert master.post(f"/api/v1/jobs/{job_id}/pause").status_code == 200
        skipped = {each["due_at"] for each in database.ticks.find({"job_id": job_id})}
        due = ticks()
        assert len(due) == len(set(due)), "a tick ran twice"
        missing = {due[0].timestamp() + n for n in range(int((due[-1] - due[0]).total_seconds()) + 1)}
        missing -= {each.timestamp() for each in due}
        assert missing <= {each.timestamp() for each in skipped}, "a tick is not accounted for"
        assert database.executions.count_documents({"job_id": ghost}) == ghosts, "a deleted job ran"


def test_damage_by_hand_is_named_and_mended(cluster: Cluster) -> None:
    """G2: beside a running master."""
    cluster.start(workers=0, ingesters=0)
    keys = Keys(cluster.names.etcd_prefix)
    with cluster.api() as master:
        job_ids = some_jobs(master)
    before = job_table(cluster, cluster.names)
    assert "is the fold of the log" in dcron(cluster, "verify")
    assert "nothing to repair" in dcron(cluster, "repair")
    old = replace(before[job_ids[0]], version=1)
    write(
        cluster,
        Put(keys.job(job_ids[0]), encode(old)),
        Put(keys.job(job_ids[1]), b"junk"),
        Delete(keys.job(job_ids[2])),
        Put(keys.job("nobody"), encode(old)),
    )
    told = dcron(cluster, "verify", code=1)
    assert f"different  {keys.job(job_ids[0])}  default/renamed" in told
    assert "version: the log says 2, etcd 1" in told
    seen = json.loads(dcron(cluster, "verify", "--json", code=1))
    assert {(drift["kind"], drift["job_id"]) for drift in seen["drifts"]} == {
        ("different", job_ids[0]),
        ("unreadable", job_ids[1]),
        ("missing", job_ids[2]),
        ("extra", "nobody"),
    }
    assert (seen["clean"], seen["lag"]) == (False, 0)
    assert "4 keys written" in dcron(cluster, "repair")
    assert json.loads(dcron(cluster, "verify", "--json"))["clean"] is True
    assert job_table(cluster, cluster.names) == before
    with cluster.api() as master:
        assert master.post(f"/api/v1/jobs/{job_ids[0]}/resume").status_code == 200


def test_a_backup_comes_back_into_another_topic_and_another_etcd_as_it_was(cluster: Cluster, tmp_path: Path) -> None:
    """G3: the same jobs, versions and positions; what is damaged or of another log is refused."""
    cluster.start(workers=0, ingesters=0)
    with cluster.api() as master:
        some_jobs(master)
    backup, other = tmp_path / "log.jsonl", Names.new()
    dcron(cluster, "export", str(backup))
    assert backup.stat().st_mode & 0o777 == 0o600
    assert "exists" in dcron(cluster, "export", str(backup), code=1)
    assert dcron(cluster, "export").encode() == backup.read_bytes()
    assert "there is no topic" in dcron(cluster, "verify", code=1, names=other)

    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(backup.read_bytes()[:-40])
    assert "cut off" in dcron(cluster, "import", str(cut), code=1, names=other)
    count = backup.read_bytes().count(b'"line":"record"')
    assert f"{count} records brought back, 0 were there" in dcron(cluster, "import", str(backup), names=other)
    assert f"0 records brought back, {count} were there" in dcron(cluster, "import", str(backup), names=other)
    dcron(cluster, "rebuild", names=other)
    assert "is the fold of the log" in dcron(cluster, "verify", names=other)
    assert job_table(cluster, other) == job_table(cluster, cluster.names)
    again = tmp_path / "again.jsonl"
    dcron(cluster, "export", str(again), names=other)
    assert _records(again) == _records(backup)

    stranger = Names.new()
    with Cluster.running(cluster.servers, stranger, tmp_path / "stranger") as another:
        (tmp_path / "stranger").mkdir()
        another.start(workers=0, ingesters=0)
        assert "of log" in dcron(cluster, "import", str(backup), code=1, names=stranger)


def _records(file: Path) -> list[tuple[object, ...]]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [(line["offset"], line["key"], line["value"]) for line in lines if line["line"] == "record"]


def test_a_corrupt_record_is_shown_and_stepped_over(cluster: Cluster) -> None:
    """G2, G3: the master stops there, says what to do, and goes on by itself."""
    cluster.start(workers=0, ingesters=0)
    topic = f"{cluster.names.topic_prefix}job-events"

    async def corrupted() -> int:
        async with KafkaLog.open(cluster.servers.kafka) as log, log.producer() as producer:
            return await producer.append(topic, "x", b"\xff junk")

    with cluster.api() as master:
        job_id = create(master, "before", enabled=False)
        offset = asyncio.run(corrupted())
        service = cluster.all_of("master")[0]
        wait_until(lambda: master.get("/readyz").status_code == 503, "the master to stop")
        assert f"dcron log skip --offset {offset}" in master.get("/readyz").text
        shown = dcron(cluster, "show", "--offset", str(offset))
        assert "hex      ff206a756e6b" in shown
        assert "unreadable: not a job event" in shown
        assert "JobCreated" in dcron(cluster, "show", "--offset", str(offset - 1))
        assert "holds the offsets" in dcron(cluster, "show", "--offset", "999", code=1)
        assert "only what cannot be read" in dcron(
            cluster, "skip", "--offset", str(offset - 1), "--reason", "oops", code=1
        )
        assert "reason" in dcron(cluster, "skip", "--offset", str(offset), "--reason", " ", code=1)
        told = dcron(cluster, "skip", "--offset", str(offset), "--reason", "a disk lied")
        assert f"offset {offset} is stepped over" in told
        assert dcron(cluster, "skip", "--offset", str(offset), "--reason", "a disk lied") == told
        wait_until(service.is_ready, "the master to go on")
        assert master.post(f"/api/v1/jobs/{job_id}/resume").status_code == 200
        assert f"stepped over, as position {offset + 1} says" in dcron(cluster, "show", "--offset", str(offset))
        assert "is the fold of the log" in dcron(cluster, "verify")


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")}
    environment |= {"DCRON_KAFKA": "127.0.0.1:1", "DCRON_DATA": str(tmp_path)}
    done = subprocess.run(
        [*dcron_command(), "log", "verify"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "no answer from Kafka at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
