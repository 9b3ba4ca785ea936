"""The log-ingester on real Kafka and a server of MongoDB's protocol: from a record in the log to what people see."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import permutations
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dcron_core.access.link_cookie import COOKIE, cookie_value
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import SystemClock
from dcron_core.ids import IdSource
from dcron_core.ports.log import Producer, Record
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.service import LogIngester, open_log_ingester, plan_of
from dcron_log_ingester.store import open_store
from dcron_schemas.api import Stats
from dcron_schemas.codec import encode
from dcron_schemas.records import Execution, ExecutionRecord, OutputChunk
from dcron_standalone.servers import LocalServers
from tests.conftest import PrivateServers
from tests.names import Names
from tests.unit.log_ingester.records import JOB, chunk, execution, finished, lost, skipped, started

TOKEN = "an-acceptance-token"
PAGE = "http://127.0.0.1:8700"
OTHER_JOB = "0198f5a0-2222-7000-8000-000000000002"


class Face:
    """A running log-ingester, as its clients and workers see it."""

    def __init__(self, service: LogIngester, settings: LogIngesterSettings, producer: Producer) -> None:
        self.service = service
        self.settings = settings
        self._producer = producer
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{service.port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )

    async def send(self, *records: ExecutionRecord | bytes, key: str = "") -> None:
        """Append records as a worker does."""
        answers = []
        for record in records:
            value = record if isinstance(record, bytes) else encode(record)
            answers.append(await self._producer.submit(self.settings.executions_topic, key or _key(record), value))
        await asyncio.gather(*answers)

    def view(self, path: str, **headers: str) -> connect:
        """Open the websocket at `path`."""
        return connect(
            f"ws://127.0.0.1:{self.service.port}{path}",
            additional_headers=headers or {"Authorization": f"Bearer {TOKEN}"},
        )

    async def json(self, path: str, **parameters: Any) -> Any:
        answer = await self.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def stored(self, execution_id: str, status: str) -> Any:
        """Wait until the run is stored with that status; return it."""

        async def there() -> bool:
            answer = await self.http.get(f"/api/v1/executions/{execution_id}")
            return answer.status_code == 200 and answer.json()["status"] == status

        await until(there)
        return await self.json(f"/api/v1/executions/{execution_id}")


def _key(record: ExecutionRecord | bytes) -> str:
    match record:
        case bytes():
            return "unknown"
        case OutputChunk():
            return record.execution_id
        case _:
            return record.execution.execution_id


async def until(holds: Callable[[], Awaitable[bool]], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not await holds():
            await asyncio.sleep(0.05)


def settings_for(servers: LocalServers, names: Names) -> LogIngesterSettings:
    return LogIngesterSettings(
        token=TOKEN,
        kafka=servers.kafka,
        topic_prefix=names.topic_prefix,
        log_ingester_port=0,
        mongodb=servers.mongodb,
        mongodb_database=names.database,
        consumer_group=names.consumer_group,
        execution_partitions=3,
        retention="36500d",  # the records of these tests are of a fixed day; none may expire
        allowed_origins=PAGE,
    )


@asynccontextmanager
async def running(settings: LogIngesterSettings) -> AsyncIterator[Face]:
    async with KafkaLog.open(settings.kafka) as log:
        await log.ensure_topics(plan_of(settings).topics)
        async with (
            log.producer() as producer,
            open_log_ingester(settings, SystemClock(), IdSource(), log) as service,
        ):
            face = Face(service, settings, producer)
            async with face.http:
                await until(lambda: ready(face))
                yield face


async def ready(face: Face) -> bool:
    return (await face.http.get("/readyz")).status_code == 200


@pytest.fixture
async def face(servers: LocalServers, names: Names) -> AsyncIterator[Face]:
    async with running(settings_for(servers, names)) as running_face:
        yield running_face


async def frames_of(socket: ClientConnection) -> list[dict[str, Any]]:
    """Return all frames until the service closes."""
    frames: list[dict[str, Any]] = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                frames.append(json.loads(await socket.recv()))
    return frames


def seqs(frames: list[dict[str, Any]]) -> list[int]:
    return [frame["chunk"]["seq"] for frame in frames if frame["frame"] == "output"]


async def test_records_are_stored_once_and_found_again(face: Face) -> None:
    """G8, G9: sent twice, in the wrong order, they are there once and in order."""
    run = execution()
    records: list[ExecutionRecord] = [started(run), *(chunk(run, seq) for seq in range(450)), finished(run, 450)]
    await face.send(*reversed(records))
    await face.send(*records)
    view = await face.stored(run.execution_id, "succeeded")
    assert (view["job_name"], view["host"], view["exit_code"], view["output_chunks"]) == ("hello", "host-a", 0, 450)

    texts: list[str] = []
    following: int | None = 0
    while following is not None:
        page = await face.json(f"/api/v1/executions/{run.execution_id}/output", from_seq=following, limit=200)
        texts += [piece["text"] for piece in page["chunks"]]
        following = page["next_seq"]
    assert texts == [f"line {seq}\n" for seq in range(450)]
    for query, accept in (("?format=text", "*/*"), ("", "text/plain")):
        path = f"/api/v1/executions/{run.execution_id}/output{query}"
        answer = await face.http.get(path, headers={"Accept": accept})
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text == "".join(texts)
    saved = await face.http.get(path, params={"download": "true", "stream": "stderr"})
    assert saved.headers["content-disposition"] == 'attachment; filename="hello-20260329T010000Z-1.log"'
    assert saved.text == "".join(f"line {seq}\n" for seq in range(450) if seq % 3 == 2)

    async with open_store(face.settings.mongodb, face.settings.mongodb_database) as store:
        assert len(await store.output(run.execution_id, 0, 1000)) == 450


async def test_the_list_is_paged_filtered_and_stable_while_runs_come_in(face: Face) -> None:
    for number in range(7):
        await face.send(
            started(execution(number)), finished(execution(number), 0, "failed" if number % 2 else "succeeded")
        )
    await face.send(started(execution(3, OTHER_JOB)), lost(execution(4, OTHER_JOB)))
    await face.stored(execution(6).execution_id, "succeeded")
    await face.stored(execution(4, OTHER_JOB).execution_id, "lost")

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await face.json("/api/v1/executions", limit=2, **cursor)
        seen += [view["execution_id"] for view in page["executions"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
        if len(seen) == 2:  # a newer run comes in at the front
            await face.send(started(execution(100)))
            await face.stored(execution(100).execution_id, "running")
    runs = [execution(n) for n in range(7)] + [execution(3, OTHER_JOB), execution(4, OTHER_JOB)]
    newest_first = sorted(runs, key=lambda run: (run.due_at, run.execution_id), reverse=True)
    assert seen == [run.execution_id for run in newest_first]

    async def count(**wanted: str | list[str]) -> int:
        return len((await face.json("/api/v1/executions", **wanted))["executions"])

    assert await count(job_id=OTHER_JOB) == 2
    assert await count(status="failed") == 3
    assert await count(status=["failed", "lost"]) == 4
    assert await count(status=["failed", "running"], job_id=JOB) == 4
    assert await count(job=OTHER_JOB, status="lost") == 1
    assert await count(start=execution(2).due_at.isoformat(), end=execution(5).due_at.isoformat()) == 5
    assert await count(min_duration="1900ms", max_duration="2s") == 7
    assert await count(min_duration="2001ms") == 0
    assert await count(trigger="request") == 0
    assert await count(status="running", job_id=JOB) == 1
    assert await count(job_name="hello", namespace="default", worker_id="worker-1") == 10
    assert await count(worker_id="nobody") == 0

    latest = await face.json("/api/v1/executions/latest", job_id=[JOB, OTHER_JOB, "never-ran"])
    assert {view["job_id"]: view["execution_id"] for view in latest["executions"]} == {
        JOB: execution(100).execution_id,
        OTHER_JOB: execution(4, OTHER_JOB).execution_id,
    }
    recent = await face.json("/api/v1/executions/recent", job_id=[OTHER_JOB, "never-ran", JOB], limit=2)
    assert [(each["job_id"], len(each["runs"])) for each in recent["jobs"]] == [
        (OTHER_JOB, 2),
        ("never-ran", 0),
        (JOB, 2),
    ]
    assert recent["jobs"][0]["runs"][0]["execution_id"] == execution(4, OTHER_JOB).execution_id
    assert recent["jobs"][2]["runs"][0]["due_at"] > recent["jobs"][2]["runs"][1]["due_at"]


async def test_a_lost_run_that_ends_after_all_is_what_it_ended_as(face: Face) -> None:
    """G6: on the real server, whichever record came first, in batches of their own or in one."""
    written = 0
    for case, order in enumerate(permutations(range(3))):
        apart, together, gone = (execution(3 * case + each) for each in range(3))
        for number, which in enumerate(order):
            await face.send(end_of(apart)[which])
            await counted(face, written + number + 1)
        await face.send(*(end_of(together)[which] for which in order))
        await face.stored(together.execution_id, "failed")
        await face.send(*(end_of(gone)[which] for which in order if which != 2))
        for run, status, error in ((apart, "failed", ""), (together, "failed", ""), (gone, "lost", "worker gone")):
            view = await face.stored(run.execution_id, status)
            assert (view["error"], view["host"]) == (error, "host-a")
        written = await runs_written(face)


def end_of(run: Execution) -> list[ExecutionRecord]:
    return [started(run), lost(run), finished(run, 0, "failed")]


async def runs_written(face: Face) -> int:
    """Return how many writes of runs were acknowledged."""
    text = (await face.http.get("/metrics")).text
    found = re.search(r'dcron_ingester_documents_total{collection="executions"} (\d+)', text)
    return int(found[1]) if found else 0


async def counted(face: Face, count: int) -> None:
    async def there() -> bool:
        return await runs_written(face) >= count

    await until(there)


async def test_a_viewer_sees_backlog_then_new_lines_then_the_end(face: Face) -> None:
    """G9: joined without gap or double."""
    run = execution()
    await face.send(started(run), *(chunk(run, seq) for seq in range(250)))
    await face.stored(run.execution_id, "running")
    async with face.view(f"/ws/executions/{run.execution_id}") as socket:
        first = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert first["frame"] == "state"
        assert first["execution"]["status"] == "running"
        sending = asyncio.create_task(face.send(*(chunk(run, seq) for seq in range(250, 300)), finished(run, 300)))
        frames = await frames_of(socket)
        await sending
    assert seqs(frames) == list(range(300))
    assert frames[-1]["frame"] == "finished"
    assert frames[-1]["execution"]["status"] == "succeeded"
    assert socket.close_code == 1000
    async with face.view(f"/ws/executions/{run.execution_id}?from_seq=298") as socket:
        assert seqs(await frames_of(socket)) == [298, 299]


async def test_a_viewer_that_comes_before_its_run_sees_all_of_it(face: Face) -> None:
    run = execution()
    async with face.view(f"/ws/executions/{run.execution_id}") as socket:
        following = asyncio.create_task(frames_of(socket))
        await face.send(started(run), chunk(run, 0), finished(run, 1))
        frames = await following
    assert [frame["frame"] for frame in frames] == ["state", "output", "finished"]


async def test_what_cannot_be_decoded_or_stored_is_put_aside_and_the_rest_flows_on(face: Face) -> None:
    """G8: one bad record stops nothing."""
    run = execution()
    unstorable = encode(started(execution(1))).replace(b'"pid":4711', b'"pid":99999999999999999999999')
    await face.send(
        started(run), b"\x00not a record", unstorable, chunk(run, 0), finished(run, 1), key=run.execution_id
    )
    await face.stored(run.execution_id, "succeeded")
    async with KafkaLog.open(face.settings.kafka) as log, log.reader(face.settings.dead_letter_topic, {0: 0}) as reader:
        letters: list[Record] = []
        while len(letters) < 2:
            letters += await reader.poll(10)
    assert [letter.value for letter in letters] == [b"\x00not a record", unstorable]
    headers = dict(letters[0].headers)
    assert headers["topic"] == face.settings.executions_topic.encode()
    assert headers["offset"] == b"1"
    assert b"not an execution record" in headers["error"]


async def test_skipped_ticks_are_found_by_job(face: Face) -> None:
    await face.send(skipped(execution(1)), skipped(execution(2)), skipped(execution(1)), started(execution(3)))
    await face.stored(execution(3).execution_id, "running")

    async def both() -> bool:
        return len((await face.json("/api/v1/ticks/skipped", job_id=JOB))["ticks"]) == 2

    await until(both)
    ticks = (await face.json("/api/v1/ticks/skipped", job_id=JOB))["ticks"]
    assert [tick["reason"] for tick in ticks] == ["overlap", "overlap"]
    assert ticks[0]["tick"] > ticks[1]["tick"]
    assert (await face.json("/api/v1/ticks/skipped", job_id=OTHER_JOB))["ticks"] == []
    first = await face.json("/api/v1/ticks/skipped", job_id=JOB, limit=1)
    second = await face.json("/api/v1/ticks/skipped", job_id=JOB, limit=1, cursor=first["next_cursor"])
    assert first["ticks"] + second["ticks"] == ticks
    assert second["next_cursor"] is None
    until_second = execution(2).due_at.isoformat()
    assert (await face.json("/api/v1/ticks/skipped", job_id=JOB, end=until_second))["ticks"] == ticks[1:]
    assert (await face.json("/api/v1/ticks/skipped", job_id=JOB, start=until_second))["ticks"] == ticks[:1]


async def test_statistics_count_what_became_of_runs(face: Face) -> None:
    """Per job and in buckets of time; a run that goes on has no duration yet."""
    for number in range(8):
        await face.send(
            started(execution(number)), finished(execution(number), 0, "failed" if number >= 6 else "succeeded")
        )
    await face.send(started(execution(8)), started(execution(3, OTHER_JOB)), lost(execution(4, OTHER_JOB)))
    await face.stored(execution(4, OTHER_JOB).execution_id, "lost")
    await face.stored(execution(8).execution_id, "running")
    start, end = execution(0).due_at, execution(10).due_at
    span = {"start": start.isoformat(), "end": end.isoformat()}
    found = msgspec.convert(await face.json("/api/v1/stats", bucket="5s", **span), Stats)
    counts = (found.total.runs, found.total.succeeded, found.total.failed, found.total.lost, found.total.running)
    assert counts == (11, 6, 2, 1, 2)
    assert found.total.success_rate == pytest.approx(6 / 9)
    assert found.total.p50_s == found.total.p95_s == pytest.approx(1.997, abs=0.002)
    assert [(job.job_id, job.stats.runs) for job in found.jobs] == [(JOB, 9), (OTHER_JOB, 2)]
    assert found.jobs[1].stats.p50_s is None
    assert [(bucket.start, bucket.stats.runs) for bucket in found.buckets] == [
        (start, 7),
        (execution(5).due_at, 4),
    ]
    one = msgspec.convert(await face.json("/api/v1/stats", job_id=OTHER_JOB, **span), Stats)
    assert (one.total.runs, one.total.success_rate, len(one.buckets)) == (2, 0.0, 10)
    none = msgspec.convert(await face.json("/api/v1/stats", namespace="elsewhere", **span), Stats)
    assert (none.total.runs, none.total.success_rate, none.jobs) == (0, None, ())


async def events_of(face: Face, path: str, count: int, **headers: str) -> list[tuple[str, str, Any]]:
    """Return the first `count` server-sent events, as name, id and data."""
    events: list[tuple[str, str, Any]] = []
    fields: dict[str, str] = {}
    async with asyncio.timeout(30), face.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                fields = {}
                if len(events) == count:
                    break
    return events


async def test_a_run_can_be_followed_as_server_sent_events(face: Face) -> None:
    """G9: joined as on the websocket; who comes again goes on behind the last chunk it has."""
    run = execution()
    await face.send(started(run), *(chunk(run, seq) for seq in range(20)))
    path = f"/api/v1/executions/{run.execution_id}/events"
    following = asyncio.create_task(events_of(face, path, 32))
    await face.stored(run.execution_id, "running")
    await face.send(*(chunk(run, seq) for seq in range(20, 30)), finished(run, 30))
    events = await following
    assert [name for name, _, _ in events] == ["state", *["output"] * 30, "finished"]
    assert [(id_, data["chunk"]["seq"]) for _, id_, data in events[1:-1]] == [(str(n), n) for n in range(30)]
    again = await events_of(face, path, 4, **{"Last-Event-ID": "27"})
    assert [name for name, _, _ in again] == ["state", "output", "output", "finished"]
    unknown = await face.http.get("/api/v1/executions/never-was/events")
    assert unknown.status_code == 404


async def test_two_ingesters_serve_the_same_feed_and_the_same_run(servers: LocalServers, names: Names) -> None:
    """It does not matter which one a viewer reaches, nor which one stores the run."""
    run, other = execution(1), execution(2, OTHER_JOB)
    async with running(settings_for(servers, names)) as one, running(settings_for(servers, names)) as two:
        async with one.view("/ws/feed") as first, two.view(f"/ws/feed?job_id={JOB}&status=succeeded") as second:
            event_stream = asyncio.create_task(events_of(two, "/api/v1/feed?status=lost&status=skipped", 2))
            async with asyncio.timeout(30):
                while two.service.hub.subscribed < 2 or one.service.hub.subscribed < 1:
                    await asyncio.sleep(0.01)
            await one.send(started(run), chunk(run, 0), finished(run, 1))
            await one.send(started(other), lost(other), skipped(execution(3)))
            seen = [json.loads(await asyncio.wait_for(first.recv(), 30)) for _ in range(5)]
            done = json.loads(await asyncio.wait_for(second.recv(), 30))
        assert sorted(each.get("change", each["frame"]) for each in seen) == [
            "finished", "lost", "skipped", "started", "started",
        ]  # fmt: skip
        assert (done["change"], done["execution"]["execution_id"]) == ("finished", run.execution_id)
        assert {name for name, _, _ in await event_stream} == {"run", "skipped"}
        for face in (one, two):
            async with face.view(f"/ws/executions/{run.execution_id}") as socket:
                frames = await frames_of(socket)
            assert seqs(frames) == [0]
            assert frames[-1]["frame"] == "finished"


STRANGERS = (
    {"X-Nothing": "1"},
    {"Authorization": "Bearer wrong-token-of-some-length"},
    {"Cookie": f"{COOKIE}=forged", "Origin": PAGE},
    {"Cookie": f"{COOKIE}={cookie_value(TOKEN)}", "Origin": "http://evil.example"},
    {"Cookie": f"{COOKIE}={cookie_value(TOKEN)}"},
)


async def test_no_live_view_without_identity(face: Face) -> None:
    """G11: no token, a wrong one, a forged cookie, or a true cookie from another page or none."""
    for headers in STRANGERS:
        with pytest.raises(InvalidStatus) as refused:
            async with face.view("/ws/executions/any", **headers):
                pass
        assert refused.value.response.status_code == 403


async def test_the_page_comes_with_a_cookie_and_an_allowed_origin(face: Face) -> None:
    run = execution()
    await face.send(started(run), finished(run, 0))
    cookie = {"Cookie": f"{COOKIE}={cookie_value(TOKEN)}", "Origin": PAGE}
    async with face.view(f"/ws/executions/{run.execution_id}", **cookie) as socket:
        assert (await frames_of(socket))[-1]["frame"] == "finished"
    async with httpx.AsyncClient(base_url=face.http.base_url) as stranger:
        answer = await stranger.get("/api/v1/executions", headers=cookie)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-credentials"] == "true"
        refused = await stranger.get("/api/v1/executions", headers={"Origin": PAGE})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == PAGE
        evil = await stranger.get("/api/v1/executions", headers={**cookie, "Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in evil.headers
        preflight = await stranger.options(
            "/api/v1/executions", headers={"Origin": PAGE, "Access-Control-Request-Method": "GET"}
        )
        assert preflight.status_code == 204
        for path in ("/api/v1/executions/x", "/api/openapi.json", "/metrics", "/nothing"):
            assert (await stranger.get(path)).status_code == 401
        assert (await stranger.get("/healthz")).status_code == 200


BAD_REQUESTS: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("/api/v1/executions", {"limit": "0"}, 400, "limit"),
    ("/api/v1/executions", {"limit": "many"}, 400, "limit"),
    ("/api/v1/executions", {"status": "odd"}, 400, "status"),
    ("/api/v1/executions", {"statsu": "failed"}, 400, "statsu"),
    ("/api/v1/executions", {"cursor": "odd!"}, 400, "cursor"),
    ("/api/v1/executions", {"status": ["failed", "odd"]}, 400, "status"),
    ("/api/v1/executions", {"start": "yesterday"}, 400, "start"),
    ("/api/v1/executions", {"start": "2026-01-01T00:00:00"}, 400, "start"),
    ("/api/v1/executions", {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, 400, "end"),
    ("/api/v1/executions", {"min_duration": "long"}, 400, "min_duration"),
    ("/api/v1/executions", {"max_duration": "-1s"}, 400, "max_duration"),
    ("/api/v1/executions", {"trigger": "odd"}, 400, "trigger"),
    ("/api/v1/executions", {"text": ""}, 400, "text"),
    ("/api/v1/executions", {"text": "a\0b"}, 400, "text"),
    ("/api/v1/executions", {"job": "never-was"}, 404, "job"),
    ("/api/v1/executions", {"job": "one", "job_id": "other"}, 400, "job"),
    ("/api/v1/executions/latest", {}, 400, "job_id"),
    ("/api/v1/executions/recent", {"job_id": "x", "limit": 201}, 400, "limit"),
    ("/api/v1/executions/latest", {"job_id": [str(n) for n in range(201)]}, 400, "job_id"),
    ("/api/v1/executions/odd/output", {"from_seq": "-1"}, 400, "from_seq"),
    ("/api/v1/executions/odd/output", {"format": "pdf"}, 400, "format"),
    ("/api/v1/executions/odd/output", {"stream": "stdin"}, 400, "stream"),
    ("/api/v1/executions/odd/output", {"download": "perhaps"}, 400, "download"),
    ("/api/v1/executions/odd/output", {}, 404, "execution_id"),
    ("/api/v1/executions/odd", {}, 404, "execution_id"),
    ("/api/v1/executions/odd/events", {"from_seq": "-1"}, 400, "from_seq"),
    ("/api/v1/feed", {"status": "odd"}, 400, "status"),
    ("/api/v1/feed", {"sttus": "failed"}, 400, "sttus"),
    ("/api/v1/feed", {"job": "never-was"}, 404, "job"),
    ("/api/v1/stats", {"bucket": "1ms"}, 400, "bucket"),
    ("/api/v1/stats", {"bucket": "1s"}, 400, "bucket"),
    ("/api/v1/stats", {"bucket": "often"}, 400, "bucket"),
    ("/api/v1/stats", {"start": "2999-01-01T00:00:00Z"}, 400, "start"),
    ("/api/v1/stats", {"job": "never-was"}, 404, "job"),
    ("/api/v1/ticks/skipped", {}, 400, "job_id"),
    ("/api/v1/ticks/skipped", {"job_id": "a", "cursor": "odd!"}, 400, "cursor"),
    ("/api/v1/ticks/skipped", {"job_id": "a", "start": "odd"}, 400, "start"),
)


async def test_a_bad_parameter_is_named(face: Face) -> None:
    async def names_are_known() -> bool:
        return (await face.http.get("/api/v1/executions", params={"job": "x"})).status_code == 404

    await until(names_are_known)
    for path, parameters, status, field in BAD_REQUESTS:
        answer = await face.http.get(path, params=parameters)
        assert answer.status_code == status, (path, parameters, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        (problem,) = answer.json()["errors"]
        assert problem["field"] == field
        if isinstance(given := parameters.get(field), str):
            assert problem.get("value", "") == given


async def test_the_websocket_says_why_it_closes(face: Face) -> None:
    async with face.view("/ws/executions/x?from_seq=-1") as socket:
        assert await frames_of(socket) == []
    assert socket.close_code == 4400
    assert "from_seq" in (socket.close_reason or "")
    for query, named in (("status=odd", "status"), ("jib=x", "jib"), ("job_id=a&job=b", "job")):
        async with face.view(f"/ws/feed?{query}") as socket:
            assert await frames_of(socket) == []
        assert socket.close_code == 4400
        assert (socket.close_reason or "").startswith(named)


async def test_openapi_names_every_route(face: Face) -> None:
    paths = (await face.json("/api/openapi.json"))["paths"]
    assert {"/api/v1/executions", "/api/v1/executions/latest", "/api/v1/ticks/skipped", "/healthz"} <= set(paths)


async def test_mongodb_killed_and_restarted_loses_nothing(
    servers: LocalServers, private_servers: PrivateServers, names: Names
) -> None:
    """G8, G10: what comes in meanwhile is stored after; a viewer of a new run does not notice."""
    mongodb = private_servers("mongodb")
    async with running(replace(settings_for(servers, names), mongodb=mongodb.mongodb)) as face:
        first, second = execution(1), execution(2)
        await face.send(started(first), chunk(first, 0), finished(first, 1))
        await face.stored(first.execution_id, "succeeded")
        mongodb.mongodb_server.kill()
        await face.send(started(second), *(chunk(second, seq) for seq in range(100)))

        async def not_ready() -> bool:
            answer = await face.http.get("/readyz")
            return answer.status_code == 503 and "mongodb" in answer.json()["missing"]

        await until(not_ready)
        assert (await face.http.get("/healthz")).status_code == 200
        assert (await face.http.get("/api/v1/executions")).status_code == 503
        async with face.view(f"/ws/executions/{second.execution_id}") as socket:
            await face.send(finished(second, 100))
            assert seqs(await frames_of(socket)) == list(range(100))
        await asyncio.to_thread(mongodb.mongodb_server.restart)
        await until(lambda: ready(face))
        await face.stored(second.execution_id, "succeeded")
        text = (await face.http.get(f"/api/v1/executions/{second.execution_id}/output?format=text")).text
        assert text == "".join(f"line {seq}\n" for seq in range(100))
        await face.stored(first.execution_id, "succeeded")


async def test_it_starts_without_its_servers_and_is_ready_when_they_come(
    private_servers: PrivateServers, names: Names
) -> None:
    """G10: the probes answer at once; all heals without a hand."""
    servers = private_servers("kafka", "mongodb")
    settings = settings_for(servers, names)
    servers.kill()
    async with (
        KafkaLog.open(settings.kafka, timeout_s=2) as log,
        open_log_ingester(settings, SystemClock(), IdSource(), log) as service,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as http,
    ):
        assert (await http.get("/healthz")).status_code == 200
        assert set((await http.get("/readyz")).json()["missing"]) == {"kafka", "mongodb", "live"}
        await asyncio.gather(
            asyncio.to_thread(servers.mongodb_server.restart), asyncio.to_thread(servers.kafka_server.restart)
        )

        async def is_ready() -> bool:
            return (await http.get("/readyz")).status_code == 200

        await until(is_ready, 60)
