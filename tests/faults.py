"""Faults on a running cluster, at random from a seed: what was struck comes back, and is waited for.

The seed is printed, which pytest shows when the test fails; give it back as `DCRON_TEST_SEED` to see the same faults
in the same order.
"""

import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import httpx

from dcron_standalone.supervision import Supervised
from tests.cluster import Cluster, wait_until

Kind = Literal[
    "worker", "master", "log-ingester", "etcd", "kafka", "mongodb",
    "pause", "drain", "leave", "join",
    "worker/kafka", "log-ingester/mongodb",
]  # fmt: skip
AWAY_S = 4.0
STOPPED_WITHIN_S = 30.0


class Faults:
    """The first six kinds are SIGKILL and a new start; `pause` is SIGSTOP to a worker, `drain` asks one to rest.

    `leave` is SIGTERM to a log-ingester and a new start; `join` is one more log-ingester, which then leaves for good.
    Of `a/b`, the first is struck after the second has been away for `AWAY_S`, and is there again before it.
    """

    def __init__(self, cluster: Cluster, kinds: Sequence[Kind], *, most_s: float, paused_s: float = 0.0) -> None:
        self.seed = int(os.environ.get("DCRON_TEST_SEED", random.SystemRandom().randrange(10_000)))
        self.done: list[str] = []
        self.killed_at: defaultdict[str, list[float]] = defaultdict(list)  # service's name → seconds since 1970
        self._cluster = cluster
        self._kinds = kinds
        self._next: list[Kind] = []  # every kind comes before one comes again
        self._most_s = most_s  # no fault lasts longer,
        self._paused_s = paused_s  # but a stopped worker is stopped for so long, and up to `most_s` on top
        self._dice = random.Random(self.seed)
        print(f"seed {self.seed}")

    def __str__(self) -> str:
        return f"seed {self.seed}, faults {self.done}"

    def strike(self) -> None:
        """Let one fault come and go, and wait until all services are ready again."""
        self._next = self._next or self._dice.sample(self._kinds, len(self._kinds))
        kind, down_s = self._next.pop(), self._dice.uniform(0.0, self._most_s)
        with self._fault(kind):
            time.sleep(down_s + (self._paused_s if kind == "pause" else 0.0))
        for service in self._cluster.services:
            wait_until(service.is_ready, f"{service.name} to be ready after {kind}", service.last_words)
        self.done.append(f"{kind} {down_s:.1f} s")

    @contextmanager
    def _fault(self, kind: str) -> Iterator[None]:
        servers = self._cluster.servers
        if "/" in kind:
            struck, away = kind.split("/")
            with self._fault(away):
                time.sleep(AWAY_S)
                with self._fault(struck):
                    yield
        elif kind in ("etcd", "kafka", "mongodb"):
            server = {"etcd": servers.etcd_server, "kafka": servers.kafka_server, "mongodb": servers.mongodb_server}[
                kind
            ]
            server.kill()
            yield
            server.start()
        elif kind == "join":
            with self._one_more_ingester():
                yield
        else:
            component = {"pause": "worker", "drain": "worker", "leave": "log-ingester"}.get(kind, kind)
            with self._struck(self._dice.choice(self._cluster.all_of(component)), kind):
                yield

    @contextmanager
    def _struck(self, service: Supervised, kind: str) -> Iterator[None]:
        """Do to this service what is meant for one of its component."""
        assert service.child is not None
        if kind == "pause":
            service.child.signal(signal.SIGSTOP)
            yield
            service.child.signal(signal.SIGCONT)
        elif kind == "drain":
            self._ask(service, "drain")
            yield
            self._ask(service, "undrain")
        elif kind == "leave":
            assert service.child.stop(STOPPED_WITHIN_S), service.last_words()
            yield
            service.start()
        else:
            self.killed_at[service.name].append(time.time())
            service.child.kill()
            yield
            service.start()

    @contextmanager
    def _one_more_ingester(self) -> Iterator[None]:
        service = self._cluster.add("log-ingester", "DCRON_LOG_INGESTER_PORT")
        try:
            wait_until(service.is_ready, f"{service.name} to be ready", service.last_words)
            yield
        finally:
            self._cluster.services.remove(service)
            assert service.child is not None
            assert service.child.stop(STOPPED_WITHIN_S), service.last_words()

    def _ask(self, worker: Supervised, what: Literal["drain", "undrain"]) -> None:
        """Ask the master, until it can; a master that has just come back may not."""
        worker_id = self._cluster.worker_id(worker)

        def accepted() -> bool:
            try:
                with self._cluster.api() as master:
                    return master.post(f"/api/v1/workers/{worker_id}/{what}").is_success
            except httpx.TransportError:
                return False

        wait_until(accepted, f"{worker.name} to be told to {what}")
