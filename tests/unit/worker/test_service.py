"""A whole worker over memory ports, with real processes: claims, runs, ends, and what disturbs them."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dcron_core.ports.store import Delete, KeyValue, Put, Transaction
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import JobSpec, Run, Schedule
from dcron_schemas.records import (
    Execution,
    ExecutionFinished,
    ExecutionLost,
    ExecutionRecord,
    ExecutionStarted,
    OutputChunk,
    TickSkipped,
)
from dcron_schemas.state import ExecutionEntry, JobEntry, KillWanted, RunWanted, TickCursor
from tests.services import KEYS, Ports

PATIENCE_S = 20.0


def job(ports: Ports, spec: JobSpec, anchor: datetime | None = None) -> JobEntry:
    now = ports.clock.now()
    return JobEntry(
        job_id=f"id-of-{spec.name}", version=1, spec=spec, anchor=anchor or now, position=1, created_at=now,
        updated_at=now, updated_by="test",
    )  # fmt: skip


async def put(ports: Ports, *puts: Put) -> None:
    await ports.store.transact(Transaction((), puts))


async def put_job(ports: Ports, spec: JobSpec, anchor: datetime | None = None) -> JobEntry:
    entry = job(ports, spec, anchor)
    await put(ports, Put(KEYS.job(entry.job_id), encode(entry)))
    return entry


async def want_run(ports: Ports, entry: JobEntry, name: str = "r1") -> str:
    """Ask for a run of the job; return its execution id."""
    execution_id = f"{entry.job_id}.{name}.1"
    run = RunWanted(
        execution_id=execution_id, job_id=entry.job_id, trigger="request", requested_at=ports.clock.now(),
        requested_by="test",
    )  # fmt: skip
    await put(ports, Put(KEYS.run(execution_id), encode(run)))
    return execution_id


def on_request(name: str, shell: str, **fields: object) -> JobSpec:
    return msgspec.convert({"name": name, "run": {"shell": shell}, **fields}, JobSpec)


def each_second(name: str, shell: str = "true", **fields: object) -> JobSpec:
    return on_request(name, shell, schedule={"cron": "* * * * * *"}, **fields)


async def nothing_left(ports: Ports) -> None:
    """Wait until no entry and no liveness key is left."""
    for prefix in (KEYS.executions, KEYS.all_active):
        while (await ports.store.read_prefix(prefix)).items:
            await asyncio.sleep(0.01)


def of(records: Iterable[ExecutionRecord], execution_id: str) -> list[ExecutionRecord]:
    return [
        record
        for record in records
        if (record.execution_id if isinstance(record, OutputChunk) else record.execution.execution_id) == execution_id
    ]


async def test_a_tick_is_claimed_started_at_its_instant_and_ends_once(tmp_path: Path) -> None:
    """G6, G8: started, output, finished in order; the entry goes when Kafka has the end."""
    ports = Ports()
    await put_job(ports, each_second("ticker", "echo out; echo err >&2; exit 3"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        ended = [each for each in await ports.wait_for(ExecutionFinished, 2) if isinstance(each, ExecutionFinished)]
    finished = max(ended, key=lambda each: each.execution.due_at)  # as the worker started, its first tick was due
    records = of(ports.records(), finished.execution.execution_id)
    kinds = [type(record) for record in records]
    assert kinds[0] is ExecutionStarted
    assert kinds[-1] is ExecutionFinished
    chunks = [record for record in records if isinstance(record, OutputChunk)]
    assert {(chunk.stream, chunk.text) for chunk in chunks} == {("stdout", "out\n"), ("stderr", "err\n")}
    assert [chunk.seq for chunk in chunks] == list(range(finished.output_chunks))
    assert (finished.outcome, finished.exit_code) == ("failed", 3)
    assert finished.started_at is not None
    assert finished.started_at >= finished.execution.due_at, "it was claimed ahead, but not started ahead"
    assert finished.execution.claimed_at < finished.execution.due_at
    assert finished.execution.fencing_token > 0
    await nothing_left(ports)
    assert not (await ports.store.read_prefix(KEYS.workers)).items, "the lease was given back"


async def test_a_job_sees_its_run_in_its_environment_and_nothing_of_the_workers(tmp_path: Path) -> None:
    ports = Ports()
    entry = await put_job(ports, on_request("env", "env | sort", env={"MINE": "yes"}))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        execution_id = await want_run(ports, entry)
        await ports.wait_for(ExecutionFinished)
    text = "".join(record.text for record in ports.records() if isinstance(record, OutputChunk))
    names = {line.partition("=")[0] for line in text.splitlines()}
    assert f"DCRON_EXECUTION_ID={execution_id}\n" in text
    assert "MINE=yes\n" in text
    assert "DCRON_FENCING_TOKEN" in names
    assert not {"DCRON_TOKEN", "DCRON_ETCD", "PYTHONPATH", "VIRTUAL_ENV"} & names


async def test_a_run_knows_its_id_its_tick_its_attempt_and_its_fencing_token(tmp_path: Path) -> None:
    """G7: of the first try and of a retry; the token is the one in the records."""
    ports = Ports()
    entry = await put_job(
        ports, each_second("who", "env; exit 1", overlap="allow", retry={"attempts": 1, "backoff": "0s"})
    )
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        while not (retried := [run for run in finished_of(ports, entry.job_id) if run.execution.attempt == 2]):
            await asyncio.sleep(0.01)
    first = next(
        run
        for run in finished_of(ports, entry.job_id)
        if run.execution.execution_id == retried[0].execution.execution_id.removesuffix(".2") + ".1"
    )
    for run in (first, retried[0]):
        chunks = [r for r in of(ports.records(), run.execution.execution_id) if isinstance(r, OutputChunk)]
        seen = dict(line.split("=", 1) for line in "".join(chunk.text for chunk in chunks).splitlines())
        assert seen["DCRON_EXECUTION_ID"] == run.execution.execution_id
        assert seen["DCRON_DUE_AT"] == run.execution.due_at.isoformat()
        assert seen["DCRON_ATTEMPT"] == str(run.execution.attempt)
        assert int(seen["DCRON_FENCING_TOKEN"]) == run.execution.fencing_token > 0
    assert first.execution.fencing_token < retried[0].execution.fencing_token


async def test_a_tick_whose_job_still_runs_is_skipped_on_record(tmp_path: Path) -> None:
    """G5, G7: with overlap forbidden, two runs never overlap; the tick in between has its reason."""
    ports = Ports()
    await put_job(ports, each_second("slow", "sleep 1.4"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        skipped = (await ports.wait_for(TickSkipped))[0]
        assert isinstance(skipped, TickSkipped)
        assert skipped.reason == "overlap"
        runs = await ports.wait_for(ExecutionFinished, 2)
    spans = sorted(
        (run.started_at, run.finished_at) for run in runs if isinstance(run, ExecutionFinished) and run.started_at
    )
    assert spans[0][1] <= spans[1][0]
    await nothing_left(ports)


async def test_with_overlap_allowed_every_tick_runs(tmp_path: Path) -> None:
    ports = Ports()
    await put_job(ports, each_second("slow", "sleep 1.6", overlap="allow"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        runs = await ports.wait_for(ExecutionFinished, 3)
        due = sorted(run.execution.due_at for run in runs if isinstance(run, ExecutionFinished))
    assert due == [due[0] + timedelta(seconds=n) for n in range(len(due))]
    assert not [record for record in ports.records() if isinstance(record, TickSkipped) and record.reason != "edited"]


async def test_the_ends_of_runs(tmp_path: Path) -> None:
    """Timed out, killed by request, ended by a signal, not startable: each is recorded as what it was."""
    ports = Ports()
    specs = {
        "timeout": on_request("timeout", "sleep 30", timeout="200ms", kill_grace="1s"),
        "killed": on_request("killed", "trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done", kill_grace="5s"),
        "signal": on_request("signal", "kill -9 $$"),
        "missing": JobSpec(name="missing", run=Run(argv=("/no/such/program",))),
        "directory": on_request("directory", "true", working_directory="/no/such/place"),
    }
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        ids = {name: await want_run(ports, await put_job(ports, spec)) for name, spec in specs.items()}
        while not any(isinstance(r, ExecutionStarted) for r in of(ports.records(), ids["killed"])):
            await asyncio.sleep(0.01)
        kill = KillWanted(requested_by="somebody", requested_at=ports.clock.now())
        await put(ports, Put(KEYS.kill(ids["killed"]), encode(kill)))
        await ports.wait_for(ExecutionFinished, len(ids))
    ends = {
        name: next(r for r in of(ports.records(), id_) if isinstance(r, ExecutionFinished)) for name, id_ in ids.items()
    }
    assert (ends["timeout"].outcome, ends["timeout"].error) == ("timed_out", "ran longer than 200ms")
    assert (ends["killed"].outcome, ends["killed"].error) == ("killed", "killed by somebody")
    assert (ends["signal"].outcome, ends["signal"].signal, ends["signal"].exit_code) == ("failed", 9, None)
    for name in ("missing", "directory"):
        assert (ends[name].outcome, ends[name].started_at) == ("failed", None)
        assert "/no/such" in ends[name].error
    await nothing_left(ports)


async def test_a_job_deleted_between_claim_and_tick_does_not_start(tmp_path: Path) -> None:
    """G5: the claimed tick is a skip with its reason."""
    ports = Ports()
    entry = await put_job(ports, each_second("gone"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        while not (await ports.store.read_prefix(KEYS.executions)).items:
            await asyncio.sleep(0.005)
        await ports.store.transact(Transaction((), (Delete(KEYS.job(entry.job_id)),)))
        skipped = (await ports.wait_for(TickSkipped))[0]
    assert isinstance(skipped, TickSkipped)
    assert (skipped.reason, skipped.detail) == ("edited", "the job was deleted between the claim and the tick")
    assert not [record for record in ports.records() if isinstance(record, ExecutionStarted)]
    await nothing_left(ports)


async def test_ticks_of_a_long_absence_are_one_skip_and_the_next_one_runs(tmp_path: Path) -> None:
    """G5: a day without workers costs one record, and no flood."""
    ports = Ports()
    now = ports.clock.now()
    await put_job(ports, each_second("daily", overlap="allow"), anchor=now - timedelta(days=1))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, slots="200"):
        missed = (await ports.wait_for(TickSkipped))[0]
        assert isinstance(missed, TickSkipped)
        assert missed.reason == "missed"
        assert missed.last_tick is not None
        assert timedelta(seconds=58) < now - missed.last_tick < timedelta(seconds=70)
        await ports.wait_for(ExecutionFinished, 2)
    first = min(r.execution.due_at for r in ports.records() if isinstance(r, ExecutionStarted))
    assert first == missed.last_tick + timedelta(seconds=1), "no tick between the skip and the first run"


async def test_bad_definitions_in_etcd_cost_only_their_own_jobs(tmp_path: Path) -> None:
    """Whatever somehow stands in etcd must not stop the other jobs."""
    ports = Ports()
    bad_cron = job(ports, JobSpec(name="cron", run=Run(shell="true"), schedule=Schedule(cron="61 25 * * *")))
    bad_zone = job(ports, each_second("zone", timezone="Mars/Base"))
    await put(
        ports,
        Put(KEYS.job("garbage"), b"\xff not json"),
        Put(KEYS.job(bad_cron.job_id), encode(bad_cron)),
        Put(KEYS.job(bad_zone.job_id), encode(bad_zone)),
        Put(KEYS.tick("other"), b"{}"),
        Put(KEYS.run("other"), b"[]"),
    )
    await put_job(ports, each_second("good", "echo fine"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path) as worker, ports.client(worker.port) as client:
        await ports.wait_for(ExecutionFinished)
        metrics = (await client.get("/metrics")).text
    assert "dcron_worker_unreadable_total 5.0" in metrics


async def test_records_wait_on_disk_while_kafka_is_down_and_entries_stay_until_it_has_them(tmp_path: Path) -> None:
    """G8, G10: runs go on; an entry is removed only after Kafka has the record that closes it."""
    ports = Ports()
    entry = await put_job(ports, on_request("quiet", "echo one; sleep 0.2; echo two"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        ports.log.down = True
        execution_id = await want_run(ports, entry)
        while not (closed := await closed_entry(ports, execution_id)):
            await asyncio.sleep(0.01)
        assert closed.outcome == "succeeded"
        assert not (await ports.store.read_prefix(KEYS.all_active)).items, "the job is free for its next run"
        second = await want_run(ports, entry, "r2")
        while not await closed_entry(ports, second):
            await asyncio.sleep(0.01)
        assert await closed_entry(ports, execution_id), "it was removed before Kafka had its record"
        assert not ports.records()
        ports.log.down = False
        await ports.wait_for(ExecutionFinished, 2)
        await nothing_left(ports)
    for each in (execution_id, second):
        text = "".join(record.text for record in of(ports.records(), each) if isinstance(record, OutputChunk))
        assert text == "one\ntwo\n"


async def closed_entry(ports: Ports, execution_id: str) -> ExecutionFinished | None:
    item = await ports.store.get(KEYS.execution(execution_id))
    return decode_state(ExecutionEntry, item.value).finished if item else None


async def test_an_exclusive_run_is_ended_before_a_lost_lease_frees_its_job(tmp_path: Path) -> None:
    """G7: a worker that cannot renew its lease stops what another worker could start again."""
    ports = Ports()
    entry = await put_job(ports, on_request("exclusive", "sleep 30"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, lease_ttl="2s"):
        execution_id = await want_run(ports, entry)
        await ports.wait_for(ExecutionStarted)
        down_at = ports.clock.now()
        ports.store.down = True
        end = (await ports.wait_for(ExecutionFinished))[0]
        assert isinstance(end, ExecutionFinished)
        assert (end.outcome, end.error) == ("killed", "the worker lost its lease")
        assert end.finished_at - down_at < timedelta(seconds=2), "the lease could have ended before the run did"
        ports.store.down = False
        await nothing_left(ports)
        again = await want_run(ports, entry, "r2")
        while not of(ports.records(), again):
            await asyncio.sleep(0.01)
    assert execution_id != again


def finished_of(ports: Ports, job_id: str) -> list[ExecutionFinished]:
    return [r for r in ports.records() if isinstance(r, ExecutionFinished) and r.execution.job_id == job_id]


async def test_what_a_former_life_left_open_is_closed_at_start(tmp_path: Path) -> None:
    """G6: an open entry ends as lost, a closed one is sent again; neither is left, nor is its liveness."""
    ports = Ports()
    async with ports.worker(tmp_path) as worker:
        worker_id = worker.worker_id
    executions = {
        name: Execution(
            execution_id=f"job.{name}.1", job_id="job", job_name="job", namespace="default", job_version=1,
            trigger="tick", due_at=ports.clock.now(), attempt=1, worker_id=owner, claimed_at=ports.clock.now(),
        )
        for name, owner in (("open", worker_id), ("closed", worker_id), ("foreign", "another-worker"))
    }  # fmt: skip
    finished = ExecutionFinished(
        execution=executions["closed"], outcome="succeeded", started_at=None, finished_at=ports.clock.now(),
        output_chunks=0,
    )  # fmt: skip
    await put(
        ports,
        Put(KEYS.execution("job.open.1"), encode(ExecutionEntry(execution=executions["open"]))),
        Put(KEYS.execution("job.closed.1"), encode(ExecutionEntry(execution=executions["closed"], finished=finished))),
        Put(KEYS.execution("job.foreign.1"), encode(ExecutionEntry(execution=executions["foreign"]))),
        Put(KEYS.active("job", "job.open.1"), b'{"worker_id":"x"}'),
    )
    opened_at = await ports.store.get(KEYS.execution("job.open.1"))
    assert opened_at is not None
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        lost = (await ports.wait_for(ExecutionLost))[0]
        assert isinstance(lost, ExecutionLost)
        assert lost.execution.execution_id == "job.open.1"
        assert lost.execution.fencing_token == opened_at.create_revision
        await ports.wait_for(ExecutionFinished)
        while len(left := (await ports.store.read_prefix(KEYS.executions)).items) > 1:
            await asyncio.sleep(0.01)
    assert [item.key for item in left] == [KEYS.execution("job.foreign.1")]
    assert not (await ports.store.read_prefix(KEYS.all_active)).items


async def test_two_workers_share_the_ticks_and_each_is_run_once(tmp_path: Path) -> None:
    """G4: with about one claim for each tick."""
    ports = Ports()
    for number in range(20):
        await put_job(ports, each_second(f"job-{number}", overlap="allow"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "a") as a, ports.worker(tmp_path / "b") as b:
        await ports.wait_for(ExecutionFinished, 80)
        lost = 0.0
        for worker in (a, b):
            async with ports.client(worker.port) as client:
                lines = (await client.get("/metrics")).text.splitlines()
            lost += sum(
                float(line.split()[-1]) for line in lines if line.startswith('dcron_worker_claims_total{result="l')
            )
    starts = [record for record in ports.records() if isinstance(record, ExecutionStarted)]
    ids = [start.execution.execution_id for start in starts]
    assert len(ids) == len(set(ids))
    assert len({start.execution.worker_id for start in starts}) == 2
    assert lost <= len(starts) / 10
    cursors = (await ports.store.read_prefix(KEYS.ticks)).items
    assert len({decode_state(TickCursor, item.value).tick for item in cursors}) <= 2


async def test_a_worker_that_is_stopped_finishes_its_runs_first(tmp_path: Path) -> None:
    """An orderly stop loses nothing, and claims nothing more."""
    ports = Ports()
    entry = await put_job(ports, on_request("last", "sleep 0.5; echo done"))
    async with asyncio.timeout(PATIENCE_S):
        async with ports.worker(tmp_path):
            await want_run(ports, entry)
            await ports.wait_for(ExecutionStarted)
        [end] = [record for record in ports.records() if isinstance(record, ExecutionFinished)]
    assert end.outcome == "succeeded"
    items: tuple[KeyValue, ...] = (await ports.store.read_prefix(KEYS.executions)).items
    assert items == ()
