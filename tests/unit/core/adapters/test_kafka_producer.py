"""What the producer adds to aiokafka's; with a real Kafka it is tested in `tests/contract`."""

import asyncio
from random import Random
from typing import NamedTuple

import pytest
from aiokafka.partitioner import DefaultPartitioner

from dcron_core.adapters.kafka import KafkaLog
from dcron_core.adapters.kafka import producer as producer_module
from dcron_core.adapters.kafka.producer import partition_of


def test_a_key_goes_where_every_client_of_kafka_sends_it() -> None:
    """G9: what another release of the worker has sent of a run, and what this one sends, stay in one partition."""
    random, default = Random(7), DefaultPartitioner()
    keys = [random.randbytes(random.randrange(80)) for _ in range(500)]
    for count in (1, 3, 12):
        partitions = list(range(count))
        for key in [*keys, *keys]:
            assert partition_of(key, partitions, partitions) == default(key, partitions, partitions)


class Acknowledged(NamedTuple):
    """What aiokafka says of a record, as far as it is looked at."""

    offset: int


class Client:
    """Takes the place of aiokafka's producer: a record is acknowledged when the test says so."""

    def __init__(self, **_: object) -> None:
        self.sent: list[asyncio.Future[Acknowledged]] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, *_: object, **__: object) -> "asyncio.Future[Acknowledged]":
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]


async def test_records_submitted_together_are_answered_when_the_last_one_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """G8: of several partitions one can be long behind the others; until it answers nothing may be given up."""
    client = Client()
    monkeypatch.setattr(producer_module, "AIOKafkaProducer", lambda **_: client)
    async with KafkaLog.open("127.0.0.1:1") as log, log.producer() as producer:
        first = asyncio.ensure_future(await producer.submit_all("t", [("a", b""), ("b", b""), ("c", b"")]))
        second = asyncio.ensure_future(await producer.submit_all("t", [("d", b""), ("e", b"")]))
        done = []
        for number in (2, 3, 0, 4, 1):
            client.sent[number].set_result(Acknowledged(number))
            await asyncio.sleep(0)
            done.append((first.done(), second.done()))
        await asyncio.gather(first, second)
    assert done == [(False, False), (False, False), (False, False), (False, True), (True, True)]
