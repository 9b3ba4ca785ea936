"""Which workers run what, over memory ports with real processes: labels, `every`, slots, drain."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from dcron_core.ports.store import Delete, Put, Transaction
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.records import ExecutionFinished, TickSkipped
from dcron_schemas.state import DrainWanted, TickCursor, WorkerEntry
from dcron_worker import launcher
from dcron_worker.spool import Spool
from tests.services import KEYS, Ports
from tests.unit.worker.test_policies import overlaps, skips_of, spans, until_finished, until_registered
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


async def test_only_a_worker_that_matches_runs_a_job(tmp_path: Path) -> None:
    ports = Ports()
    entry = await put_job(ports, each_second("placed", overlap="allow", placement={"labels": "zone in (b, c), !spot"}))
    asked = await put_job(ports, on_request("asked", "true", placement={"labels": "zone=b"}))
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.worker(tmp_path / "a", labels="zone=a"),
        ports.worker(tmp_path / "b", labels="zone=b") as b,
        ports.worker(tmp_path / "c", labels="zone=c,spot=yes"),
    ):
        await want_run(ports, asked)
        runs = await until_finished(ports, entry.job_id, 3)
        runs += await until_finished(ports, asked.job_id)
    assert {run.execution.worker_id for run in runs} == {b.worker_id}


async def test_a_tick_that_nobody_matches_is_skipped_when_its_deadline_is_over(tmp_path: Path) -> None:
    """G5: by any worker, on record; one that joins in time takes it."""
    ports = Ports()
    placement = {"labels": "gpu"}
    entry = await put_job(
        ports, each_second("gpu", overlap="allow", misfire={"start_deadline": "1s"}, placement=placement)
    )
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a"), ports.worker(tmp_path / "b"):
        while not (found := skips_of(ports, entry.job_id, "capacity")):
            await asyncio.sleep(0.01)
        async with ports.worker(tmp_path / "c", labels="gpu=1"):
            await until_finished(ports, entry.job_id, 2)
    assert found[0].detail == "no worker that claims matches 'gpu'"
    assert entry.anchor < found[0].execution.due_at <= entry.anchor + timedelta(seconds=1)


async def test_every_matching_worker_runs_a_tick_once_each(tmp_path: Path) -> None:
    """G4, G7: a cursor for each; who joins later starts with its registration."""
    ports = Ports()
    anchor = ports.clock.now() - timedelta(days=1)
    entry = await put_job(ports, each_second("every", placement={"labels": "zone", "workers": "every"}), anchor)
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.worker(tmp_path / "a", labels="zone=a") as a,
        ports.worker(tmp_path / "b", labels="zone=b") as b,
        ports.worker(tmp_path / "c"),
    ):
        while len(await cursors(ports, entry.job_id)) < 2:
            await asyncio.sleep(0.01)
        await until_finished(ports, entry.job_id, 6)
        found = await cursors(ports, entry.job_id)
    runs = [run.execution for run in finished_of(ports, entry.job_id)]
    each = {worker.worker_id: [run.due_at for run in runs if run.worker_id == worker.worker_id] for worker in (a, b)}
    assert len(runs) == sum(len(due) for due in each.values()), "nobody else"
    assert all(len(due) == len(set(due)) >= 2 for due in each.values())
    assert set.intersection(*(set(due) for due in each.values())), "the same ticks"
    assert len({run.execution_id for run in runs}) == len(runs)
    assert set(found) == set(each)
    assert not skips_of(ports, entry.job_id, "missed")


async def cursors(ports: Ports, job_id: str) -> dict[str, TickCursor]:
    items = (await ports.store.read_prefix(KEYS.ticks_of(job_id))).items
    return {item.key.rpartition("/")[2]: decode_state(TickCursor, item.value) for item in items}


async def test_a_run_on_one_worker_is_not_in_the_way_of_another_with_placement_every(tmp_path: Path) -> None:
    """G7: it is on the same worker, where ticks are skipped."""
    ports = Ports()
    entry = await put_job(ports, each_second("slow", "sleep 1.5", placement={"workers": "every"}))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a"), ports.worker(tmp_path / "b"):
        await until_finished(ports, entry.job_id, 4)
    runs = finished_of(ports, entry.job_id)
    for worker_id in {run.execution.worker_id for run in runs}:
        assert not overlaps([run for run in runs if run.execution.worker_id == worker_id])
    assert overlaps(runs)
    assert skips_of(ports, entry.job_id, "overlap")


async def test_a_retry_of_a_run_on_every_worker_stays_on_its_worker(tmp_path: Path) -> None:
    ports = Ports()
    retry = {"attempts": 1, "backoff": "10ms"}
    entry = await put_job(ports, each_second("every", "exit 1", placement={"workers": "every"}, retry=retry))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a"), ports.worker(tmp_path / "b"):
        while len([run for run in finished_of(ports, entry.job_id) if run.execution.attempt == 2]) < 3:
            await asyncio.sleep(0.01)
    runs = {run.execution.execution_id: run.execution for run in finished_of(ports, entry.job_id)}
    for execution in runs.values():
        if execution.attempt == 2:
            assert execution.worker_id == runs[f"{execution.execution_id[:-2]}.1"].worker_id


async def test_a_tick_waits_for_a_slot_until_its_deadline(tmp_path: Path) -> None:
    """G5: with all slots taken it is no flood, and no tick without a record; never more runs than slots."""
    ports = Ports()
    for number in range(6):
        await put_job(ports, each_second(f"job-{number}", "sleep 0.7", misfire={"start_deadline": "1s"}))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, slots="2"):
        while not [r for r in ports.records() if isinstance(r, TickSkipped) and r.reason == "capacity"]:
            await asyncio.sleep(0.01)
        await ports.wait_for(ExecutionFinished, 8)
    runs = [run for run in ports.records() if isinstance(run, ExecutionFinished)]
    for start, _ in spans(runs):
        assert sum(a <= start < b for a, b in spans(runs)) <= 2
    late = [run.started_at - run.execution.due_at for run in runs if run.started_at]
    assert max(late) > timedelta(milliseconds=300), "it waited for its slot"
    assert max(late) < timedelta(seconds=1.5)


async def test_a_slot_is_free_while_ends_wait_for_the_disk_but_not_any_number_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G6, G8: what waits is bounded, and ends once when the disk goes on."""
    ports, disk_goes_on = Ports(), asyncio.Event()
    sync = Spool.sync

    async def waiting(spool: Spool) -> None:
        await disk_goes_on.wait()
        await sync(spool)

    monkeypatch.setattr(Spool, "sync", waiting)
    monkeypatch.setattr(launcher, "MOST_ENDING", 1)
    jobs = [await put_job(ports, on_request(f"job-{number}", "true")) for number in range(3)]
    for job in jobs:
        await want_run(ports, job)
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, slots="1"):
        await ports.wait_for(ExecutionFinished, 2)
        opened = ports.clock.now()
        disk_goes_on.set()
        runs = [run for run in await ports.wait_for(ExecutionFinished, 3) if isinstance(run, ExecutionFinished)]
        await nothing_left(ports)
    assert max(start for start, _ in spans(runs)) >= opened


async def test_a_drained_worker_hands_over_without_a_missed_tick(tmp_path: Path) -> None:
    """G5: it claims nothing more, says so, and claims again when the wish is taken away."""
    ports = Ports()
    entry = await put_job(ports, each_second("steady", overlap="allow", misfire={"start_deadline": "1s"}))
    async with (
        asyncio.timeout(2 * PATIENCE_S),
        ports.worker(tmp_path / "a") as a,
        ports.worker(tmp_path / "b") as b,
    ):
        await until_registered(ports, 2)
        await until_finished(ports, entry.job_id, 2)
        wish = DrainWanted(requested_by="test", requested_at=ports.clock.now())
        drained_at = ports.clock.now() + timedelta(seconds=0.6)  # what was claimed ahead still runs
        await put(ports, Put(KEYS.drain(a.worker_id), encode(wish)))
        while await state_of(ports, a.worker_id) != "draining":
            await asyncio.sleep(0.01)
        await until_finished(ports, entry.job_id, len(finished_of(ports, entry.job_id)) + 4)
        runs = finished_of(ports, entry.job_id)
        await ports.store.transact(Transaction((), (Delete(KEYS.drain(a.worker_id)),)))
        await put(ports, Put(KEYS.drain(b.worker_id), encode(wish)))
        while await state_of(ports, a.worker_id) != "active":
            await asyncio.sleep(0.01)
        while finished_of(ports, entry.job_id)[-1].execution.worker_id != a.worker_id:
            await asyncio.sleep(0.01)
    assert {r.execution.worker_id for r in runs if r.execution.due_at > drained_at} == {b.worker_id}
    due = sorted(run.execution.due_at for run in finished_of(ports, entry.job_id))
    assert all(later - earlier == timedelta(seconds=1) for earlier, later in pairwise(due))
    assert not [r for r in ports.records() if isinstance(r, TickSkipped) and r.reason != "edited"]


async def state_of(ports: Ports, worker_id: str) -> str:
    item = await ports.store.get(KEYS.worker(worker_id))
    return decode_state(WorkerEntry, item.value).state if item else "gone"
