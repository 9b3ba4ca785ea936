"""The sweeper over memory ports: G6, what a worker that is gone left open is closed, once, and nothing else is."""

import asyncio
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from dcron_core.executions import dependency_execution_id
from dcron_core.ports.store import Delete, Put, Transaction
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.records import Execution, ExecutionFinished, ExecutionLost, TickSkipped
from dcron_schemas.state import ExecutionEntry, RunWanted
from tests.services import KEYS, Ports

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def execution(name: str, worker_id: str = "gone") -> Execution:
    return Execution(
        execution_id=f"job.{name}.1", job_id="job", job_name="job", namespace="default", job_version=1,
        trigger="tick", due_at=NOW, attempt=1, worker_id=worker_id, claimed_at=NOW,
    )  # fmt: skip


async def put(ports: Ports, *puts: Put) -> int:
    return (await ports.store.transact(Transaction((), puts))).revision


async def entries(ports: Ports) -> list[str]:
    items = (await ports.store.read_prefix(KEYS.executions)).items
    return [item.key.removeprefix(KEYS.executions) for item in items]


async def stays(ports: Ports, name: str, seconds: float) -> None:
    """Watch that the entry is left alone: there is no signal for what must not happen."""
    for _ in range(int(seconds / 0.05)):
        assert await entries(ports) == [name]
        await asyncio.sleep(0.05)


async def test_entries_of_a_worker_that_is_gone_are_closed_each_with_its_record() -> None:
    """An open one as lost, with the claim's fencing token; a closed or skipped one with the record it holds."""
    ports = Ports()
    finished = ExecutionFinished(
        execution=execution("finished"), outcome="failed", started_at=NOW, finished_at=NOW, output_chunks=0, exit_code=1
    )
    skipped = TickSkipped(execution=execution("skipped"), reason="overlap", at=NOW)
    revision = await put(
        ports,
        Put(KEYS.execution("job.open.1"), encode(ExecutionEntry(execution=execution("open")))),
        Put(KEYS.execution("job.finished.1"), encode(ExecutionEntry(execution=finished.execution, finished=finished))),
        Put(KEYS.execution("job.skipped.1"), encode(ExecutionEntry(execution=skipped.execution, skipped=skipped))),
    )
    async with asyncio.timeout(20), ports.master(orphan_grace="100ms"), ports.master(orphan_grace="100ms"):
        while await entries(ports):
            await asyncio.sleep(0.01)
    records = ports.records()
    assert finished in records
    assert skipped in records
    lost = {record.execution for record in records if isinstance(record, ExecutionLost)}
    assert {(each.execution_id, each.fencing_token) for each in lost} == {("job.open.1", revision)}


async def test_what_is_alive_registered_or_unreadable_is_left_alone() -> None:
    """A run whose liveness key stands, a worker that is registered, a value nobody understands."""
    ports = Ports()
    await put(
        ports,
        Put(KEYS.execution("job.alive.1"), encode(ExecutionEntry(execution=execution("alive")))),
        Put(KEYS.active("job", "job.alive.1"), b"{}"),
        Put(KEYS.execution("job.registered.1"), encode(ExecutionEntry(execution=execution("registered", "here")))),
        Put(KEYS.worker("here"), b"{}"),
        Put(KEYS.execution("job.garbage.1"), b"garbage"),
        Put(KEYS.execution("job.open.1"), encode(ExecutionEntry(execution=execution("open")))),
    )
    left = ["job.alive.1", "job.garbage.1", "job.registered.1"]
    async with asyncio.timeout(20), ports.master(orphan_grace="100ms"):
        while len(await entries(ports)) > len(left):
            await asyncio.sleep(0.01)
        assert await entries(ports) == left
        # Now its liveness ends too: the sweeper comes back for it.
        await ports.store.transact(Transaction((), (Delete(KEYS.active("job", "job.alive.1")),)))
        while "job.alive.1" in await entries(ports):
            await asyncio.sleep(0.01)
    assert await entries(ports) == left[1:]


async def test_a_worker_that_comes_back_within_the_grace_keeps_its_entries() -> None:
    ports = Ports()
    await put(ports, Put(KEYS.execution("job.open.1"), encode(ExecutionEntry(execution=execution("open", "late")))))
    async with ports.master(orphan_grace="2s"):
        await asyncio.sleep(1.0)  # half the grace
        await put(ports, Put(KEYS.worker("late"), b"{}"))
        await stays(ports, "job.open.1", 2.0)


async def test_nothing_is_removed_before_kafka_has_its_record() -> None:
    """G8."""
    ports = Ports()
    async with asyncio.timeout(20), ports.master(orphan_grace="100ms") as (master, _):
        ports.log.down = True
        while master.projector.caught_up.is_set():
            await asyncio.sleep(0.01)
        await put(ports, Put(KEYS.execution("job.open.1"), encode(ExecutionEntry(execution=execution("open")))))
        await stays(ports, "job.open.1", 1.5)
        ports.log.down = False
        await ports.wait_for(ExecutionLost)
        while await entries(ports):
            await asyncio.sleep(0.01)


async def test_a_lost_run_has_one_retry_and_starts_its_dependants_when_there_is_none_left() -> None:
    """G6: written with the removal, by one of two sweepers, and not for an entry that is closed as lost already."""
    ports = Ports()
    async with (
        asyncio.timeout(20),
        ports.master(orphan_grace="100ms") as (_, client),
        ports.master(orphan_grace="100ms"),
    ):
        up = {"name": "up", "run": {"shell": "true"}, "retry": {"attempts": 1, "backoff": "1h", "backoff_cap": "1h"}}
        job_id = (await client.post("/api/v1/jobs", json=up)).json()["job_id"]
        down = {"name": "down", "run": {"shell": "true"}, "after": [{"job": "up", "on": "failed"}]}
        down_id = (await client.post("/api/v1/jobs", json=down)).json()["job_id"]
        runs = [
            replace(
                execution("x"), execution_id=f"{job_id}.t{n}.{attempt}", job_id=job_id, job_name="up", attempt=attempt
            )
            for n, attempt in ((1, 1), (2, 2), (3, 1))
        ]
        lost = ExecutionLost(execution=runs[2], detected_at=NOW, detected_by="gone", reason="it ended")
        await put(
            ports,
            *(Put(KEYS.execution(run.execution_id), encode(ExecutionEntry(execution=run))) for run in runs[:2]),
            Put(KEYS.execution(runs[2].execution_id), encode(ExecutionEntry(execution=runs[2], lost=lost))),
        )
        while await entries(ports):
            await asyncio.sleep(0.01)
        items = (await ports.store.read_prefix(KEYS.runs)).items
    wanted = {run.execution_id: run for run in (decode_state(RunWanted, item.value) for item in items)}
    dependant = dependency_execution_id(down_id, f"{job_id}.t2.2")
    assert set(wanted) == {f"{job_id}.t1.2", dependant}
    retry = wanted[f"{job_id}.t1.2"]
    assert retry.not_before is not None
    assert timedelta(minutes=48) <= retry.not_before - retry.requested_at <= timedelta(hours=1)
    assert wanted[dependant].requested_by == f"{job_id}.t2.2"
    assert lost in ports.records()


async def test_two_lost_runs_that_a_job_waits_for_start_it_once() -> None:
    ports = Ports()
    async with (
        asyncio.timeout(20),
        ports.master(orphan_grace="100ms") as (_, client),
        ports.master(orphan_grace="100ms"),
    ):
        ids = {
            name: (await client.post("/api/v1/jobs", json={"name": name, "run": {"shell": "true"}})).json()["job_id"]
            for name in ("a", "b")
        }
        after = [{"job": name, "on": "finished"} for name in ids]
        answer = await client.post("/api/v1/jobs", json={"name": "join", "run": {"shell": "true"}, "after": after})
        runs = [
            replace(execution("x"), execution_id=f"{job_id}.t1.1", job_id=job_id, job_name=name)
            for name, job_id in ids.items()
        ]
        await put(
            ports, *(Put(KEYS.execution(run.execution_id), encode(ExecutionEntry(execution=run))) for run in runs)
        )
        while await entries(ports):
            await asyncio.sleep(0.01)
        items = (await ports.store.read_prefix(KEYS.runs)).items
        marks = await ports.store.get(KEYS.marks(answer.json()["job_id"]))
    assert len(items) == 1
    assert marks is None
