"""The services of deploy/compose.yaml as processes of this machine, for want of a container engine.

What stands in the file is what is started: command, variables, mounted files and health checks, with secrets from
deploy/make-secrets. Three things are other than in containers, and replaced in all these texts alike: `service:port`
is a port of loopback's, what would be listened on at any address is so too, and a path that the container would have
to itself (secrets, mounts, tmpfs) is in a folder of the service's. Users are ours, but if we are root, who is root in
the file has the capabilities that it has there and no other, and its secrets and data belong to whom they would belong
to. An image's own start is done here:

* Kafka's image makes its configuration from the environment with `kafka.docker.KafkaDockerWrapper`, which is in
  Kafka's jars; it is what makes it here too. The programs of its bin/ are the classes that they start.
* MongoDB's is not to be had without its image; SecantusDB stands in, with the same certificates, user and password.
* Debian's Prometheus 2 does not know `client_allowed_sans` yet, so that line is left out, nor its promtool the
  health check of Prometheus 3.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from dcron_standalone.children import Child, Starter
from dcron_standalone.kafka_server import ARCHIVE
from dcron_standalone.mongodb_server import SETTINGS
from dcron_standalone.ports import LOOPBACK, free_port
from tests.cluster import wait_until
from tests.compose_file import DEPLOY, SECRETS, Service, services

KAFKA_BIN = "/opt/kafka/bin/"
KAFKA_PROGRAMS = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions.sh": "org.apache.kafka.tools.BrokerApiVersionsCommand",
}
LOGGING = (
    "Configuration:\n  Loggers:\n    Root: {level: WARN}\n    Logger: []\n"  # as little as the image's tool can read
)
QUICK_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
IS_ROOT = os.geteuid() == 0
INHERITED = ("PATH", "LANG", "TZ")


class Deployment:
    """The file's services: each is started by its name, and asked for its health as the file says."""

    def __init__(self, directory: Path, tools: Path) -> None:
        self.directory = directory
        self.secrets = directory / "secrets"
        made = subprocess.run([DEPLOY / "make-secrets", self.secrets], capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        self.environ = dict(line.split("=", 1) for line in (directory / ".env").read_text().splitlines())
        self._ports: dict[tuple[str, str], int] = {}
        self.origin = f"https://localhost:{self.port('proxy', '8443')}"
        self.environ |= {"ORIGIN": self.origin, "SECRETS": str(self.secrets)}
        self.services = services(self.environ)
        self._kafka = tools / "kafka"
        self._starter = Starter()
        self._running: dict[str, Child] = {}
        self._bin = directory / "bin"
        self._bin.mkdir()
        self._make_kafka_programs()
        self._make_program("dcron", f'exec {sys.executable} -P -m dcron_standalone "$@"')
        self._make_program("dcron-health", f"exec {sys.executable} {DEPLOY / 'healthcheck'}")

    @classmethod
    @contextmanager
    def prepared(cls, directory: Path, tools: Path) -> Iterator["Deployment"]:
        deployment = cls(directory, tools)
        try:
            yield deployment
        finally:
            for child in deployment._running.values():
                child.kill()
            deployment._starter.close()

    def port(self, service: str, port: str) -> int:
        """Return the port of loopback's that stands for a service's."""
        if (service, port) not in self._ports:
            self._ports[service, port] = free_port()
        return self._ports[service, port]

    def listening(self) -> dict[str, int]:
        """Return the port that each service serves clients at."""
        first = {"etcd": "2379", "master": "8700", "log-ingester": "8701", "worker": "8702", "prometheus": "9090"}
        kinds = {name: name.rstrip("-123") for name in self.services}
        return {name: self.port(name, first[kind]) for name, kind in kinds.items() if kind in first}

    def root(self, name: str) -> Path:
        """Return the folder that stands for the container's file system."""
        return self.directory / "containers" / name

    def start(self, *names: str) -> None:
        """Start services; do not wait for them."""
        for name in names:
            self._populate(self.services[name])
            command = [self.local(name, word) for word in self.services[name].command]
            command = [*self._rights(name), *self._entrypoint(name), *command]
            if name.startswith("kafka-"):
                command = ["sh", "-euc", self._kafka_start(name)]
            log = self.directory / f"{name}.log"
            self._running[name] = self._starter.start(
                name, command, log=log, environment=self.environment(name), directory=self.root(name)
            )

    def start_as(self, name: str, command: Sequence[str]) -> None:
        """Start what stands in for a service."""
        log = self.directory / f"{name}.log"
        self._running[name] = self._starter.start(name, command, log=log)

    def start_mongodb_stand_in(self, tools: Path) -> None:
        """Start SecantusDB as mongo-1: its certificates, its user and password; alone, so no replica set."""
        self._populate(self.services["mongo-1"])
        root = self.root("mongo-1")
        program = [str(tools / "mongodb" / "bin" / "secantusd-py"), f"--config={root / 'secantusd.toml'}"]
        (root / "secantusd.toml").write_text(SETTINGS)
        program += [
            f"--host={LOOPBACK}",
            f"--port={self.port('mongo-1', '27017')}",
            f"--storage-path={root / 'storage'}",
        ]
        tls = [f"--tls-cert-file={self.secrets / 'mongo-1.crt'}", f"--tls-key-file={self.secrets / 'mongo-1.key'}"]
        tls += [f"--tls-ca-file={self.secrets / 'ca.crt'}", "--tls-require-client-cert", "--sync-on-commit"]
        url = self._mongodb_url()
        self.start_as("mongo-1", [*program, *tls])
        with self._mongodb_client(url.replace(url[url.index("//") + 2 : url.index("@") + 1], "")) as client:
            wait_until(lambda: _pinged(client), "MongoDB's stand-in")
            roles = [{"role": "readWrite", "db": "cron"}]
            password = (self.secrets / "mongo-password").read_text()
            client["cron"].command("createUser", "dcron", pwd=password, roles=roles)
        self.kill("mongo-1")
        self.start_as("mongo-1", [*program, *tls, "--auth"])
        with self._mongodb_client(url) as client:
            wait_until(lambda: _pinged(client), "MongoDB's stand-in, with users")

    def _mongodb_url(self) -> str:
        """Return the secret's connection string as it is for the stand-in: one host, no replica set of that name."""
        file = self.secrets / "mongo-url"
        url = file.read_text().replace("mongo-1:27017,mongo-2:27017,mongo-3:27017", "mongo-1:27017")
        url = self.local("mongo-1", url.replace("replicaSet=dcron", "directConnection=true"))
        file.write_text(url)
        return url

    @contextmanager
    def _mongodb_client(self, url: str) -> Iterator["pymongo.MongoClient[dict[str, Any]]"]:
        files = {"tlsCAFile": "ca.crt", "tlsCertificateKeyFile": "mongo-1.pem"}
        shown = "&".join(f"{option}={self.secrets / file}" for option, file in files.items())
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            f"{url}&tls=true&{shown}", serverSelectionTimeoutMS=2000
        )
        with client:
            yield client

    def run_once(self, name: str) -> None:
        """Run a service that ends; raise AssertionError with its words if it fails."""
        self._populate(self.services[name])
        command = [self.local(name, word) for word in self.services[name].command]
        done = subprocess.run(
            command, env=self.environment(name), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"

    def kill(self, name: str) -> None:
        self._running.pop(name).kill()

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def is_running(self, name: str) -> bool:
        return self._running[name].exit_code is None

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def kafka_program(self, program: str, name: str, *arguments: str) -> str:
        """Return what a program of Kafka's bin/ prints that is run in a broker's container."""
        address = self.local(name, f"{name}:9092")
        properties = self.root(name) / "etc/dcron/client.properties"
        connection = [f"--bootstrap-server={address}", f"--command-config={properties}"]
        done = subprocess.run(
            [self._bin / program, *connection, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def wait_healthy(self, *names: str) -> None:
        """Ask the health checks of the file until all are healthy."""
        for name in names:
            wait_until(partial(self.is_healthy, name), f"{name} to be healthy", partial(self._words, name), 90)

    def is_healthy(self, name: str) -> bool:
        """Run the service's health check as it stands in the file."""
        child = self._running[name]
        assert child.exit_code is None, f"{name} ended with {child.exit_code}: {child.last_words()}"
        return self.check(name).returncode == 0

    def check(self, name: str) -> "subprocess.CompletedProcess[str]":
        service = self.services[name]
        command = [self.local(name, word) for word in service.health_check]
        seconds = float(service.text["healthcheck"]["timeout"].removesuffix("s"))
        try:
            return subprocess.run(
                command, env=self.environment(name), capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", f"no answer within {seconds:g} s")

    def environment(self, name: str) -> dict[str, str]:
        """Return what the service has in its environment, and nothing of ours but where programs are."""
        own = {key: self.local(name, value) for key, value in self.services[name].environment.items()}
        ours = {key: os.environ[key] for key in INHERITED if key in os.environ}
        ours["PATH"] = f"{self._bin}:{ours['PATH']}"
        if "FORWARDED_ALLOW_IPS" in own:
            own["FORWARDED_ALLOW_IPS"] = LOOPBACK  # where the proxy is here
        if "DCRON_JOB_USER" in own and not IS_ROOT:
            own["DCRON_JOB_USER"] = ""  # jobs can be ours only
        return ours | own | self._own_port(name)

    def _own_port(self, name: str) -> dict[str, str]:
        """Return dcron's port as a variable, which the file leaves at its default."""
        if not self.services[name].is_ours:
            return {}
        variable, default = OWN_PORTS[self.services[name].command[0]]
        return {variable: str(self.port(name, default))}

    def _rights(self, name: str) -> list[str]:
        """Return what takes from root what the file does not leave it."""
        added = self.services[name].text.get("cap_add", [])
        if not IS_ROOT or not added:
            return []
        kept = ",".join(["-all", *(f"+{capability.lower()}" for capability in added)])
        return ["setpriv", f"--bounding-set={kept}", "--inh-caps=-all", "--no-new-privs", "--"]

    def _belongs_to_the_deployer(self, service: Service, path: Path) -> None:
        """Give what a container with added capabilities finds the owner that it has in the file's world."""
        if IS_ROOT and "cap_add" in service.text:
            os.chown(path, int(self.environ["CONTAINER_UID"]), int(self.environ["CONTAINER_GID"]))

    def _entrypoint(self, name: str) -> list[str]:
        """Return what the image starts its command with."""
        if self.services[name].is_ours:
            (found,) = re.findall(r"^ENTRYPOINT (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
            return [str(word) for word in json.loads(found)]
        return ["prometheus"] if name == "prometheus" else []

    def _populate(self, service: Service) -> None:
        """Put into the service's folder what the container would find there."""
        root = self.root(service.name)
        for target, source in service.secrets.items():
            file = root / SECRETS.strip("/") / target
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.secrets / source, file)
            self._belongs_to_the_deployer(service, file)
        for path in service.tmpfs:
            (root / path.strip("/")).mkdir(parents=True, exist_ok=True)
        for target, source in service.mounts.items():
            place = root / target.strip("/")
            if source.startswith("./data/"):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._belongs_to_the_deployer(service, place)
            elif not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                self._render(service.name, DEPLOY / source, place)

    def _render(self, name: str, source: Path, place: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, place)
        else:
            text = re.sub(r"^ *client_allowed_sans:.*\n", "", source.read_text(), flags=re.MULTILINE)
            place.write_text(self.local(name, text))

    def local(self, name: str, text: str) -> str:
        """Return a text of the service's with this machine's ports and paths."""
        others = "|".join(sorted(self.services, key=len, reverse=True))
        text = re.sub(rf"\b({others}):(\d+)\b", lambda it: f"{LOOPBACK}:{self.port(it[1], it[2])}", text)
        text = re.sub(
            r"\b(0\.0\.0\.0|127\.0\.0\.1|localhost):(\d{4})\b", lambda it: self._own_address(name, it[1], it[2]), text
        )
        text = re.sub(r"(://|bind ):(\d{4})\b", lambda it: f"{it[1]}{LOOPBACK}:{self.port(name, it[2])}", text)
        service = self.services[name]
        for path in (SECRETS, *service.mounts, *(path for path in service.tmpfs if path != "/tmp")):
            text = re.sub(rf"(?<![\w./-]){re.escape(path)}", f"{self.root(name)}{path}", text)
        return text.replace(KAFKA_BIN, f"{self._bin}/")

    def _own_address(self, name: str, host: str, port: str) -> str:
        host = LOOPBACK if host == "0.0.0.0" else host
        taken = int(port) in self._ports.values()  # it is ours already
        return f"{host}:{port if taken else self.port(name, port)}"

    def _kafka_start(self, name: str) -> str:
        """Return what the image does at its start: the configuration, the data's format, the broker."""
        root = self.root(name)
        defaults, mounted, final = root / "defaults", root / "mounted", root / "opt/kafka/config"
        defaults.mkdir(exist_ok=True)
        mounted.mkdir(exist_ok=True)
        for file in ("log4j2.yaml", "tools-log4j2.yaml"):
            (defaults / file).write_text(LOGGING)
        final.joinpath("server.properties").touch()
        folders = f"--default-configs-dir {defaults} --mounted-configs-dir {mounted} --final-configs-dir {final}"
        setup = f"{self._java('kafka.docker.KafkaDockerWrapper')} setup {folders}"
        formatted = root / "var/lib/kafka/data/meta.properties"
        start = f"exec {self._java('kafka.Kafka', '$KAFKA_HEAP_OPTS')} {final}/server.properties"
        return f"[ -e {formatted} ] || {setup}\n{start}"

    def _java(self, main: str, options: str = "-Xmx256m") -> str:
        logging = f"-Dlog4j2.configurationFile={self._kafka / 'log4j2.xml'}"
        shared = self._kafka / ARCHIVE
        archive = f"-XX:SharedArchiveFile={shared}" if shared.exists() else ""
        return f"java {options} {QUICK_JVM} {archive} {logging} -cp '{self._kafka / 'libs'}/*' {main}"

    def _make_kafka_programs(self) -> None:
        for program, main in KAFKA_PROGRAMS.items():
            self._make_program(program, f'exec {self._java(main)} "$@"')

    def _make_program(self, name: str, script: str) -> None:
        program = self._bin / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def _words(self, name: str) -> str:
        return f"{self._running[name].last_words()}\n{self.check(name).stderr}"


def _pinged(client: "pymongo.MongoClient[dict[str, Any]]") -> bool:
    try:
        return bool(client["cron"].command("ping")["ok"])
    except PyMongoError:
        return False


OWN_PORTS: Mapping[str, tuple[str, str]] = {
    "master": ("DCRON_MASTER_PORT", "8700"),
    "log-ingester": ("DCRON_LOG_INGESTER_PORT", "8701"),
    "worker": ("DCRON_WORKER_PORT", "8702"),
}
