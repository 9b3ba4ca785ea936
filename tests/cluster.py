"""dcron's services as separate processes, on servers that run already; for tests that see them from outside."""

import os
import pwd
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError

from dcron_core.clock import SystemClock
from dcron_schemas.audit import Ledger
from dcron_standalone.children import Starter
from dcron_standalone.ports import LOOPBACK, free_port
from dcron_standalone.servers import LocalServers
from dcron_standalone.supervision import Supervised
from tests.names import Names
from tests.signing_keys import CLUSTER_KEY, PUBLIC_KEY, SIGNING_KEY

TOKEN = "a-token-for-tests-only"
T = TypeVar("T")


class Cluster:
    """Starts services on one set of names; everything it started is gone when `running` is left."""

    def __init__(self, servers: LocalServers, names: Names, directory: Path) -> None:
        self.servers = servers
        self.names = names
        self.directory = directory
        self.services: list[Supervised] = []
        self._starter = Starter()
        self._ingester_port = free_port()

    @classmethod
    @contextmanager
    def running(cls, servers: LocalServers, names: Names, directory: Path) -> Iterator["Cluster"]:
        cluster = cls(servers, names, directory)
        try:
            yield cluster
        finally:
            for service in cluster.services:
                if service.child is not None:
                    service.child.kill()
            cluster._starter.close()
            cluster._drop_database()

    def _drop_database(self) -> None:
        """Take away what was stored: the server looks through all of it for what has expired, and all tests wait."""
        with (
            suppress(PyMongoError),
            pymongo.timeout(5),
            self.mongodb() as database,
        ):  # the test may have ended the server
            database.client.drop_database(database.name)

    def start(self, masters: int = 1, workers: int = 2, ingesters: int = 1, **of_workers: str) -> None:
        """Start services, the workers with these settings, and wait until all are ready."""
        for _ in range(masters):
            self.add("master", "DCRON_MASTER_PORT")
        for _ in range(ingesters):
            self.add("log-ingester", "DCRON_LOG_INGESTER_PORT", self._ingester_port)
            self._ingester_port = free_port()
        for index in range(workers):
            data = str(self.directory / f"worker-{index + 1}")
            self.add("worker", "DCRON_WORKER_PORT", free_port(), DCRON_WORKER_DATA=data, **of_workers)
        self.wait_ready()

    def add(self, component: str, port_variable: str, port: int = 0, **environment: str) -> Supervised:
        """Start one more service; do not wait for it."""
        port = port or free_port()
        name = f"{component}-{sum(s.component == component for s in self.services) + 1}"
        service = Supervised(
            component,
            name,
            [*dcron_command(), component],
            environment={**self.environment(), port_variable: str(port), **environment},
            log=self.directory / f"{name}.log",
            url=f"http://{LOOPBACK}:{port}",
            starter=self._starter,
            clock=SystemClock(),
        )
        service.start()
        self.services.append(service)
        return service

    def environment(self) -> dict[str, str]:
        """Return what every service of this cluster reads."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")}
        return inherited | {
            "DCRON_TOKEN": TOKEN,
            "DCRON_SIGNING_KEY": SIGNING_KEY,
            "DCRON_TRUSTED_KEYS": PUBLIC_KEY,
            "DCRON_CLUSTER_KEY": CLUSTER_KEY,
            "DCRON_JOB_USER": pwd.getpwuid(os.geteuid()).pw_name,  # jobs write into directories of the tests
            "DCRON_ETCD": self.servers.etcd,
            "DCRON_KAFKA": self.servers.kafka,
            "DCRON_MONGODB": self.servers.mongodb,
            "DCRON_ETCD_PREFIX": self.names.etcd_prefix,
            "DCRON_TOPIC_PREFIX": self.names.topic_prefix,
            "DCRON_MONGODB_DATABASE": self.names.database,
            "DCRON_CONSUMER_GROUP": self.names.consumer_group,
            "DCRON_LOG_INGESTER_URL": f"http://{LOOPBACK}:{self._ingester_port}",
        }

    def wait_ready(self) -> None:
        """Wait until every service says that it is ready."""
        for service in self.services:
            wait_until(service.is_ready, f"{service.name} to be ready", service.last_words)

    def all_of(self, component: str) -> list[Supervised]:
        return [service for service in self.services if service.component == component]

    def worker_id(self, worker: Supervised) -> str:
        """Return the id that the worker calls itself by."""
        return (self.directory / worker.name / "worker-id").read_text(encoding="ascii").strip()

    def api(self, component: str = "master", index: int = 0) -> httpx.Client:
        """Return a client of one service's HTTP API."""
        url = self.all_of(component)[index].url
        return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20.0, trust_env=False)

    @contextmanager
    def mongodb(self) -> Iterator[Database[dict[str, Any]]]:
        """Open the database that the log-ingester writes to."""
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(self.servers.mongodb)
        try:
            yield client[self.names.database]
        finally:
            client.close()


def ledger_of(ingester: httpx.Client, query: dict[str, Any]) -> Ledger:
    """Ask the log-ingester what became of each tick."""
    answer = ingester.get("/api/v1/audit/ledger", params={"limit": 10_000, **query}, timeout=60)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Ledger)


def dcron_command() -> list[str]:
    """Return the command line of `dcron` in this very environment."""
    return [sys.executable, "-P", "-m", "dcron_standalone"]


def wait_until(
    condition: Callable[[], T | None], what: str, explain: Callable[[], object] = lambda: "", timeout_s: float = 60.0
) -> T:
    """Ask again and again until the answer is true; return it. What is waited for has no signal to wait on."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what}; {explain()}")
        time.sleep(0.05)
    return answer
