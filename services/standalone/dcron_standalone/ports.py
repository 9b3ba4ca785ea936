"""TCP ports on loopback.

Free ports are taken from below the range that the kernel gives to outgoing connections: there, a client that
keeps trying a server which is being restarted could be given that very port, and connect to itself.
"""

import json
import socket
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from dcron_core.ids import IdSource

LOOPBACK = "127.0.0.1"
LOWEST = 20_000
HIGHEST = 32_700
TRIES = 1000

_given: deque[int] = deque(maxlen=1000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on, and that was not returned lately: who asked for it may not listen yet."""
    ids = IdSource()
    for _ in range(TRIES):
        port = int(ids.uniform(LOWEST, HIGHEST))
        if port not in _given and is_free(port):
            _given.append(port)
            return port
    raise OSError(f"no free port on {LOOPBACK} between {LOWEST} and {HIGHEST}")


def remembered_ports(file: Path, names: Sequence[str]) -> dict[str, int]:
    """Return a free port for each name: those in `file` if they still are free, else new ones, written there."""
    try:
        ports = {name: int(port) for name, port in json.loads(file.read_text()).items()}
    except (OSError, ValueError):
        ports = {}
    if set(ports) == set(names) and all(is_free(port) for port in ports.values()):
        return ports
    ports = {name: free_port() for name in names}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(ports))
    return ports
