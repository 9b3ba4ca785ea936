"""Bad records on real Kafka and a server of MongoDB's protocol: put aside, listed, looked into, and replayed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from dcron_core.adapters.kafka import KafkaLog
from dcron_log_ingester.admission import MOST_BYTES, MOST_TEXT
from dcron_log_ingester.dead_letters import Mark, mark_headers
from dcron_log_ingester.store import open_store
from dcron_schemas.codec import encode
from dcron_schemas.dead_letters import DeadLetter, DeadLetterDetail, DeadLetterList, Header, ReplayResult
from dcron_schemas.records import Execution
from dcron_standalone.servers import LocalServers
from tests.names import Names
from tests.running_ingester import Face, running, settings_for, until
from tests.unit.log_ingester.records import chunk, execution, finished, lost, started

RUN = execution()


@pytest.fixture
async def face(servers: LocalServers, names: Names) -> AsyncIterator[Face]:
    async with running(settings_for(servers, names)) as running_face:
        yield running_face


async def listed(face: Face, count: int, **wanted: Any) -> list[DeadLetter]:
    """Wait until that many letters are listed; return them, the first one first."""
    found: list[DeadLetter] = []

    async def there() -> bool:
        page = msgspec.convert(await face.json("/api/v1/dead-letters", **wanted), DeadLetterList)
        found[:] = page.letters
        return len(found) >= count

    await until(there)
    assert len(found) == count
    return found[::-1]


async def replayed(face: Face, **body: Any) -> ReplayResult:
    answer = await face.http.post("/api/v1/dead-letters/replay", json=body)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=ReplayResult)


async def detail(face: Face, letter: str) -> DeadLetterDetail:
    return msgspec.convert(await face.json(f"/api/v1/dead-letters/{letter}"), DeadLetterDetail)


def from_tomorrow(run: Execution) -> bytes:
    return encode(started(replace(run, due_at=datetime.now(UTC) + timedelta(days=2))))


async def test_each_bad_record_is_put_aside_with_its_reason_and_the_rest_flows_on(face: Face) -> None:
    """G8: none of them stops anything; each is counted, listed, and can be looked into."""
    newer = encode(started(RUN)).replace(b'"schema_version":1', b'"schema_version":7')
    large = encode(replace(lost(execution(1)), reason="x" * MOST_BYTES))
    bad = {
        "unreadable": b"\x00\xffnot a record",
        "version": newer,
        "too_large": large,
        "future": from_tomorrow(execution(2)),
    }
    await face.send(
        started(RUN), *bad.values(), chunk(RUN, 0, "y" * (MOST_TEXT + 1)), finished(RUN, 1), key=RUN.execution_id
    )
    await face.stored(RUN.execution_id, "succeeded")

    letters = await listed(face, 4)
    assert [letter.reason for letter in letters] == list(bad)
    assert [letter.size for letter in letters] == [len(value) for value in bad.values()]
    assert {letter.topic for letter in letters} == {face.settings.executions_topic}
    assert {(letter.key, letter.state, letter.tries) for letter in letters} == {(RUN.execution_id, "waiting", 1)}
    assert letters[0].offset + 3 == letters[3].offset
    assert "schema version 7" in letters[1].error

    binary, text = await detail(face, letters[0].id), await detail(face, letters[1].id)
    assert (binary.encoding, binary.payload, binary.payload_cut) == ("base64", "AP9ub3QgYSByZWNvcmQ=", False)
    assert (text.encoding, text.payload, text.letter) == ("utf-8", newer.decode(), letters[1])
    assert (await detail(face, letters[2].id)).payload_cut

    (cut,) = (await face.json(f"/api/v1/executions/{RUN.execution_id}/output"))["chunks"]
    assert cut["text"] == "y" * MOST_TEXT + "\n[dcron: 1 characters left out here]\n"
    metrics = (await face.http.get("/metrics")).text
    for reason in bad:
        assert f'dcron_ingester_dead_letters_total{{reason="{reason}"}} 1.0' in metrics
    assert "dcron_ingester_cut_records_total 1.0" in metrics
    assert 'dcron_ingester_lag_records{partition="0"} 0.0' in metrics


async def test_dead_letters_are_paged_and_filtered(face: Face) -> None:
    await face.send(*(b"bad %d" % number for number in range(5)), from_tomorrow(RUN), key=RUN.execution_id)
    letters = await listed(face, 6)
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = msgspec.convert(await face.json("/api/v1/dead-letters", limit=2, **cursor), DeadLetterList)
        ids += [letter.id for letter in page.letters]
        if page.next_cursor is None:
            break
        cursor = {"cursor": page.next_cursor}
    assert ids == [letter.id for letter in reversed(letters)]
    assert await listed(face, 1, reason="future") == letters[5:]
    assert await listed(face, 6, reason=["future", "unreadable"]) == letters
    assert await listed(face, 0, topic="elsewhere") == []
    assert await listed(face, 6, topic=face.settings.executions_topic, state="waiting") == letters
    last = letters[-1].at
    assert [each for each in letters if each.at >= last] == await listed(
        face, sum(each.at >= last for each in letters), start=last.isoformat()
    )
    assert await listed(face, 0, end=letters[0].at.isoformat()) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("GET", "?reason=nonsense", None, 400, "reason"),
        ("GET", "?colour=red", None, 400, "colour"),
        ("GET", "?cursor=nonsense", None, 400, "cursor"),
        ("GET", "/0-999", None, 404, "letter"),
        ("GET", "/nonsense", None, 404, "letter"),
        ("POST", "/replay", {}, 400, "ids"),
        ("POST", "/replay", {"ids": ["0-1"], "all": True}, 400, "ids"),
        ("POST", "/replay", {"ids": ["0-1"], "topic": "t"}, 400, "ids"),
        ("POST", "/replay", {"ids": ["nonsense"]}, 400, "ids"),
        ("POST", "/replay", {"ids": [f"0-{n}" for n in range(201)]}, 400, "ids"),
        ("POST", "/replay", {"all": True, "again": True}, 400, "again"),
        ("POST", "/replay", {"all": True, "start": "2026-03-01T12:00:00"}, 400, "start"),
        ("POST", "/replay", {"all": True, "colour": "red"}, 400, ""),
    ],
)
async def test_what_is_asked_wrongly_is_refused_with_the_field(
    face: Face, method: str, path: str, body: Any, status: int, field: str
) -> None:
    answer = await face.http.request(method, f"/api/v1/dead-letters{path}", json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_a_letter_is_replayed_once_its_cause_is_gone(face: Face, servers: LocalServers) -> None:
    """G8: here it was MongoDB that refused it. It comes to where it came from, and is stored as any record."""
    async with open_store(servers.mongodb, face.settings.mongodb_database) as store:
        output = store._db["output"]
        await store._db.command("collMod", "output", validator={"text": {"$ne": "poison"}}, validationAction="error")
        lines = ["first", "poison", "third"]
        await face.send(started(RUN), *(chunk(RUN, n, text) for n, text in enumerate(lines)), finished(RUN, 3))
        await face.stored(RUN.execution_id, "succeeded")
        (letter,) = await listed(face, 1)
        assert (letter.reason, letter.state) == ("refused", "waiting")
        assert await output.count_documents({}) == 2

        await replayed(face, ids=[letter.id])
        again = (await listed(face, 2))[1]
        assert (again.tries, again.replay_of, again.state) == (2, letter.id, "waiting")

        await store._db.command("collMod", "output", validator={})
        result = await replayed(face, all=True)
        assert (result.replayed, result.not_replayed, result.next_cursor) == ((again.id,), (), None)

        async def all_there() -> bool:
            return await output.count_documents({}) == 3

        await until(all_there)
    assert (await face.http.get(f"/api/v1/executions/{RUN.execution_id}/output?format=text")).text == "".join(lines)
    assert {each.state for each in await listed(face, 2)} == {"replayed"}
    assert all(each.replayed_at is not None for each in await listed(face, 2))


async def test_a_doubled_replay_is_harmless_and_is_refused_unless_it_is_meant(face: Face) -> None:
    await face.send(b"bad", key="k")
    (letter,) = await listed(face, 1)
    both = await asyncio.gather(replayed(face, ids=[letter.id]), replayed(face, ids=[letter.id, letter.id]))
    assert all(result.replayed == (letter.id,) or result.not_replayed for result in both)
    third = await replayed(face, ids=[letter.id, "0-98765"])
    assert third.replayed == ()
    assert [(each.id, each.why.partition(";")[0]) for each in third.not_replayed] == [
        (letter.id, "it was replayed already"),
        ("0-98765", "there is no such letter"),
    ]
    assert (await replayed(face, ids=[letter.id], again=True)).replayed == (letter.id,)


async def test_every_ingester_knows_what_was_replayed(servers: LocalServers, names: Names) -> None:
    """It stands in the topic: a store that is made anew has it too."""
    settings = settings_for(servers, names)
    async with running(settings) as one, running(settings) as two:
        await one.send(b"bad", from_tomorrow(RUN), key=RUN.execution_id)
        first, second = await listed(two, 2)
        await replayed(two, ids=[second.id])
        assert [each.state for each in await listed(one, 3)] == ["waiting", "replayed", "waiting"]
    anew = replace(settings, mongodb_database=f"{names.database}_anew", consumer_group=f"{names.consumer_group}-anew")
    async with running(anew) as face:

        async def same() -> bool:
            page = msgspec.convert(await face.json("/api/v1/dead-letters"), DeadLetterList)
            states = {each.id: each.state for each in page.letters}
            return (states.get(first.id), states.get(second.id)) == ("waiting", "replayed")

        await until(same)


async def test_letters_go_nowhere_but_where_runs_are(face: Face, servers: LocalServers) -> None:
    """Whatever a letter says, and whoever wrote it: job events cannot be written by a replay."""
    topic = face.settings.dead_letter_topic
    async with KafkaLog.open(servers.kafka) as log, log.producer() as producer:
        await producer.append(topic, "k", b"{}", [("topic", face.settings.job_events_topic.encode())])
        await producer.append(topic, "k", b"{}", [("topic", b"\xff"), ("offset", b"x"), ("tries", b"-1")])
        nothing: Any = None  # Kafka allows it
        await producer.append(topic, "k", b"", [("empty", nothing)])
        await producer.append(topic, "k", b"", mark_headers(Mark("0-0", datetime.now(UTC))))
        await producer.append(topic, "k", b"", [("replayed", b"nonsense"), ("replayed-at", b"never")])
        letters = await listed(face, 4)
        assert [letter.reason for letter in letters] == ["other"] * 4
        assert (await detail(face, letters[2].id)).headers == (Header(name="empty", value=""),)
        result = await replayed(face, ids=[letter.id for letter in letters], again=True)
        assert len(result.not_replayed) == 4
        assert (await log.bounds(face.settings.job_events_topic)).end == 0


async def test_a_record_of_kafkas_largest_size_is_put_aside_cut(face: Face) -> None:
    """With the letter's headers it would be too large for Kafka; that must not stop the ingest."""
    bad = b"x" * (1_048_576 - 160)
    await face.send(bad, finished(RUN, 0), key=RUN.execution_id)
    await face.stored(RUN.execution_id, "succeeded")
    (letter,) = await listed(face, 1)
    assert (letter.cut, letter.size) == (True, len(bad))
    assert (await detail(face, letter.id)).payload_cut
    (refused,) = (await replayed(face, ids=[letter.id])).not_replayed
    assert "too large for a letter" in refused.why


async def test_no_dead_letters_without_identity(face: Face) -> None:
    """G11."""
    async with httpx.AsyncClient(base_url=str(face.http.base_url)) as stranger:
        for method, path in (("GET", ""), ("GET", "/0-0"), ("POST", "/replay")):
            assert (await stranger.request(method, f"/api/v1/dead-letters{path}")).status_code == 401
