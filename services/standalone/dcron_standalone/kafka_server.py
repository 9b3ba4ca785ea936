"""Apache Kafka for one machine: one process that is broker and controller (KRaft), on jars from Maven.

The voter and the listeners stand in the properties, which are written anew at each start, and not in the data:
so the ports may differ from one start to the next.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dcron_standalone.handshakes import kafka_answers
from dcron_standalone.ports import LOOPBACK
from dcron_standalone.server import MissingProgramError

CLUSTER_ID = "ZGNyb24tb24tb25lLWJveA"  # any 16 bytes in base64; two clusters on one machine may share it
ARCHIVE = "classes.jsa"  # of the JVM's class data sharing; Kafka starts without it too, in twice the time
JVM = (
    "java",
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # one quick compiler: starts in half the time
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)


class KafkaServer:
    """How to run Kafka."""

    name = "kafka"
    port_names: Sequence[str] = ("client", "controller")
    environment: Mapping[str, str] = {}

    def __init__(self, data: Path, tools: Path, *, new_archive: Path | None = None) -> None:
        """With `new_archive`, the JVM writes the classes that it used there when it ends (see `kafka_archive`)."""
        self._data = data
        self._jars = tools / "kafka" / "libs"
        self._archive = tools / "kafka" / ARCHIVE
        self._new_archive = new_archive
        self._properties = data / "server.properties"
        self._logging = tools / "kafka" / "log4j2.xml"

    def check(self) -> None:
        if shutil.which("java") is None:
            raise MissingProgramError("java is not installed; `apt-get install openjdk-17-jre-headless` brings it")
        if not any(self._jars.glob("kafka_*.jar")):
            raise MissingProgramError(f"Kafka's jars are not in {self._jars}; `make setup` puts them there")

    def preparation(self, ports: Mapping[str, int]) -> Sequence[str] | None:
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings(ports).items()))
        if (self._data / "log" / "meta.properties").exists():
            return None
        options = self._sharing() if self._new_archive is None else []
        return [
            *self._java("kafka.tools.StorageTool", options),
            "format",
            "-t",
            CLUSTER_ID,
            "-c",
            str(self._properties),
        ]

    def command(self, ports: Mapping[str, int]) -> Sequence[str]:  # noqa: ARG002  they are in the properties
        return [*self._java("kafka.Kafka", self._sharing()), str(self._properties)]

    def address(self, ports: Mapping[str, int]) -> str:
        return f"{LOOPBACK}:{ports['client']}"

    def answers(self, ports: Mapping[str, int]) -> bool:
        return kafka_answers(LOOPBACK, ports["client"])

    def _java(self, main: str, options: Sequence[str]) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._logging}"
        return [*JVM, *options, logging, "-cp", f"{self._jars}/*", main]

    def _sharing(self) -> Sequence[str]:
        if self._new_archive is not None:
            return [f"-XX:ArchiveClassesAtExit={self._new_archive}"]
        return [f"-XX:SharedArchiveFile={self._archive}"] if self._archive.exists() else []

    def _settings(self, ports: Mapping[str, int]) -> dict[str, object]:
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{LOOPBACK}:{ports['controller']}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{ports['client']},CONTROLLER://{LOOPBACK}:{ports['controller']}",
            "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{ports['client']}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._data / "log",
            "auto.create.topics.enable": "false",
            "default.replication.factor": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # a broker that was killed may register again only when its former session is over
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 2000,
            "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
            "message.max.bytes": 4 * 1024 * 1024,
        }
