"""The servers under a local stack: etcd, Kafka and MongoDB's protocol, as child processes on loopback.

They are started at the same time; each counts as started when it answers in its own protocol. None outlives us.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from dcron_standalone.children import Starter
from dcron_standalone.etcd_server import EtcdServer
from dcron_standalone.kafka_server import KafkaServer
from dcron_standalone.mongodb_server import MongodbServer
from dcron_standalone.server import STOP_GRACE_S, Server

Ready = Callable[[Server, float], None]


class LocalServers:
    """The three servers, or those of them that `names` wants, with their data under one directory."""

    def __init__(self, data: Path, tools: Path, names: Sequence[str] = ("etcd", "kafka", "mongodb")) -> None:
        data, tools = data.absolute(), tools.absolute()
        self._starter = Starter()
        self.etcd_server = Server(EtcdServer(data / "etcd"), data / "etcd", self._starter)
        self.kafka_server = Server(KafkaServer(data / "kafka", tools), data / "kafka", self._starter)
        self.mongodb_server = Server(MongodbServer(data / "mongodb", tools), data / "mongodb", self._starter)
        every = (self.etcd_server, self.kafka_server, self.mongodb_server)
        self.wanted = tuple(server for server in every if server.name in names)

    @property
    def etcd(self) -> str:
        """Where etcd answers: host:port."""
        return self.etcd_server.address

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap server: host:port."""
        return self.kafka_server.address

    @property
    def mongodb(self) -> str:
        """MongoDB's connection string."""
        return self.mongodb_server.address

    def start(self, on_ready: Ready | None = None) -> None:
        """Start all at the same time; call `on_ready` for each. If one fails, stop the others and raise its error."""
        for server in self.wanted:
            server.check()
        with ThreadPoolExecutor(max_workers=max(1, len(self.wanted))) as threads:
            starts = [threads.submit(self._start, server, on_ready) for server in self.wanted]
        for start in starts:
            start.result()

    def stop(self, grace_s: float = STOP_GRACE_S) -> None:
        """Stop all at the same time, also while they start."""
        with ThreadPoolExecutor(max_workers=max(1, len(self.wanted))) as threads:
            list(threads.map(lambda server: server.stop(grace_s), self.wanted))

    def kill(self) -> None:
        """End all at once."""
        for server in self.wanted:
            server.kill()

    def close(self) -> None:
        """Stop all, and give up the thread that they hang on."""
        self.stop()
        self._starter.close()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, server: Server, on_ready: Ready | None) -> None:
        try:
            seconds = server.start()
            if on_ready is not None:
                on_ready(server, seconds)
        except Exception:
            self.stop()
            raise
