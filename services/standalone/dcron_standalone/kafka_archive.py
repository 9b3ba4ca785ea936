"""Runs Kafka once so that the JVM writes down the classes it used (class data sharing); `make setup` does this.

With that archive Kafka starts in 1.8 s of processor time instead of 4.1 s. `python -m … TOOLS`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from dcron_standalone.children import Starter
from dcron_standalone.kafka_server import ARCHIVE, KafkaServer
from dcron_standalone.server import Server

DUMP_GRACE_S = 180.0  # the JVM writes when it ends; seconds on a machine at rest


def main() -> None:
    """Write the archive, or leave all as it was."""
    tools = Path(sys.argv[1]).absolute()
    archive = tools / "kafka" / ARCHIVE
    new_archive = archive.with_suffix(".new")
    starter = Starter()
    try:
        with TemporaryDirectory(prefix="dcron-kafka-") as data:
            kafka = KafkaServer(Path(data), tools, new_archive=new_archive)
            server = Server(kafka, Path(data), starter)
            server.start()
            server.stop(DUMP_GRACE_S)
        if new_archive.exists():
            new_archive.replace(archive)
        else:
            print("this JVM writes no archive; Kafka will start without")
    finally:
        starter.close()


if __name__ == "__main__":
    main()
