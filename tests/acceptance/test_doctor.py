"""`dcron doctor` on the real servers: a healthy system gives no finding, and each thing that is set up wrong is named,
also while servers are down or hang."""

import asyncio
import json
import signal
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dcron_core.clock import SystemClock
from dcron_core.version import VERSION
from dcron_standalone.doctor.examination import Places, examine
from dcron_standalone.ports import free_port
from tests.cluster import TOKEN, Cluster, dcron_command
from tests.conftest import PrivateServers
from tests.names import Names

SIGNING_KEY, CLUSTER_KEY = "5" * 64, "6" * 64
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SIGNING_KEY)).public_key().public_bytes_raw().hex()
Findings = list[dict[str, str]]


@pytest.fixture
def healthy(cluster: Cluster) -> Cluster:
    """One of each service, with keys."""
    cluster.add("master", "DCRON_MASTER_PORT", DCRON_SIGNING_KEY=SIGNING_KEY, DCRON_CLUSTER_KEY=CLUSTER_KEY)
    port = int(cluster.environment()["DCRON_LOG_INGESTER_URL"].rpartition(":")[2])
    cluster.add("log-ingester", "DCRON_LOG_INGESTER_PORT", port, DCRON_TRUSTED_KEYS=PUBLIC_KEY)
    cluster.add(
        "worker", "DCRON_WORKER_PORT", free_port(), DCRON_WORKER_DATA=str(cluster.directory / "worker-1"),
        DCRON_TRUSTED_KEYS=PUBLIC_KEY, DCRON_CLUSTER_KEY=CLUSTER_KEY,
    )  # fmt: skip
    cluster.wait_ready()
    return cluster


def surroundings(cluster: Cluster, **changes: str) -> dict[str, str]:
    """Return the environment of the command: `worker-1` lies where a local stack's would."""
    masters = cluster.all_of("master")
    url = masters[0].url if masters else "http://127.0.0.1:1"
    return cluster.environment() | {"DCRON_URL": url, "DCRON_DATA": str(cluster.directory)} | changes


def doctor(cluster: Cluster, *arguments: str, code: int, **changes: str) -> str:
    done = subprocess.run(
        [*dcron_command(), "doctor", *arguments],
        env=surroundings(cluster, **changes) | {"COLUMNS": "300"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout


def findings(cluster: Cluster, code: int = 1, **changes: str) -> Findings:
    report = json.loads(doctor(cluster, "--json", code=code, **changes))
    assert report["healthy"] is (code == 0)
    return [finding for look in report["looks"] for finding in look["findings"]]


def words_of(found: Findings) -> str:
    return "\n".join(each["what"] for each in found)


def set_up(cluster: Cluster, topic: str, **settings: str) -> None:
    """Change settings of a topic; an underscore stands for a dot."""
    changes: dict[str, Any] = {name.replace("_", "."): value for name, value in settings.items()}

    async def change() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.servers.kafka)
        await admin.start()
        try:
            name = f"{cluster.names.topic_prefix}{topic}"
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, changes)])
        finally:
            await admin.close()

    asyncio.run(change())


def test_a_healthy_system_gives_no_finding(healthy: Cluster) -> None:
    assert findings(healthy, code=0) == []
    told = doctor(healthy, code=0)
    for part in (
        "kafka",
        "etcd",
        "workers",
        "mongodb",
        "master",
        "log-ingester",
        "versions",
        "clocks",
        "keys",
        "disks",
    ):
        assert f"ok       {part}" in told
    assert "1 registered, 0 draining" in told
    assert f"{VERSION} at http://127.0.0.1" in told
    assert "4 compared with this machine's" in told, "master, log-ingester, worker, MongoDB"
    assert "of 3 services compared" in told
    for secret in (SIGNING_KEY, CLUSTER_KEY, TOKEN):
        assert secret not in told + doctor(healthy, "--json", code=0)


def test_a_topic_that_loses_events_is_named(healthy: Cluster) -> None:
    """G1, G3, G8: retention, compaction, messages that are refused, records without replicas."""
    prefix = healthy.names.topic_prefix
    set_up(healthy, "job-events", retention_ms="604800000")
    set_up(healthy, "dead-letter", cleanup_policy="compact")
    set_up(healthy, "executions", max_message_bytes="100000", retention_ms="1000")
    told = words_of(findings(healthy))
    assert f"topic {prefix}job-events: retention.ms is 604800000: records are deleted after 7 days" in told
    assert f"topic {prefix}dead-letter: cleanup.policy is compact" in told
    assert f"topic {prefix}executions: max.message.bytes is 100000" in told
    assert f"topic {prefix}executions: retention.ms is 1000" in told
    assert "--add-config retention.ms=-1" in doctor(healthy, code=1), "the remedy"


def test_one_copy_where_three_are_meant_is_named(healthy: Cluster) -> None:
    """G8: what is acknowledged is to outlive a machine."""
    told = words_of(findings(healthy, DCRON_TOPIC_REPLICATION="3"))
    assert f"topic {healthy.names.topic_prefix}job-events is on 1 brokers, and should be on 3" in told
    assert "1 brokers are there" in told
    assert "DCRON_ETCD names 1 members" in told


def test_an_index_that_is_missing_or_other_is_named(healthy: Cluster) -> None:
    with healthy.mongodb() as database:
        database.executions.drop_index("newest_of_job")
        database.output.drop_index("expiry")
        database.job_events.drop_index("at")
        database.job_events.create_index([("kind", 1)], name="at")
    told = words_of(findings(healthy))
    assert "collection executions has no index newest_of_job" in told
    assert "collection output has no index expiry: documents never leave" in told
    assert "collection job_events: index at is not as the log-ingester makes it" in told


class Ahead(SystemClock):
    """A clock that is a minute ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(minutes=1)


def test_a_clock_that_is_off_is_named(healthy: Cluster) -> None:
    report = asyncio.run(examine(Places.of(surroundings(healthy)), Ahead()))
    (found,) = [each for look in report.looks for each in look.findings]
    assert found.what.startswith("this machine's clock is 6")
    assert "s ahead of the others'" in found.what
    for other in (
        "MongoDB",
        "master at",
        "log-ingester at",
        f"worker {healthy.worker_id(healthy.all_of('worker')[0])}",
    ):
        assert other in found.what
    assert not report.healthy


def test_keys_that_do_not_fit_are_named(cluster: Cluster) -> None:
    """G12: by their ids alone."""
    cluster.add("master", "DCRON_MASTER_PORT", DCRON_SIGNING_KEY=SIGNING_KEY, DCRON_CLUSTER_KEY=CLUSTER_KEY)
    cluster.add(
        "worker", "DCRON_WORKER_PORT", free_port(), DCRON_WORKER_DATA=str(cluster.directory / "worker-1"),
        DCRON_TRUSTED_KEYS="7" * 64, DCRON_CLUSTER_KEY="8" * 64,
    )  # fmt: skip
    cluster.wait_ready()
    told = words_of(findings(cluster))
    worker = f"worker {cluster.worker_id(cluster.all_of('worker')[0])}"
    assert f"{worker} does not trust key" in told
    assert f"{worker} cannot open what master at" in told


def test_services_that_are_gone_or_not_ready_are_named(healthy: Cluster) -> None:
    (worker,), (ingester,) = healthy.all_of("worker"), healthy.all_of("log-ingester")
    for service in (worker, ingester):
        assert service.child is not None
        service.child.stop(20)
    told = words_of(findings(healthy))
    assert "no worker is registered: nobody claims ticks" in told
    assert "no answer from log-ingester at" in told
    assert "no answer from master" not in told
    assert "401" in words_of(findings(healthy, DCRON_TOKEN="not the token of this system"))


def test_servers_that_are_stopped_or_hang_are_named_in_time(
    private_servers: PrivateServers, names: Names, tmp_path: Path
) -> None:
    """It works when parts are down, and none makes it hang."""
    servers = private_servers()
    with Cluster.running(servers, names, tmp_path) as cluster:
        told = words_of(findings(cluster))
        assert f"there is no topic {names.topic_prefix}job-events" in told, "nobody has made anything yet"
        assert f"etcd has no {names.etcd_prefix}projection" in told
        assert "collection executions has no index" in told
        every = (servers.etcd_server, servers.kafka_server, servers.mongodb_server)
        for server in every:
            server.signal(signal.SIGSTOP)
        began = time.monotonic()
        told = words_of(findings(cluster))
        assert time.monotonic() - began < 30
        for server in every:
            server.kill()
        gone = words_of(findings(cluster))
        for words in (told, gone):
            assert "no answer from kafka" in words
            assert "no answer from etcd" in words
            assert "no answer from mongodb" in words
            assert "no answer from master" in words
