"""The log-ingester on real Kafka and a server of MongoDB's protocol: from a record in the log to what people see."""

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from dcron_core.adapters.kafka import KafkaLog
from dcron_core.clock import SystemClock
from dcron_core.ids import IdSource
from dcron_core.ports.log import Record
from dcron_log_ingester.service import open_log_ingester
from dcron_log_ingester.store import open_store
from dcron_schemas.api import Stats
from dcron_schemas.codec import encode
from dcron_schemas.records import Execution, ExecutionRecord
from dcron_standalone.servers import LocalServers
from tests.conftest import PrivateServers
from tests.names import Names
from tests.running_ingester import OTHER_JOB, Face, frames_of, ready, running, seqs, settings_for, until
from tests.unit.log_ingester.records import JOB, chunk, execution, finished, lost, skipped, started


@pytest.fixture
async def face(servers: LocalServers, names: Names) -> AsyncIterator[Face]:
    async with running(settings_for(servers, names)) as running_face:
        yield running_face


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
