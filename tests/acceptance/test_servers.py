"""The servers under the local stack: they answer, keep their data over a kill, and never outlive their parent."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from dcron_standalone.server import MissingProgramError, ServerFailedError
from dcron_standalone.servers import LocalServers
from tests.conftest import PrivateServers

PARENT = """
import sys, pathlib
from dcron_standalone.servers import LocalServers
servers = LocalServers(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), ["etcd", "mongodb"])
servers.start()
print(*(server.pid for server in servers.wanted), flush=True)
sys.stdin.read()
"""


def etcd_call(address: str, what: str, **body: str) -> dict[str, list[dict[str, str]]]:
    request = urllib.request.Request(f"http://{address}/v3/kv/{what}", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=5) as answer:
        return dict(json.load(answer))


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def wait_until_dead(*pids: int) -> None:
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still alive: {[pid for pid in pids if is_alive(pid)]}"
        time.sleep(0.02)


def test_the_three_servers_answer_and_have_addresses_of_their_own(servers: LocalServers) -> None:
    """Each is in service when `start` returns, on loopback only."""
    assert len({servers.etcd, servers.kafka, servers.mongodb}) == 3
    assert all("127.0.0.1:" in address for address in (servers.etcd, servers.kafka, servers.mongodb))
    assert all(server.pid is not None and server.failure() is None for server in servers.wanted)


def test_a_killed_server_keeps_its_address_and_its_data(private_servers: PrivateServers) -> None:
    """What etcd acknowledged is there after SIGKILL and a restart, at the same address (ground of G8)."""
    servers = private_servers("etcd")
    address = servers.etcd
    etcd_call(address, "put", key=encoded("k"), value=encoded("v"))
    servers.etcd_server.kill()
    assert servers.etcd_server.pid is None
    servers.etcd_server.restart()
    assert servers.etcd == address
    (pair,) = etcd_call(address, "range", key=encoded("k"))["kvs"]
    assert b64decode(pair["value"]) == b"v"


def test_servers_start_on_the_same_data_with_other_ports(tools: Path, tmp_path: Path) -> None:
    """A port that was taken in the meantime does not lock anybody out of their data."""
    with LocalServers(tmp_path, tools, ["etcd", "kafka"]) as first:
        before = (first.etcd, first.kafka)
        etcd_call(first.etcd, "put", key=encoded("k"), value=encoded("v"))
    for name in ("etcd", "kafka"):
        (tmp_path / name / "ports.json").unlink()
    with LocalServers(tmp_path, tools, ["etcd", "kafka"]) as second:
        assert (second.etcd, second.kafka) != before
        assert "kvs" in etcd_call(second.etcd, "range", key=encoded("k"))


def test_servers_die_with_a_parent_that_is_killed(tools: Path, tmp_path: Path) -> None:
    """SIGKILL gives the parent no chance to clean up; the kernel does it."""
    command = [sys.executable, "-c", PARENT, str(tmp_path), str(tools)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_alive(pid) for pid in pids)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until_dead(*pids)


def test_a_missing_program_is_named_with_what_brings_it(tmp_path: Path) -> None:
    with pytest.raises(MissingProgramError, match="make setup"):
        LocalServers(tmp_path, tmp_path / "no-tools", ["mongodb"]).start()


def test_a_server_that_fails_shows_the_end_of_its_log(tools: Path, tmp_path: Path) -> None:
    """Here etcd's data directory is a file."""
    (tmp_path / "etcd").mkdir()
    (tmp_path / "etcd" / "member").write_text("in the way")
    servers = LocalServers(tmp_path, tools, ["etcd"])
    try:
        with pytest.raises(ServerFailedError, match="not a directory"):
            servers.start()
    finally:
        servers.close()
