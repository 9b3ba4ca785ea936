"""The run ledger: what a later life of the worker learns of the runs of this one (G6, G7)."""

import os
import signal
from pathlib import Path

import pytest

from dcron_core.clock import SystemClock
from dcron_worker import run_ledger
from dcron_worker.guard_process import running_line
from dcron_worker.process import Process, start_process
from dcron_worker.process_tree import start_time
from dcron_worker.program import program_of
from dcron_worker.run_ledger import RunLedger

WORKER = "w1"
CLOCK = SystemClock()


def sleeper(execution_id: str) -> Process:
    env = {"DCRON_WORKER_ID": WORKER, "DCRON_EXECUTION_ID": execution_id}
    return start_process(program_of(["/bin/sleep", "600"], env), CLOCK)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run-ledger"


async def test_a_run_without_a_process_yet_is_found_by_its_mark(file: Path) -> None:
    """G7: the ledger knows a run before its start, so a crash in that very instant leaves nobody behind."""
    with RunLedger.open(file, WORKER) as ledger:
        ledger.begins("job.t1.1")
    process = sleeper("job.t1.1")
    with RunLedger.open(file, WORKER) as next_life:
        assert await next_life.end_left_overs() == 1
        assert (await process.wait()).signal == signal.SIGKILL
        assert await next_life.end_left_overs() == 0


async def test_a_run_that_is_over_is_left_alone(file: Path) -> None:
    with RunLedger.open(file, WORKER) as ledger:
        process = sleeper("job.t1.1")
        ledger.begins("job.t1.1")
        ledger.runs("job.t1.1", process)
        ledger.over("job.t1.1")
    with RunLedger.open(file, WORKER) as next_life:
        assert await next_life.end_left_overs() == 0
    assert not process.over.done()
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()


async def test_it_does_not_grow_and_forgets_no_run_that_goes_on(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G7: what is over is left out when the file is full; what is under way stays."""
    monkeypatch.setattr(run_ledger, "FULL_BYTES", 1000)
    with RunLedger.open(file, WORKER) as ledger:
        process = sleeper("job.t0.1")
        ledger.begins("job.t0.1")
        ledger.runs("job.t0.1", process)
        for number in range(1, 500):
            ledger.begins(f"job.t{number}.1")
            ledger.over(f"job.t{number}.1")
            assert file.stat().st_size < 1100
    with RunLedger.open(file, WORKER) as next_life:
        assert await next_life.end_left_overs() == 1
    assert (await process.wait()).signal == signal.SIGKILL


async def test_a_line_that_was_cut_short_and_a_damaged_one_cost_no_other(file: Path) -> None:
    process = sleeper("job.t1.1")
    good = f"+job.t1.1\n{running_line('job.t1.1', process.root)}"
    file.write_text(f"{good}=job.t2.1 twelve\n+job.t3")
    with RunLedger.open(file, WORKER) as ledger:
        assert await ledger.end_left_overs() == 1
    assert (await process.wait()).signal == signal.SIGKILL


async def test_the_ledger_of_a_release_before_is_read(file: Path) -> None:
    """It has one instant, the very one at which the process started."""
    process = start_process(program_of(["/bin/sleep", "600"], {}), CLOCK)  # without a mark, by which it would be known
    file.write_text(f"+job.t1.1\n=job.t1.1 {process.pid} {start_time(process.pid)}\n")
    with RunLedger.open(file, WORKER) as ledger:
        assert await ledger.end_left_overs() == 1
    assert (await process.wait()).signal == signal.SIGKILL
