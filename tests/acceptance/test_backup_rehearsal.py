"""The worst day, rehearsed: Kafka, etcd and MongoDB are gone with all their data, and there is one file of
`dcron log export`, and a head of the chain that was kept elsewhere (G1, G2, G3)."""

import asyncio
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.keys import Keys
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobEvent
from dcron_schemas.identity_events import TokenCreated, UserAdded, UserGranted
from tests.cluster import Cluster, dcron_command, wait_until
from tests.conftest import PrivateServers
from tests.names import Names

AUDIT_KEY = "9" * 64
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(AUDIT_KEY)).public_key().public_bytes_raw().hex()
EVERY_SECOND = {"run": {"argv": ["/bin/true"]}, "schedule": {"cron": "* * * * * *"}, "overlap": "allow"}
LATER = datetime(2099, 1, 1, tzinfo=UTC)


def dcron(cluster: Cluster, *arguments: str) -> str:
    environment = cluster.environment() | {"COLUMNS": "300", "DCRON_DATA": str(cluster.directory)}
    if masters := cluster.all_of("master"):
        environment["DCRON_URL"] = masters[0].url
    done = subprocess.run(
        [*dcron_command(), *arguments], env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def start(cluster: Cluster) -> None:
    cluster.add("master", "DCRON_MASTER_PORT")
    port = int(cluster.environment()["DCRON_LOG_INGESTER_URL"].rpartition(":")[2])
    cluster.add("log-ingester", "DCRON_LOG_INGESTER_PORT", port, DCRON_AUDIT_KEY=AUDIT_KEY)
    cluster.add("worker", "DCRON_WORKER_PORT", DCRON_WORKER_DATA=str(cluster.directory / "worker-1"))
    cluster.wait_ready()


def create(master: httpx.Client, name: str, **changes: object) -> str:
    answer = master.post("/api/v1/jobs", json={"name": name, **EVERY_SECOND, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


def add_a_user(cluster: Cluster) -> None:
    """Let there be a user with a token, as events of the log say it."""
    every: tuple[EventData, ...] = (
        UserAdded(user="ada", display_name="Ada", grants={"*": "viewer"}),
        UserGranted(user="ada", grants={"default": "editor"}, before={"*": "viewer"}),
        TokenCreated(token_id="t-1", user="ada", name="laptop", digest="d" * 64, expires_at=LATER),
    )

    async def append() -> None:
        topic = f"{cluster.names.topic_prefix}job-events"
        async with KafkaLog.open(cluster.servers.kafka) as log, log.producer() as producer:
            for number, data in enumerate(every):
                event = JobEvent(
                    event_id=f"user-{number}", job_id="", actor="test", request_id="", at=datetime.now(UTC), data=data
                )
                await producer.append(topic, "", encode(event))

    asyncio.run(append())


def projected(cluster: Cluster) -> dict[str, bytes]:
    """Return all that masters have made of the log in etcd: jobs, users, tokens, and the position."""
    keys = Keys(cluster.names.etcd_prefix)

    async def read() -> dict[str, bytes]:
        async with EtcdStore.open(cluster.servers.etcd) as store:
            items = (await store.read_prefix(keys.prefix)).items
        parts = tuple(f"{keys.prefix}{part}" for part in ("jobs/", "users/", "tokens/", "secrets/"))
        return {item.key.removeprefix(keys.prefix): item.value for item in items if item.key.startswith(parts)}

    return asyncio.run(read())


def test_everything_is_gone_but_the_backup(private_servers: PrivateServers, names: Names, tmp_path: Path) -> None:
    """Same jobs, same users, same chain; ticks go on. Past runs are gone: they are in no export of the log."""
    backup, head = tmp_path / "backup.jsonl", tmp_path / "head.json"
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    servers = private_servers()
    with Cluster.running(servers, names, tmp_path / "before") as cluster:
        start(cluster)
        with cluster.api() as master, cluster.mongodb() as database:
            kept = create(master, "kept")
            edited = create(master, "edited", enabled=False)
            change = {"name": "edited", **EVERY_SECOND, "enabled": False, "description": "changed"}
            assert master.put(f"/api/v1/jobs/{edited}", json=change, headers={"If-Match": '"1"'}).status_code == 200
            gone = create(master, "gone", enabled=False)
            assert master.delete(f"/api/v1/jobs/{gone}").status_code == 204
            add_a_user(cluster)
            wait_until(lambda: database.executions.count_documents({"job_id": kept}) >= 2, "two runs")
            wait_until(lambda: {"users/ada", "tokens/t-1"} <= projected(cluster).keys(), "a user with a token")
            history = master.get(f"/api/v1/jobs/{edited}/history").json()
        dcron(cluster, "audit", "head", "--out", str(head))
        dcron(cluster, "log", "export", str(backup))
        before = projected(cluster)
        assert f"jobs/{gone}" not in before
    for server in servers.wanted:
        server.kill()

    lost_at = datetime.now(UTC)
    with Cluster.running(private_servers(), names, tmp_path / "after") as cluster:
        dcron(cluster, "log", "import", str(backup))
        dcron(cluster, "log", "rebuild")
        assert "is the fold of the log" in dcron(cluster, "log", "verify")
        assert projected(cluster) == before, "the same jobs, users and tokens, byte for byte"
        start(cluster)
        with cluster.api() as master, cluster.mongodb() as database:
            assert master.get(f"/api/v1/jobs/{edited}/history").json() == history
            assert "intact" in dcron(cluster, "audit", "verify", "--head", str(head), "--public-key", PUBLIC_KEY)
            wait_until(lambda: database.executions.count_documents({"job_id": kept}) >= 2, "runs go on")
            assert database.executions.count_documents({"started_at": {"$lt": lost_at}}) == 0
            assert database.job_events.count_documents({}) >= _records(backup), "the archive is whole again"


def _records(backup: Path) -> int:
    return sum(json.loads(line)["line"] == "record" for line in backup.read_text().splitlines())
