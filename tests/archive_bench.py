"""One log in memory, one database of MongoDB's protocol, and any number of log-ingesters on them.

For tests of the archive.
"""

import asyncio
import os
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pymongo
from msgspec.structs import replace
from pymongo.collection import Collection
from pymongo.database import Database

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
from tests.cluster import dcron_command
from tests.names import Names
from tests.services import JOB_EVENTS, TOKEN, Ports
from tests.unit.core.jobs.events import event, job

KEY = "ab" * 32

A, B = "0198f5a0-1111-7000-8000-000000000001", "0198f5a0-2222-7000-8000-000000000002"

RUN = f"{A}.r0198f5a0-3333-7000-8000-000000000003.1"

CommandLine = Callable[..., Awaitable[tuple[int, str]]]

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

    @asynccontextmanager
    async def command_line(self, face: "Face") -> AsyncIterator[CommandLine]:
        """Give the `dcron` command on this log-ingester, and on a master that knows where it is."""
        url = f"http://127.0.0.1:{face.service.port}"
        # A master of another log: it only says where the log-ingester is.
        async with Ports().master(log_ingester_url=url) as (master, _):
            environment = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")}
            environment |= {
                "DCRON_URL": f"http://127.0.0.1:{master.port}", "DCRON_TOKEN": TOKEN, "COLUMNS": "200",
            }  # fmt: skip

            async def dcron(*arguments: str) -> tuple[int, str]:
                """Return the exit code and everything that was printed."""
                process = await asyncio.create_subprocess_exec(
                    *dcron_command(), *arguments, env=environment, stdout=PIPE, stderr=STDOUT
                )
                said, _ = await process.communicate()
                assert process.returncode is not None
                return process.returncode, said.decode()

            yield dcron


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.05)


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

    async def answers(self, path: str) -> bool:
        return (await self.client.get(path)).status_code == 200

    async def says(self, path: str, query: str, count: int) -> bool:
        """Tell whether so many events are found."""
        return len((await self.client.get(f"{path}?{query}")).json()["events"]) == count

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


@asynccontextmanager
async def open_bench(servers: LocalServers, names: Names) -> AsyncIterator[Bench]:
    """Give a bench whose log holds the history."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(servers.mongodb)
    try:
        bench = Bench(servers, names, client[names.database])
        await bench.append(*history())
        yield bench
    finally:
        client.close()
