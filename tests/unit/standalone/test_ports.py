"""Ports for the servers underneath: free ones, the same again as long as nobody took them."""

import socket
from pathlib import Path

import pytest

from dcron_standalone import ports
from dcron_standalone.ports import LOOPBACK, free_port, is_free, remembered_ports

LOWEST_OF_FEW = 32_600


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        assert not is_free(listener.getsockname()[1])


def test_free_ports_are_not_those_of_outgoing_connections() -> None:
    """A client that retries a server on such a port could be given it as its own, and connect to itself."""
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < lowest_outgoing for _ in range(20))


def test_no_port_is_given_twice_before_anybody_listens_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two services that start together would both be given it, and one of them would answer for the other."""
    monkeypatch.setattr(ports, "LOWEST", LOWEST_OF_FEW)
    monkeypatch.setattr(ports, "HIGHEST", LOWEST_OF_FEW + 20)
    given = [free_port() for _ in range(10)]
    assert len(set(given)) == 10


def test_ports_are_remembered_until_one_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    known = remembered_ports(file, ("client", "peer"))
    assert remembered_ports(file, ("client", "peer")) == known
    with socket.socket() as listener:
        listener.bind((LOOPBACK, known["peer"]))
        listener.listen()
        assert known["peer"] not in remembered_ports(file, ("client", "peer")).values()


def test_a_damaged_file_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    file.write_text("{")
    assert set(remembered_ports(file, ("client",))) == {"client"}
