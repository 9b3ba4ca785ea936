"""Events of the archive as they are looked for: by all that they say, in pages that stay."""

from collections.abc import AsyncIterator

import pytest

from dcron_schemas.events import RunRequested
from dcron_standalone.servers import LocalServers
from tests.archive_bench import RUN, A, B, Bench, open_bench
from tests.names import Names
from tests.unit.core.jobs.events import event


@pytest.fixture
async def bench(servers: LocalServers, names: Names) -> AsyncIterator[Bench]:
    async with open_bench(servers, names) as bench:
        yield bench


async def test_events_are_found_by_all_that_they_say(bench: Bench) -> None:
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        assert await face.search() == list(range(11, -1, -1))
        assert await face.search(job="a") == [8, 7, 6, 5, 4, 3, 1]
        assert await face.search(job_id=B) == [11, 10, 2]
        assert await face.search(actor="bob") == [10]
        assert await face.search(kind="JobUpdated") == [4, 3]
        assert await face.search(namespace="default", kind="JobDeleted") == [10]
        assert await face.search(namespace="other") == []
        assert await face.search(start="2026-01-01T00:05:00Z", end="2026-01-01T02:07:00+02:00") == [6, 5]
        assert await face.search(text="BACKS up (n") == [3, 1]  # made, and taken out
        assert await face.search(text="ÜBUNG") == [5]
        assert await face.search(text=".*") == []
        assert await face.search(text="5 0 * * *", job="a") == [3]
        assert await face.search(text=RUN) == [8]
        rejected = (await face.page(job="a", kind="JobUpdated", limit=1)).events[0]
    assert (rejected.outcome, rejected.detail) == ("rejected", "meant for version 1, and the job is at version 2")


async def test_pages_are_stable_while_events_come_in(bench: Bench) -> None:
    seen: list[int] = []
    cursor: dict[str, str] = {}
    async with bench.ingester() as face:
        assert (await face.verify()).intact
        while True:
            page = await face.page(limit=5, **cursor)
            seen += [each.position for each in page.events]
            await bench.append(event(RunRequested(), A, minute=100 + len(seen)))
            assert (await face.verify()).intact
            if page.next_cursor is None:
                break
            cursor = {"cursor": page.next_cursor}
    assert seen == list(range(11, -1, -1))


BAD: tuple[tuple[str, dict[str, str], str], ...] = (
    ("events", {"start": "2026-01-01T00:00:00"}, "start"),
    ("events", {"end": "yesterday"}, "end"),
    ("events", {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}, "end"),
    ("events", {"start": "0001-01-01T00:00:00+14:00"}, "start"),
    ("events", {"kind": "JobExploded"}, "kind"),
    ("events", {"cursor": "odd"}, "cursor"),
    ("events", {"limit": "0"}, "limit"),
    ("events", {"text": ""}, "text"),
    ("events", {"text": "a\0b"}, "text"),
    ("events", {"jobb": "a"}, "jobb"),
    ("head", {"position": "-1"}, "position"),
    ("verify", {"position": "1"}, "position"),
)


async def test_a_bad_parameter_is_named(bench: Bench) -> None:
    async with bench.ingester() as face:
        for route, parameters, field in BAD:
            answer = await face.client.get(f"/api/v1/audit/{route}", params=parameters)
            assert answer.status_code == 400, (parameters, answer.text)
            (problem,) = answer.json()["errors"]
            assert problem["field"] == field
