"""Masters that sign, over memory ports: what they write, and what they do about what they did not (G12, G2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from dcron_core.access.signing import NO_SIGNATURES, Signatures, taken_apart
from dcron_core.job_log import JobLog
from dcron_core.ports.store import Delete, KeyValue, Put, Transaction
from dcron_master.recovery import repair, verify
from dcron_master.service import Master
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.identity import UserEntry
from dcron_schemas.job import Run
from dcron_schemas.state import JobEntry
from tests.services import JOB_EVENTS, KEYS, Ports
from tests.signing_keys import CLUSTER_KEY, MASTERS_KEYS, OTHER_SIGNING_KEY, PUBLIC_KEY, SIGNING_KEY, WORKERS_KEYS

PATIENCE_S = 20.0
MASTER, WORKER = Signatures(**MASTERS_KEYS), Signatures(**WORKERS_KEYS)
HELLO = {"name": "hello", "run": {"argv": ["/bin/true"]}}


@pytest.fixture
def ports() -> Ports:
    return Ports()


@asynccontextmanager
async def running(ports: Ports, **keys: str) -> AsyncIterator[tuple[Master, httpx.AsyncClient]]:
    """Run a master, for a while."""
    async with asyncio.timeout(PATIENCE_S), ports.master(**keys) as master_and_client:
        yield master_and_client


async def created(client: httpx.AsyncClient, name: str = "hello") -> str:
    answer = await client.post("/api/v1/jobs", json={**HELLO, "name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


async def items(ports: Ports, prefix: str) -> tuple[KeyValue, ...]:
    return (await ports.store.read_prefix(prefix)).items


async def one(ports: Ports, job_id: str) -> KeyValue:
    item = await ports.store.get(KEYS.job(job_id))
    assert item is not None
    return item


async def forged(ports: Ports, job_id: str) -> bytes:
    """Replace what a job runs, as somebody who can write to etcd; return the value."""
    entry = decode_state(JobEntry, (await one(ports, job_id)).value)
    evil = encode(replace(entry, spec=replace(entry.spec, run=Run(argv=("/bin/evil",)))))
    await ports.store.transact(Transaction((), (Put(KEYS.job(job_id), evil),)))
    return evil


def trusted(item: KeyValue, by: Signatures = WORKER) -> bool:
    return by.refusal(KEYS.path(item.key), taken_apart(item.value).proof) is None


async def test_definitions_and_requests_are_signed(ports: Ports) -> None:
    """G12: every version of a job, and every request for a run; deletions need no signature."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        job_id = await created(client)
        first = await one(ports, job_id)
        assert (await client.post(f"/api/v1/jobs/{job_id}/pause")).status_code == 200
        second = await one(ports, job_id)
        assert (await client.post(f"/api/v1/jobs/{job_id}/run")).status_code == 202
        (request,) = await items(ports, KEYS.runs)
        gone = await created(client, "gone")
        assert (await client.delete(f"/api/v1/jobs/{gone}")).status_code == 204
    assert first.value != second.value
    assert all(trusted(item) for item in (first, second, request))
    assert json.loads(first.value)["signature"].split(":")[0] == json.loads(request.value)["signature"].split(":")[0]
    assert {item.key for item in await items(ports, KEYS.jobs)} == {KEYS.job(job_id)}


async def test_an_edit_does_not_sign_what_somebody_wrote_while_no_master_ran(ports: Ports) -> None:
    """G12, G2: a master begins with etcd's table; it must not take a forged job for its own and sign it with the next
    change. It writes again what the log says."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        job_id, other = await created(client), await created(client, "other")
    await forged(ports, job_id)
    invented = replace(decode_state(JobEntry, (await one(ports, other)).value), job_id="invented")
    await ports.store.transact(Transaction((), (Put(KEYS.job("invented"), encode(invented)),)))
    async with running(ports, **MASTERS_KEYS) as (_, client):
        assert (await client.post(f"/api/v1/jobs/{job_id}/pause")).status_code == 200
        shown = (await client.get(f"/api/v1/jobs/{job_id}")).json()
    assert shown["spec"]["run"]["argv"] == ["/bin/true"]
    found = await items(ports, KEYS.jobs)
    assert {item.key for item in found} == {KEYS.job(job_id), KEYS.job(other)}
    assert all(trusted(item) for item in found)
    assert not [item for item in found if b"/bin/evil" in item.value]


async def test_nobody_becomes_an_admin_by_writing_into_etcd(ports: Ports) -> None:
    """G12, G11: a forged user could create any job, and a master would sign it. A master that starts takes it away."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        await created(client)
    now = ports.clock.now()
    mallory = UserEntry(
        name="mallory",
        display_name="",
        grants={"*": "admin"},
        enabled=True,
        origin="local",
        created_at=now,
        created_by="",
    )
    await ports.store.transact(Transaction((), (Put(KEYS.user("mallory"), encode(mallory)),)))
    async with running(ports, **MASTERS_KEYS) as (master, _):
        assert master.projector.table.directory.user("mallory") is None
    assert not [item for item in await items(ports, KEYS.users) if item.key.endswith("mallory")]


async def test_a_table_from_before_there_were_keys_is_signed_by_the_first_master_that_has_one(ports: Ports) -> None:
    """G12: the upgrade. Nothing but the signature changes."""
    async with running(ports) as (_, client):
        job_ids = [await created(client, f"job-{n}") for n in range(3)]
    before = [json.loads(item.value) for item in await items(ports, KEYS.jobs)]
    async with running(ports, **MASTERS_KEYS):
        found = await items(ports, KEYS.jobs)
    assert len(found) == len(job_ids)
    assert all(trusted(item) for item in found)
    assert [_without_signature(item) for item in found] == before


def _without_signature(item: KeyValue) -> Any:
    value = json.loads(item.value)
    del value["signature"]
    return value


async def test_a_table_that_another_trusted_key_signed_is_left_as_it_is(ports: Ports) -> None:
    """G2, G12: while keys change, masters with different ones do not write over each other."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        job_id = await created(client)
    before = await one(ports, job_id)
    later = {"signing_key": OTHER_SIGNING_KEY, "trusted_keys": PUBLIC_KEY, "cluster_key": CLUSTER_KEY}
    async with running(ports, **later) as (_, client):
        assert (await one(ports, job_id)).mod_revision == before.mod_revision
        assert (await client.post(f"/api/v1/jobs/{job_id}/pause")).status_code == 200
        both = Signatures(OTHER_SIGNING_KEY, PUBLIC_KEY)
        assert trusted(await one(ports, job_id), both)
        assert not trusted(await one(ports, job_id)), "from now on it signs with its own"
    job_log = JobLog(ports.log, JOB_EVENTS)
    assert (await verify(ports.store, job_log, KEYS, both)).clean


async def test_verify_names_what_is_not_signed_and_repair_signs_it(ports: Ports) -> None:
    """G2, G12: a value that is right, with no signature or a wrong one, is damage, for no worker runs it."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        ids = [await created(client, f"job-{n}") for n in range(4)]
    values = [(await one(ports, job_id)).value for job_id in ids]
    swapped = values[1].replace(values[1][:119], values[2][:119])
    stranger = Signatures(OTHER_SIGNING_KEY).signed(f"jobs/{ids[2]}", taken_apart(values[2]).rest)
    puts = [Put(KEYS.job(i), v) for i, v in zip(ids, [taken_apart(values[0]).rest, swapped, stranger], strict=False)]
    await ports.store.transact(Transaction((), tuple(puts)))
    job_log = JobLog(ports.log, JOB_EVENTS)
    found = await verify(ports.store, job_log, KEYS, WORKER)
    assert {drift.job_id: drift.kind for drift in found.drifts} == dict.fromkeys(ids[:3], "unsigned")
    assert not found.clean
    details = [next(drift.detail for drift in found.drifts if drift.job_id == job_id) for job_id in ids[:3]]
    assert ["not signed" in details[0], "was changed" in details[1], "DCRON_TRUSTED_KEYS" in details[2]] == [True] * 3
    assert (await verify(ports.store, job_log, KEYS)).clean, "without keys only the content is compared"
    assert not (await repair(ports.store, job_log, KEYS, WORKER)).written, "who cannot sign mends no signatures"
    assert len((await repair(ports.store, job_log, KEYS, MASTER)).written) == 3
    assert (await verify(ports.store, job_log, KEYS, WORKER)).clean
    assert [(await one(ports, job_id)).value for job_id in ids] == values, "Ed25519: byte for byte"


async def test_signing_anew_writes_all_that_another_key_signed(ports: Ports) -> None:
    """G12: `dcron log resign` beside a master that projects."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        for n in range(5):
            await created(client, f"job-{n}")
        new = Signatures(OTHER_SIGNING_KEY, PUBLIC_KEY)
        job_log = JobLog(ports.log, JOB_EVENTS)
        assert len((await repair(ports.store, job_log, KEYS, new.own_only())).written) == 5
        assert not (await repair(ports.store, job_log, KEYS, new.own_only())).written
        assert all(trusted(item, new.own_only()) for item in await items(ports, KEYS.jobs))
        assert (await created(client, "after")) in {
            item.key.rpartition("/")[2] for item in await items(ports, KEYS.jobs)
        }


async def test_an_emptied_etcd_is_made_again_signed(ports: Ports) -> None:
    """G12, G3: what `rebuild` writes runs."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        job_id = await created(client)
    await ports.store.transact(Transaction((), (Delete(KEYS.job(job_id)), Delete(KEYS.projection))))
    async with running(ports, **MASTERS_KEYS):
        assert trusted(await one(ports, job_id))


async def test_a_table_that_no_master_can_read_is_written_again_by_one_that_signs(ports: Ports) -> None:
    """G2, G12: junk under `jobs/` is nothing that a master wrote."""
    async with running(ports, **MASTERS_KEYS) as (_, client):
        job_id = await created(client)
    await ports.store.transact(Transaction((), (Put(KEYS.job(job_id), b"\xff junk"),)))
    async with running(ports, signing_key=SIGNING_KEY):
        assert trusted(await one(ports, job_id))


async def test_a_master_without_a_key_writes_values_as_before(ports: Ports) -> None:
    async with running(ports) as (_, client):
        item = await one(ports, await created(client))
    assert b"signature" not in item.value
    assert trusted(item, NO_SIGNATURES)
