"""A whole little system by TLS everywhere: each server wants a login, etcd and MongoDB a certificate too; https, wss.

And what is said, and where, when something of that does not fit.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote_plus

import httpx
import pytest
from msgspec import Struct

from dcron_core.clock import SystemClock
from dcron_standalone.children import Starter
from dcron_standalone.client import trusting
from dcron_standalone.ports import LOOPBACK, free_port
from dcron_standalone.server import Server, ServerKind
from dcron_standalone.supervision import Supervised
from tests.certificates import Authority
from tests.cluster import TOKEN, dcron_command, wait_until
from tests.secured_servers import PASSWORD, USER, EtcdUsers, SecuredEtcd, SecuredKafka, SecuredMongodb, running

pytestmark = pytest.mark.servers

PORT_VARIABLES = {
    "master": "DCRON_MASTER_PORT",
    "log-ingester": "DCRON_LOG_INGESTER_PORT",
    "worker": "DCRON_WORKER_PORT",
}
JOB = """
name: greeting
run:
  shell: echo hello by wss; echo trouble >&2
"""


class Secured(Struct, frozen=True):
    """The servers that run, who vouches for all certificates, and what a service is told."""

    authority: Authority
    environment: Mapping[str, str]
    directory: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("tls")
    authority = Authority(directory / "certificates")
    pair, expired = authority.sign("servers"), authority.sign("unused")
    mongodb_kind = SecuredMongodb(directory / "mongodb", tools, authority, pair)
    kinds: dict[str, ServerKind] = {
        "etcd": SecuredEtcd(directory / "etcd", authority, pair, client_certificates=True),
        "kafka": SecuredKafka(directory / "kafka", tools, authority, pair, expired),
        "mongodb": mongodb_kind,
    }
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        starting = {
            name: threads.submit(stack.enter_context, running(kind, directory / name)) for name, kind in kinds.items()
        }
        servers = {name: each.result() for name, each in starting.items()}
        with mongodb_kind.client(servers["mongodb"].address) as client:
            client.admin.command("createUser", USER, pwd=PASSWORD, roles=[{"role": "root", "db": "admin"}])
        mongodb_kind.users = True
        servers["mongodb"].restart()
        users = EtcdUsers(servers["etcd"].address, authority.file, pair)
        users.enable("/cron/")  # no more than dcron's own prefix
        users.close()
        yield Secured(authority, environment_of(authority, servers, directory), directory)


def environment_of(authority: Authority, servers: Mapping[str, Server], directory: Path) -> dict[str, str]:
    """Return what every service is told; what is secret, by files."""
    ours = authority.sign("dcron")
    port = servers["mongodb"].address.rpartition(":")[2]
    secrets = {
        "DCRON_TOKEN": TOKEN,
        "DCRON_ETCD_PASSWORD": PASSWORD,
        "DCRON_KAFKA_PASSWORD": PASSWORD,
        "DCRON_MONGODB": f"mongodb://{USER}:{quote_plus(PASSWORD)}@{LOOPBACK}:{port}/?authMechanism=SCRAM-SHA-256",
    }
    for name, value in secrets.items():
        (directory / name).write_text(f"{value}\n")
    environment = {f"{name}_FILE": str(directory / name) for name in secrets}
    for prefix in ("DCRON_ETCD", "DCRON_MONGODB"):
        environment |= {f"{prefix}_CERT": str(ours.cert), f"{prefix}_KEY": str(ours.key)}
    for prefix in ("DCRON_ETCD", "DCRON_KAFKA", "DCRON_MONGODB"):
        environment[f"{prefix}_CA"] = str(authority.file)
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("DCRON_")},
        **environment,
        "DCRON_ETCD": servers["etcd"].address,
        "DCRON_KAFKA": f"{LOOPBACK}:{servers['kafka']._ports['sasl']}",
        "DCRON_KAFKA_USER": USER,
        "DCRON_ETCD_USER": USER,
        "DCRON_TLS_CERT": str(ours.cert),
        "DCRON_TLS_KEY": str(ours.key),
    }


class Services:
    """Those that a test started."""

    def __init__(self, secured: Secured, directory: Path) -> None:
        self._secured = secured
        self._directory = directory
        self._starter = Starter()
        self._tls = trusting(str(secured.authority.file))
        self.all: dict[str, Supervised] = {}

    def start(self, component: str, port: int, **environment: str) -> Supervised:
        ours = {PORT_VARIABLES[component]: str(port), "DCRON_WORKER_DATA": str(self._directory / "worker")}
        service = Supervised(
            component,
            component,
            [*dcron_command(), component],
            environment={**self._secured.environment, **ours, **environment},
            log=self._directory / f"{component}.log",
            url=f"https://{LOOPBACK}:{port}",
            starter=self._starter,
            clock=SystemClock(),
            tls=self._tls,
        )
        service.start()
        self.all[component] = service
        return service

    def client(self, component: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = self.all[component].url
        return httpx.Client(base_url=url, headers=headers, verify=self._tls, trust_env=False, timeout=20)

    def missing(self, component: str) -> dict[str, str]:
        """Return why it is not ready: condition → reason; nothing while it does not answer yet."""
        try:
            with self.client(component) as client:
                return dict(client.get("/readyz").json()["missing"])
        except httpx.TransportError:
            return {}

    def close(self) -> None:
        for service in self.all.values():
            if service.child is not None:
                service.child.kill()
        self._starter.close()


@pytest.fixture
def services(secured: Secured, tmp_path: Path) -> Iterator[Services]:
    services = Services(secured, tmp_path)
    yield services
    services.close()


def dcron(
    secured: Secured, url: str, *arguments: str, code: int = 0, given: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line, which is told what a service is told, and whom to trust."""
    told = {**secured.environment, "DCRON_URL": url, "DCRON_CA": str(secured.authority.file), **environment}
    done = subprocess.run(
        [*dcron_command(), *arguments], env=told, capture_output=True, text=True, timeout=60, check=False, input=given
    )
    assert done.returncode == code, done.stderr
    return done


def test_a_job_is_made_run_and_seen_live(secured: Secured, services: Services) -> None:
    """Created by https, run by a worker that got it from etcd, and its output by wss, over Kafka and MongoDB."""
    ingester_port = free_port()
    url = f"https://{LOOPBACK}:{ingester_port}"
    master = services.start("master", free_port(), DCRON_LOG_INGESTER_URL=url)
    services.start("log-ingester", ingester_port)
    services.start("worker", free_port())
    for service in services.all.values():
        wait_until(service.is_ready, f"{service.name} to be ready", service.last_words)

    dcron(secured, master.url, "job", "apply", "-f", "-", given=JOB)
    seen = dcron(secured, master.url, "job", "run", "greeting", "--follow")
    assert "\nhello by wss\n" in seen.stdout
    assert "trouble\n" in seen.stderr
    wait_until(lambda: dcron(secured, master.url, "logs", "greeting").stdout == "hello by wss\n", "it to be stored")
    assert "1 jobs" in dcron(secured, master.url, "log", "verify").stdout
    assert "nothing is wrong" in dcron(secured, master.url, "doctor", DCRON_LOG_INGESTER_URL=url).stderr

    said = dcron(secured, master.url, "job", "ls", code=1, DCRON_CA="").stderr
    assert "DCRON_CA names the file of authorities to trust" in said
    said = dcron(secured, master.url.replace("https:", "http:"), "job", "ls", code=1).stderr
    assert "its address begins with https://" in said
    said = dcron(secured, master.url, "job", "ls", code=2, DCRON_CA=str(services._directory / "none")).stderr
    assert "DCRON_CA=" in said
    for service in services.all.values():
        assert PASSWORD not in service.log.read_text()
        assert quote_plus(PASSWORD) not in service.log.read_text()


def test_who_cannot_reach_a_server_says_why_and_names_the_setting(
    secured: Secured, services: Services, tmp_path: Path
) -> None:
    """Not ready, for a reason; never a hang, and never plaintext."""
    stranger = str(Authority(tmp_path, "stranger").file)
    services.start("master", free_port(), DCRON_KAFKA_USER="somebody")
    services.start("worker", free_port(), DCRON_ETCD_CA=stranger)
    services.start("log-ingester", free_port(), DCRON_KAFKA_CA=stranger, DCRON_MONGODB_CA=stranger)
    wanted = {
        "master": {"projection": "it refuses DCRON_KAFKA_USER with its DCRON_KAFKA_PASSWORD"},
        "worker": {"job table": "its certificate is not of an authority in DCRON_ETCD_CA"},
        "log-ingester": {"live": "its certificate is not of an authority in DCRON_KAFKA_CA"},
    }

    def all_say_why() -> bool:
        return all(
            reason in services.missing(component).get(condition, "")
            for component, reasons in wanted.items()
            for condition, reason in reasons.items()
        )

    wait_until(all_say_why, "all to say why", lambda: {name: services.missing(name) for name in wanted})


def test_what_is_wrong_with_the_files_ends_a_service_at_its_start(secured: Secured, tmp_path: Path) -> None:
    done = dcron(secured, "", "master", code=2, DCRON_TLS_KEY=str(tmp_path / "none"))
    assert f"DCRON_TLS_KEY='{tmp_path}/none' cannot be read" in done.stderr
    done = dcron(secured, "", "log-ingester", code=2, DCRON_MONGODB="mongodb://u:hid/den@m")
    assert "DCRON_MONGODB is not a MongoDB connection string" in done.stderr
    assert "hid" not in done.stderr
    done = dcron(secured, "", "log-ingester", code=2, DCRON_MONGODB="mongodb://u:hidden@m/?tlsInsecure=true")
    assert "DCRON_MONGODB says tlsInsecure=true" in done.stderr
    assert "hidden" not in done.stderr
