"""Workers over memory ports, with real processes: misfire, overlap, retry, dependencies, kill."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from dcron_core.adapters.memory import MemoryStore
from dcron_core.errors import StoreUnavailableError
from dcron_core.ports.store import Delete, Put, Transaction, TransactionResult
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionLost, ExecutionStarted, TickSkipped
from dcron_schemas.state import (
    DependencyMarks,
    ExecutionEntry,
    KillWanted,
    RunWanted,
)
from tests.services import KEYS, Ports
from tests.unit.worker.test_service import (
    PATIENCE_S,
    each_second,
    finished_of,
    nothing_left,
    on_request,
    put,
    put_job,
    want_run,
)


def skips_of(ports: Ports, job_id: str, reason: str) -> list[TickSkipped]:
    found = [r for r in ports.records() if isinstance(r, TickSkipped) and r.execution.job_id == job_id]
    return [record for record in found if record.reason == reason]


def spans(runs: Sequence[ExecutionFinished]) -> list[tuple[datetime, datetime]]:
    return sorted((run.started_at, run.finished_at) for run in runs if run.started_at)


def overlaps(runs: Sequence[ExecutionFinished]) -> list[tuple[datetime, datetime]]:
    """Return the ends and starts of runs that overlapped."""
    return [(a[1], b[0]) for a, b in pairwise(spans(runs)) if a[1] > b[0]]


async def until_finished(ports: Ports, job_id: str, count: int = 1) -> list[ExecutionFinished]:
    while len(found := finished_of(ports, job_id)) < count:
        await asyncio.sleep(0.01)
    return found


async def until_registered(ports: Ports, count: int) -> None:
    while len((await ports.store.read_prefix(KEYS.workers)).items) < count:
        await asyncio.sleep(0.01)


async def test_once_runs_the_latest_missed_tick_and_leaves_the_others_out_in_one_range(tmp_path: Path) -> None:
    """G5: one run in place of a month."""
    ports = Ports()
    anchor = ports.clock.now() - timedelta(days=30, minutes=10)
    entry = await put_job(
        ports, on_request("once", "true", schedule={"every": "1h"}, misfire={"policy": "once"}), anchor
    )
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        [run] = await until_finished(ports, entry.job_id)
        [skip] = await ports.wait_for(TickSkipped)
        await nothing_left(ports)
    assert isinstance(skip, TickSkipped)
    assert (skip.reason, skip.execution.due_at, skip.count) == ("missed", anchor + timedelta(hours=1), 719)
    assert skip.last_tick == anchor + timedelta(hours=719)
    assert run.execution.due_at == anchor + timedelta(hours=720)


async def test_all_makes_up_for_the_last_missed_ticks_in_order(tmp_path: Path) -> None:
    """G5, G7: a month each second is neither a flood nor a stall; with overlap forbidden they come one by one."""
    ports = Ports()
    anchor = (ports.clock.now() - timedelta(days=30)).replace(microsecond=0)
    entry = await put_job(ports, each_second("all", misfire={"policy": "all", "limit": 5}), anchor)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a"), ports.worker(tmp_path / "b"):
        await until_finished(ports, entry.job_id, 8)
    runs = sorted(finished_of(ports, entry.job_id), key=lambda run: run.execution.due_at)
    ranges = [skip for skip in skips_of(ports, entry.job_id, "missed") if skip.last_tick]
    assert len(ranges) <= 2
    assert ranges[0].execution.due_at == anchor + timedelta(seconds=1)
    first = runs[0].execution.due_at
    assert max(skip.last_tick for skip in ranges if skip.last_tick) + timedelta(seconds=1) == first
    assert [run.execution.due_at - first for run in runs[:5]] == [timedelta(seconds=n) for n in range(5)]
    assert not overlaps(runs)


async def test_queued_ticks_run_in_order_and_never_at_once(tmp_path: Path) -> None:
    """G4, G5, G7: ticks that come while a run is alive wait, on whichever worker."""
    ports = Ports()
    entry = await put_job(ports, each_second("queue", "sleep 1.3", overlap="queue"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a"), ports.worker(tmp_path / "b"):
        runs = await until_finished(ports, entry.job_id, 4)
    runs.sort(key=lambda run: run.execution.due_at)
    first = runs[0].execution.due_at
    assert [run.execution.due_at for run in runs] == [first + timedelta(seconds=n) for n in range(len(runs))]
    assert [run.started_at for run in runs] == sorted(run.started_at for run in runs if run.started_at)
    assert not overlaps(runs)
    assert not skips_of(ports, entry.job_id, "overlap")


async def test_a_queue_is_bounded(tmp_path: Path) -> None:
    """G5: a tick that comes when a hundred wait is skipped, on record."""
    ports = Ports()
    entry = await put_job(ports, each_second("queue", "sleep 30", overlap="queue", kill_grace="0s"))
    now = ports.clock.now()
    puts = []
    for number in range(100):
        tick = now - timedelta(seconds=200 - number)
        run = RunWanted(
            execution_id=f"{entry.job_id}.t{number}.1", job_id=entry.job_id, trigger="tick", requested_at=now,
            requested_by="test", not_before=tick,
        )  # fmt: skip
        puts.append(Put(KEYS.run(run.execution_id), encode(run)))
    await put(ports, *puts)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, shutdown_timeout="100ms"):
        while not (found := skips_of(ports, entry.job_id, "overlap")):
            await asyncio.sleep(0.01)
        started = [r for r in ports.records() if isinstance(r, ExecutionStarted)]
    assert "earlier ticks wait" in found[0].detail
    assert [r.execution.execution_id for r in started] == [f"{entry.job_id}.t0.1"], "first in, first out"


async def test_a_paused_jobs_queue_is_given_up(tmp_path: Path) -> None:
    ports = Ports()
    entry = await put_job(ports, each_second("paused", enabled=False, overlap="queue"))
    run = RunWanted(
        execution_id=f"{entry.job_id}.t5.1", job_id=entry.job_id, trigger="tick", requested_at=ports.clock.now(),
        requested_by="test", not_before=ports.clock.now(),
    )  # fmt: skip
    await put(ports, Put(KEYS.run(run.execution_id), encode(run)))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        [skip] = await ports.wait_for(TickSkipped)
        await nothing_left(ports)
    assert isinstance(skip, TickSkipped)
    assert (skip.reason, skip.execution.execution_id) == ("edited", run.execution_id)


async def test_replace_ends_the_live_run_and_then_starts(tmp_path: Path) -> None:
    """G7: never both at once, also when they are on two workers; the kill says by what."""
    ports = Ports()
    entry = await put_job(ports, each_second("replace", "sleep 20", overlap="replace"))
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.worker(tmp_path / "a", shutdown_timeout="100ms"),
        ports.worker(tmp_path / "b", shutdown_timeout="100ms"),
    ):
        runs = await until_finished(ports, entry.job_id, 3)
    assert not overlaps(finished_of(ports, entry.job_id))
    assert runs[0].outcome == "killed"
    killed = sorted(runs, key=lambda run: run.execution.due_at)
    assert killed[0].error == f"killed by overlap: {killed[1].execution.execution_id} replaces it"


async def test_a_failed_run_is_tried_again_with_backoff(tmp_path: Path) -> None:
    """G6: one retry for each end, under its own id, until the attempts are used up."""
    ports = Ports()
    retry = {"attempts": 2, "backoff": "200ms", "backoff_cap": "1s"}
    entry = await put_job(ports, on_request("retry", "exit 1", retry=retry))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        first = await want_run(ports, entry)
        runs = await until_finished(ports, entry.job_id, 3)
        await nothing_left(ports)
        assert not (await ports.store.read_prefix(KEYS.runs)).items, "no fourth attempt"
    base = first.rpartition(".")[0]
    assert [run.execution.execution_id for run in runs] == [f"{base}.{n}" for n in (1, 2, 3)]
    assert [run.execution.trigger for run in runs] == ["request", "retry", "retry"]
    waits = [b.started_at - a.finished_at for a, b in pairwise(runs) if b.started_at]
    assert timedelta(milliseconds=160) <= waits[0] < timedelta(milliseconds=900)
    assert timedelta(milliseconds=320) <= waits[1]


class LosingEnds(MemoryStore):
    """Does what it is asked, and loses the answer of every other call that closes a run."""

    lost = 0
    asked = 0

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        results = await super().transact_all(transactions)
        if any(op.key.startswith(KEYS.all_active) for t in transactions for op in t.success if isinstance(op, Delete)):
            self.asked += 1
            if self.asked % 2:
                self.lost += 1
                raise StoreUnavailableError("the answer is lost")
        return results


async def test_an_end_whose_answer_is_lost_has_one_retry_and_one_dependant(tmp_path: Path) -> None:
    """G6: what follows is written with the end, which happens once."""
    ports = Ports()
    ports.store = losing = LosingEnds(ports.clock)
    entry = await put_job(ports, on_request("first", "exit 1", retry={"attempts": 1, "backoff": "10ms"}))
    after = await put_job(ports, on_request("then", "true", after=[{"job": "first", "on": "failed"}]))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await want_run(ports, entry)
        await until_finished(ports, after.job_id)
        await nothing_left(ports)
    assert losing.lost >= 2
    assert len(finished_of(ports, entry.job_id)) == 2
    assert len(finished_of(ports, after.job_id)) == 1


async def test_a_job_starts_after_the_end_it_waits_for(tmp_path: Path) -> None:
    """On succeeded, failed or finished; a retried end is none; a paused job waits for nothing."""
    ports = Ports()
    good = await put_job(ports, on_request("good", "true"))
    bad = await put_job(ports, on_request("bad", "exit 1", retry={"attempts": 1, "backoff": "10ms"}))
    wanted = {
        "good.succeeded": True, "good.failed": False, "good.finished": True,
        "bad.succeeded": False, "bad.failed": True, "bad.finished": True,
    }  # fmt: skip
    after = {
        case: await put_job(ports, on_request(case, "true", after=[{"job": (p := case.split("."))[0], "on": p[1]}]))
        for case in wanted
    }
    paused = await put_job(ports, on_request("paused", "true", enabled=False, after=[{"job": "good"}]))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        for entry in (good, bad):
            await want_run(ports, entry)
        for case, runs in wanted.items():
            if runs:
                await until_finished(ports, after[case].job_id)
        await nothing_left(ports)
        assert not (await ports.store.read_prefix(KEYS.runs)).items
    found = {case: [run.execution.trigger for run in finished_of(ports, after[case].job_id)] for case in wanted}
    assert found == {case: ["dependency"] if runs else [] for case, runs in wanted.items()}
    assert not finished_of(ports, paused.job_id)


async def test_a_job_after_several_starts_when_each_has_ended_since_its_last_start(tmp_path: Path) -> None:
    """Ends of two of them at the same instant start it once; the marks begin anew with it."""
    ports = Ports()
    upstream = [await put_job(ports, on_request(name, "true")) for name in ("a", "b", "c")]
    names = [{"job": entry.spec.name} for entry in upstream]
    join = await put_job(ports, on_request("join", "true", after=names))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "1"), ports.worker(tmp_path / "2"):
        for turn in range(5):
            await asyncio.gather(*(want_run(ports, entry, f"r{turn}") for entry in upstream))
            await until_finished(ports, join.job_id, turn + 1)
            await nothing_left(ports)
        await want_run(ports, upstream[0], "r9")
        await until_finished(ports, upstream[0].job_id, 6)
        await nothing_left(ports)
        marks = await ports.store.get(KEYS.marks(join.job_id))
    assert len(finished_of(ports, join.job_id)) == 5
    assert marks is not None
    assert list(decode_state(DependencyMarks, marks.value).ended) == ["a"]


async def test_a_run_lost_with_a_former_life_is_tried_again_once(tmp_path: Path) -> None:
    """G6: whichever crash comes in between; the entry remembers that the retry is written."""
    ports = Ports()
    entry = await put_job(ports, on_request("lost", "true", retry={"attempts": 1, "backoff": "10ms"}))
    async with ports.worker(tmp_path) as worker:
        worker_id = worker.worker_id
    execution = lost_execution(ports, entry.job_id, worker_id)
    await put(ports, Put(KEYS.execution(execution.execution_id), encode(ExecutionEntry(execution=execution))))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, shutdown_timeout="100ms"):
        ports.log.down = True
        while await entries_of(ports, entry.job_id) < 2:  # the lost one, and the retry's, as Kafka has none
            await asyncio.sleep(0.01)
    ports.log.down = False
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await nothing_left(ports)
        assert not (await ports.store.read_prefix(KEYS.runs)).items
    lost = {r.execution.execution_id for r in ports.records() if isinstance(r, ExecutionLost)}
    starts = [r.execution.execution_id for r in ports.records() if isinstance(r, ExecutionStarted)]
    assert lost == {execution.execution_id}
    assert starts == [f"{execution.execution_id[:-2]}.2"]


def lost_execution(ports: Ports, job_id: str, worker_id: str) -> Execution:
    return Execution(
        execution_id=f"{job_id}.t5.1", job_id=job_id, job_name="lost", namespace="default", job_version=1,
        trigger="tick", due_at=ports.clock.now(), attempt=1, worker_id=worker_id, claimed_at=ports.clock.now(),
    )  # fmt: skip


async def entries_of(ports: Ports, job_id: str) -> int:
    return len((await ports.store.read_prefix(f"{KEYS.executions}{job_id}.")).items)


async def test_closed_entries_in_etcd_are_bounded_while_kafka_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G8: what is beyond the bound stands on the worker's disk only, and gets into Kafka all the same."""
    monkeypatch.setattr("dcron_worker.entries.MOST_CLOSED", 3)
    ports = Ports()
    entry = await put_job(ports, on_request("quick", "true", overlap="allow"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        ports.log.down = True
        for number in range(8):
            await want_run(ports, entry, f"r{number}")
        while (await ports.store.read_prefix(KEYS.runs)).items or (
            await ports.store.read_prefix(KEYS.all_active)
        ).items:
            await asyncio.sleep(0.01)
        while len(left := (await ports.store.read_prefix(KEYS.executions)).items) > 3:
            await asyncio.sleep(0.01)
        assert len(left) == 3
        ports.log.down = False
        await ports.wait_for(ExecutionFinished, 8)
        await nothing_left(ports)
    assert len({run.execution.execution_id for run in finished_of(ports, entry.job_id)}) == 8


async def test_what_waits_is_killed_before_it_starts_and_says_by_whom(tmp_path: Path) -> None:
    """G6: a request behind a live run, a tick deep in its queue, and a retry that would come in ten minutes.

    The request to kill is gone after a minute, so it cannot be left until they start.
    """
    ports = Ports()
    busy = await put_job(ports, on_request("busy", "sleep 60", kill_grace="0s"))
    queued = await put_job(ports, each_second("queued", "sleep 60", overlap="queue", kill_grace="0s"))
    failing = await put_job(ports, on_request("failing", "false", retry={"attempts": 1, "backoff": "10m"}))
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.worker(tmp_path / "a", shutdown_timeout="100ms"),
        ports.worker(tmp_path / "b", shutdown_timeout="100ms"),
    ):
        await want_run(ports, busy, "r1")
        await want_run(ports, failing, "r1")
        await ports.wait_for(ExecutionStarted, 3)
        waiting = [await want_run(ports, busy, "r2"), f"{failing.job_id}.r1.2"]
        while len(ticks := (await ports.store.read_prefix(KEYS.run(f"{queued.job_id}.t"))).items) < 3:
            await asyncio.sleep(0.01)
        waiting.append(ticks[2].key.rpartition("/")[2])
        while not await ports.store.get(KEYS.run(waiting[1])):
            await asyncio.sleep(0.01)
        kill = KillWanted(requested_by="ann", requested_at=ports.clock.now())
        await put(ports, *(Put(KEYS.kill(each), encode(kill)) for each in waiting))
        while (
            len(killed := [skip for job in (busy, queued, failing) for skip in skips_of(ports, job.job_id, "edited")])
            < 3
        ):
            await asyncio.sleep(0.01)
        left = [await ports.store.get(KEYS.run(each)) for each in waiting]
    assert sorted(skip.execution.execution_id for skip in killed) == sorted(waiting)
    assert {skip.detail for skip in killed} == {"killed by ann before it started"}
    assert left == [None, None, None]
