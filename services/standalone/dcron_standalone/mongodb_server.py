"""MongoDB's protocol for one machine: SecantusDB, run as a separate program from its own environment.

It is GPL-2.0 and beta: dcron never imports it, and a cluster uses `mongod`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from dcron_standalone.handshakes import mongodb_answers
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.server import MissingProgramError

# Also keeps a file of the user's from being read in its place. A sweep of what has expired looks at every document,
# and has been seen to stop the whole server for ever when much was written at that moment: seldom is enough.
SETTINGS = "[storage]\nttl_sweep_seconds = 3600\n"


class MongodbServer:
    """How to run SecantusDB."""

    name = "mongodb"
    port_names = ("mongodb",)
    environment: Mapping[str, str] = {}

    def __init__(self, data: Path, tools: Path) -> None:
        self._data = data
        self._program = tools / "mongodb" / "bin" / "secantusd-py"

    def check(self) -> None:
        if not self._program.exists():
            raise MissingProgramError(f"SecantusDB is not at {self._program}; `make setup` puts it there")

    def preparation(self, ports: Mapping[str, int]) -> Sequence[str] | None:  # noqa: ARG002  it needs none
        (self._data / "secantusd.toml").write_text(SETTINGS)
        return None

    def command(self, ports: Mapping[str, int]) -> Sequence[str]:
        return [
            str(self._program),
            f"--config={self._data / 'secantusd.toml'}",
            f"--host={LOOPBACK}",
            f"--port={ports['mongodb']}",
            f"--storage-path={self._data / 'storage'}",
            "--cache-size=512M",
            "--log-level=WARNING",
            "--sync-on-commit",  # without it, a kill loses acknowledged inserts
        ]

    def address(self, ports: Mapping[str, int]) -> str:
        return f"mongodb://{LOOPBACK}:{ports['mongodb']}"

    def answers(self, ports: Mapping[str, int]) -> bool:
        return mongodb_answers(LOOPBACK, ports["mongodb"])
