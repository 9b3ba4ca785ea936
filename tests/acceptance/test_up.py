"""`dcron up` as a user runs it: up, in use, down without a trace, up again on the same data."""

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import httpx
import pytest

from dcron_standalone.ports import LOOPBACK, free_port
from tests.cluster import dcron_command, wait_until

START_TIMEOUT_S = 150
STOP_TIMEOUT_S = 90
HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello.yaml"


class Up:
    """One `dcron up`, in a session of its own, as a terminal's foreground job is."""

    def __init__(self, data: Path, tools: Path, ports: list[int], *flags: str) -> None:
        self.lines: list[str] = []
        self._arrived: Queue[str] = Queue()
        addresses = (
            "--master-port",
            str(ports[0]),
            "--log-ingester-port",
            str(ports[1]),
            "--worker-port",
            str(ports[2]),
        )
        self.process = subprocess.Popen(
            [*dcron_command(), "up", "--data", str(data), "--tools", str(tools), "--workers", "1", *addresses, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={key: value for key, value in os.environ.items() if not key.startswith("DCRON_")},
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._arrived.put(line)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until it prints a line like that."""
        while True:
            try:
                line = self._arrived.get(timeout=START_TIMEOUT_S if self.process.poll() is None else 1)
            except Empty:
                raise AssertionError(f"no {pattern!r} in what it printed:\n{''.join(self.lines)}") from None
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match

    def descendants(self) -> set[int]:
        """Every process that it started, and those that they started."""
        children: dict[int, list[int]] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                after_name = status.read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(after_name[1]), []).append(int(status.parent.name))
        found, waiting = set(), [self.process.pid]
        while waiting:
            of = children.get(waiting.pop(), [])
            found.update(of)
            waiting += of
        return found

    def end(self, number: signal.Signals) -> int:
        """Send the signal; return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT_S)

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.wait()
        self._reading.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def ports() -> list[int]:
    return [free_port() for _ in range(3)]


@pytest.fixture
def ups() -> Iterator[list[Up]]:
    """What the test started; killed if it still runs."""
    started: list[Up] = []
    yield started
    for up in started:
        up.close()


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def wait_until_none_lives(pids: set[int]) -> None:
    wait_until(lambda: not any(map(is_alive, pids)), "all processes to be gone", lambda: sorted(filter(is_alive, pids)))


def dcron(data: Path, *arguments: str) -> str:
    """Run the command line as in another terminal."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")}
    done = subprocess.run(
        [*dcron_command(), *arguments],
        env=environment | {"DCRON_DATA": str(data), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


@pytest.mark.servers
def test_up_serves_stops_without_a_trace_and_starts_again_with_nothing_lost(
    tmp_path: Path, tools: Path, ports: list[int], ups: list[Up]
) -> None:
    """SIGTERM and SIGINT both end it with 0 and no process behind; the job of the first life is there in the second."""
    data = tmp_path / "data"
    ups.append(Up(data, tools, ports))
    link = ups[0].wait_for(r"Open +(\S+)")[1]
    assert link.startswith(f"http://{LOOPBACK}:{ports[0]}/login?link=")
    another = dcron(data, "link").strip()
    assert another.startswith(f"http://{LOOPBACK}:{ports[0]}/login?link=")
    assert another != link
    for port in ports:
        assert httpx.get(f"http://{LOOPBACK}:{port}/readyz", trust_env=False).status_code == 200
    login = httpx.get(link, trust_env=False)
    assert login.status_code == 303
    assert "dcron_session=" in login.headers["set-cookie"]
    used = httpx.get(link, trust_env=False)
    assert (used.status_code, "set-cookie" in used.headers) == (401, False), "a link works once"
    assert httpx.get(another, trust_env=False).status_code == 303
    assert "hello created" in dcron(data, "job", "apply", "-f", str(HELLO))
    assert "is the fold of the log" in dcron(data, "log", "verify"), "it finds the servers of the stack by itself"
    assert '"verifies":true' in dcron(data, "workers", "ls", "--json"), "G12: without a word the stack has keys"
    for secret in ("signing-key", "cluster-key"):
        assert (data / secret).stat().st_mode & 0o777 == 0o600
    before = ups[0].descendants()
    assert len(before) >= 6, "three servers and three services"
    assert ups[0].end(signal.SIGTERM) == 0
    wait_until_none_lives(before)

    ups.append(Up(data, tools, ports))
    assert httpx.get(ups[1].wait_for(r"Open +(\S+)")[1], trust_env=False).status_code == 303, "admin is there still"
    assert httpx.get(link, trust_env=False).status_code == 401, "a link that was used once is used for ever"
    assert "hello unchanged" in dcron(data, "job", "apply", "-f", str(HELLO))
    again = ups[1].descendants()
    assert ups[1].end(signal.SIGINT) == 0
    wait_until_none_lives(again)


@pytest.mark.servers
def test_a_second_up_on_the_data_is_refused_and_a_signal_during_the_start_ends_it(
    tmp_path: Path, tools: Path, ports: list[int], ups: list[Up]
) -> None:
    data = tmp_path / "data"
    ups.append(Up(data, tools, ports))
    ups[0].wait_for("data in")
    ups.append(Up(data, tools, [free_port() for _ in range(3)]))
    ups[1].wait_for(r"another `dcron up` \(process \d+\) runs on .*--data")
    assert ups[1].process.wait(30) == 1
    ups[0].wait_for("etcd +answers")
    pids = ups[0].descendants()
    assert ups[0].end(signal.SIGINT) == 0
    wait_until_none_lives(pids)


@pytest.mark.servers
def test_nothing_outlives_an_up_that_is_killed(tmp_path: Path, tools: Path, ports: list[int], ups: list[Up]) -> None:
    """SIGKILL leaves it no chance to stop anything."""
    ups.append(Up(tmp_path / "data", tools, ports))
    ups[0].wait_for("worker-1 +ready")
    pids = ups[0].descendants()
    ups[0].process.kill()
    ups[0].process.wait()
    wait_until_none_lives(pids)


def test_a_port_in_use_is_named_with_the_flag_that_chooses_another(
    tmp_path: Path, tools: Path, ports: list[int], ups: list[Up]
) -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, ports[1]))
        listener.listen()
        ups.append(Up(tmp_path / "data", tools, ports))
        ups[0].wait_for(f"dcron: port {ports[1]} is in use; choose another with --log-ingester-port")
        assert ups[0].process.wait(30) == 1
