"""The ledger's route: which job, which range, and what is refused with which remedy. No MongoDB behind it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from dcron_core.clock import Clock, SystemClock
from dcron_core.executions import tick_execution_id
from dcron_core.history import History
from dcron_core.job_log import JobLog
from dcron_core.ports.log import Topic
from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester import ledger_reader
from dcron_log_ingester.ledger import JobRecords, Run, tick_key
from dcron_log_ingester.ledger_reader import LedgerReader, Range
from dcron_log_ingester.service import LogIngester, open_log_ingester
from dcron_schemas.audit import LedgerTotals
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobCreated, JobDeleted, JobEvent, JobPaused, JobUpdated, LogOpened
from dcron_schemas.job import JobSpec, Schedule
from dcron_schemas.job import Run as What
from tests.services import JOB_EVENTS, TOKEN, Ports

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOB, OTHER, GONE = (f"0198f5a0-1111-7000-8000-00000000000{number}" for number in (1, 2, 3))


class ClockAt(SystemClock):
    """Stands still."""

    def now(self) -> datetime:
        return NOW


def spec(name: str, cron: str = "* * * * *", namespace: str = "default") -> JobSpec:
    return JobSpec(name=name, run=What(shell="true"), schedule=Schedule(cron=cron), namespace=namespace)


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


Happened = tuple[float, str, EventData]  # minutes ago, job id, what
HISTORY: Sequence[Happened] = (
    (200, "", LogOpened("log-1")),
    (199.5, JOB, JobCreated(spec("steady"))),
    (199.4, GONE, JobCreated(spec("twice"))),
    (150.5, GONE, JobDeleted()),
    (100.5, OTHER, JobCreated(spec("twice"))),
    (90.5, OTHER, JobUpdated(spec("twice", "*/2 * * * *"))),
    (80.5, OTHER, JobPaused()),
)


async def written(ports: Ports, happened: Sequence[Happened] = HISTORY) -> None:
    """Put the events into the log."""
    await ports.log.ensure_topics([Topic(JOB_EVENTS, partitions=1)])
    async with ports.log.producer() as producer:
        for number, (minutes, job_id, data) in enumerate(happened):
            event = JobEvent(
                event_id=f"e{number}", job_id=job_id, actor="ada", request_id="r", at=minutes_ago(minutes), data=data
            )
            await producer.append(JOB_EVENTS, job_id, encode(event))


@asynccontextmanager
async def ingester(
    ports: Ports, clock: Clock | None = None, **settings: str
) -> AsyncIterator[tuple[LogIngester, httpx.AsyncClient]]:
    """Run a log-ingester whose MongoDB does not answer; give it and a client."""
    values = {"token": TOKEN, "log_ingester_port": 0, "mongodb": "mongodb://127.0.0.1:1", **settings}
    parsed = msgspec.convert(values, LogIngesterSettings, strict=False)
    async with (
        open_log_ingester(parsed, clock or ClockAt(), ports.ids, ports.log) as service,
        ports.client(service.port) as client,
    ):
        yield service, client


REFUSED: list[tuple[dict[str, str], int, str, str]] = [
    ({"start": "2026-03-01T11:00:00"}, 422, "start", "no zone"),
    ({"end": "2026-03-01T11:00:00"}, 422, "end", "no zone"),
    ({"start": "yesterday"}, 422, "start", "not an instant"),
    ({"start": "0001-01-01T00:00:00+14:00"}, 422, "start", "beyond the calendar"),
    ({"end": "2026-03-01T12:00:01Z"}, 422, "end", "in the future"),
    ({"start": "2026-03-01T11:00:00Z", "end": "2026-03-01T11:00:00Z"}, 422, "start", "not before end"),
    ({"start": "2026-03-01T08:00:00Z"}, 422, "start", "before the log began, at 2026-03-01T08:40:00.000Z"),
    ({"end": "2026-03-01T08:00:00Z"}, 422, "end", "nothing is known from before"),
    ({"job": "nobody"}, 404, "job", "no job has that name"),
    ({"job": "steady", "namespace": "other"}, 404, "job", "no job has that name"),
    ({"job_id": "0198f5a0-1111-7000-8000-00000000000f"}, 404, "job_id", "there never was a job"),
    ({"job": "steady", "job_id": JOB}, 400, "job", "job_id says already"),
    ({"namespace": "default"}, 400, "namespace", "goes with job"),
    ({"job": "steady", "limit": "0"}, 400, "limit", ""),
    ({"job": "steady", "cursor": "x"}, 422, "cursor", "not an instant"),
    ({"from": "2026-03-01T08:00:00Z"}, 400, "from", "no such parameter"),
]


async def test_what_cannot_be_asked_is_refused_with_parameter_value_and_remedy() -> None:
    ports = Ports()
    await written(ports)
    async with ingester(ports) as (_, client):
        for query, status, field, said in REFUSED:
            answer = await client.get("/api/v1/audit/ledger", params=query)
            assert answer.status_code == status, (query, answer.text)
            [problem] = answer.json()["errors"]
            assert (problem["field"], problem["value"]) == (field, query[field])
            assert said in problem["message"], (query, problem)
            assert problem["remedy"]


async def test_a_range_from_before_what_is_kept_is_refused() -> None:
    """Else all of its ticks would be unaccounted for, which nobody could tell from the truth."""
    ports = Ports()
    await written(ports)
    async with ingester(ports, retention="2h") as (_, client):
        answer = await client.get("/api/v1/audit/ledger", params={"start": "2026-03-01T09:59:59Z"})
    assert answer.status_code == 422, answer.text
    assert "runs are kept for 2h" in answer.text
    assert "after 2026-03-01T10:00:00.000Z" in answer.text


@pytest.mark.parametrize("query", [{"job": "steady"}, {}], ids=["of one job", "of all jobs"])
async def test_more_ticks_than_the_bound_are_refused(query: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_reader, "MOST_OF_A_JOB", 50)
    ports = Ports()
    await written(ports)
    async with ingester(ports) as (_, client):
        answer = await client.get("/api/v1/audit/ledger", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["title"] == "too many ticks"
    assert "more than 50 ticks from 2026-03-01T11:00:00+00:00" in answer.text
    assert "ask for an earlier end" in answer.text


async def test_without_the_log_or_mongodb_it_is_not_available() -> None:
    """G10: never an answer from half of what is needed."""
    ports = Ports()
    async with ingester(ports) as (_, client):
        answer = await client.get("/api/v1/audit/ledger")
        assert answer.status_code == 503, answer.text
        await written(ports)
        while "history is still being read" in (answer := await client.get("/api/v1/audit/ledger")).text:
            assert answer.status_code == 503
        assert answer.status_code == 503, answer.text
        assert "MongoDB does not answer" in answer.text


class MemoryTicks:
    """What is stored of jobs' ticks, for the reader."""

    def __init__(self, *runs: tuple[str, datetime, int]) -> None:
        self._runs: dict[str, list[Run]] = {}
        for job_id, tick, version in runs:
            run = Run(
                tick_execution_id(job_id, tick),
                tick_key(tick),
                1,
                version,
                "succeeded",
                started=True,
                claims=frozenset({7}),
            )
            self._runs.setdefault(job_id, []).append(run)
        self.asked: set[str] = set()

    async def of_job(self, job_id: str, start: datetime, end: datetime) -> JobRecords:
        self.asked.add(job_id)
        low, high = tick_key(start), tick_key(end)
        return JobRecords(tuple(run for run in self._runs.get(job_id, ()) if low <= run.key <= high))


@asynccontextmanager
async def reading(records: MemoryTicks, happened: Sequence[Happened] = HISTORY) -> AsyncIterator[LedgerReader]:
    """Give a reader over a history."""
    ports = Ports()
    await written(ports, happened)
    history = History(JobLog(ports.log, JOB_EVENTS))
    service = LogIngester()
    service.start("history", history.run())
    try:
        await history.caught_up.wait()
        yield LedgerReader(history, records, ClockAt())
    finally:
        await service.stop()


def each_minute(job_id: str, first: float, last: float, *, step: int = 1, version: int = 1) -> list[Any]:
    return [(job_id, minutes_ago(minute), version) for minute in range(int(first), int(last) - 1, -step)]


async def test_the_ledger_of_all_is_the_sum_of_the_ledgers_of_each() -> None:
    """Jobs that were deleted, changed, or stand as they did before the range: all are in it."""
    runs = [
        *each_minute(JOB, 199, 1),
        *each_minute(GONE, 199, 151),
        *each_minute(OTHER, 100, 91),
        *each_minute(OTHER, 90, 82, step=2, version=2),
    ]
    runs.remove((JOB, minutes_ago(40), 1))
    runs.remove((GONE, minutes_ago(160), 1))
    within = Range(minutes_ago(190), minutes_ago(10))
    records = MemoryTicks(*runs)
    async with reading(records) as reader:
        whole = await reader.of_all(within, 100)
        assert records.asked == {JOB, OTHER, GONE}
        parts = [await reader.of_job(job_id, within, None, 1000) for job_id in (JOB, OTHER, GONE)]
    assert [(tick.job_id, tick.tick) for tick in whole.ticks] == [(GONE, minutes_ago(160)), (JOB, minutes_ago(40))]
    assert whole.totals == LedgerTotals(
        ticks=180 + 39 + 15,
        runs=180 + 39 + 15 - 2,
        skips={},
        withdrawn=0,
        pending=0,
        doubles=0,
        unaccounted=2,
        beyond=0,
    )
    for count in ("ticks", "runs", "unaccounted"):
        assert getattr(whole.totals, count) == sum(getattr(part.totals, count) for part in parts)
    assert whole.position == 6


async def test_of_all_jobs_no_more_wrong_ticks_are_listed_than_asked_for() -> None:
    async with reading(MemoryTicks()) as reader:
        whole = await reader.of_all(Range(minutes_ago(60), minutes_ago(10)), 7)
    assert (len(whole.ticks), whole.totals.unaccounted) == (7, 50)


async def test_pages_of_one_job_have_each_tick_once() -> None:
    async with reading(MemoryTicks(*each_minute(JOB, 60, 1))) as reader:
        within, seen, after = Range(minutes_ago(60), minutes_ago(10)), [], None
        while True:
            page = await reader.of_job(JOB, within, after, 20)
            assert page.totals.ticks == 50
            seen += [tick.tick for tick in page.ticks]
            if page.next_cursor is None:
                break
            after = datetime.fromisoformat(page.next_cursor)
    assert seen == [minutes_ago(minute) for minute in range(59, 9, -1)]


async def test_jobs_of_one_expression_whose_ticks_differ_are_not_taken_for_each_other() -> None:
    """A day of rest, a window, jitter and a hashed minute make other ticks of the same expression."""
    minutely, hourly = spec("plain"), spec("hashed", "H * * * *")
    jobs = (
        minutely,
        replace(minutely, name="resting", exclude=("weekends",)),  # it is a Sunday
        replace(minutely, name="over", end=minutes_ago(30)),
        replace(minutely, name="jittered", jitter="7s"),
        hourly,
        replace(hourly, name="hashed-too"),
    )
    ids = [f"0198f5a0-1111-7000-8000-00000000001{number}" for number in range(len(jobs))]
    happened: list[Happened] = [(200.0, "", LogOpened("log-1"))]
    happened += [(199.5, job_id, JobCreated(job)) for job_id, job in zip(ids, jobs, strict=True)]
    within = Range(minutes_ago(60), minutes_ago(10))
    async with reading(MemoryTicks(), happened) as reader:
        whole = await reader.of_all(within, 1000)
        parts = [(await reader.of_job(job_id, within, None, 1000)).ticks for job_id in ids]
    assert [len(part) for part in parts[:3]] == [50, 1, 29]
    [rest] = parts[1]
    assert (rest.outcome, rest.reason, rest.count, rest.recorded) == ("excluded", "calendar", 50, False)
    assert (rest.tick, rest.last_tick) == (minutes_ago(59), minutes_ago(10))
    assert whole.totals.excluded == {"calendar": 1}
    assert {tick.tick for tick in parts[3]} != {tick.tick for tick in parts[0]}
    assert sorted((t.job_id, t.tick) for t in whole.ticks) == sorted(
        (t.job_id, t.tick) for p in parts for t in p if t.outcome != "excluded"
    )


async def test_ticks_from_before_what_is_kept_of_a_job_are_left_out() -> None:
    """Their records have left by the job's own retention; they are not unaccounted for."""
    happened: list[Happened] = [(200.0, "", LogOpened("log-1"))]
    happened += [(199.5, JOB, JobCreated(replace(spec("short"), retention="30m")))]
    async with reading(MemoryTicks(*each_minute(JOB, 29, 1)), happened) as reader:
        of_one = await reader.of_job(JOB, Range(minutes_ago(60), minutes_ago(10)), None, 1000)
        of_all = await reader.of_all(Range(minutes_ago(60), minutes_ago(10)), 1000)
    assert (of_one.totals.ticks, of_one.totals.unaccounted) == (20, 0)
    assert of_all.totals == of_one.totals
