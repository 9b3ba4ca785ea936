"""A dcron of a benchmark's own: real servers on loopback, the services as processes, data in a temporary directory.

The code of `dcron up` starts them, with the settings' defaults; nothing is left when a context ends.
"""

import os
import pwd
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from benchmarks.results import BenchmarkError
from benchmarks.signed import ENVIRONMENT
from dcron_core.clock import SystemClock
from dcron_core.ids import IdSource
from dcron_standalone.children import Starter
from dcron_standalone.client import Client
from dcron_standalone.data_directory import Access, DataDirectory
from dcron_standalone.ports import LOOPBACK, free_port, is_free
from dcron_standalone.servers import LocalServers
from dcron_standalone.stack import Interruption, Stack, UpOptions
from dcron_standalone.supervision import Supervised

TOOLS = Path(os.environ.get("DCRON_TOOLS", Path(__file__).parent.parent / ".tools"))
WORKERS = 2
START_TIMEOUT_S = 60.0
STOP_GRACE_S = 30.0
TOKEN = "a-token-for-one-benchmark"
JOB_USER = {"DCRON_JOB_USER": pwd.getpwuid(os.geteuid()).pw_name}  # jobs write into directories of the benchmarks


class RunningStack(Struct, frozen=True):
    """A dcron that is ready."""

    servers: LocalServers
    client: Client


@contextmanager
def running_servers(*names: str, data: Path | None = None) -> Iterator[LocalServers]:
    """Run those servers; none named: all three. What they store is kept if `data` says where."""
    with ExitStack() as stack:
        directory = data or stack.enter_context(_directory())
        yield stack.enter_context(LocalServers(directory, TOOLS, names or ("etcd", "kafka", "mongodb")))


@contextmanager
def running_stack(settings: Mapping[str, str] | None = None) -> Iterator[RunningStack]:
    """Run everything that `dcron up` runs, with `settings` besides the defaults."""
    with _environment({**JOB_USER, **(settings or {})}), running_servers() as servers, _directory() as data:
        first_port = _free_ports(2 + WORKERS)
        options = UpOptions(
            data=data,
            tools=TOOLS,
            workers=WORKERS,
            etcd=servers.etcd,
            kafka=servers.kafka,
            mongodb=servers.mongodb,
            master_port=first_port,
            log_ingester_port=first_port + 1,
            worker_port=first_port + 2,
        )
        directory = DataDirectory(data)
        access = Access(options.master_url, directory.token(IdSource()))
        directory.make_keys(IdSource())
        stack = Stack(options, directory, access, Interruption(threading.Event(), threading.Event()), SystemClock())
        try:
            stack.start()
            with closing(Client(access)) as client:
                yield RunningStack(servers, client)
        finally:
            stack.stop()


@contextmanager
def running_log_ingester(settings: Mapping[str, str]) -> Iterator[str]:
    """Run one log-ingester, with `settings` besides the defaults; give the URL that it is ready at."""
    with running_service("log-ingester", settings) as url:
        yield url


@contextmanager
def running_workers(count: int, settings: Mapping[str, str]) -> Iterator[None]:
    """Run that many workers, each on data of its own."""
    with ExitStack() as stack:
        for _ in range(count):
            data = str(stack.enter_context(_directory()))
            stack.enter_context(running_service("worker", {**settings, "DCRON_WORKER_DATA": data}))
        yield


@contextmanager
def running_service(component: str, settings: Mapping[str, str]) -> Iterator[str]:
    """Run one service, with `settings` besides the defaults; give the URL that it is ready at."""
    with started_service(component, settings) as service:
        wait_until_ready(service)
        yield service.url


@contextmanager
def started_service(component: str, settings: Mapping[str, str]) -> Iterator[Supervised]:
    """Start one service, with `settings` besides the defaults; its data go with it."""
    port = free_port()
    variable = component.upper().replace("-", "_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DCRON_")}
    with _directory() as data, closing(Starter()) as starter:
        service = Supervised(
            component,
            component,
            [sys.executable, "-P", "-m", "dcron_standalone", component],
            environment=environment
            | JOB_USER
            | ENVIRONMENT
            | {"DCRON_TOKEN": TOKEN, f"DCRON_{variable}_PORT": str(port), "DCRON_WORKER_DATA": str(data), **settings},
            log=data / f"{component}.log",
            url=f"http://{LOOPBACK}:{port}",
            starter=starter,
            clock=SystemClock(),
        )
        service.start()
        assert service.child is not None
        try:
            yield service
        finally:
            service.child.stop(STOP_GRACE_S)


def wait_until_ready(service: Supervised) -> None:
    """Wait until the service says that it is ready; raise BenchmarkError if it ends, or takes too long."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not service.is_ready():
        assert service.child is not None
        if service.child.exit_code is not None or time.monotonic() > deadline_s:
            raise BenchmarkError(f"the {service.name} did not get ready:\n{service.last_words()}")
        time.sleep(0.05)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Have what is started here read those variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextmanager
def _directory() -> Iterator[Path]:
    with TemporaryDirectory(prefix="dcron-benchmark-") as path:
        yield Path(path)


def _free_ports(count: int) -> int:
    """Return the first of `count` free ports in a row."""
    while True:
        first = free_port()
        if all(is_free(port) for port in range(first, first + count)):
            return first
