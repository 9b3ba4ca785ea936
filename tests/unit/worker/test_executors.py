"""Runs of each kind through a whole worker on memory ports: what is recorded of them, and how they are ended."""

import asyncio
import os
import signal
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dcron_core.ports.store import Put, Transaction
from dcron_schemas.codec import encode
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.records import ExecutionFinished, ExecutionRecord, ExecutionStarted, OutputChunk
from dcron_schemas.state import JobEntry, KillWanted, RunWanted
from dcron_worker.process_tree import start_time
from dcron_worker.run_ledger import RunLedger
from tests.services import KEYS, Ports
from tests.unit.worker.test_guard import worker_process
from tests.unit.worker.test_http_call import answers, server
from tests.unit.worker.test_users import OTHER
from tests.unit.worker.trees import TREE, are_gone, tree_in

PATIENCE_S = 30.0


def spec(**fields: Any) -> JobSpec:
    return msgspec.convert({"name": "job", "kill_grace": "300ms"} | fields, JobSpec)


async def put(ports: Ports, *puts: Put) -> None:
    await ports.store.transact(Transaction((), puts))


async def ask_for_run(ports: Ports, job: JobSpec, execution_id: str = "id.r1.1") -> str:
    now = ports.clock.now()
    entry = JobEntry(
        job_id="id", version=1, spec=job, anchor=now, position=1, created_at=now, updated_at=now, updated_by="test"
    )
    run = RunWanted(
        execution_id=execution_id, job_id="id", trigger="request", requested_at=now, requested_by="test"
    )  # fmt: skip
    await put(ports, Put(KEYS.job("id"), encode(entry)), Put(KEYS.run(execution_id), encode(run)))
    return execution_id


async def ask_for_kill(ports: Ports, execution_id: str) -> None:
    kill = KillWanted(requested_by="ann@example.org", requested_at=ports.clock.now())
    await put(ports, Put(KEYS.kill(execution_id), encode(kill)))


async def run_of(job: JobSpec, data: Path, **settings: str) -> tuple[ExecutionFinished, list[OutputChunk]]:
    """Run a job once; return its end and its output."""
    ports = Ports()
    async with asyncio.timeout(PATIENCE_S), ports.worker(data, **settings):
        await ask_for_run(ports, job)
        await ports.wait_for(ExecutionFinished)
    return end_and_output(ports.records())


def end_and_output(records: Iterable[ExecutionRecord]) -> tuple[ExecutionFinished, list[OutputChunk]]:
    (finished,) = [record for record in records if isinstance(record, ExecutionFinished)]
    return finished, [record for record in records if isinstance(record, OutputChunk)]


async def test_a_call_over_http_is_recorded_like_any_run(tmp_path: Path) -> None:
    async with server(answers("200 OK", b"done\n")) as url:
        ports = Ports()
        async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
            await ask_for_run(ports, spec(run={"http": {"url": url}}))
            await ports.wait_for(ExecutionFinished)
    finished, output = end_and_output(ports.records())
    assert (finished.outcome, finished.exit_code, finished.error) == ("succeeded", None, "")
    assert finished.output_chunks == len(output)
    assert [chunk.text for chunk in output if chunk.stream == "stdout"] == ["done\n"]
    (started,) = [record for record in ports.records() if isinstance(record, ExecutionStarted)]
    assert started.pid == 0


async def test_a_call_tells_which_run_it_is_and_its_failure_says_why(tmp_path: Path) -> None:
    seen: dict[str, str] = {}

    async def answer(request: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> None:
        seen.update(headers)
        await answers("500 Broken", b"trace")(request, headers, body, writer)

    async with server(answer) as url:
        finished, output = await run_of(spec(run={"http": {"url": url}}), tmp_path)
    assert (finished.outcome, finished.error) == ("failed", "it was answered 500 Broken; expected is 2xx")
    assert output[-1].text == "trace"
    assert seen["dcron-execution-id"] == "id.r1.1"
    assert seen["dcron-fencing-token"] == str(finished.execution.fencing_token)


async def test_a_call_that_hangs_ends_by_its_timeout_or_a_kill(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def hang(_request: str, _headers: dict[str, str], _body: bytes, _writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with server(hang) as url:
        finished, _ = await run_of(spec(run={"http": {"url": url}}, timeout="200ms"), tmp_path / "1")
        assert (finished.outcome, finished.error) == ("timed_out", "ran longer than 200ms")
        ports = Ports()
        async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "2"):
            execution_id = await ask_for_run(ports, spec(run={"http": {"url": url}}))
            await ports.wait_for(ExecutionStarted)
            await ask_for_kill(ports, execution_id)
            await ports.wait_for(ExecutionFinished)
        over.set()
    finished, _ = end_and_output(ports.records())
    assert (finished.outcome, finished.error) == ("killed", "killed by ann@example.org")


async def test_a_kill_reaches_the_whole_tree_and_is_recorded_with_who_asked(tmp_path: Path) -> None:
    """G6: within a second and the job's grace, processes in sessions of their own included."""
    ports, pids = Ports(), tmp_path / "pids"
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        execution_id = await ask_for_run(ports, spec(run={"shell": TREE}, env={"PIDS": str(pids)}))
        tree = await tree_in(pids)
        await ask_for_kill(ports, execution_id)
        async with asyncio.timeout(1.3):
            await are_gone(tree)
        await ports.wait_for(ExecutionFinished)
    finished, _ = end_and_output(ports.records())
    assert (finished.outcome, finished.error) == ("killed", "killed by ann@example.org")


async def test_a_kill_asks_first_those_too_that_left_the_group(tmp_path: Path) -> None:
    """SIGTERM reaches a child in a session of its own, which has the grace to clean up."""
    polite = 'trap \'echo bye > "$OUT"; exit 0\' TERM; echo $$ >> "$PIDS"; while :; do sleep 0.05; done'
    script = "setsid sh -c \"$POLITE\" & trap '' TERM; wait; wait"
    env = {"POLITE": polite, "OUT": str(tmp_path / "out"), "PIDS": str(tmp_path / "pids")}
    ports = Ports()
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        execution_id = await ask_for_run(ports, spec(run={"shell": script}, env=env, kill_grace="10s"))
        await tree_in(tmp_path / "pids", 1)
        await ask_for_kill(ports, execution_id)
        await ports.wait_for(ExecutionFinished)
    assert (tmp_path / "out").read_text() == "bye\n"


async def test_a_timeout_ends_the_whole_tree(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ports = Ports()
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path):
        await ask_for_run(ports, spec(run={"shell": TREE}, env={"PIDS": str(pids)}, timeout="2s"))
        tree = await tree_in(pids)
        await ports.wait_for(ExecutionFinished)
        await are_gone(tree)
    finished, _ = end_and_output(ports.records())
    assert (finished.outcome, finished.error) == ("timed_out", "ran longer than 2s")


async def test_output_is_cut_at_the_jobs_limit_or_the_workers(tmp_path: Path) -> None:
    """G9: every chunk that is kept is numbered without a gap; the cut says how much is missing."""
    script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo the end"
    limits = {"output_bytes": 10_000}
    for job, settings in (
        (spec(run={"shell": script}, limits=limits), {}),
        (spec(run={"shell": script}), {"output_bytes": "10000"}),
    ):
        data = tmp_path / str(len(settings))
        finished, output = await run_of(job, data, **settings)
        text = "".join(chunk.text for chunk in output)
        assert finished.outcome == "succeeded", "the run does not notice"
        assert [chunk.seq for chunk in output] == list(range(finished.output_chunks))
        assert text.startswith("x" * 5000 + "\n[dcron: 290009 bytes of stdout left out here]\n")
        assert text.endswith("x\nthe end\n")
        assert len(text) < 10_100


async def test_a_limit_of_cpu_time_is_named_as_what_ended_the_run(tmp_path: Path) -> None:
    finished, _ = await run_of(spec(run={"shell": "while :; do :; done"}, limits={"cpu_time": "1s"}), tmp_path)
    assert (finished.outcome, finished.signal) == ("failed", signal.SIGXCPU)
    assert finished.error == "it used more CPU time than limits.cpu_time allows: 1s"


async def test_run_as_a_user_that_is_not_allowed_is_a_recorded_failure(tmp_path: Path) -> None:
    finished, _ = await run_of(spec(run={"shell": "id"}, run_as=OTHER.pw_name), tmp_path)
    assert (finished.outcome, finished.started_at) == ("failed", None)
    assert f"run_as {OTHER.pw_name!r} is not allowed on this worker" in finished.error


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
async def test_run_as_an_allowed_user(tmp_path: Path) -> None:
    job = spec(run={"shell": 'echo "$(id -un) $USER $LOGNAME $HOME"'}, run_as="nobody")
    finished, output = await run_of(job, tmp_path, run_as_allowed="backup, nobody")
    assert finished.outcome == "succeeded", finished.error
    assert output[0].text.startswith("nobody nobody nobody /")


async def test_a_run_is_known_before_its_instant_and_its_program_may_come_until_then(tmp_path: Path) -> None:
    """G6, G7: the ledger has the run before there is a process; what cannot be prepared ahead is tried again."""
    ports = Ports()
    program = tmp_path / "program"
    now = ports.clock.now()
    due = now + timedelta(seconds=2)
    job = spec(run={"argv": [str(program)]}, schedule={"at": due.isoformat()})
    entry = JobEntry(
        job_id="id", version=1, spec=job, anchor=now, position=1, created_at=now, updated_at=now, updated_by="test"
    )
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, claim_ahead="1900ms"):
        await put(ports, Put(KEYS.job("id"), encode(entry)))
        while not (tmp_path / "run-ledger").read_text().startswith("+id.t"):
            await asyncio.sleep(0.01)
        assert ports.clock.now() < due, "too slow to see what is before the instant"
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        finished = (await ports.wait_for(ExecutionFinished))[0]
    assert isinstance(finished, ExecutionFinished)
    assert finished.outcome == "succeeded", finished.error
    assert finished.started_at is not None
    assert finished.started_at >= finished.execution.due_at


async def test_what_outlived_worker_and_guard_is_ended_by_the_next_life(tmp_path: Path) -> None:
    """G7: the ledger is the second line, and knows a run's orphans by their mark."""
    job = JobSpec(name="tree", run=Run(shell=TREE), env={"PIDS": str(tmp_path / "pids")})
    async with asyncio.timeout(PATIENCE_S):
        async with worker_process(tmp_path, job) as worker:
            tree = await tree_in(tmp_path / "pids")
            guard = int((tmp_path / "guard").read_text())
            os.kill(worker.pid, signal.SIGSTOP)  # so that it starts no new guard
            os.kill(guard, signal.SIGKILL)
            worker.kill()
        assert all(start_time(pid) is not None for pid in tree)
        worker_id = (tmp_path / "worker-id").read_text().strip()
        with RunLedger.open(tmp_path / "run-ledger", worker_id) as ledger:
            assert await ledger.end_left_overs() == 1
        await are_gone(tree)


async def test_the_end_of_a_run_does_not_end_what_it_left_behind_on_purpose(tmp_path: Path) -> None:
    finished, output = await run_of(
        spec(run={"shell": "setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $!"}), tmp_path
    )
    daemon = int(output[0].text)
    assert finished.finished_at - (finished.started_at or finished.finished_at) < timedelta(seconds=5)
    assert start_time(daemon) is not None, "neither the end of the run nor that of the worker is the daemon's"
    os.kill(daemon, signal.SIGKILL)
