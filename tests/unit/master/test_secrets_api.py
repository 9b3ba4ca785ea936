"""Secrets are set by editors of their namespace, listed by name, and shown to nobody (G11)."""

from typing import Any

import pytest

from dcron_core.access.sealing import MOST_BYTES, Sealer
from dcron_schemas.codec import decode_state
from dcron_schemas.identity import SecretEntry
from tests.people import CLUSTER_KEY, add_user, with_token
from tests.services import JOB_EVENTS, KEYS, Ports

VALUE = "hunter2-is-a-treasure"


async def test_a_secret_is_sealed_wherever_it_is_kept() -> None:
    """Neither the log, nor etcd, nor any answer has its value; whoever has the cluster's key opens it."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (_, client):
        answer = await client.put("/api/v1/secrets/default/TOKEN", json={"value": VALUE})
        assert answer.status_code == 200
        assert (answer.json()["name"], answer.json()["updated_by"]) == ("TOKEN", "bootstrap")
        listed = await client.get("/api/v1/secrets")
        assert [each["name"] for each in listed.json()["secrets"]] == ["TOKEN"]
        assert VALUE not in answer.text + listed.text
        entry = await ports.store.get(KEYS.secret("default", "TOKEN"))
        assert entry is not None
        sealed = decode_state(SecretEntry, entry.value).sealed
        assert sealed not in answer.text + listed.text
        assert Sealer(CLUSTER_KEY).open("default", "TOKEN", sealed) == VALUE
        log = b"".join(record.value for record in ports.log.partitions(JOB_EVENTS)[0].read(0, 1000))
        assert VALUE.encode() not in log + entry.value
        again = await client.put("/api/v1/secrets/default/TOKEN", json={"value": "another"})
        assert again.status_code == 200
        assert (await client.delete("/api/v1/secrets/default/TOKEN")).status_code == 204
        assert (await client.delete("/api/v1/secrets/default/TOKEN")).status_code == 404
        assert await ports.store.get(KEYS.secret("default", "TOKEN")) is None


async def test_each_sees_and_sets_those_of_their_namespaces() -> None:
    async with Ports().master(cluster_key=CLUSTER_KEY) as (master, client):
        await add_user(client, "bob", {"a": "editor", "b": "viewer"}, password="")
        for namespace in "abc":
            await client.put(f"/api/v1/secrets/{namespace}/KEY", json={"value": VALUE})
        made = await client.post("/api/v1/tokens", json={"name": "x"}, params={"user": "bob"})
        async with with_token(master.port, made.json()["token"]) as bob:
            seen = (await bob.get("/api/v1/secrets")).json()["secrets"]
            assert [each["namespace"] for each in seen] == ["a", "b"]
            assert (await bob.get("/api/v1/secrets", params={"namespace": "c"})).status_code == 403
            assert len((await bob.get("/api/v1/secrets", params={"namespace": "b"})).json()["secrets"]) == 1
            for namespace, status in (("a", 200), ("b", 403), ("c", 403)):
                answer = await bob.put(f"/api/v1/secrets/{namespace}/KEY", json={"value": VALUE})
                assert answer.status_code == status, namespace
            assert (await bob.delete("/api/v1/secrets/b/KEY")).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("default/1KEY", {"value": "x"}, "name"),
        ("default/KEY-1", {"value": "x"}, "name"),
        ("-/KEY", {"value": "x"}, "namespace"),
        ("default/KEY", {"value": ""}, "value"),
        ("default/KEY", {"value": "x" * (MOST_BYTES + 1)}, "value"),
        ("default/KEY", {"value": "treasure\0"}, "value"),
    ],
)
async def test_what_no_environment_holds_is_refused_and_not_shown(path: str, body: dict[str, Any], field: str) -> None:
    async with Ports().master(cluster_key=CLUSTER_KEY) as (_, client):
        answer = await client.put(f"/api/v1/secrets/{path}", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
        assert "treasure" not in answer.text


async def test_without_the_clusters_key_there_are_no_secrets() -> None:
    async with Ports().master() as (_, client):
        answer = await client.put("/api/v1/secrets/default/KEY", json={"value": VALUE})
        assert answer.status_code == 409
        assert "DCRON_CLUSTER_KEY" in answer.json()["detail"]


async def test_a_secret_sent_twice_with_one_key_is_set_once() -> None:
    """G1: the same Idempotency-Key is the same command, though it is sealed anew each time."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (_, client):
        for _ in range(2):
            answer = await client.put(
                "/api/v1/secrets/default/KEY", json={"value": VALUE}, headers={"Idempotency-Key": "once"}
            )
            assert answer.status_code == 200
        assert len(ports.log.partitions(JOB_EVENTS)[0].read(0, 1000)) == 2  # LogOpened and this
