"""No process of a service's own user can read its memory, its environment or its open files; the kernel sees to it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dcron_standalone.ports import free_port, is_free
from tests.cluster import wait_until

SECRETS = {
    "DCRON_TOKEN": "a-token-that-nobody-may-read",
    "DCRON_CLUSTER_KEY": "c1" * 32,
    "DCRON_SIGNING_KEY": "51" * 32,
}
# Root without its capabilities is a user like any other; without this a test that is run by root could not fail.
ORDINARY = ["setpriv", "--securebits=+noroot,+noroot_locked", "--inh-caps=-all", "--bounding-set=-all", "--"]
AS_ORDINARY_USER = ORDINARY if os.geteuid() == 0 else []
READ = 'for each in environ maps auxv; do cat "/proc/$1/$each" >/dev/null && echo "$each"; done; readlink /proc/$1/fd/*'


@contextmanager
def service(name: str, directory: Path) -> Iterator[tuple[int, str]]:
    """Run a service, whose servers are away; give its process id, and what it said until it served."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")}
    port = free_port()
    ports = {f"DCRON_{each}_PORT": str(port) for each in ("MASTER", "WORKER", "LOG_INGESTER")}
    addresses = {"DCRON_ETCD": "127.0.0.1:1", "DCRON_KAFKA": "127.0.0.1:1", "DCRON_MONGODB": "mongodb://127.0.0.1:1"}
    own = {"DCRON_WORKER_DATA": str(directory), "DCRON_JOB_USER": "root" if os.geteuid() == 0 else ""}
    said = directory / "said"
    with (
        said.open("wb") as output,
        subprocess.Popen(
            [*AS_ORDINARY_USER, sys.executable, "-P", "-m", "dcron_standalone", name],
            env=inherited | ports | addresses | own | SECRETS,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            wait_until(lambda: not is_free(port), f"the {name} to listen", said.read_text)
            yield process.pid, said.read_text()
        finally:
            process.kill()


def read_by_a_process_of_the_same_user(pid: int) -> str:
    command = [*AS_ORDINARY_USER, "sh", "-c", READ, "sh", str(pid)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


@pytest.mark.parametrize("name", ["master", "worker", "log-ingester"])
def test_a_service_tells_nothing_to_others_of_its_user(name: str, tmp_path: Path) -> None:
    """G11: what it was given stands in neither its command line nor its log, and the rest cannot be read."""
    with service(name, tmp_path) as (pid, said):
        assert read_by_a_process_of_the_same_user(pid) == ""
        command_line = Path(f"/proc/{pid}/cmdline").read_text()
    for secret in SECRETS.values():
        assert secret not in command_line + said


def test_others_can_be_read() -> None:
    """So that the test above can fail."""
    with subprocess.Popen([*AS_ORDINARY_USER, "sleep", "600"], env=SECRETS | {"PATH": os.environ["PATH"]}) as other:
        try:
            while b"sleep" not in Path(f"/proc/{other.pid}/cmdline").read_bytes().split(b"\0")[0]:
                os.sched_yield()
            assert "environ" in read_by_a_process_of_the_same_user(other.pid).split()
        finally:
            other.kill()


def test_the_guard_holds_no_secret(tmp_path: Path) -> None:
    """G11: the guard lives as the worker's user, and what it is started with is empty of secrets."""
    with service("worker", tmp_path) as (pid, _):
        (guard,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert Path(f"/proc/{guard}/environ").read_bytes() == b""
        command_line = Path(f"/proc/{guard}/cmdline").read_text()
        assert "guard_process" in command_line
        assert not any(secret in command_line for secret in SECRETS.values())
        opened = {each.name: str(each.readlink()) for each in Path(f"/proc/{guard}/fd").iterdir()}
        assert sorted(opened) == ["0", "1", "2"]
        assert opened["1"] == "/dev/null"
