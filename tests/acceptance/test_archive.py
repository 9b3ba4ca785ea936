"""The archive of the log in a database of MongoDB's protocol, and the proof that nobody changed the past.

The log is the memory one, so that a test can change what no client of Kafka can; the database is a real server.
"""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from dcron_core.jobs.chain import link
from dcron_core.jobs.heads import check_signature
from dcron_log_ingester.store import Archived, open_store
from dcron_schemas.audit import ChainHead
from dcron_schemas.codec import encode
from dcron_schemas.events import (
    JobCreated,
    LogRecordSkipped,
    RunRequested,
)
from dcron_standalone.servers import LocalServers
from tests.archive_bench import A, B, Bench, open_bench, until
from tests.conftest import PrivateServers
from tests.names import Names
from tests.services import EXECUTIONS
from tests.unit.core.jobs.events import START, event, job
from tests.unit.log_ingester.records import execution, finished, started


@pytest.fixture
async def bench(servers: LocalServers, names: Names) -> AsyncIterator[Bench]:
    async with open_bench(servers, names) as bench:
        yield bench


async def test_the_whole_log_is_archived_and_proved(bench: Bench) -> None:
    """Every event of the log is in the archive, with the chain over all before it, and nothing else."""
    async with bench.ingester() as face:
        found = await face.verify()
    assert (found.intact, found.problem, found.log_end, found.archived) == (True, None, 12, 12)
    assert found.head is not None
    assert (found.head.position, found.log_id) == (11, "log-1")
    check_signature(found.head)
    assert [document["value"] for document in bench.events.find().sort("_id")] == [r.value for r in bench.records()]


async def test_a_changed_byte_is_named(bench: Bench) -> None:
    """One byte of one archived event, wherever it is."""
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        value = bytearray(bench.events.find_one({"_id": 7})["value"])  # type: ignore[index]
        value[40] ^= 1
        bench.events.update_one({"_id": 7}, {"$set": {"value": bytes(value)}})
        found = await face.verify()
    assert found.problem is not None
    assert (found.intact, found.problem.position, found.problem.where) == (False, 7, "archive")
    assert "position 7: the value differs from byte 40 on" in found.problem.problem
    assert "its hash is still that of the log's event" in found.problem.problem
    assert found.head is not None
    assert found.head.position == 6


async def test_a_deleted_event_is_named(bench: Bench) -> None:
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        bench.events.delete_one({"_id": 7})
        found = await face.verify()
    assert found.problem is not None
    assert (found.problem.position, found.problem.problem) == (7, "archive: position 7 is missing")


async def test_a_tail_cut_off_the_archive_is_named(bench: Bench) -> None:
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        bench.events.delete_many({"_id": {"$gt": 9}})
        found = await face.verify()
    assert found.problem is not None
    assert (found.problem.position, found.problem.where) == (10, "archive")
    assert found.problem.problem == "the archive ends at 9, the log ends at 11: the archive's tail is cut"


async def test_a_tail_cut_off_the_log_is_named(bench: Bench) -> None:
    """And archiving stops, since what comes next is not what came next."""
    async with bench.ingester() as face:
        assert (await face.verify()).intact
    cut = await bench.with_log(bench.records()[:10])
    async with cut.ingester() as face:
        found = await face.verify()
        assert "dcron_ingester_archive_stopped 1.0" in await face.metrics()
    assert found.problem is not None
    assert (found.problem.position, found.problem.where) == (10, "log")
    assert found.problem.problem == "the log ends at 9, the archive holds 11: the log's tail is cut"


async def test_an_event_and_its_hash_changed_together_are_named(bench: Bench) -> None:
    """A forged event whose hash fits: the chain over it is not the log's."""
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        before, true = (bench.events.find_one({"_id": position}) for position in (6, 7))
        assert before
        assert true
        forged = true["value"].replace(b"ada", b"eve")
        fitting = link(bytes.fromhex(before["hash"]), 7, true["key"], forged).hex()
        bench.events.update_one({"_id": 7}, {"$set": {"value": forged, "hash": fitting, "actor": "eve"}})
        found = await face.verify()
    assert found.problem is not None
    assert found.problem.position == 7
    assert "the log was changed, or event and hash in the archive" in found.problem.problem


async def test_a_byte_changed_in_the_log_is_named(bench: Bench) -> None:
    """The archive remembers what the log was; whoever starts on the changed log archives nothing more."""
    async with bench.ingester() as face:
        assert (await face.verify()).intact
    records = bench.records()
    records[7] = replace(records[7], value=records[7].value.replace(b"ada", b"eve"))
    forged = await bench.with_log(records)
    async with forged.ingester() as face:
        found = await face.verify()
        await forged.append(event(JobCreated(job("c")), "0198f5a0-5555-7000-8000-000000000005", minute=20))
        assert not (await face.verify()).intact
        refused = await face.client.get("/api/v1/audit/head")
        assert bench.events.count_documents({}) == 12
        assert "dcron_ingester_archive_stopped 1.0" in await face.metrics()
    assert (refused.status_code, "dcron audit verify" in refused.text) == (409, True)
    assert found.problem is not None
    assert (found.problem.position, found.problem.where) == (7, "log")


CHANGES: dict[str, Any] = {
    "actor": "eve",
    "request_id": "another",
    "at": START,
    "kind": "JobDeleted",
    "event_id": "another",
    "job_id": B,
    "key": B,
    "job_name": "b",
    "namespace": "other",
    "outcome": "rejected",
    "detail": "because",
    "version_before": 5,
    "version_after": None,
    "changes": "[]",
    "text": "",
    "hash": "00" * 32,
    "note": "a field that no event has",
}


async def test_a_change_of_any_field_is_named(bench: Bench) -> None:
    """What a search shows can be trusted: not only the bytes are compared, but all that was made of them."""
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        true = bench.events.find_one({"_id": 3})
        assert true
        assert set(true) <= {"_id", "value", *CHANGES}, "a field that this test does not change"
        for field, value in CHANGES.items():
            bench.events.update_one({"_id": 3}, {"$set": {field: value}})
            found = await face.verify()
            bench.events.replace_one({"_id": 3}, true)
            assert found.problem is not None, field
            assert found.problem.position == 3
            assert field in found.problem.problem
        bench.events.update_one({"_id": 3}, {"$unset": {"actor": ""}})
        missing = await face.verify()
        assert missing.problem is not None
        assert missing.problem.problem == "archive: position 3: field actor is missing"


@pytest.mark.parametrize("identifier", [-1, 6.5, "zzz", "7"])
async def test_a_document_that_is_no_event_is_named(bench: Bench, identifier: Any) -> None:
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        true = bench.events.find_one({"_id": 7})
        assert true
        bench.events.insert_one({**true, "_id": identifier})
        found = await face.verify()
    assert found.problem is not None
    assert found.problem.problem == f"archive: the document {identifier!r} is no event of the log"


async def test_a_tail_cut_off_both_shows_against_a_head(bench: Bench, tmp_path: Path) -> None:
    """Nothing that is left says so; what was written down before does."""
    file, forged = tmp_path / "head.json", tmp_path / "forged.json"
    async with bench.ingester() as face, bench.command_line(face) as dcron:
        assert (await face.verify()).intact
        code, said = await dcron("audit", "head", "--out", str(file))
        assert (code, "position 11, signed" in said) == (0, True)
        head = msgspec.json.decode(file.read_bytes(), type=ChainHead)
        code, said = await dcron("audit", "verify", "--head", str(file), "--public-key", head.public_key)
        assert (code, "intact: 12 events" in said, "goes through it at position 11" in said) == (0, True, True)
        forged.write_bytes(msgspec.json.encode(replace(head, position=9)))
        code, said = await dcron("audit", "verify", "--head", str(forged))
        assert (code, "it was changed" in said) == (1, True)
        code, said = await dcron("audit", "verify", "--head", str(file), "--public-key", "cd" * 32)
        assert (code, "not with " + "cd" * 32 in said) == (1, True)

    bench.events.delete_many({"_id": {"$gt": 9}})
    cut = await bench.with_log(bench.records()[:10])
    async with cut.ingester() as face, cut.command_line(face) as dcron:
        assert (await face.verify()).intact
        assert (await dcron("audit", "verify"))[0] == 0
        code, said = await dcron("audit", "verify", "--head", str(file))
        assert code == 1
        assert "the log ends at 9, and it had reached position 11 when the head was written: its tail is cut" in said


async def test_a_past_changed_in_both_shows_against_a_head(bench: Bench, tmp_path: Path) -> None:
    """A whole history forged, archive and all: the chain does not go through the head any more."""
    file = tmp_path / "head.json"
    async with bench.ingester() as face, bench.command_line(face) as dcron:
        assert (await face.verify()).intact
        assert (await dcron("audit", "head", "-o", str(file)))[0] == 0
    records = [replace(record, value=record.value.replace(b"bob", b"eve")) for record in bench.records()]
    bench.events.drop()
    forged = await bench.with_log([*records, records[-1]])
    async with forged.ingester() as face, forged.command_line(face) as dcron:
        assert (await face.verify()).intact
        code, said = await dcron("audit", "verify", "--head", str(file))
    assert (code, "the chain does not go through it: at position 11" in said) == (1, True)


async def test_an_archive_that_was_tampered_with_stops_nothing_else(bench: Bench) -> None:
    """G8, G10: runs are stored, and the service is ready; only archiving stops, and says so."""
    async with bench.ingester() as face:
        assert (await face.verify()).intact
    bench.events.update_one({"_id": 11}, {"$set": {"hash": "00" * 32}})
    run = execution()
    async with bench.ingester() as face:
        found = await face.verify()
        for record in (started(run), finished(run, 0)):
            bench.ports.log.append(EXECUTIONS, run.execution_id, encode(record), ())
        await until(lambda: face.answers(f"/api/v1/executions/{run.execution_id}"))
        await until(lambda: face.answers("/readyz"))
        assert "dcron_ingester_archive_stopped 1.0" in await face.metrics()
    assert found.problem is not None
    assert (found.problem.position, "field hash" in found.problem.problem) == (11, True)
    assert found.head is not None
    assert found.head.position == 10


async def test_two_log_ingesters_archive_each_event_once(bench: Bench) -> None:
    """In order, both at once, and one after the other."""
    async with bench.ingester() as one, bench.ingester(consumer_group="another") as other:
        for number in range(50):
            await bench.append(event(RunRequested(), A, minute=100 + number))
            if number % 10 == 0:
                assert (await one.verify()).intact
        both = [await one.verify(), await other.verify()]
    async with bench.ingester() as face:
        await bench.append(event(RunRequested(), A, minute=200))
        both.append(await face.verify())
    assert [(found.intact, found.archived) for found in both] == [(True, 62), (True, 62), (True, 63)]


async def test_nothing_is_lost_while_mongodb_is_away(
    bench: Bench, private_servers: PrivateServers, names: Names
) -> None:
    """G8: what is appended meanwhile is archived after."""
    server = private_servers("mongodb")
    async with bench.ingester(mongodb=server.mongodb) as face:
        assert (await face.verify()).archived == 12
        server.mongodb_server.kill()
        await bench.append(*(event(RunRequested(), A, minute=100 + number) for number in range(30)))
        assert (await face.client.get("/api/v1/audit/events", timeout=30)).status_code == 503
        assert (await face.client.get("/api/v1/audit/verify", timeout=30)).status_code == 503
        await asyncio.to_thread(server.mongodb_server.restart)
        found = await face.verify()
    assert (found.intact, found.archived) == (True, 42)


async def test_a_record_that_is_stepped_over_is_archived_as_it_is(bench: Bench) -> None:
    await bench.append(b"\xffnot an event", key=A)
    async with bench.ingester() as face:
        await until(lambda: face.says("/api/v1/audit/events", "kind=JobDeleted", 2))
        found = await face.verify()
        assert found.problem is not None
        assert (found.problem.position, found.problem.where) == (12, "log")
        assert "dcron log skip --offset 12" in found.problem.problem
        digest = sha256(b"\xffnot an event").hexdigest()
        await bench.append(event(LogRecordSkipped(12, digest, "a disk"), "", minute=30))
        await until(lambda: face.says("/api/v1/audit/events", "text=a%20disk", 1))
        assert (await face.verify()).intact
        assert await face.search(kind="(unreadable)") == [12]
        assert await face.search(job_id=A, limit=1) == [12]


async def test_an_empty_log_is_intact_and_one_that_was_emptied_is_not(bench: Bench) -> None:
    empty = await bench.with_log([])
    async with empty.ingester() as face:
        found = await face.verify()
        assert (found.intact, found.head, found.log_end) == (True, None, 0)
        assert (await face.client.get("/api/v1/audit/head")).status_code == 503
    async with bench.ingester() as face:
        assert (await face.verify()).intact
    async with empty.ingester() as face:
        found = await face.verify()
    assert found.problem is not None
    assert found.problem.problem == "the log is empty, the archive holds 11: the log's tail is cut"


async def test_a_head_is_the_chain_at_any_position(bench: Bench) -> None:
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        hashes = [document["hash"] for document in bench.events.find().sort("_id")]
        heads = [await face.head(position=position) for position in range(12)]
        last = await face.head()
        beyond = await face.client.get("/api/v1/audit/head", params={"position": 12})
    assert [head.hash for head in heads] == hashes
    assert last == heads[-1]
    for head in heads:
        check_signature(head, last.public_key)
    assert (beyond.status_code, beyond.json()["errors"][0]["field"]) == (404, "position")


async def test_one_verification_at_a_time(bench: Bench) -> None:
    """A second one is refused, not queued: each reads the whole log."""
    await bench.append(*(event(RunRequested(), A, minute=100 + number) for number in range(3000)))
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        answers = await asyncio.gather(*(face.client.get("/api/v1/audit/verify", timeout=60) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


async def test_events_are_inserted_in_order_so_that_a_crash_leaves_no_hole(bench: Bench) -> None:
    """What is behind one that could not be inserted is not inserted either: the last one stands for all before it."""
    async with open_store(bench.settings.mongodb, bench.settings.mongodb_database) as store:
        assert await store.events.insert([{"_id": 0, "hash": "a"}, {"_id": 1, "hash": "b"}])
        assert not await store.events.insert(
            [{"_id": 2, "hash": "c"}, {"_id": 1, "hash": "b"}, {"_id": 3, "hash": "d"}]
        )
        assert await store.events.last() == Archived(2, "c")
        assert await store.events.count() == 3


async def test_something_in_the_place_of_an_event_stops_archiving(bench: Bench) -> None:
    """G10: and nothing else; without end it would be tried again and again."""
    bench.events.insert_one({"_id": 5.0})
    async with bench.ingester() as face:
        found = await face.verify()
        assert await face.answers("/readyz")
        assert "dcron_ingester_archive_stopped 1.0" in await face.metrics()
    assert found.problem is not None
    assert found.problem.position == 5
