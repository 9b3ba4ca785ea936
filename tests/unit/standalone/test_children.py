"""Children end when they are told to, in whole groups, and never outlive their starter."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dcron_core.clock import SystemClock
from dcron_standalone.children import Child, Starter
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.supervision import FIRST_DELAY_S, Supervised

SLEEPER = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]
STUBBORN = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]  # fmt: skip
WITH_GRANDCHILD = [
    sys.executable, "-c",
    "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)",
]  # fmt: skip


class SaysYes(BaseHTTPRequestHandler):
    """Another program that happens to listen there."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture
def starter() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.close()


def first_line(child: Child) -> str:
    deadline = time.monotonic() + 10
    while "\n" not in (text := child.log.read_text()):
        assert time.monotonic() < deadline, "the child says nothing"
        time.sleep(0.01)
    return text.splitlines()[0]


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.01)


def test_a_child_that_obeys_is_stopped_by_sigterm(starter: Starter, tmp_path: Path) -> None:
    child = starter.start("sleeper", SLEEPER, log=tmp_path / "log")
    first_line(child)
    assert child.exit_code is None
    assert child.stop(grace_s=10)
    assert child.exit_code == -signal.SIGTERM


def test_a_child_that_does_not_obey_is_killed(starter: Starter, tmp_path: Path) -> None:
    child = starter.start("stubborn", STUBBORN, log=tmp_path / "log")
    first_line(child)
    assert not child.stop(grace_s=0.1)
    assert child.exit_code == -signal.SIGKILL


def test_what_a_child_started_goes_with_it(starter: Starter, tmp_path: Path) -> None:
    child = starter.start("parent", WITH_GRANDCHILD, log=tmp_path / "log")
    grandchild = int(first_line(child))
    child.stop(grace_s=10)
    wait_until_gone(grandchild)


def test_a_child_is_out_of_reach_of_the_terminals_ctrl_c(starter: Starter, tmp_path: Path) -> None:
    child = starter.start("sleeper", SLEEPER, log=tmp_path / "log")
    first_line(child)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_closing_the_starter_ends_its_children(tmp_path: Path) -> None:
    starter = Starter()
    child = starter.start("sleeper", SLEEPER, log=tmp_path / "log")
    first_line(child)
    starter.close()
    wait_until_gone(child.pid)


def test_a_crashed_service_is_started_again_after_a_growing_delay(starter: Starter, tmp_path: Path) -> None:
    """Time is the test's own; the process is real."""

    class Clock(SystemClock):
        seconds = 1000.0

        def monotonic(self) -> float:
            return self.seconds

    clock = Clock()
    service = Supervised(
        "worker", "worker-1", [sys.executable, "-c", "raise SystemExit(7)"],
        environment={}, log=tmp_path / "log", url="http://127.0.0.1:1", starter=starter, clock=clock,
    )  # fmt: skip
    service.start()
    for crash in range(3):
        delay_s = FIRST_DELAY_S * 2**crash
        wait_until_gone(service.child.pid if service.child else 0)
        assert f"worker-1 ended with 7; starts again in {delay_s:g} s" in (service.tend() or "")
        clock.seconds += delay_s - 0.01
        assert service.tend() is None
        clock.seconds += 0.02
        assert service.tend() == "worker-1 starts again"
    assert not service.is_ready()


def test_what_answers_in_the_place_of_a_service_that_ended_does_not_make_it_ready(
    starter: Starter, tmp_path: Path
) -> None:
    with HTTPServer((LOOPBACK, 0), SaysYes) as other:
        answering = Thread(target=other.serve_forever)
        answering.start()
        try:
            url = f"http://{LOOPBACK}:{other.server_port}"
            ready = {}
            for name, command in (("lives", SLEEPER), ("ended", [sys.executable, "-c", "raise SystemExit(7)"])):
                service = Supervised(
                    "master", name, command,
                    environment={}, log=tmp_path / name, url=url, starter=starter, clock=SystemClock(),
                )  # fmt: skip
                service.start()
                assert service.child is not None
                if name == "ended":
                    wait_until_gone(service.child.pid)
                ready[name] = service.is_ready()
        finally:
            other.shutdown()
            answering.join()
    assert ready == {"lives": True, "ended": False}
