"""The archive of the log in a database of MongoDB's protocol, and the proof that nobody changed the past.

The log is the memory one, so that a test can change what no client of Kafka can; the database is a real server.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pymongo
import pytest
from msgspec.structs import replace
from pymongo.collection import Collection
from pymongo.database import Database

from dcron_core.jobs.heads import check_signature
from dcron_core.ports.log import Record, Topic
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.service import LogIngester, open_log_ingester, plan_of
from dcron_schemas.audit import ChainHead, EventList, Verification
from dcron_schemas.codec import encode
from dcron_schemas.events import (
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobResumed,
    JobUpdated,
    KillRequested,
    LogOpened,
    RunRequested,
)
from dcron_standalone.servers import LocalServers
from tests.names import Names
from tests.services import JOB_EVENTS, TOKEN, Ports
from tests.unit.core.jobs.events import event, job

KEY = "ab" * 32
A, B = "0198f5a0-1111-7000-8000-000000000001", "0198f5a0-2222-7000-8000-000000000002"
RUN = f"{A}.r0198f5a0-3333-7000-8000-000000000003.1"
Events = Collection[dict[str, Any]]


def history() -> list[JobEvent]:
    """Every kind of outcome, over two jobs: 12 events."""
    edited = job("a", cron="5 0 * * *")
    return [
        event(LogOpened("log-1"), "", minute=0),
        event(JobCreated(job("a", description="Backs Up (nightly)")), A, minute=1),
        event(JobCreated(job("b")), B, minute=2),
        event(JobUpdated(edited), A, minute=3, expected=1),
        event(JobUpdated(job("a")), A, minute=4, expected=1),
        event(JobPaused("übung"), A, minute=5),
        event(JobResumed(), A, minute=6),
        event(RunRequested(), A, minute=7),
        event(KillRequested(RUN), A, minute=8),
        event(JobCreated(job("b")), "0198f5a0-4444-7000-8000-000000000004", minute=9),
        replace(event(JobDeleted(), B, minute=10), actor="bob"),
        event(JobDeleted(), B, minute=10),  # the same event id: a repetition
    ]


class Bench:
    """One log and one database, for any number of log-ingesters."""

    def __init__(self, servers: LocalServers, names: Names, database: Database[dict[str, Any]]) -> None:
        self.ports = Ports()
        self.events: Events = database["job_events"]
        self.settings = LogIngesterSettings(
            token=TOKEN, log_ingester_port=0, mongodb=servers.mongodb, mongodb_database=names.database, audit_key=KEY,
            retention="36500d",
        )  # fmt: skip

    async def append(self, *records: JobEvent | bytes, key: str = "") -> None:
        await self.ports.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
        for record in records:
            value = record if isinstance(record, bytes) else encode(record)
            self.ports.log.append(JOB_EVENTS, key or getattr(record, "job_id", ""), value, ())

    def records(self) -> list[Record]:
        return self.ports.log.partitions(JOB_EVENTS)[0].read(0, 1_000_000)

    async def with_log(self, records: Sequence[Record]) -> "Bench":
        """Return a bench with another log, and the same database."""
        other = object.__new__(Bench)
        other.ports, other.settings, other.events = Ports(), self.settings, self.events
        await other.ports.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
        for record in records:
            other.ports.log.append(JOB_EVENTS, record.key, record.value, ())
        return other

    @asynccontextmanager
    async def ingester(self, **changes: Any) -> AsyncIterator["Face"]:
        """Run a log-ingester; give it once it has taken in the log."""
        settings = replace(self.settings, **changes)
        ports = self.ports
        await ports.log.ensure_topics(plan_of(settings).topics)
        async with (
            open_log_ingester(settings, ports.clock, ports.ids, ports.log) as service,
            ports.client(service.port) as client,
        ):
            yield Face(service, client)


class Face:
    """A running log-ingester."""

    def __init__(self, service: LogIngester, client: httpx.AsyncClient) -> None:
        self.service = service
        self.client = client

    async def verify(self) -> Verification:
        """Verify, once the log-ingester has read the log."""
        async with asyncio.timeout(60):
            while (answer := await self.client.get("/api/v1/audit/verify", timeout=60)).status_code == 503:
                await asyncio.sleep(0.05)
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=Verification)

    async def search(self, **wanted: str | int) -> list[int]:
        return [each.position for each in (await self.page(**wanted)).events]

    async def page(self, **wanted: str | int) -> EventList:
        answer = await self.client.get("/api/v1/audit/events", params=wanted)
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=EventList)

    async def head(self, **parameters: int) -> ChainHead:
        answer = await self.client.get("/api/v1/audit/head", params=parameters)
        assert answer.status_code == 200, answer.text
        return msgspec.json.decode(answer.content, type=ChainHead)

    async def metrics(self) -> str:
        return (await self.client.get("/metrics")).text


@pytest.fixture
async def bench(servers: LocalServers, names: Names) -> AsyncIterator[Bench]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(servers.mongodb)
    try:
        bench = Bench(servers, names, client[names.database])
        await bench.append(*history())
        yield bench
    finally:
        client.close()


async def test_the_whole_log_is_archived_and_proved(bench: Bench) -> None:
    """G3: every event of the log is in the archive, with the chain over all before it, and nothing else."""
    async with bench.ingester() as face:
        found = await face.verify()
    assert (found.intact, found.problem, found.log_end, found.archived) == (True, None, 12, 12)
    assert found.head is not None
    assert (found.head.position, found.log_id) == (11, "log-1")
    check_signature(found.head)
    assert [document["value"] for document in bench.events.find().sort("_id")] == [r.value for r in bench.records()]


async def test_a_changed_byte_is_named(bench: Bench) -> None:
    """G3: one byte of one archived event."""
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
