"""A master is not ready before it has folded what was in the log when it started."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import msgspec

from dcron_core.adapters.memory import MemoryLog
from dcron_core.adapters.memory.log import MemoryReader
from dcron_core.clock import Clock
from dcron_core.ports.log import Record, Topic
from dcron_core.ports.store import Put, Transaction
from dcron_core.settings import MasterSettings
from dcron_master.service import open_master
from dcron_schemas.codec import encode
from dcron_schemas.events import JobCreated, LogOpened
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.state import Projection
from tests.services import JOB_EVENTS, KEYS, TOKEN, Ports
from tests.stateful.projection_world import event

EVENTS = 3000
HELD_FROM = 2500


class SlowLog(MemoryLog):
    """Gives no record from `HELD_FROM` on until it is released."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.released = asyncio.Event()
        self.reached = asyncio.Event()  # somebody waits for what is held

    @asynccontextmanager
    async def reader(self, topic: str, offsets: Mapping[int, int] | None = None) -> AsyncIterator["HeldReader"]:
        yield HeldReader(self, topic, dict(offsets or {0: 0}))


class HeldReader(MemoryReader):
    """Of one partition."""

    def __init__(self, log: SlowLog, topic: str, positions: dict[int, int]) -> None:
        super().__init__(log, topic, positions)
        self._slow = log
        self._next = positions[0]

    async def poll(self, timeout_s: float, limit: int = 1000) -> list[Record]:
        if self._next >= HELD_FROM:
            self._slow.reached.set()
            await self._slow.released.wait()
        else:
            limit = min(limit, HELD_FROM - self._next)
        records = await super().poll(timeout_s, limit)
        self._next += len(records)
        return records

    async def seek(self, partition: int, offset: int) -> None:
        self._next = offset
        await super().seek(partition, offset)


async def test_a_master_on_a_long_log_is_not_ready_before_its_fold_has_reached_the_end() -> None:
    """G1, G2: until then it takes no command, and the probe sends clients elsewhere."""
    ports = Ports()
    ports.log = slow = SlowLog(ports.clock)
    await slow.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
    slow.append(JOB_EVENTS, "", encode(event("opened", "", LogOpened("log-1"))), ())
    for number in range(1, EVENTS):
        job = JobSpec(name=f"job-{number}", run=Run(shell="true"))
        slow.append(JOB_EVENTS, "", encode(event(f"event-{number}", f"id-{number}", JobCreated(job))), ())
    began = Projection(position=0, log_id="log-1", requests_from=1)  # an etcd that is far behind
    await ports.store.transact(Transaction((), (Put(KEYS.projection, encode(began)),)))
    settings = msgspec.convert({"token": TOKEN, "master_port": 0}, MasterSettings, strict=False)
    async with (
        asyncio.timeout(30),
        open_master(settings, ports.store, slow, ports.clock, ports.ids) as master,
        ports.client(master.port) as client,
    ):
        await slow.reached.wait()
        await master.projector.passed(HELD_FROM - 1)
        assert await status(client, "/readyz") == 503
        assert (await client.post("/api/v1/jobs", json={"name": "x", "run": {"shell": "true"}})).status_code == 503
        slow.released.set()
        while await status(client, "/readyz") != 200:
            await asyncio.sleep(0.01)
        assert master.projector.projected == EVENTS - 1
        assert (await client.get("/api/v1/jobs")).json()["total"] == EVENTS - 1


async def status(client: httpx.AsyncClient, path: str) -> int:
    return (await client.get(path)).status_code
