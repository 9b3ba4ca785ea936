"""The guard: a worker's death is its runs' death (design §5, "A run"; G7)."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dcron_core.clock import SystemClock
from dcron_schemas.job import JobSpec, Run
from dcron_worker import guard as guard_module
from dcron_worker.guard import Guard
from dcron_worker.process import Process, start_process
from dcron_worker.process_table import left_over
from dcron_worker.process_tree import Root, look, members, start_time
from dcron_worker.program import program_of
from tests.unit.worker.trees import TREE, TREE_SIZE, are_gone, tree_in

CLOCK = SystemClock()
PATIENCE_S = 30.0
ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def worker_process(data: Path, spec: JobSpec) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a worker as a process, the leader of its own group."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.unit.worker.worker_program", str(data), msgspec.json.encode(spec).decode(),
        cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    try:
        yield worker
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


def start_marked(script: str, execution_id: str, **environment: str) -> Process:
    env = {"PATH": os.environ["PATH"], "DCRON_WORKER_ID": "w1", "DCRON_EXECUTION_ID": execution_id, **environment}
    process = start_process(program_of(["/bin/sh", "-c", script], env), CLOCK)
    os.close(process.stdout)
    os.close(process.stderr)
    return process


async def test_a_worker_killed_with_sigkill_takes_all_processes_of_its_runs_along(tmp_path: Path) -> None:
    """G7: within a second: generations of children, double forks, other sessions, deaf to SIGTERM."""
    spec = JobSpec(name="tree", run=Run(shell=TREE), env={"PIDS": str(tmp_path / "pids")})
    async with asyncio.timeout(PATIENCE_S), worker_process(tmp_path, spec) as worker:
        pids = await tree_in(tmp_path / "pids")
        assert len(pids) == TREE_SIZE
        guard = int((tmp_path / "guard").read_text())
        worker.kill()
        async with asyncio.timeout(1.0):
            await are_gone(pids)
        await are_gone([guard])


async def test_the_guard_is_not_hurt_by_what_is_meant_for_the_worker(tmp_path: Path) -> None:
    spec = JobSpec(name="sleep", run=Run(shell='echo $$ > "$PIDS"; exec sleep 600'), env={"PIDS": str(tmp_path / "p")})
    async with asyncio.timeout(PATIENCE_S), worker_process(tmp_path, spec) as worker:
        pids = await tree_in(tmp_path / "p", 1)
        guard = int((tmp_path / "guard").read_text())
        assert os.getsid(guard) == guard, "it leads a session of its own"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            os.kill(guard, number)
        os.killpg(worker.pid, signal.SIGKILL)
        async with asyncio.timeout(1.0):
            await are_gone(pids)


async def test_a_guard_that_dies_is_replaced_and_told_of_every_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(guard_module, "AGAIN_AFTER_S", 0.0)
    async with asyncio.timeout(PATIENCE_S):
        async with Guard.open("w1") as guard:
            guard.begins("one")
            process = start_marked("sleep 600", "one")
            guard.runs("one", process)
            first = guard.pid
            os.kill(first, signal.SIGKILL)
            while guard.pid in {0, first}:
                await asyncio.sleep(0.01)
        assert (await process.wait()).signal == signal.SIGKILL


async def test_a_guard_that_hangs_does_not_hold_up_the_worker_and_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard_module, "AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(guard_module, "PIPE_BYTES", 4096)
    async with asyncio.timeout(PATIENCE_S):
        async with Guard.open("w1") as guard:
            first = guard.pid
            os.kill(first, signal.SIGSTOP)
            guard.begins("one")
            process = start_marked("sleep 600", "one")
            guard.runs("one", process)
            for _ in range(1000):
                guard.begins("other")
                guard.over("other")
            while guard.pid in {0, first}:
                await asyncio.sleep(0.01)
        assert (await process.wait()).signal == signal.SIGKILL


async def test_a_run_that_the_guard_heard_nothing_of_but_its_beginning_is_ended() -> None:
    """The worker died between the start of the process and telling the guard: the mark tells."""
    async with asyncio.timeout(PATIENCE_S):
        async with Guard.open("w1") as guard:
            guard.begins("one")
            process = start_marked("sleep 600", "one")
        assert (await process.wait()).signal == signal.SIGKILL


async def test_what_is_not_a_run_under_way_is_left_alone() -> None:
    """A run that is over and what it left behind, another worker's run of the same name, a process that got the id."""
    async with asyncio.timeout(PATIENCE_S):
        left_behind = start_marked("exec sleep 600", "over")
        of_other = start_marked("exec sleep 600", "one", DCRON_WORKER_ID="w2")
        stranger = start_process(program_of(["/bin/sleep", "600"], {}), CLOCK)
        os.close(stranger.stdout)
        os.close(stranger.stderr)
        async with Guard.open("w1") as guard:
            guard.begins("over")
            guard.runs("over", left_behind)
            guard.over("over")
            guard.begins("one")
            known, stranger.root = stranger.root, Root(None, stranger.pid, (1, 1))
            guard.runs("one", stranger)
            stranger.root = known
        for process in (left_behind, of_other, stranger):
            assert start_time(process.pid) is not None
            process.signal_group(signal.SIGKILL)
            await process.wait()


async def test_the_guard_is_small_and_sleeps() -> None:
    async with asyncio.timeout(PATIENCE_S), Guard.open("w1") as guard:
        status = Path(f"/proc/{guard.pid}/status")
        while (ignored := _field(status, "SigIgn")) == "0" or not int(ignored, 16) & 1 << signal.SIGTERM - 1:
            await asyncio.sleep(0.01)
        assert int(_field(status, "VmRSS").split()[0]) < 15_000, "KiB"
        assert int(_field(status, "RssAnon").split()[0]) < 6_000, "KiB; the rest is shared with the worker"
        process = start_marked("exec sleep 600", "one")
        pid, switches = guard.pid, int(_field(status, "voluntary_ctxt_switches"))
        guard.begins("one")
        for number in range(500):
            guard.begins(str(number))
            guard.over(str(number))
            await asyncio.sleep(0)
        assert int(_field(status, "voluntary_ctxt_switches")) - switches < 10, "it is not woken for each line"
        assert guard.pid == pid
        assert left_over(process.root), "and does nothing to a run"
    await process.wait()


def _field(status: Path, name: str) -> str:
    return next(line.partition(":")[2].strip() for line in status.read_text().splitlines() if line.startswith(name))


async def test_a_run_reaches_children_by_parent_group_session_and_mark(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE_S):
        process = start_marked(TREE, "one", PIDS=str(tmp_path / "pids"))
        pids = await tree_in(tmp_path / "pids")
        root = process.root
        assert set(pids) <= {each.pid for each in members(look(), (root,))}
        before = CLOCK.monotonic()
        await process.terminate(timedelta(milliseconds=200))
        await are_gone(pids)
        while members(look(), (root,)):  # what is killed is not gone in that instant, also what the tree did not name
            await asyncio.sleep(0.01)
        assert CLOCK.monotonic() - before < 1.2
