"""Stepping over a record that cannot be read, over HTTP: what is refused, and that all go on by themselves."""

import asyncio
from collections.abc import Callable, Sequence

import httpx
import pytest

from dcron_core.adapters.memory import MemoryLog
from dcron_core.clock import SystemClock
from dcron_core.errors import LogUnavailableError
from dcron_core.history import History
from dcron_core.job_log import JobLog
from dcron_core.keys import Keys
from dcron_core.ports.log import Topic
from dcron_master.inspection import inspect
from dcron_master.recovery import verify
from dcron_master.service import Master
from dcron_schemas.codec import decode_event, encode
from dcron_schemas.events import JobEvent, LogOpened, LogRecordSkipped
from tests.services import JOB_EVENTS, Ports
from tests.unit.master.test_projector import START

SKIPS = "/api/v1/log/skips"
HELLO = {"name": "hello", "run": {"shell": "echo hello"}}
NEWER = b'{"event_id":"x","data":{"kind":"JobTeleported","to":"mars"},"schema_version":1}'


async def appended(ports: Ports, value: bytes) -> int:
    async with ports.log.producer() as producer:
        return await producer.append(JOB_EVENTS, "x", value)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def stopped_at(master: Master, offset: int) -> Callable[[], bool]:
    return lambda: f"offset {offset} " in str(master.projector.stopped)


async def skipped(client: httpx.AsyncClient, offset: int, reason: str = "it is junk") -> httpx.Response:
    return await client.post(SKIPS, json={"offset": offset, "reason": reason})


async def create(client: httpx.AsyncClient, name: str) -> httpx.Response:
    return await client.post("/api/v1/jobs", json=HELLO | {"name": name})


async def assert_clean(ports: Ports) -> None:
    """G2: with the record stepped over, etcd is the fold."""
    seen = await verify(ports.store, JobLog(ports.log, JOB_EVENTS), Keys())
    assert (seen.clean, seen.problem) == (True, "")


async def test_a_record_is_stepped_over_and_the_master_goes_on_by_itself() -> None:
    """G2, G3: also its history; who did it and why is in the log."""
    ports = Ports()
    async with ports.master() as (master, client):
        await create(client, "before")
        offset = await appended(ports, b"junk")
        await until(stopped_at(master, offset))
        refused = await create(client, "refused")
        assert refused.status_code == 503
        assert f"dcron log skip --offset {offset}" in refused.json()["detail"]
        answer = await skipped(client, offset)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["offset"], answer.json()["position"]) == (offset, offset + 1)
        await master.projector.caught_up.wait()
        await master.history.passed(offset + 1)
        assert (await create(client, "after")).status_code == 201
        assert {job.spec.name for job in master.projector.table.entries()} == {"before", "after"}
        event = decode_event(ports.log.partitions(JOB_EVENTS)[0].read(offset + 1, 1)[0].value)
        assert isinstance(event, JobEvent)
        assert isinstance(event.data, LogRecordSkipped)
        assert (event.actor, event.data.reason) == ("bootstrap", "it is junk")
        seen = await inspect(JobLog(ports.log, JOB_EVENTS), offset)
        assert (seen.reading, seen.skipped_at, seen.value) == ("unreadable", offset + 1, b"junk")
    await assert_clean(ports)


async def test_several_in_a_row_are_stepped_over_one_by_one() -> None:
    """Each one stops everybody: none passes because another one was given up."""
    ports = Ports()
    async with ports.master() as (master, client):
        offsets = [await appended(ports, value) for value in (b"junk", b"\xff\xfe", b"", b"{}")]
        for offset in offsets:
            await until(stopped_at(master, offset))
            assert (await skipped(client, offset)).status_code == 201
        await until(master.projector.caught_up.is_set)
        assert (await create(client, "after")).status_code == 201
    await assert_clean(ports)


async def test_a_skip_is_meant_for_that_very_record() -> None:
    """An equal record elsewhere, or another one at that offset of another log, is not passed."""
    ports = Ports()
    async with ports.master() as (master, client):
        first = await appended(ports, b"junk")
        second = await appended(ports, b"junk")
        await until(stopped_at(master, first))
        await skipped(client, first)
        await until(stopped_at(master, second))
        await skipped(client, second)
        await until(master.projector.caught_up.is_set)


async def test_a_restarted_master_and_a_second_one_step_over_it_too() -> None:
    """G3: the record is inside the window that a restarted master reads again."""
    ports = Ports()
    async with ports.master() as (first, client):
        offset = await appended(ports, b"junk")
        await until(stopped_at(first, offset))
        await skipped(client, offset)
        await until(first.projector.caught_up.is_set)
        await create(client, "one")
        async with ports.master() as (_, other):
            assert (await create(other, "two")).status_code == 201
    async with ports.master() as (again, client):
        assert (await create(client, "three")).status_code == 201
        await again.history.at_end()
        assert len(again.history.table.entries()) == 3
    await assert_clean(ports)


async def test_a_second_master_that_was_stopped_too_goes_on() -> None:
    ports = Ports()
    async with ports.master() as (first, client), ports.master() as (second, other):
        offset = await appended(ports, b"junk")
        await until(stopped_at(first, offset))
        await until(stopped_at(second, offset))
        await skipped(client, offset)
        await until(second.projector.caught_up.is_set)
        assert (await create(other, "after")).status_code == 201


async def test_whoever_else_follows_the_log_goes_on() -> None:
    """The log-ingester reads it with the same History, and archives what comes of each record."""
    ports = Ports()
    archived: list[int] = []

    async def sink(records: Sequence[object], steps: Sequence[object]) -> None:
        archived.extend(range(len(archived), len(archived) + len(records)))

    async with ports.master() as (_, client):
        history = History(JobLog(ports.log, JOB_EVENTS))
        reading = asyncio.create_task(history.run(sink))
        offset = await appended(ports, b"junk")
        await until(lambda: history.stopped)
        assert archived == list(range(offset))
        position = (await skipped(client, offset)).json()["position"]
        await until(lambda: history.position >= position)
        assert history.stopped is None
        assert archived == list(range(position + 1))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_repetition_is_answered_with_what_is_there() -> None:
    ports = Ports()
    async with ports.master() as (master, client):
        offset = await appended(ports, b"junk")
        await until(stopped_at(master, offset))
        first = await skipped(client, offset)
        again = await skipped(client, offset, "said twice")
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert ports.log.partitions(JOB_EVENTS)[0].bounds.end == offset + 2


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"offset": 1, "reason": "r"}, 409, "only what cannot be read is stepped over"),
        ({"offset": 0, "reason": "r"}, 409, "only what cannot be read"),
        ({"offset": 2, "reason": "r"}, 409, "Run the release that wrote it"),
        ({"offset": 3, "reason": "r"}, 404, "holds the offsets 0 to 2"),
        ({"offset": -1, "reason": "r"}, 404, "offset -1 is not in the log"),
        ({"offset": 2, "reason": "  "}, 422, "reason"),
        ({"offset": 2, "reason": "r" * 1001}, 422, "longer than 1000"),
        ({"offset": 2}, 400, "reason"),
        ({"offset": "two", "reason": "r"}, 400, "offset"),
        ({"offset": 2, "reason": "r", "force": True}, 400, "force"),
    ],
)
async def test_what_is_refused_says_why_and_what_to_do(body: dict[str, object], status: int, says: str) -> None:
    """Nothing is written."""
    ports = Ports()
    async with ports.master() as (_, client):
        await create(client, "one")
        await appended(ports, NEWER)
        answer = await client.post(SKIPS, json=body)
        assert answer.status_code == status, answer.text
        assert says in answer.text
        assert ports.log.partitions(JOB_EVENTS)[0].bounds.end == 3


async def test_a_log_whose_first_record_is_junk_is_no_log_to_be_mended() -> None:
    ports = Ports()
    await ports.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
    await appended(ports, b"junk")
    opening = JobEvent(event_id="e", job_id="", actor="", request_id="", at=START, data=LogOpened("log-1"))
    await appended(ports, encode(opening))
    async with ports.any_master() as client:
        answer = await skipped(client, 0)
        assert answer.status_code == 409
        assert "dcron log import" in answer.json()["detail"]


class ForgetfulLog(MemoryLog):
    """Takes a record in and loses the answer, once."""

    forgets = False

    def append(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> int:
        offset = super().append(topic, key, value, headers)
        if self.forgets:
            self.forgets = False
            raise LogUnavailableError("the answer is lost")
        return offset


async def test_a_skip_whose_answer_was_lost_is_unknown_and_found_by_a_repetition() -> None:
    """G1: it is never guessed."""
    ports = Ports()
    ports.log = ForgetfulLog(SystemClock())
    async with ports.master() as (master, client):
        offset = await appended(ports, b"junk")
        await until(stopped_at(master, offset))
        ports.log.forgets = True
        answer = await skipped(client, offset)
        assert answer.status_code == 503
        assert "Repeat the command" in answer.json()["detail"]
        assert (await skipped(client, offset)).status_code == 200
