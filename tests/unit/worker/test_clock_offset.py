"""A worker's clock is held against the others'; by a wrong one nothing is claimed."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dcron_core.clock import SystemClock
from dcron_core.ports.store import Put, Transaction
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.records import ExecutionStarted
from dcron_schemas.state import JobEntry, WorkerEntry
from dcron_worker.clock_offset import ClockOffset, Verdict
from dcron_worker.service import Worker
from tests.services import KEYS, Ports

LIMIT_S = 2.0
WAY_S = 0.004  # of a beat through the store
PATIENCE_S = 40.0


def seen_by(own_s: float, others_s: dict[str, float], beats: int = 3, delays_s: tuple[float, ...] = (0.0,)) -> Verdict:
    """Return the verdict of a worker whose clock is `own_s` ahead of the truth, as the others' are."""
    offset, booted_s = ClockOffset(), 1_000_000.0
    for beat in range(beats):
        true_s = 1_800_000_000.0 + beat * 2.0
        delay_s = delays_s[beat % len(delays_s)]
        offset.sent(true_s + own_s, true_s - booted_s)
        offset.own_arrived(true_s + own_s, true_s - booted_s + WAY_S)
        for worker, ahead_s in others_s.items():
            offset.arrived(worker, true_s + ahead_s, true_s - booted_s + WAY_S + delay_s)
    now_s = 1_800_000_000.0 + beats * 2.0
    return offset.verdict(now_s + own_s, now_s - booted_s, LIMIT_S)


@pytest.mark.parametrize(
    ("own_s", "others_s", "offset_s", "is_wrong", "is_in_doubt"),
    [
        (0.0, [0.0, 0.0], 0.0, False, False),
        (5.0, [0.0, 0.0], 5.0, True, False),  # two of three agree
        (-5.0, [0.0, 0.0], -5.0, True, False),
        (0.0, [5.0, 0.0], 0.0, False, False),  # another's clock is wrong
        (1.9, [0.0, 0.0], 1.9, False, False),  # within the limit
        (5.0, [0.0], 2.5, False, True),  # of two, nobody knows which
        (0.0, [5.0], -2.5, False, True),
        (1.0, [0.0], 0.5, False, False),
        (0.0, [0.0, 5.0, 5.0], -2.5, False, True),  # two against two
        (0.0, [5.0, 10.0], -5.0, False, True),  # all differ
        (0.0, [5.0, 5.0, 5.0, 0.1], -5.0, True, False),
        (0.5, [0.0, 0.2, -0.3, 9.0], 0.3, False, False),
    ],
)  # fmt: skip
def test_the_median_and_the_majority_decide(
    own_s: float, others_s: list[float], offset_s: float, is_wrong: bool, is_in_doubt: bool
) -> None:
    verdict = seen_by(own_s, {f"w{number}": other_s for number, other_s in enumerate(others_s)})
    assert verdict.offset_s == pytest.approx(offset_s, abs=1e-4)
    assert (bool(verdict.wrong), bool(verdict.in_doubt)) == (is_wrong, is_in_doubt)


def test_a_worker_alone_knows_nothing_and_goes_on() -> None:
    assert seen_by(5.0, {}) == Verdict()
    assert ClockOffset().verdict(0.0, 0.0, LIMIT_S) == Verdict()


def test_beats_that_were_held_up_do_no_harm_while_one_was_not() -> None:
    verdict = seen_by(0.0, {"a": 0.0, "b": 0.0}, beats=5, delays_s=(9.0, 3.0, 0.0, 4.0, 7.0))
    assert verdict.offset_s == pytest.approx(0.0, abs=1e-4)


def test_a_clock_that_is_set_is_noticed_at_once_by_its_own_worker() -> None:
    offset = ClockOffset()
    for beat_s in (0.0, 2.0):
        offset.sent(1000.0 + beat_s, beat_s)
        offset.own_arrived(1000.0 + beat_s, beat_s + WAY_S)
        for worker in ("a", "b"):
            offset.arrived(worker, 1000.0 + beat_s, beat_s + WAY_S)
    assert not offset.verdict(1003.0, 3.0, LIMIT_S).wrong
    wrong = offset.verdict(1008.0, 3.0, LIMIT_S).wrong
    assert wrong == "the clock is 5.0 s ahead of 2 of 3 workers'; the limit is 2 s"
    assert "behind" in offset.verdict(998.0, 3.0, LIMIT_S).wrong
    assert not offset.verdict(1003.1, 3.1, LIMIT_S).wrong
    offset.gone("b")
    assert not offset.verdict(1008.0, 3.0, LIMIT_S).wrong, "two workers have no majority"


class SkewedClock(SystemClock):
    """A clock that can be set."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


async def registered(ports: Ports, worker: Worker) -> WorkerEntry | None:
    item = await ports.store.get(KEYS.worker(worker.worker_id))
    return decode_state(WorkerEntry, item.value) if item else None


async def until_state(ports: Ports, worker: Worker, state: str) -> WorkerEntry:
    while (entry := await registered(ports, worker)) is None or entry.state != state or entry.clock_offset_ms is None:
        await asyncio.sleep(0.02)
    return entry


async def test_a_worker_whose_clock_is_wrong_claims_nothing_says_so_and_comes_back(tmp_path: Path) -> None:
    """G5: the others take its ticks; nobody starts a run five seconds early."""
    ports, clock = Ports(), SkewedClock()
    async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:
        first = await stack.enter_async_context(ports.worker(tmp_path / "1", clock, lease_ttl="2s"))
        others = [await stack.enter_async_context(ports.worker(tmp_path / n, lease_ttl="2s")) for n in ("2", "3")]
        for worker in (first, *others):
            entry = await until_state(ports, worker, "active")
            assert abs(entry.clock_offset_ms or 0.0) < 500
        clock.ahead = timedelta(seconds=5)
        entry = await until_state(ports, first, "clock_wrong")
        assert entry.clock_offset_ms == pytest.approx(5000, abs=300)
        async with ports.client(first.port) as http:
            ready = await http.get("/readyz")
            assert ready.status_code == 503
            assert "5.0 s ahead of 2 of 3 workers" in ready.json()["missing"]["clock"]
            offset = next(
                line for line in (await http.get("/metrics")).text.splitlines()
                if line.startswith("dcron_worker_clock_offset_seconds ")
            )  # fmt: skip
            assert float(offset.split()[1]) == pytest.approx(5.0, abs=0.3)
        now = ports.clock.now()
        specs = [JobSpec(name=f"j{n}", run=Run(shell="true"), schedule=Schedule(cron="* * * * * *")) for n in range(4)]
        for spec in specs:
            job = JobEntry(
                job_id=f"id-{spec.name}", version=1, spec=spec, anchor=now, position=1, created_at=now, updated_at=now,
                updated_by="test",
            )  # fmt: skip
            await ports.store.transact(Transaction((), (Put(KEYS.job(job.job_id), encode(job)),)))
        started = [r.execution for r in await ports.wait_for(ExecutionStarted, 12) if isinstance(r, ExecutionStarted)]
        assert first.worker_id not in {run.worker_id for run in started}
        assert {each.state for other in others if (each := await registered(ports, other))} == {"active"}
        clock.ahead = timedelta()
        await until_state(ports, first, "active")
        while not any(
            isinstance(record, ExecutionStarted) and record.execution.worker_id == first.worker_id
            for record in ports.records()
        ):
            await asyncio.sleep(0.02)


async def test_of_two_workers_both_go_on(tmp_path: Path) -> None:
    ports, clock = Ports(), SkewedClock()
    clock.ahead = timedelta(seconds=5)
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.worker(tmp_path / "1", clock, lease_ttl="2s") as ahead,
        ports.worker(tmp_path / "2", lease_ttl="2s") as right,
    ):
        for worker, offset_ms in ((ahead, 2500), (right, -2500)):
            entry = await until_state(ports, worker, "active")
            assert entry.clock_offset_ms == pytest.approx(offset_ms, abs=300)


def test_a_registration_of_an_older_release_is_read() -> None:
    old = b'{"worker_id":"w","host":"h","pid":1,"version":"0","started_at":"2026-01-01T00:00:00Z","slots":1}'
    assert msgspec.json.decode(old, type=WorkerEntry).clock_offset_ms is None
