"""etcd for one machine: the program that the machine has, one member, data in one directory."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dcron_standalone.handshakes import etcd_answers
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.server import MissingProgramError

COMPACT_AFTER = "10m"  # how much history etcd keeps; whoever watches from before that reads its prefix again


class EtcdServer:
    """How to run etcd."""

    name = "etcd"
    port_names: Sequence[str] = ("client", "peer")
    environment: Mapping[str, str] = {}

    def __init__(self, data: Path) -> None:
        self._data = data

    def check(self) -> None:
        if shutil.which("etcd") is None:
            raise MissingProgramError("etcd is not installed; `apt-get install etcd-server etcd-client` brings it")

    def preparation(self, ports: Mapping[str, int]) -> Sequence[str] | None:  # noqa: ARG002  etcd needs none
        return None

    def command(self, ports: Mapping[str, int]) -> Sequence[str]:
        client = f"http://{LOOPBACK}:{ports['client']}"
        peer = f"http://{LOOPBACK}:{ports['peer']}"
        return [
            "etcd",
            "--name=dcron",
            f"--data-dir={self._data / 'member'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=dcron={peer}",
            "--auto-compaction-mode=periodic",
            f"--auto-compaction-retention={COMPACT_AFTER}",
            "--logger=zap",
            "--log-level=warn",
        ]

    def address(self, ports: Mapping[str, int]) -> str:
        return f"{LOOPBACK}:{ports['client']}"

    def answers(self, ports: Mapping[str, int]) -> bool:
        return etcd_answers(LOOPBACK, ports["client"])
