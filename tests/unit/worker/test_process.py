"""Processes: started exactly, watched, and ended with all their kin."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pytest

from dcron_core.clock import SystemClock
from dcron_worker.descriptors import keep_descriptors_from_children
from dcron_worker.errors import ProcessStartError
from dcron_worker.output import AFTER_END_S, output_of
from dcron_worker.process import Process, start_process
from dcron_worker.process_table import end_left_over, left_over, readable
from dcron_worker.process_tree import Root, start_time
from dcron_worker.program import UNCONFINED, Confinement, program_of
from dcron_worker.under_way import Ended
from dcron_worker.users import user_named

CLOCK = SystemClock()
NOBODY = user_named("nobody")
ENV = {"PATH": os.environ["PATH"], "GREETING": "hello"}


def start(
    *argv: str,
    env: dict[str, str] = ENV,
    working_directory: str | None = None,
    confinement: Confinement = UNCONFINED,
) -> Process:
    return start_process(program_of(argv, env, working_directory, confinement), CLOCK)


def start_shell(script: str, working_directory: str | None = None) -> Process:
    return start("/bin/sh", "-c", script, working_directory=working_directory)


def open_descriptors() -> list[str]:
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


async def finish(process: Process) -> tuple[Ended, str, str]:
    """Return how the process ended, and all it wrote."""
    texts = {"stdout": "", "stderr": ""}
    async with asyncio.timeout(30), output_of(process, CLOCK) as output:
        async for chunk in output:
            texts[chunk.stream] += chunk.text
        return await process.wait(), texts["stdout"], texts["stderr"]


async def is_gone(pid: int) -> None:
    """Wait until a process that is not ours is over."""
    async with asyncio.timeout(10):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            await readable(descriptor)
        finally:
            os.close(descriptor)


async def first_line(process: Process) -> str:
    await readable(process.stdout)
    return os.read(process.stdout, 100).decode().strip()


def close_pipes(process: Process) -> None:
    os.close(process.stdout)
    os.close(process.stderr)


async def test_exit_code_output_and_usage() -> None:
    ended, out, err = await finish(start_shell("echo out; echo err >&2; exit 7"))
    assert (ended.exit_code, ended.signal, out, err) == (7, None, "out\n", "err\n")


async def test_memory_is_the_processes_own_or_not_known() -> None:
    """The kernel counts in what the worker had when it started the process; that is not passed off as the job's."""
    small, _, _ = await finish(start_shell("true"))
    assert small.max_rss_bytes == 0
    more_than_ours = getrusage(RUSAGE_SELF).ru_maxrss * 1024 + 200_000_000
    large, _, _ = await finish(start_shell(f"{sys.executable} -c 'bytearray({more_than_ours})'"))
    assert large.max_rss_bytes > more_than_ours


async def test_cpu_time_of_the_process_and_its_children_is_counted() -> None:
    ended, _, _ = await finish(start_shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; true"))
    assert ended.exit_code == 0
    assert ended.cpu_user_s > 0.01


async def test_an_end_by_a_signal_is_told_from_an_exit() -> None:
    ended, _, _ = await finish(start_shell("kill -USR1 $$"))
    assert (ended.exit_code, ended.signal) == (None, signal.SIGUSR1)


async def test_the_environment_is_exactly_the_given_one_and_stdin_is_empty() -> None:
    _, out, _ = await finish(start("env"))
    assert sorted(out.splitlines()) == sorted(f"{name}={value}" for name, value in ENV.items())
    ended, out, _ = await finish(start("cat"))
    assert (ended.exit_code, out) == (0, "")


async def test_the_process_leads_its_own_session_and_inherits_no_descriptor() -> None:
    os.set_inheritable(inherited := os.open("/dev/null", os.O_RDONLY), True)
    keep_descriptors_from_children()
    process = start(
        sys.executable, "-c", "import os; print(os.getsid(0), os.getpgrp(), sorted(os.listdir('/proc/self/fd')))"
    )
    _, out, _ = await finish(process)
    assert out == f"{process.pid} {process.pid} ['0', '1', '2', '3']\n"  # 3: the listing itself
    os.close(inherited)


async def test_signals_that_python_ignores_have_their_default_action() -> None:
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
    _, out, _ = await finish(start("grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"))
    masks = [int(line.split()[1], 16) for line in out.splitlines()]
    assert len(masks) == 2
    assert not any(mask & 1 << number - 1 for mask in masks for number in signal.valid_signals())


async def test_working_directory(tmp_path: Path) -> None:
    directory = tmp_path / "a dir=x"
    directory.mkdir()
    script = directory / "script.sh"
    script.write_text('#!/bin/sh\npwd\necho $GREETING "$@"\n')
    script.chmod(0o755)
    process = start("./script.sh", "-a", "b=c", working_directory=str(directory))
    ended, out, err = await finish(process)
    assert (ended.exit_code, out, err) == (0, f"{directory}\nhello -a b=c\n", "")
    assert (await finish(start("pwd", working_directory=str(directory))))[1] == f"{directory}\n"


async def test_what_cannot_be_started_is_refused_with_the_reason_and_leaks_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("echo hi\n")
    bad_interpreter = tmp_path / "script"
    bad_interpreter.write_text("#!/no/such/interpreter\n")
    no_program = tmp_path / "empty"
    no_program.write_text("echo hi\n")
    for path in (bad_interpreter, no_program):
        path.chmod(0o755)
    cases: list[tuple[tuple[str, ...], dict[str, str], str | None, str]] = [
        ((), ENV, None, "argv is empty"),
        (("no-such-program",), ENV, None, "no program 'no-such-program' in PATH="),
        (("no-such-program",), ENV, "/tmp", "no program 'no-such-program' in PATH="),
        (("/no/such/program",), ENV, None, "program '/no/such/program' does not exist"),
        (("./file",), ENV, str(tmp_path), "program './file' is not executable"),
        ((str(file),), ENV, None, "is not executable"),
        ((str(tmp_path),), ENV, None, "is a directory"),
        ((str(bad_interpreter),), ENV, None, "#! line"),
        ((str(no_program),), ENV, None, "Exec format error"),
        (("true",), ENV, "/no/such/dir", "working directory '/no/such/dir' does not exist"),
        (("true",), ENV, str(file), f"working directory '{file}' is not a directory"),
        (("true", "a\0b"), ENV, None, "null"),
        (("true",), {**ENV, "A=B": "c"}, None, "environment"),
        (("true", "x" * 200_000), ENV, None, "Argument list too long"),
    ]
    before = open_descriptors()
    for argv, env, directory, message in cases:
        with pytest.raises(ProcessStartError) as refused:
            start(*argv, env=env, working_directory=directory)
        assert message in str(refused.value)
    assert open_descriptors() == before


def zombies() -> list[int]:
    """Return our children that are over and not reaped. Servers of other tests may be our children too."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, _, rest = file.read_text().partition(" (")
            state, parent = rest.rpartition(") ")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found.append(int(pid))
    return found


async def test_200_runs_leave_no_descriptor_and_no_zombie() -> None:
    await finish(start("true"))
    before = open_descriptors()
    for _ in range(10):
        ended = await asyncio.gather(*(finish(start_shell("echo x")) for _ in range(20)))
        assert {(end.exit_code, out) for end, out, _ in ended} == {(0, "x\n")}
    assert open_descriptors() == before
    assert zombies() == []


async def test_a_polite_process_gets_its_grace() -> None:
    process = start_shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
    assert await first_line(process) == "ready"
    await process.terminate(timedelta(seconds=20))
    ended, out, _ = await finish(process)
    assert (ended.exit_code, out) == (3, "bye\n")


async def test_a_child_that_outlives_its_shell_gets_the_grace_too() -> None:
    child = "trap 'sleep 0.2; echo cleaned up; exit' TERM; echo ready; while :; do sleep 0.01; done"
    process = start_shell(f'sh -c "{child}" & wait')
    assert await first_line(process) == "ready"
    await process.terminate(timedelta(seconds=20))
    ended, out, _ = await finish(process)
    assert (ended.signal, out) == (signal.SIGTERM, "cleaned up\n")


async def test_a_tree_that_ignores_sigterm_is_gone_after_the_grace() -> None:
    process = start_shell("trap '' TERM; (trap '' TERM; echo $(sh -c 'echo $PPID'); while :; do sleep 1; done) & wait")
    child = int(await first_line(process))
    before = CLOCK.monotonic()
    await process.terminate(timedelta(seconds=0.3))
    assert 0.3 <= CLOCK.monotonic() - before < 5
    await is_gone(child)
    ended, _, _ = await finish(process)
    assert ended.signal == signal.SIGKILL


async def test_signalling_a_group_that_is_gone_does_nothing() -> None:
    process = start("true")
    await finish(process)
    process.signal_group(signal.SIGKILL)
    await process.terminate(timedelta(seconds=1))


async def test_a_grandchild_that_holds_the_pipe_is_ended_a_second_after_the_process() -> None:
    process = start_shell(
        "(trap '' HUP TERM; sh -c 'echo $PPID'; while :; do sleep 1; done) & sleep 0.1; echo last; exit 4"
    )
    before = CLOCK.monotonic()
    ended, out, _ = await finish(process)
    grandchild, last = out.split()
    assert (ended.exit_code, last) == (4, "last")
    assert 1 <= CLOCK.monotonic() - before < 5
    await is_gone(int(grandchild))


async def test_a_daemon_that_left_the_group_cannot_hold_up_the_end() -> None:
    process = start_shell("setsid sh -c 'echo $$; exec sleep 60' & echo started")
    ended, out, _ = await finish(process)
    daemon = int(out.replace("started", "").strip())
    try:
        assert ended.exit_code == 0
        assert start_time(daemon) is not None
    finally:
        os.kill(daemon, signal.SIGKILL)


async def test_what_runs_on_without_the_pipes_is_left_alone() -> None:
    process = start_shell("sleep 60 >/dev/null 2>&1 & echo $!")
    before = CLOCK.monotonic()
    _, out, _ = await finish(process)
    assert CLOCK.monotonic() - before < 0.9, "nobody holds the pipes: there is nothing to wait for"
    assert start_time(int(out)) is not None
    process.signal_group(signal.SIGKILL)
    await is_gone(int(out))


async def test_what_runs_on_without_the_pipes_is_left_alone_also_when_the_output_is_read_slowly() -> None:
    process = start_shell("sleep 60 >/dev/null 2>&1 & echo $!; head -c 130000 /dev/zero")
    async with asyncio.timeout(30), output_of(process, CLOCK) as output:
        await process.wait()
        await asyncio.sleep(AFTER_END_S + 0.2)  # longer than the pipes may be held
        text = "".join([chunk.text async for chunk in output])
    background, _, rest = text.partition("\n")
    assert len(rest) == 130_000
    assert start_time(int(background)) is not None
    process.signal_group(signal.SIGKILL)
    await is_gone(int(background))


async def test_a_process_that_got_the_number_of_one_that_is_over_is_not_signalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = start("true")
    await finish(process)
    process.pid = os.getpid()
    signalled: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, _number: signalled.append(pid))
    process.signal_group(signal.SIGKILL)
    await process.terminate(timedelta(seconds=1))
    assert not signalled


async def test_a_left_over_process_is_known_by_pid_and_start_time_and_ended_with_its_group() -> None:
    script = "sleep 60 & echo $!; wait"
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        started = start_time(child.pid)
        assert started is not None
        ours = Root(None, child.pid, (started - 1, started))
        assert left_over(ours)
        for other in (Root(None, child.pid, (started + 1, started + 2)), Root(None, child.pid, (1, started - 1))):
            assert not left_over(other)
            assert not await end_left_over(other)
        assert child.poll() is None, "another process of that id, of before or of after, is not touched"
        assert await end_left_over(ours)
        await is_gone(grandchild)
        assert child.wait() == -signal.SIGKILL
    assert not left_over(ours)
    assert not await end_left_over(ours)


async def test_when_a_process_started_is_known_without_looking_at_it() -> None:
    process = start("sleep", "60")
    earliest, latest = process.root.started
    started = start_time(process.pid)
    assert started is not None
    assert earliest <= started <= latest < earliest + 500, "five seconds"
    assert left_over(process.root)
    await process.terminate(timedelta(seconds=5))
    close_pipes(process)
    assert not left_over(process.root)


async def test_a_limit_of_memory_holds_for_each_process_of_the_run() -> None:
    take = f"{sys.executable} -S -c 'bytearray(300_000_000); print(\"had it\")'"
    ended, out, err = await finish(start("/bin/sh", "-c", take, confinement=Confinement(memory_bytes=200_000_000)))
    assert (ended.succeeded, out) == (False, "")
    assert "MemoryError" in err
    ended, out, _ = await finish(start("/bin/sh", "-c", take, confinement=Confinement(memory_bytes=500_000_000)))
    assert (ended.succeeded, out) == (True, "had it\n")


async def test_a_limit_of_cpu_time_ends_a_process_that_computes(tmp_path: Path) -> None:
    confinement = Confinement(cpu_s=1)
    ended, _, _ = await finish(
        start("/bin/sh", "-c", "pwd; while :; do :; done", confinement=confinement, working_directory=str(tmp_path))
    )
    assert ended.signal == signal.SIGXCPU
    assert 0.5 < ended.cpu_user_s + ended.cpu_system_s < 2  # the kernel ends it by counting its clock's ticks
    ended, _, _ = await finish(start("/bin/sh", "-c", "trap '' XCPU; while :; do :; done", confinement=confinement))
    assert ended.signal == signal.SIGKILL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
async def test_another_user_with_its_groups_and_nothing_of_the_workers_rights(tmp_path: Path) -> None:
    confinement = Confinement(NOBODY, memory_bytes=1 << 30)
    script = "id -un; id -Gn; grep CapEff /proc/self/status; pwd; cat /etc/shadow"
    ended, out, err = await finish(
        start("/bin/sh", "-c", script, confinement=confinement, working_directory="/usr/bin", env=ENV)
    )
    name, groups, capabilities, directory = out.splitlines()
    assert (name, groups, directory) == ("nobody", "nogroup", "/usr/bin")
    assert int(capabilities.split()[1], 16) == 0
    assert "Permission denied" in err
    assert not ended.succeeded


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the user")
async def test_a_run_of_another_user_is_ended_with_its_tree(tmp_path: Path) -> None:
    mark = {"DCRON_WORKER_ID": "w1", "DCRON_EXECUTION_ID": tmp_path.name}
    script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$; sleep 600' & wait; sleep 600"
    process = start(
        "/bin/sh",
        "-c",
        script,
        env=ENV | mark,
        confinement=Confinement(NOBODY),
    )
    child = int(await first_line(process))
    await process.terminate(timedelta(milliseconds=100))
    await is_gone(child)
    close_pipes(process)
