"""Masters and workers inside the test's own loop, on memory ports; their HTTP faces are real."""

import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from dcron_core.adapters.memory import MemoryLog, MemoryStore
from dcron_core.clock import Clock, SystemClock
from dcron_core.ids import IdSource
from dcron_core.keys import Keys
from dcron_core.ports.log import Record, Topic
from dcron_core.settings import MasterSettings, WorkerSettings
from dcron_master.service import Master, open_master
from dcron_schemas.codec import decode_record, decode_state
from dcron_schemas.records import ExecutionRecord
from dcron_schemas.state import JobEntry
from dcron_worker.service import Worker, open_worker

TOKEN = "a-token-for-tests-only"
JOB_USER = pwd.getpwuid(os.geteuid()).pw_name  # jobs write into directories of the tests
KEYS = Keys()
EXECUTIONS = "cron.executions"
JOB_EVENTS = "cron.job-events"


class Ports:
    """One memory store and one memory log, for any number of services."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.store = MemoryStore(self.clock)
        self.log = MemoryLog(self.clock)
        self.ids = IdSource()

    @asynccontextmanager
    async def master(self, **settings: str) -> AsyncIterator[tuple[Master, httpx.AsyncClient]]:
        """Run a master; give it and a client that holds the token."""
        values = {"token": TOKEN, "master_port": 0, "command_timeout": "2s", **settings}
        parsed = msgspec.convert(values, MasterSettings, strict=False)
        async with (
            open_master(parsed, self.store, self.log, self.clock, self.ids) as master,
            self.client(master.port) as client,
        ):
            await master.projector.caught_up.wait()
            yield master, client

    @asynccontextmanager
    async def any_master(self) -> AsyncIterator[httpx.AsyncClient]:
        """Run a master, whether it gets ready or not."""
        settings = msgspec.convert({"token": TOKEN, "master_port": 0}, MasterSettings)
        async with (
            open_master(settings, self.store, self.log, self.clock, self.ids) as master,
            self.client(master.port) as client,
        ):
            yield client

    @asynccontextmanager
    async def worker(self, data: Path, clock: Clock | None = None, /, **settings: str) -> AsyncIterator[Worker]:
        """Run a worker, by a clock of its own if one is given."""
        own = {"token": TOKEN, "worker_port": 0, "worker_data": str(data), "job_user": JOB_USER}
        values = {**own, "shutdown_timeout": "5s", **settings}
        parsed = msgspec.convert(values, WorkerSettings, strict=False)
        await self.log.ensure_topics([Topic(EXECUTIONS, partitions=2)])
        async with open_worker(parsed, self.store, self.log, clock or self.clock, self.ids) as worker:
            yield worker

    @asynccontextmanager
    async def client(self, port: int, token: str = TOKEN) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=10, trust_env=False
        ) as client:
            yield client

    async def job_table(self) -> dict[str, JobEntry]:
        """Return etcd's job table: id → job."""
        items = (await self.store.read_prefix(KEYS.jobs)).items
        return {item.key.removeprefix(KEYS.jobs): decode_state(JobEntry, item.value) for item in items}

    def records(self) -> list[ExecutionRecord]:
        """Return every record of `cron.executions`; those of one run in their order."""
        found: list[Record] = []
        for partition in self.log.partitions(EXECUTIONS):
            found += partition.read(0, 1_000_000)
        return [decode_record(record.value) for record in found]

    async def wait_for(self, kind: type[ExecutionRecord], count: int = 1) -> list[ExecutionRecord]:
        """Wait until the log holds that many records of a kind; return them."""
        while len(found := [record for record in self.records() if isinstance(record, kind)]) < count:
            await self.log.appended.wait(1.0)
        return found
