"""Which record survives what: the order of disk, etcd and Kafka at the end of a run (G6, G8)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dcron_core.adapters.memory import MemoryStore
from dcron_core.adapters.memory.log import MemoryLog, MemoryProducer
from dcron_core.clock import SystemClock
from dcron_core.errors import LogUnavailableError
from dcron_core.ports.store import Put, Transaction, TransactionResult
from dcron_schemas.codec import decode_state
from dcron_schemas.state import ExecutionEntry
from dcron_worker import spool as spool_module
from dcron_worker.former import closing_records
from dcron_worker.spool import Spool
from dcron_worker.spool_disk import sync_files
from dcron_worker.spool_segment import SpoolRecord
from tests.services import EXECUTIONS, KEYS, Ports
from tests.unit.worker.test_service import (
    PATIENCE_S,
    nothing_left,
    on_request,
    put_job,
    want_run,
)


class Disk:
    """How much of each file has been synced."""

    def __init__(self) -> None:
        self.synced: dict[Path, int] = {}

    def sync(self, directory: Path, paths: Sequence[Path], names_changed: bool) -> None:
        sizes = {path: path.stat().st_size for path in paths if path.exists()}
        sync_files(directory, paths, names_changed)
        self.synced |= sizes

    def holds(self, text: bytes) -> bool:
        """Tell whether `text` would be there after a power cut."""
        return any(text in path.read_bytes()[:size] for path, size in self.synced.items())


class Judge(MemoryStore):
    """Looks at the disk whenever an outcome is written."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(SystemClock())
        self._disk = disk
        self.outcomes: list[bool] = []

    async def transact(self, transaction: Transaction) -> TransactionResult:
        self._look(transaction)
        return await super().transact(transaction)

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        for transaction in transactions:
            self._look(transaction)
        return await super().transact_all(transactions)

    def _look(self, transaction: Transaction) -> None:
        for put in transaction.success:
            if isinstance(put, Put) and put.key.startswith(KEYS.executions):
                entry = decode_state(ExecutionEntry, put.value)
                if entry.finished is not None:
                    self.outcomes.append(self._disk.holds(b'{"kind":"ExecutionFinished"'))


async def test_a_result_would_survive_a_power_cut_before_etcd_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G6, G8: the finished record is synced before the transaction that closes the entry."""
    disk = Disk()
    monkeypatch.setattr(spool_module, "sync_files", disk.sync)
    ports = Ports()
    ports.store = judge = Judge(disk)
    entry = await put_job(ports, on_request("job", "echo word"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        ports.log.down = True
        await want_run(ports, entry)
        while not judge.outcomes:
            await asyncio.sleep(0.01)
        ports.log.down = False
        await nothing_left(ports)
    assert judge.outcomes == [True]


class Closed(MemoryLog):
    """Has topics, and takes no records until it opens."""

    opens = False

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[MemoryProducer]:
        if not self.opens:
            raise LogUnavailableError("closed")
        async with super().producer() as producer:
            yield producer


async def test_an_end_that_cannot_be_read_stops_no_worker(tmp_path: Path) -> None:
    """G8: a spool that another release wrote is sent as it is, and the worker starts."""
    async with Spool(tmp_path / "spool", SystemClock()) as spool:
        spool.append(SpoolRecord("of another release", b'{"kind":"ExecutionMelted"}', closes=True))
    ports = Ports()
    entry = await put_job(ports, on_request("job", "true"))
    ports.log = log = Closed(ports.clock)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path) as worker:
        async with ports.client(worker.port) as client:
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.01)
        log.opens = True
        await want_run(ports, entry)
        while not any(value.startswith(b'{"kind":"ExecutionFinished"') for value in values(ports)):
            await asyncio.sleep(0.01)
    assert b'{"kind":"ExecutionMelted"}' in values(ports)


def values(ports: Ports) -> list[bytes]:
    """Return all that Kafka has."""
    return [record.value for part in ports.log.partitions(EXECUTIONS) for record in part.read(0, 100)]


async def test_a_large_spool_is_searched_beside_others_and_its_shipping(tmp_path: Path) -> None:
    """G10: at a restart after a long outage, a gigabyte is not read in one go."""
    async with Spool(tmp_path, SystemClock(), segment_bytes=1 << 20) as spool:
        for number in range(400):
            spool.append(SpoolRecord(f"{number}", b"x" * 30_000))
        turns, reads = 0, 0

        async def neighbour() -> None:
            nonlocal turns, reads
            position = 0
            while True:
                turns += 1
                for at, _ in spool.read(position, 256 << 10):
                    reads += 1
                    position = at + 1
                spool.acknowledge(position)
                await asyncio.sleep(0)

        other = asyncio.create_task(neighbour())
        assert await closing_records(spool) == {}
        other.cancel()
        assert turns >= 12, "about one for each megabyte"
        assert reads > 0
