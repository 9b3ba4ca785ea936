"""A whole worker that trusts a master's key, over memory ports, with real processes: what it refuses, and how (G12).

Whoever writes here writes straight into the store, as somebody who can write to etcd and has no key.
"""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from msgspec.structs import replace
from prometheus_client import generate_latest

from dcron_core.access.signing import REFUSALS, Signatures
from dcron_core.errors import SettingsError
from dcron_core.ports.store import Delete, KeyValue, Put, Transaction
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.job import JobSpec
from dcron_schemas.records import ExecutionFinished, ExecutionStarted, TickSkipped
from dcron_schemas.state import JobEntry, RunWanted, WorkerEntry
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.refusals import Refusals
from dcron_worker.wanted import GIVE_UP_AFTER
from tests.services import KEYS, Ports
from tests.signing_keys import MASTERS_KEYS, OTHER_CLUSTER_KEY, OTHER_SIGNING_KEY, PUBLIC_KEY, WORKERS_KEYS
from tests.unit.worker.test_service import each_second, job, on_request, put

PATIENCE_S = 20.0
MASTER, WORKER = Signatures(**MASTERS_KEYS), Signatures(**WORKERS_KEYS)
STRANGER = Signatures(OTHER_SIGNING_KEY, cluster_key=OTHER_CLUSTER_KEY)


def signed(entry: JobEntry, by: Signatures = MASTER, under: str = "") -> Put:
    key = KEYS.job(entry.job_id)
    return Put(KEYS.job(under) if under else key, by.signed(KEYS.path(key), encode(entry)))


def unsigned(entry: JobEntry) -> Put:
    return Put(KEYS.job(entry.job_id), encode(entry))


def altered(put: Put) -> Put:
    """Change one byte of what the job runs."""
    assert put.value.count(b'"shell":"true"') == 1
    return Put(put.key, put.value.replace(b'"shell":"true"', b'"shell":"trve"'))


def wanted(ports: Ports, entry: JobEntry, trigger: str = "request", **fields: object) -> RunWanted:
    return RunWanted(
        execution_id=f"{entry.job_id}.{trigger}.1",
        job_id=entry.job_id,
        trigger=trigger,  # type: ignore[arg-type]
        requested_at=ports.clock.now(),
        requested_by="test",
        **fields,  # type: ignore[arg-type]
    )


def run_put(run: RunWanted, sign: str = "", by: Signatures = MASTER) -> Put:
    key, value = KEYS.run(run.execution_id), encode(run)
    return Put(key, getattr(by, sign)(KEYS.path(key), value) if sign else value)


def started(ports: Ports) -> set[str]:
    return {record.execution.job_name for record in ports.records() if isinstance(record, ExecutionStarted)}


def starts(ports: Ports, name: str) -> int:
    return sum(isinstance(r, ExecutionStarted) and r.execution.job_name == name for r in ports.records())


async def runs_of(ports: Ports, name: str, count: int) -> None:
    """Wait until a job has run so often."""

    def finished() -> int:
        return sum(isinstance(r, ExecutionFinished) and r.execution.job_name == name for r in ports.records())

    while finished() < count:
        await ports.log.appended.wait(1.0)


async def registration(ports: Ports, refused: str) -> WorkerEntry:
    """Wait until the worker's registration says so."""
    while True:
        found = [decode_state(WorkerEntry, i.value) for i in (await ports.store.read_prefix(KEYS.workers)).items]
        if found and found[0].refused == refused:
            return found[0]
        await asyncio.sleep(0.02)


async def test_no_forged_job_runs_and_the_others_do(tmp_path: Path) -> None:
    """G12: unsigned, by a stranger, altered in one byte, under another key; each is told of once, however often due."""
    ports = Ports()
    good = job(ports, each_second("good"))
    bad = {kind: job(ports, each_second(f"{kind}")) for kind in ("unsigned", "stranger", "altered", "copied")}
    with structlog.testing.capture_logs() as logs:
        await put(
            ports,
            signed(good),
            unsigned(bad["unsigned"]),
            signed(bad["stranger"], by=STRANGER),
            altered(signed(bad["altered"])),
            signed(job(ports, each_second("copied")), under="elsewhere"),
        )
        async with (
            asyncio.timeout(PATIENCE_S),
            ports.worker(tmp_path, **WORKERS_KEYS) as worker,
            ports.client(worker.port) as client,
        ):
            await runs_of(ports, "good", 3)
            shown = await registration(ports, "1 altered, 1 misplaced, 1 unknown_key, 1 unsigned")
            metrics = (await client.get("/metrics")).text
    assert started(ports) == {"good"}
    assert not [record for record in ports.records() if isinstance(record, TickSkipped)], "their ticks stay due"
    assert shown.verifies
    for reason in ("altered", "misplaced", "unknown_key", "unsigned"):
        assert f'dcron_worker_definitions_refused_total{{reason="{reason}"}} 1.0' in metrics
    assert len([line for line in logs if line.get("action") == "definition.refused"]) == 4
    assert {item.key for item in (await ports.store.read_prefix(KEYS.ticks)).items} == {KEYS.tick(good.job_id)}


async def test_no_forged_request_runs(tmp_path: Path) -> None:
    """G12: of a signed job: unsigned, by a stranger, by a worker for a master; and a signed one under another id."""
    ports = Ports()
    entry = job(ports, on_request("asked", "true"))
    asked = wanted(ports, entry)
    forged = [replace(asked, execution_id=f"{entry.job_id}.forged{n}.1") for n in range(5)]
    copied = run_put(asked, "signed")
    await put(
        ports,
        signed(entry),
        run_put(forged[0]),
        run_put(forged[1], "signed", STRANGER),
        run_put(forged[2], "confirmed", WORKER),
        Put(KEYS.run(forged[3].execution_id), copied.value),
        Put(KEYS.run(forged[4].execution_id), copied.value.replace(b".request.1", b".forged4.1")),
    )
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.worker(tmp_path, **WORKERS_KEYS) as worker,
        ports.client(worker.port) as client,
    ):
        await registration(ports, "1 altered, 1 misplaced, 1 unknown_key, 2 unsigned")
        await put(ports, copied)
        await runs_of(ports, "asked", 1)
        metrics = (await client.get("/metrics")).text
    (ran,) = [record for record in ports.records() if isinstance(record, ExecutionStarted)]
    assert ran.execution.execution_id == asked.execution_id
    assert 'dcron_worker_definitions_refused_total{reason="unsigned"} 2.0' in metrics


@pytest.mark.parametrize("trigger", ["retry", "dependency", "tick"])
async def test_what_follows_from_a_run_needs_the_cluster_key(tmp_path: Path, trigger: str) -> None:
    """G12: unsigned, under another cluster's key, or signed as by a master, it does not run."""
    ports = Ports()
    entry = job(ports, on_request("follows", "true"))
    right = wanted(ports, entry, trigger)
    others = [replace(right, execution_id=f"{entry.job_id}.{trigger}{n}.1") for n in range(3)]
    await put(
        ports,
        signed(entry),
        run_put(others[0]),
        run_put(others[1], "confirmed", STRANGER),
        run_put(others[2], "signed"),
        run_put(right, "confirmed", WORKER),
    )
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, **WORKERS_KEYS):
        await registration(ports, "1 altered, 2 unsigned")
        await runs_of(ports, "follows", 1)
    assert {r.execution.execution_id for r in ports.records() if isinstance(r, ExecutionStarted)} == {
        right.execution_id
    }


async def test_workers_confirm_what_they_write(tmp_path: Path) -> None:
    """G12: retries, dependants and ticks that wait run among workers that trust nothing else."""
    ports = Ports()
    fails = on_request("fails", "false", retry={"attempts": 1, "backoff": "0s"})
    after = on_request("after", "true", after=[{"job": "fails", "on": "failed"}])
    queued = each_second("queued", "sleep 1.3", overlap="queue")
    entries = [job(ports, spec) for spec in (fails, after, queued)]
    asked = wanted(ports, entries[0])
    await put(ports, *map(signed, entries), run_put(asked, "signed"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, **WORKERS_KEYS):
        await runs_of(ports, "fails", 2)
        await runs_of(ports, "after", 1)
        await runs_of(ports, "queued", 3)
        assert (await registration(ports, "")).verifies
    due = sorted(r.execution.due_at for r in ports.records() if isinstance(r, ExecutionStarted))
    assert due, "something ran"


async def test_an_altered_job_stops_and_a_repaired_one_goes_on(tmp_path: Path) -> None:
    """G12, G5: ticks of the time between stay due, and are accounted for when the right definition is back."""
    ports = Ports()
    entry = job(ports, each_second("job"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, **WORKERS_KEYS):
        await put(ports, signed(entry))
        await runs_of(ports, "job", 2)
        await put(ports, altered(signed(entry)))
        await registration(ports, "1 altered")
        before = starts(ports, "job")
        await put(ports, signed(job(ports, each_second("clock"))))
        await runs_of(ports, "clock", 3)
        after = starts(ports, "job")
        await put(ports, signed(entry))
        await registration(ports, "")
        await runs_of(ports, "job", before + 2)
    assert after <= before + 1, "but for the one that was under way"
    of_job = [r for r in ports.records() if isinstance(r, ExecutionStarted) and r.execution.job_name == "job"]
    ticks = {record.execution.due_at for record in of_job}
    for skipped in (r for r in ports.records() if isinstance(r, TickSkipped)):
        last = skipped.last_tick or skipped.execution.due_at
        while last >= skipped.execution.due_at:
            ticks.add(last)
            last -= timedelta(seconds=1)
    span = (max(ticks) - min(ticks)) // timedelta(seconds=1)
    assert len(ticks) == span + 1, "a tick is not accounted for"


async def test_no_tick_is_missed_while_definitions_are_signed_anew(tmp_path: Path) -> None:
    """G12, G5: between a claim and its instant too, the definition is the same with another signature."""
    ports = Ports()
    entry = job(ports, each_second("job"))
    both = f"{PUBLIC_KEY},{STRANGER.public_key}"
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, **{**WORKERS_KEYS, "trusted_keys": both}):
        await put(ports, signed(entry))
        await runs_of(ports, "job", 1)
        signing = asyncio.create_task(_sign_again_and_again(ports, entry))
        await runs_of(ports, "job", 5)
        signing.cancel()
    assert not [record for record in ports.records() if isinstance(record, TickSkipped)]
    due = sorted(r.execution.due_at for r in ports.records() if isinstance(r, ExecutionStarted))
    assert due == [due[0] + timedelta(seconds=n) for n in range(len(due))]


async def _sign_again_and_again(ports: Ports, entry: JobEntry) -> None:
    while True:
        for by in (STRANGER, MASTER):
            await put(ports, signed(entry, by))
            await asyncio.sleep(0.07)


async def test_a_request_for_a_refused_job_waits_and_is_given_up_on_record(tmp_path: Path) -> None:
    """G12, G6: a request does not stay open for ever, and does not spin."""
    ports = Ports()
    entry = job(ports, on_request("refused", "true"))
    late = replace(wanted(ports, entry), requested_at=ports.clock.now() - GIVE_UP_AFTER - timedelta(seconds=1))
    early = replace(wanted(ports, entry), execution_id=f"{entry.job_id}.early.1")
    await put(ports, altered(signed(entry)), run_put(late, "signed"), run_put(early, "signed"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, **WORKERS_KEYS):
        (skipped,) = await ports.wait_for(TickSkipped)
        assert isinstance(skipped, TickSkipped)
        assert (skipped.execution.execution_id, skipped.reason) == (late.execution_id, "edited")
        assert "refused" in skipped.detail
        await put(ports, signed(entry))
        await runs_of(ports, "refused", 1)  # it was woken


async def test_a_dependant_that_is_forged_is_not_even_asked_for(tmp_path: Path) -> None:
    """G12: no worker confirms a run for a job that no master wrote."""
    ports = Ports()
    up = job(ports, on_request("up", "true"))
    spec = on_request("down", "true", after=[{"job": "up"}])
    await put(ports, signed(up), altered(signed(job(ports, spec))), run_put(wanted(ports, up), "signed"))
    seen: list[str] = []
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, **WORKERS_KEYS):
        watching = asyncio.create_task(_note_runs(ports, seen))
        await runs_of(ports, "up", 1)
        await registration(ports, "1 altered")
        watching.cancel()
    assert started(ports) == {"up"}
    assert not [key for key in seen if ".d" in key.rpartition("/")[2]]


async def _note_runs(ports: Ports, seen: list[str]) -> None:
    async for changes in ports.store.watch(KEYS.runs, 1):
        seen += [event.key for event in changes.events if isinstance(event, KeyValue)]


async def test_without_trusted_keys_everything_runs_and_a_warning_says_so(tmp_path: Path) -> None:
    """G12: for one machine under test; the worker's registration says it too."""
    ports = Ports()
    await put(ports, unsigned(job(ports, each_second("plain"))), signed(job(ports, each_second("signed"))))
    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
            await runs_of(ports, "plain", 1)
            await runs_of(ports, "signed", 1)
            assert not (await registration(ports, "")).verifies
    (warning,) = [line for line in logs if line.get("action") == "worker.trusts_etcd"]
    assert warning["log_level"] == "warning"


async def test_trusted_keys_without_the_cluster_key_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DCRON_CLUSTER_KEY"):
        async with Ports().worker(tmp_path, trusted_keys=PUBLIC_KEY):
            raise AssertionError("it began")


async def test_a_forged_job_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    ports = Ports()
    entry = job(ports, JobSpec(name="gone", run=on_request("gone", "true").run))
    await put(ports, unsigned(entry))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, **WORKERS_KEYS):
        await registration(ports, "1 unsigned")
        await ports.store.transact(Transaction((), (Delete(KEYS.job(entry.job_id)),)))
        await registration(ports, "")


def test_the_metric_has_every_reason_from_the_beginning() -> None:
    """G12: an alert on its growth does not see the first step of a series that was not there."""
    metrics = WorkerMetrics()
    Refusals(WORKER, KEYS, metrics)
    shown = generate_latest(metrics.registry).decode()
    for reason in REFUSALS:
        assert f'dcron_worker_definitions_refused_total{{reason="{reason}"}} 0.0' in shown
