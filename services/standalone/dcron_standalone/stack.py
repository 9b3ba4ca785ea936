"""The servers and services of one machine, started and stopped in order.

Up: the servers at the same time, then the services; it is ready when each of them says so. Down in the opposite
order: the workers first, so that what they still have to say has somewhere to go.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from dcron_core.access.signing import Signatures
from dcron_core.clock import Clock
from dcron_core.errors import DcronError, SettingsError
from dcron_core.settings import CLIENT_VARIABLES, LogIngesterSettings, MasterSettings, load
from dcron_standalone.children import Child, Starter
from dcron_standalone.client import ApiError, Client, trusting
from dcron_standalone.components import COMPONENTS
from dcron_standalone.data_directory import Access, DataDirectory, ServerAddresses
from dcron_standalone.demo import apply_demo
from dcron_standalone.first_user import ensure_first_user, login_link
from dcron_standalone.ports import LOOPBACK, is_free
from dcron_standalone.server import Server
from dcron_standalone.servers import LocalServers
from dcron_standalone.supervision import Supervised
from dcron_standalone.terminal import note, say

LOOK_EVERY_S = 0.1
READY_TIMEOUT_S = 120.0
UNAVAILABLE = 503
MOST_CRASHES_AT_START = 4
SERVICE_GRACE_S = 45.0  # more than a service's own phases of stopping take
OWN_KEYS = {f"DCRON_{name}{form}" for name in ("SIGNING_KEY", "CLUSTER_KEY") for form in ("", "_FILE")}  # in our files
DOWN_ORDER = ("worker", "log-ingester", "master")
DOWN_TEXT = {
    "worker": "workers let their runs finish, for a while",
    "log-ingester": "the log-ingester stores what it has read",
    "master": "the master finishes its commands",
}


def _named_in_files() -> frozenset[str]:
    """Return which servers run elsewhere, as a file says that our services read."""
    return frozenset({"mongodb"} if os.environ.get("DCRON_MONGODB_FILE") else ())


class StoppedError(DcronError):
    """We were told to stop while the stack started."""


class Interruption(Struct, frozen=True):
    """What we were told by signals."""

    wanted: threading.Event  # stop
    at_once: threading.Event  # stop without waiting for anything


class UpOptions(Struct, frozen=True, kw_only=True):
    """What to run, and where. A server that has an address here runs already, elsewhere."""

    data: Path = Path(".dcron")
    tools: Path = Path(".tools")
    workers: int = 2
    demo: bool = False
    etcd: str | None = None
    kafka: str | None = None
    mongodb: str | None = None
    master_port: int = 8700
    log_ingester_port: int = 8701
    worker_port: int = 8702
    tls: bool = False  # whether our services speak TLS: DCRON_TLS_CERT is set
    ca: str = ""  # who signed their certificate; empty: an authority that the machine knows

    def url(self, port: int) -> str:
        """Return the address of one of our services."""
        return f"{'https' if self.tls else 'http'}://{LOOPBACK}:{port}"

    @property
    def master_url(self) -> str:
        return self.url(self.master_port)

    @property
    def log_ingester_url(self) -> str:
        return self.url(self.log_ingester_port)

    def ports(self) -> Iterator[tuple[int, str]]:
        """Yield each port that our services listen on, and the flag that moves it."""
        yield self.master_port, "--master-port"
        yield self.log_ingester_port, "--log-ingester-port"
        for index in range(self.workers):
            yield self.worker_port + index, "--worker-port"


class Stack:
    """Everything that `dcron up` runs."""

    def __init__(
        self, options: UpOptions, directory: DataDirectory, access: Access, interruption: Interruption, clock: Clock
    ) -> None:
        self._options = options
        self._directory = directory
        self._access = access
        self._interruption = interruption
        self._clock = clock
        self._tls = trusting(options.ca) if options.tls else None
        self._starter = Starter()
        given = {"etcd": options.etcd, "kafka": options.kafka, "mongodb": options.mongodb}
        self._addresses = {name: address for name, address in given.items() if address}
        wanted = [name for name in given if name not in self._addresses and name not in _named_in_files()]
        self._servers = LocalServers(directory.path, options.tools, wanted)
        self._services: list[Supervised] = []

    def start(self) -> None:
        """Start everything and tell about it. Raises StoppedError, and DcronError if something does not start."""
        began = self._clock.monotonic()
        say(f"dcron: data in {self._directory.path}")
        self._while_not_stopped(lambda: self._servers.start(self._server_ready))
        self._addresses |= {server.name: server.address for server in self._servers.wanted}
        self._directory.write_servers(self._server_addresses())
        self._start_services()
        self._directory.write_access(self._access)
        with closing(Client(self._access)) as client:
            if self._options.demo:
                apply_demo(client)
            link = self._link(client)
        say(f"ready after {self._clock.monotonic() - began:.1f} s; Ctrl-C stops it")
        say(f"\n  Open  {link}\n", style="bold")

    def _link(self, client: Client) -> str:
        """Return where to go with a browser: a link that lets the first user in, once."""
        began = self._clock.monotonic()
        while True:
            try:
                return login_link(client) if ensure_first_user(client) else f"{self._access.url}/login"
            except ApiError as error:
                unavailable = error.problem is not None and error.problem.status == UNAVAILABLE
                if not unavailable or self._clock.monotonic() - began > READY_TIMEOUT_S:
                    raise
            if self._interruption.wanted.wait(LOOK_EVERY_S):  # a long log is still being read
                raise StoppedError("told to stop")

    def watch(self) -> None:
        """Wait until we are told to stop; start again whatever ends before."""
        while not self._interruption.wanted.wait(LOOK_EVERY_S):
            for service in self._services:
                if news := service.tend():
                    note(news, style="yellow")
            for server in self._servers.wanted:
                if failure := server.failure():
                    note(f"{failure}\n{server.name} starts again", style="yellow")
                    self._restart(server)

    def stop(self) -> None:
        """Stop everything in order; at once if we are told so."""
        note("stopping; Ctrl-C once more: at once")
        for kind in DOWN_ORDER:
            children = [s.child for s in self._services if s.component == kind and s.child is not None]
            if children:
                note(f"  {DOWN_TEXT[kind]}")
                self._stop_children(children)
        note("  the servers write what they have in memory")
        with ThreadPoolExecutor(max_workers=1) as thread:
            stopping = thread.submit(self._servers.stop)
            while not stopping.done():
                if self._interruption.at_once.wait(LOOK_EVERY_S):
                    self._servers.kill()
        self._starter.close()
        self._servers.close()
        note("stopped")

    def check(self) -> None:
        """Raise DcronError for what can be known to fail before anything is started."""
        taken = [
            f"port {port} is in use; choose another with {flag}"
            for port, flag in self._options.ports()
            if not is_free(port)
        ]
        if taken:
            raise DcronError("; ".join(taken))
        secured = [
            f"DCRON_{name}_CA is set, but our own server speaks plaintext on loopback; --{name.lower()} names another"
            for name in (server.name.upper() for server in self._servers.wanted)
            if os.environ.get(f"DCRON_{name}_CA")
        ]
        if secured:
            raise SettingsError(secured)
        for component, index in self._wanted_services():
            load(COMPONENTS[component].settings, self._environment(component, index))

    def _server_addresses(self) -> ServerAddresses:
        master = load(MasterSettings, self._environment("master", 0))
        ingester = load(LogIngesterSettings, self._environment("log-ingester", 0))
        return ServerAddresses(
            etcd=master.etcd,
            kafka=master.kafka,
            etcd_prefix=master.etcd_prefix,
            topic_prefix=master.topic_prefix,
            mongodb=ingester.mongodb,
            mongodb_database=ingester.mongodb_database,
            log_ingester_url=master.log_ingester_url,
        )

    def _server_ready(self, server: Server, seconds: float) -> None:
        say(f"  {server.name:<14} answers after {seconds:4.1f} s  {server.address}")

    def _restart(self, server: Server) -> None:
        def restart() -> None:
            self._server_ready(server, server.start())

        address = server.address
        self._while_not_stopped(restart)
        if server.address != address:
            raise DcronError(f"{server.name} lost its port {address} to another program; start `dcron up` again")

    def _while_not_stopped(self, work: Callable[[], None]) -> None:
        """Do `work` with the servers beside us; stop them, and raise StoppedError, when we are told to stop."""
        with ThreadPoolExecutor(max_workers=1) as thread:
            working = thread.submit(work)
            while not working.done():
                if self._interruption.wanted.wait(LOOK_EVERY_S):
                    self._servers.stop()
                    raise StoppedError("told to stop")
        working.result()

    def _wanted_services(self) -> Iterator[tuple[str, int]]:
        yield "master", 0
        yield "log-ingester", 0
        for index in range(self._options.workers):
            yield "worker", index

    def _start_services(self) -> None:
        """Start all services at the same time; wait until each is ready."""
        for component, index in self._wanted_services():
            self._services.append(self._service(component, index))
            self._services[-1].start()
        began = self._clock.monotonic()
        waiting = list(self._services)
        while waiting:
            if self._interruption.wanted.wait(LOOK_EVERY_S):
                raise StoppedError("told to stop")
            for service in [service for service in waiting if service.is_ready()]:
                waiting.remove(service)
                say(f"  {service.name:<14} ready after {self._clock.monotonic() - began:6.1f} s  {service.url}")
            for service in waiting:
                if news := service.tend():
                    note(news, style="yellow")
                if service.crashes > MOST_CRASHES_AT_START or self._clock.monotonic() - began > READY_TIMEOUT_S:
                    raise DcronError(
                        f"{service.name} does not get ready; the end of {service.log}:\n{service.last_words()}"
                    )

    def _service(self, component: str, index: int) -> Supervised:
        ports = {"master": self._options.master_port, "log-ingester": self._options.log_ingester_port}
        port = ports.get(component, self._options.worker_port + index)
        name = f"worker-{index + 1}" if component == "worker" else component
        return Supervised(
            component,
            name,
            [sys.executable, "-P", "-m", "dcron_standalone", component],
            environment=self._environment(component, index),
            log=self._directory.logs / f"{name}.log",
            url=self._options.url(port),
            starter=self._starter,
            clock=self._clock,
            tls=self._tls,
        )

    def _environment(self, component: str, index: int) -> dict[str, str]:
        """Return what a service reads: what the user set for all of them, and what is particular here."""
        master = self._options.master_url
        ours = {
            "DCRON_TOKEN_FILE": str(self._directory.token_file),
            "DCRON_MASTER_PORT": str(self._options.master_port),
            "DCRON_LOG_INGESTER_PORT": str(self._options.log_ingester_port),
            "DCRON_LOG_INGESTER_URL": self._options.log_ingester_url,
            "DCRON_ALLOWED_ORIGINS": f"{master},{master.replace(LOOPBACK, 'localhost')}",
        }
        ours |= {f"DCRON_{name.upper()}": address for name, address in self._addresses.items()}
        ours["DCRON_TRUSTED_KEYS"] = self._trusted_keys()
        if component == "log-ingester":
            ours["DCRON_AUDIT_KEY_FILE"] = str(self._directory.audit_key_file)
        if component == "master":
            ours["DCRON_SIGNING_KEY_FILE"] = str(self._directory.signing_key_file)
        if component in ("master", "worker"):
            ours["DCRON_CLUSTER_KEY_FILE"] = str(self._directory.cluster_key_file)
        if component == "worker":
            ours["DCRON_WORKER_PORT"] = str(self._options.worker_port + index)
            ours["DCRON_WORKER_DATA"] = str(self._directory.path / f"worker-{index + 1}")
        return {key: value for key, value in os.environ.items() if key not in CLIENT_VARIABLES | OWN_KEYS} | ours

    def _trusted_keys(self) -> str:
        """Return the public key of this master, and those that the user wants trusted besides: former ones."""
        own = Signatures(self._directory.signing_key_file.read_text().strip()).public_key
        return ",".join(filter(None, (own, os.environ.get("DCRON_TRUSTED_KEYS", ""))))

    def _stop_children(self, children: Sequence[Child]) -> None:
        """Stop them at the same time; kill those that take too long."""
        with ThreadPoolExecutor(max_workers=max(1, len(children))) as threads:
            stops = [threads.submit(child.stop, SERVICE_GRACE_S) for child in children]
            while not all(stop.done() for stop in stops):
                if self._interruption.at_once.wait(LOOK_EVERY_S):
                    for child in children:
                        child.kill()
