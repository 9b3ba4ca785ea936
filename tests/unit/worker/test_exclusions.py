"""Days of rest and clock changes leave a record as the cursor goes past them, exactly once (G5)."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dcron_core.clock import SystemClock
from dcron_core.errors import StoreUnavailableError
from dcron_core.executions import tick_execution_id, worker_tick_execution_id
from dcron_core.ports.store import Put, Transaction, TransactionResult
from dcron_core.schedule import Excluded, JobTimetable, timetable_of
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import JobSpec
from dcron_schemas.records import TickSkipped
from dcron_schemas.state import ExecutionEntry, TickCursor
from dcron_worker.exclusions import MOST_RECORDED, way_past
from dcron_worker.misfire import Missed
from tests.services import KEYS, Ports
from tests.unit.worker.test_policies import skips_of, until_finished, until_registered
from tests.unit.worker.test_service import PATIENCE_S, nothing_left, put, put_job

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)  # its midnight
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


class ClockFrom(SystemClock):
    """Real time, moved so that it is `instant` now."""

    def __init__(self, instant: datetime) -> None:
        self._moved = instant - super().now()

    def now(self) -> datetime:
        return super().now() + self._moved


def ports_at(instant: datetime) -> Ports:
    ports = Ports()
    ports.clock = ClockFrom(instant)
    return ports


def resting(cron: str = "* * * * * *", **fields: object) -> JobSpec:
    return msgspec.convert(
        {"name": "resting", "run": {"shell": "true"}, "schedule": {"cron": cron}, "exclude": ["weekends"], **fields},
        JobSpec,
    )


async def stop_after(ports: Ports, job_id: str, last: datetime) -> list[TickSkipped]:
    """Wait until the job has run at `last`; return what is recorded of days of rest, in order."""
    while not any(run.execution.due_at == last for run in await until_finished(ports, job_id)):
        await asyncio.sleep(0.01)
    return sorted(skips_of(ports, job_id, "calendar"), key=lambda skip: skip.execution.due_at)


async def test_a_claim_records_the_weekend_before_its_tick_as_one_range(tmp_path: Path) -> None:
    """G5: 172,799 times of a job that runs each second are one record; it is sent once, and its entry goes."""
    ports = ports_at(MONDAY - SECOND)
    entry = await put_job(ports, resting(), MONDAY - 2 * DAY)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        [skip] = await stop_after(ports, entry.job_id, MONDAY + SECOND)
        await nothing_left(ports)
    assert (skip.execution.execution_id, skip.count) == (
        tick_execution_id(entry.job_id, MONDAY - 2 * DAY + SECOND),
        0,
    )
    assert (skip.execution.due_at, skip.last_tick) == (MONDAY - 2 * DAY + SECOND, MONDAY - SECOND)
    assert skip.detail == "weekends"
    assert not skips_of(ports, entry.job_id, "missed")


async def test_of_two_workers_one_records_it(tmp_path: Path) -> None:
    """G4, G5: with the tick's claim, so it is as much once as that."""
    ports = ports_at(MONDAY - SECOND)
    entry = await put_job(ports, resting("0 */12 * * *", schedule={"every": "12h"}), MONDAY - 2 * DAY)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a"), ports.worker(tmp_path / "b"):
        [skip] = await stop_after(ports, entry.job_id, MONDAY)
        await nothing_left(ports)
    assert (skip.count, skip.last_tick) == (3, MONDAY - DAY / 2)


async def test_on_every_worker_each_records_its_own(tmp_path: Path) -> None:
    ports = ports_at(MONDAY - 2 * SECOND)
    spec = resting(placement={"workers": "every"})
    entry = await put_job(ports, spec, MONDAY - 2 * DAY)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a") as a, ports.worker(tmp_path / "b") as b:
        await until_registered(ports, 2)
        while len(found := skips_of(ports, entry.job_id, "calendar")) < 2:
            await asyncio.sleep(0.01)
        await until_finished(ports, entry.job_id, 4)
    assert {skip.execution.worker_id for skip in found} == {a.worker_id, b.worker_id}
    for skip in found:
        own = worker_tick_execution_id(entry.job_id, skip.execution.worker_id, skip.execution.due_at)
        assert skip.execution.execution_id == own
        assert MONDAY - 2 * SECOND <= skip.execution.due_at < MONDAY, "from when the worker came"


@pytest.mark.parametrize(
    ("misfire", "runs"),
    [
        ({}, [MONDAY + 15 * timedelta(hours=1)]),
        ({"policy": "once"}, [MONDAY + timedelta(hours=14), MONDAY + timedelta(hours=15)]),
        ({"policy": "all", "limit": 3}, [MONDAY + timedelta(hours=hour) for hour in (12, 13, 14, 15)]),
    ],
    ids=["skip", "once", "all"],
)
async def test_after_a_downtime_each_weekend_in_it_is_recorded_once(
    tmp_path: Path, misfire: dict[str, object], runs: list[datetime]
) -> None:
    """G5: whatever becomes of the missed ticks between."""
    now = MONDAY + timedelta(hours=15) - SECOND
    ports = ports_at(now)
    spec = resting("0 * * * *", misfire=misfire)
    entry = await put_job(ports, spec, MONDAY - 15 * DAY)  # a Sunday, at midnight
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        skips = await stop_after(ports, entry.job_id, runs[-1])
        await nothing_left(ports)
    hour = timedelta(hours=1)
    assert [(skip.execution.due_at, skip.last_tick, skip.count) for skip in skips] == [
        (MONDAY - 15 * DAY + hour, MONDAY - 14 * DAY - hour, 23),
        (MONDAY - 9 * DAY, MONDAY - 7 * DAY - hour, 48),
        (MONDAY - 2 * DAY, MONDAY - hour, 48),
    ]
    assert sorted(run.execution.due_at for run in await until_finished(ports, entry.job_id)) == runs
    missed = sum(skip.count for skip in skips_of(ports, entry.job_id, "missed"))
    assert missed + len(runs) == 10 * 24 + 16


async def test_what_a_clock_change_leaves_out_is_recorded(tmp_path: Path) -> None:
    night = datetime(2026, 3, 29, 2, tzinfo=UTC)  # 04:00 in Berlin; 02:30 did not exist
    ports = ports_at(night - SECOND)
    spec = resting("30,0 2,4 * * *", exclude=[], timezone="Europe/Berlin", dst={"gap": "skip"})
    entry = await put_job(ports, spec, night - DAY / 4)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await until_finished(ports, entry.job_id)
        await nothing_left(ports)
    [skip] = skips_of(ports, entry.job_id, "dst")
    assert "02:00 does not exist on 2026-03-29" in skip.detail


async def test_a_claim_whose_answer_is_lost_records_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G5: the second try finds its own claim, and sends what the first one wrote."""
    ports = ports_at(MONDAY - SECOND)
    entry = await put_job(ports, resting(), MONDAY - 2 * DAY)
    transact, lost = ports.store.transact_all, 0

    async def answer_is_lost(transactions: list[Transaction]) -> list[TransactionResult]:
        nonlocal lost
        results = await transact(transactions)
        claims = any(
            isinstance(op, Put) and op.key == KEYS.tick(entry.job_id) for t in transactions for op in t.success
        )
        if claims and lost < 1:
            lost += 1
            raise StoreUnavailableError("the answer was lost")
        return results

    monkeypatch.setattr(ports.store, "transact_all", answer_is_lost)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        skips = await stop_after(ports, entry.job_id, MONDAY)
        await nothing_left(ports)
    assert lost == 1
    assert len(skips) == 1


async def test_a_worker_that_died_after_the_transaction_sends_the_record_in_its_next_life(tmp_path: Path) -> None:
    """G5, G8: the entry holds it until Kafka does."""
    ports = ports_at(MONDAY + SECOND)
    async with ports.worker(tmp_path) as worker:
        worker_id = worker.worker_id
    entry = await put_job(ports, resting("0 0 1 1 *"), MONDAY - 2 * DAY)
    execution_id = tick_execution_id(entry.job_id, MONDAY - DAY)
    skip = TickSkipped(
        execution=msgspec.convert(
            {
                "execution_id": execution_id, "job_id": entry.job_id, "job_name": "resting", "namespace": "default",
                "job_version": 1, "trigger": "tick", "due_at": MONDAY - DAY, "attempt": 1, "worker_id": worker_id,
                "claimed_at": MONDAY,
            },
            TickSkipped.__annotations__["execution"],
        ),
        reason="calendar",
        at=MONDAY,
    )  # fmt: skip
    cursor = TickCursor(tick=MONDAY, worker_id=worker_id, execution_id=tick_execution_id(entry.job_id, MONDAY))
    left = ExecutionEntry(execution=skip.execution, skipped=skip)
    await put(ports, Put(KEYS.execution(execution_id), encode(left)), Put(KEYS.tick(entry.job_id), encode(cursor)))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        [sent] = await ports.wait_for(TickSkipped)
        await nothing_left(ports)
    assert sent == skip


def test_more_ranges_than_a_transaction_takes_are_left_to_further_moves() -> None:
    """G5: a year of weekends with missed ticks between; each move goes as far as its records do."""
    timetable = timetable_of(resting("0 12 * * *"), MONDAY, "a")
    assert timetable is not None
    after, last, ticks, moves = MONDAY, MONDAY + 364 * DAY + DAY / 2, 0, 0
    found: list[Excluded] = []
    while after < last:
        tick = timetable.next_after(after)
        assert tick is not None
        way = way_past(timetable, after, tick, Missed(last, 0))
        assert len(way.excluded) <= MOST_RECORDED
        assert way.ticks is not None
        ticks += _between(timetable, after, way.ticks.last)
        found += way.excluded
        after = way.ticks.last
        moves += 1
    assert (moves, ticks, len(found)) == (3, 261, 52)
    assert len({row.first for row in found}) == 52


def test_what_lies_before_a_tick_and_is_too_much_is_gone_past_by_itself() -> None:
    """Two causes in turn, so that no two of them are one range."""
    spec = resting("0 12 25,26 12 *", exclude=["12-25", "12-26"], end="2100-01-01T00:00:00Z")
    resting_until = [f"{year}-12-{day}" for year in range(2026, 2037) for day in (25, 26)]
    spec = msgspec.structs.replace(spec, exclude=tuple(resting_until))
    timetable = timetable_of(spec, MONDAY, "a")
    assert timetable is not None
    tick = timetable.next_after(MONDAY)
    assert tick == datetime(2037, 12, 25, 12, tzinfo=UTC)
    way = way_past(timetable, MONDAY, tick, Missed(tick, 1))
    assert (len(way.excluded), way.ticks) == (MOST_RECORDED, None)
    rest = way_past(timetable, way.excluded[-1].last, tick, Missed(tick, 1))
    assert (len(rest.excluded), rest.ticks) == (2, Missed(tick, 1))


async def test_a_worker_goes_past_too_much_in_two_moves(tmp_path: Path) -> None:
    noon = datetime(2037, 12, 25, 12, tzinfo=UTC)
    ports = ports_at(noon - SECOND)
    days = [f"{year}-12-{day}" for year in range(2026, 2037) for day in (25, 26)]
    entry = await put_job(ports, resting("0 12 25,26 12 *", exclude=days), MONDAY)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        skips = await stop_after(ports, entry.job_id, noon)
        await nothing_left(ports)
        cursor = await ports.store.get(KEYS.tick(entry.job_id))
    assert len(skips) == 22
    assert cursor is not None
    assert decode_state(TickCursor, cursor.value).tick == noon


def _between(timetable: JobTimetable, after: datetime, last: datetime) -> int:
    count, tick = 0, timetable.next_after(after)
    while tick is not None and tick <= last:
        count, tick = count + 1, timetable.next_after(tick)
    return count
