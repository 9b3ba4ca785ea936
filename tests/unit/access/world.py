"""A master, a log-ingester and a worker on memory ports, with jobs and runs in a namespace, and all who may ask.

Everybody comes with an access token that the master's key signed, as each service takes it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Litestar
from msgspec import Struct

from dcron_core.access.access_tokens import AccessTokenMaker
from dcron_core.access.principal import Principal
from dcron_core.clock import Clock
from dcron_core.executions import request_execution_id
from dcron_core.history import History
from dcron_core.http.probes import Readiness
from dcron_core.http.server import listen, serving
from dcron_core.job_log import JobLog
from dcron_core.lifecycle import Background
from dcron_core.ports.log import Record, Topic
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.application import application, served
from dcron_log_ingester.archive import Archive
from dcron_log_ingester.audit_api import Audit
from dcron_log_ingester.batches import batch_of, stored_instant
from dcron_log_ingester.hub import Hub
from dcron_log_ingester.metrics import Metrics
from dcron_log_ingester.replayer import Replayer
from dcron_schemas.codec import decode_event, encode
from dcron_schemas.events import JobEvent
from dcron_schemas.identity import Grants
from dcron_schemas.records import (
    Execution,
    ExecutionFinished,
    ExecutionRecord,
    ExecutionStarted,
    OutputChunk,
    TickSkipped,
)
from tests.people import CLUSTER_KEY
from tests.services import EXECUTIONS, JOB_EVENTS, TOKEN, Ports
from tests.unit.access.memory_archive import MemoryArchive

SIGNING_KEY = "11" * 32
HERE, ELSEWHERE = "here", "elsewhere"
ASKERS: dict[str, Grants] = {
    "nobody": {},
    "viewer": {HERE: "viewer"},
    "operator": {HERE: "operator"},
    "editor": {HERE: "editor"},
    "admin": {HERE: "admin"},
    "admin-elsewhere": {ELSEWHERE: "admin"},
    "everywhere": {"*": "admin"},
}
DEAD_LETTERS = "cron.dead-letter"


def who(name: str) -> Principal:
    return Principal(name=name, grants=ASKERS[name], how="access")


class Subject(Struct):
    """What a request is about: a job of a namespace, with one run; and another one that is deleted."""

    job_id: str
    name: str
    namespace: str
    run: Execution
    deleted_id: str
    deleted_name: str


class World:
    """The services, and clients of them."""

    def __init__(self, ports: Ports, token: str = TOKEN) -> None:
        self.ports = ports
        self.token = token
        self.store = MemoryArchive()
        self.hub = Hub(ports.clock)
        self.tokens = AccessTokenMaker(SIGNING_KEY, ports.clock)
        self.routes: dict[str, Litestar] = {}
        self.urls: dict[str, str] = {}
        self.http: httpx.AsyncClient
        self.history: History
        self.archive: Archive
        self._count = 0

    def token_of(self, name: str) -> str:
        return self.tokens.make(who(name)).token

    async def ask(self, service: str, method: str, path: str, asker: str | None, **arguments: Any) -> httpx.Response:
        """Ask as somebody; None: without any token, "bootstrap": with the settings' own."""
        headers = dict(arguments.pop("headers", {}))
        if asker is not None:
            headers["Authorization"] = f"Bearer {self.token if asker == 'bootstrap' else self.token_of(asker)}"
        return await self.http.request(method, self.urls[service] + path, headers=headers, **arguments)

    async def subject(self, namespace: str = HERE) -> Subject:
        """Make new ones."""
        self._count += 1
        name, deleted_name = f"marker-{self._count:05d}", f"gone-{self._count:05d}"
        job_id = await self.job(name, namespace)
        deleted_id = await self.job(deleted_name, namespace)
        gone = await self.ask("master", "DELETE", f"/api/v1/jobs/{deleted_id}", "bootstrap")
        assert gone.status_code == 204, gone.text
        run = await self.run(job_id, name, namespace)
        return Subject(job_id, name, namespace, run, deleted_id, deleted_name)

    async def job(self, name: str, namespace: str, **changes: Any) -> str:
        body = {"name": name, "namespace": namespace, "run": {"shell": "true"}, "schedule": {"every": "1h"}, **changes}
        made = await self.ask("master", "POST", "/api/v1/jobs", "bootstrap", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["job_id"])

    async def run(self, job_id: str, name: str, namespace: str, at: timedelta = timedelta()) -> Execution:
        """Store a run that is over, with output, and a tick that was skipped."""
        run = self.execution(job_id, name, namespace, at)
        end = ExecutionFinished(
            execution=run, outcome="succeeded", started_at=run.due_at, finished_at=run.due_at, output_chunks=1
        )
        skip = TickSkipped(execution=run, reason="overlap", at=run.due_at)
        await self.store.write(batch_of([*self.records(run), end, skip], timedelta(days=1)))
        return run

    def records(self, run: Execution) -> list[ExecutionStarted | OutputChunk]:
        text = f"secret output of {run.job_name}"
        return [
            ExecutionStarted(execution=run, started_at=run.due_at, host="host-a", pid=7),
            OutputChunk(
                execution_id=run.execution_id, job_id=run.job_id, seq=0, stream="stdout", at=run.due_at, text=text
            ),
        ]

    def execution(self, job_id: str, name: str, namespace: str, at: timedelta = timedelta()) -> Execution:
        now = stored_instant(self.ports.clock.now()) + at
        return Execution(
            execution_id=request_execution_id(job_id, self.ports.ids.uuid7(now)), job_id=job_id, job_name=name,
            namespace=namespace, job_version=1, trigger="request", due_at=now, attempt=1, worker_id="w", claimed_at=now,
        )  # fmt: skip

    def job_events(self) -> list[JobEvent]:
        """Return what is in the log."""
        [partition] = self.ports.log.partitions(JOB_EVENTS)
        events = [decode_event(record.value) for record in partition.read(0, 1_000_000)]
        return [event for event in events if isinstance(event, JobEvent)]

    async def archived(self) -> None:
        """Wait until the log-ingester knows what the log holds."""
        await self.archive.passed(await self.history.at_end())

    def publish(self, *records: ExecutionRecord) -> None:
        """Let the live views have records as from the log."""
        for record in records:
            key = record.execution_id if isinstance(record, OutputChunk) else record.execution.execution_id
            self.hub.publish([Record(EXECUTIONS, 0, 0, key, encode(record), self.ports.clock.now())])


@asynccontextmanager
async def world(
    tmp_path: Path, clock: Clock | None = None, *, worker: bool = False, **settings: str
) -> AsyncIterator[World]:
    """Open a master and a log-ingester, with its own clock if one is given; and a worker if it is asked for."""
    ports = Ports()
    made = World(ports, settings.get("token", TOKEN))
    trusted = made.tokens.public_key.public_bytes_raw().hex()
    async with AsyncExitStack() as stack:
        common = {name: value for name, value in settings.items() if name != "allowed_origins"}
        ingester = await _log_ingester(stack, made, clock or ports.clock, trusted, settings)
        keys = {"signing_key": SIGNING_KEY, "cluster_key": CLUSTER_KEY, "log_ingester_url": ingester}
        master, _ = await stack.enter_async_context(ports.master(**keys, **common))
        made.routes["master"] = master.routes
        made.urls |= {"master": f"http://127.0.0.1:{master.port}", "log-ingester": ingester}
        if worker:
            trusts = {"trusted_keys": trusted, "cluster_key": CLUSTER_KEY}
            opened = await stack.enter_async_context(ports.worker(tmp_path / "w", **trusts, **common))
            made.routes["worker"] = opened.routes
            made.urls["worker"] = f"http://127.0.0.1:{opened.port}"
        made.http = await stack.enter_async_context(httpx.AsyncClient(timeout=10, trust_env=False))
        await made.history.caught_up.wait()
        yield made


async def _log_ingester(
    stack: AsyncExitStack, made: World, clock: Clock, trusted: str, settings: dict[str, str]
) -> str:
    """Put a log-ingester together as its service does, around the store in memory."""
    ports, store, metrics, readiness = made.ports, made.store, Metrics(), Readiness()
    values = {"token": TOKEN, "log_ingester_port": 0, "trusted_keys": trusted, "audit_key": "22" * 32, **settings}
    parsed = msgspec.convert(values, LogIngesterSettings, strict=False)
    await ports.log.ensure_topics([Topic(DEAD_LETTERS, partitions=1)])
    background = Background()
    stack.push_async_callback(background.stop)
    job_log = JobLog(ports.log, JOB_EVENTS)
    anything: Any = store  # in place of a Store
    made.history = History(job_log)
    made.archive = archive = Archive(anything.events, metrics)
    background.start("history", made.history.run(archive.take))
    background.start("archive", archive.run(job_log))
    audit = Audit(job_log, made.history, archive, anything.events, parsed.audit_key)
    replayer = Replayer(ports.log, anything.letters, DEAD_LETTERS, EXECUTIONS, ports.clock)
    app = application(parsed, anything, made.hub, audit, replayer, clock, readiness, metrics)
    made.routes["log-ingester"] = app
    bound = listen("127.0.0.1", 0, "x")
    stack.callback(bound.close)
    port = await stack.enter_async_context(serving(served(app, parsed, clock, ports.ids), bound))
    return f"http://127.0.0.1:{port}"
