"""`dcron dlq` against a running dcron, and commands whose reader stops early."""

import json
import os
import subprocess

from dcron_core.adapters.kafka import KafkaLog
from tests.cluster import TOKEN, Cluster, dcron_command, wait_until


def environment_of(cluster: Cluster) -> dict[str, str]:
    """Return what a user's shell has, and what `dcron log` needs."""
    whole = cluster.environment()
    ours = ("DCRON_", "PYTHONUNBUFFERED")  # unbuffered, what is written fails at once and not at the end
    plain = {key: value for key, value in whole.items() if not key.startswith(ours)}
    servers = {key: whole[key] for key in ("DCRON_ETCD", "DCRON_ETCD_PREFIX", "DCRON_KAFKA", "DCRON_TOPIC_PREFIX")}
    return plain | servers | {"DCRON_URL": cluster.all_of("master")[0].url, "DCRON_TOKEN": TOKEN}


def dcron(cluster: Cluster, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*dcron_command(), *arguments],
        env=environment_of(cluster), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


async def send(cluster: Cluster, *values: bytes) -> None:
    environment = cluster.environment()
    async with KafkaLog.open(environment["DCRON_KAFKA"]) as log, log.producer() as producer:
        for value in values:
            await producer.append(f"{environment['DCRON_TOPIC_PREFIX']}executions", "a-run", value)


async def test_dead_letters_are_listed_shown_and_replayed(cluster: Cluster) -> None:
    cluster.start(workers=0)
    assert dcron(cluster, "dlq", "ls").stderr == "no such dead letters\n"
    await send(cluster, b"not a record", b"\xff\x00", b'{"kind":"OutputChunk","schema_version":9}')

    def listed(*flags: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in dcron(cluster, "dlq", "ls", "--json", *flags).stdout.splitlines()]

    wait_until(lambda: len(listed()) == 3, "the letters to be listed")
    newer, binary, text = listed()
    assert [each["id"] for each in listed("--reason", "version", "--since", "1h")] == [newer["id"]]
    assert listed("--limit", "1") == [newer]
    assert listed("--until", "1h") == []
    table = dcron(cluster, "dlq", "ls").stdout
    assert all(str(each["id"]) in table for each in (newer, binary, text))
    shown = dcron(cluster, "dlq", "show", str(text["id"]))
    assert shown.stdout == "not a record\n"
    assert "unreadable" in shown.stderr
    assert json.loads(dcron(cluster, "dlq", "show", "--json", str(binary["id"])).stdout)["payload"] == "/wA="
    assert "no such dead letter" in dcron(cluster, "dlq", "show", "0-99", code=1).stderr

    assert "or --all" in dcron(cluster, "dlq", "replay", code=1).stderr
    assert "go with --all" in dcron(cluster, "dlq", "replay", "0-0", "--reason", "version", code=1).stderr
    assert dcron(cluster, "dlq", "replay", str(text["id"])).stdout == f"{text['id']}\n"
    assert "replayed already" in dcron(cluster, "dlq", "replay", str(text["id"]), code=1).stderr
    wait_until(lambda: len(listed()) == 4, "it to fail again")
    again = listed()[0]
    assert (again["tries"], again["replay_of"], again["state"]) == (2, text["id"], "waiting")
    everything = json.loads(dcron(cluster, "dlq", "replay", "--all", "--json").stdout)
    assert everything["replayed"] == [binary["id"], newer["id"], again["id"]]
    wait_until(lambda: len(listed()) == 7, "those to fail again")
    assert len(listed("--state", "replayed")) == 4


async def test_who_reads_may_stop_early(cluster: Cluster) -> None:
    """As in `dcron … | head -1`: no traceback, and an exit code that is not 0."""
    cluster.start(workers=1)
    with cluster.api() as api:
        body = {"name": "counter", "run": {"shell": "seq 1 50000"}}
        job_id = api.post("/api/v1/jobs", json=body).raise_for_status().json()["job_id"]
        api.post(f"/api/v1/jobs/{job_id}/run").raise_for_status()
    await send(cluster, b"not a record")
    wait_until(lambda: "succeeded" in dcron(cluster, "runs").stdout, "the run to be stored")
    wait_until(lambda: "unreadable" in dcron(cluster, "dlq", "ls").stdout, "the letter to be listed")
    for command in COMMANDS:
        code, said = without_reader(cluster, command)
        assert code == 1, (command, said)
        assert "Traceback" not in said, (command, said)
        assert "BrokenPipe" not in said, (command, said)


def without_reader(cluster: Cluster, command: list[str]) -> tuple[int, str]:
    """Run a command whose stdout nobody reads any more; return its exit code and stderr."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*dcron_command(), *command],
            env=environment_of(cluster), stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(write)
    return done.returncode, done.stderr


COMMANDS = [
    ["version"],
    ["--help"],
    ["cron", "explain", "* * * * *"],
    ["job", "ls"],
    ["job", "ls", "--json"],
    ["runs", "--json"],
    ["stats", "--json"],
    ["logs", "counter"],
    ["logs", "counter", "-f"],
    ["logs", "counter", "--tail", "3"],
    ["audit", "events", "--json"],
    ["audit", "ledger", "--json"],
    ["dlq", "ls", "--json"],
    ["dlq", "show", "0-0"],
    ["log", "export"],
    ["log", "verify", "--json"],
]
