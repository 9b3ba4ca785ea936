"""The adapters on servers that die, hang and come back: what only the real ones can show."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager

import pytest

from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.errors import LogUnavailableError, StoreUnavailableError
from dcron_core.ports.log import GroupReader, Producer, Topic
from dcron_core.ports.store import KeyValue, KeyValueStore
from dcron_standalone.server import Server
from dcron_standalone.servers import LocalServers
from tests.conftest import PrivateServers
from tests.contract.test_log import read
from tests.contract.writing import put

TOPIC = "records"
PATIENCE_S = 120.0
TIMEOUT_S = 2.0  # for Kafka's answers: shorter than the outages


async def restart(server: Server) -> None:
    """SIGKILL, then start on the same data."""
    server.kill()
    await asyncio.to_thread(server.start)


async def test_a_watch_resumes_without_a_gap_when_etcd_was_killed(private_servers: PrivateServers) -> None:
    """G5, G10: a worker's view of the jobs goes on where it stopped."""
    servers = private_servers("etcd")
    async with EtcdStore.open(servers.etcd) as store, asyncio.timeout(PATIENCE_S):
        watching = asyncio.create_task(watched(store, 1 + await put(store, "/w/begin"), until=59))
        for number in range(60):
            if number in {20, 21, 40}:
                await restart(servers.etcd_server)
            await put_until_done(store, "/w/number", str(number).encode())
        events = await watching
    assert list(dict.fromkeys(int(event.value) for event in events)) == list(range(60))
    revisions = [event.mod_revision for event in events]
    assert revisions == sorted(set(revisions))


async def watched(store: KeyValueStore, revision: int, until: int) -> list[KeyValue]:
    """Return what a watch sees, up to the number `until`."""
    events: list[KeyValue] = []
    async with aclosing(store.watch("/w/", revision)) as changes:
        async for batch in changes:
            events += [event for event in batch.events if isinstance(event, KeyValue)]
            if int(events[-1].value) == until:
                break
    return events


async def put_until_done(store: KeyValueStore, key: str, value: bytes) -> None:
    """Write a key, again after each failure: the same value, so a second write does no harm."""
    while True:
        try:
            await put(store, key, value)
            return
        except StoreUnavailableError:
            await asyncio.sleep(0.05)


async def test_an_etcd_that_is_not_there_is_an_error_that_names_it() -> None:
    async with EtcdStore.open("127.0.0.1:1", timeout_s=1) as store:
        with pytest.raises(StoreUnavailableError, match=r"get /a: .*127\.0\.0\.1:1"):
            await store.get("/a")


async def test_an_etcd_that_hangs_is_an_error_in_time(private_servers: PrivateServers) -> None:
    servers = private_servers("etcd")
    async with EtcdStore.open(servers.etcd, timeout_s=0.3) as store:
        await put(store, "/a")
        servers.etcd_server.signal(signal.SIGSTOP)
        for call in (store.get("/a"), store.read_prefix("/"), put(store, "/a"), store.keep_lease(1)):
            with pytest.raises(StoreUnavailableError, match="DEADLINE_EXCEEDED"):
                await call
        servers.etcd_server.signal(signal.SIGCONT)
        await put_until_done(store, "/a", b"")


async def test_a_dead_endpoint_is_passed_over(private_servers: PrivateServers) -> None:
    """G10: with several members, one that is down is not noticed."""
    servers = private_servers("etcd")
    async with EtcdStore.open(f"127.0.0.1:1, {servers.etcd}") as store:
        revision = await put(store, "/a")
        async with aclosing(store.watch("/", revision)) as changes, asyncio.timeout(PATIENCE_S):
            assert (await anext(changes)).revision == revision


class Sender:
    """Sends the numbers from 0 ahead of the answers, `together` at a time; after a failure from the first in doubt."""

    def __init__(self, producer: Producer, together: int = 1) -> None:
        self.acknowledged = 0
        self.failures = 0
        self._producer = producer
        self._together = together

    async def send(self, until: int) -> None:
        while self.acknowledged < until:
            groups = [
                range(first, min(until, first + self._together))
                for first in range(self.acknowledged, min(until, self.acknowledged + 20), self._together)
            ]
            try:
                answers = [(len(numbers), await self._submit(numbers)) for numbers in groups]
                for count, answer in answers:
                    await answer
                    self.acknowledged += count
            except LogUnavailableError:
                self.failures += 1
                await asyncio.sleep(0.1)

    async def _submit(self, numbers: range) -> Awaitable[object]:
        values = [str(number).encode() for number in numbers]
        if self._together == 1:
            return await self._producer.submit(TOPIC, "key", values[0])
        return await self._producer.submit_all(TOPIC, [("key", value) for value in values])


@pytest.mark.parametrize("together", [1, 5])
async def test_a_producer_gets_over_a_kafka_that_dies_and_one_that_hangs(
    private_servers: PrivateServers, together: int
) -> None:
    """G8, G9: no acknowledged record is lost, and none comes before one that was submitted earlier."""
    servers = private_servers("kafka")
    async with kafka(servers) as log, log.producer() as producer, log.reader(TOPIC, {0: 0}) as reader:
        sender = Sender(producer, together)
        await sender.send(100)
        sending = asyncio.create_task(sender.send(1_000_000))
        servers.kafka_server.kill()
        await failures(sender, 2)
        await asyncio.to_thread(servers.kafka_server.start)
        await progress(sender)
        before = sender.failures
        servers.kafka_server.signal(signal.SIGSTOP)
        await failures(sender, before + 1)
        servers.kafka_server.signal(signal.SIGCONT)
        await progress(sender)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        numbers: list[int] = []
        while len(set(numbers)) < sender.acknowledged:
            numbers += [int(record.value) for record in await read(reader, 1)]
    first_seen = list(dict.fromkeys(numbers))
    assert first_seen == list(range(len(first_seen)))


async def test_a_group_gets_over_a_kafka_that_dies(private_servers: PrivateServers) -> None:
    """G8: what was committed stays committed, and the rest comes."""
    servers = private_servers("kafka")
    async with kafka(servers) as log, log.producer() as producer, log.group_reader(TOPIC, "group") as reader:
        await Sender(producer).send(10)
        assert await next_value(reader) == b"0"
        servers.kafka_server.kill()
        with pytest.raises(LogUnavailableError):
            await reader.commit()
        await asyncio.to_thread(servers.kafka_server.start)
        await commit_until_done(reader)
        await reader.rewind()
        assert await next_value(reader) == b"1"


@asynccontextmanager
async def kafka(servers: LocalServers) -> AsyncIterator[KafkaLog]:
    async with KafkaLog.open(servers.kafka, timeout_s=TIMEOUT_S) as log, asyncio.timeout(PATIENCE_S):
        await log.ensure_topics([Topic(TOPIC, 1)])
        yield log


async def failures(sender: Sender, count: int) -> None:
    while sender.failures < count:
        await asyncio.sleep(0.05)


async def progress(sender: Sender) -> None:
    """Wait until some more is acknowledged."""
    before = sender.acknowledged
    while sender.acknowledged < before + 40:
        await asyncio.sleep(0.05)


async def next_value(reader: GroupReader) -> bytes:
    while True:
        for record in await reader.poll(1, limit=1):
            return record.value


async def commit_until_done(reader: GroupReader) -> None:
    while True:
        try:
            return await reader.commit()
        except LogUnavailableError:
            await asyncio.sleep(0.1)
