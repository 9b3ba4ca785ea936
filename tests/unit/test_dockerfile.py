"""deploy/Dockerfile, held against what is there: without a container engine it cannot be built here."""

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dcron_core.access.middleware import PROBES
from dcron_core.settings import CLIENT_VARIABLES, known_variables
from tests.certificates import Authority
from tests.compose_file import DEPLOY, raw

REPOSITORY = DEPLOY.parent
DOCKERFILE = DEPLOY / "Dockerfile"


def instructions(keyword: str) -> list[list[str]]:
    """The arguments of each such instruction of the Dockerfile."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{keyword} ")]


def copied_from_here() -> list[str]:
    copies = [[word for word in arguments if not word.startswith("--chmod")] for arguments in instructions("COPY")]
    return [source for arguments in copies if not arguments[0].startswith("--from") for source in arguments[:-1]]


def test_the_image_copies_what_is_there_and_no_secret() -> None:
    assert copied_from_here()
    assert [source for source in copied_from_here() if not (REPOSITORY / source).exists()] == []
    assert not re.search(r"^(ENV|ARG) .*(TOKEN|SECRET|PASSWORD)", DOCKERFILE.read_text(), re.MULTILINE)


def test_what_the_image_copies_is_not_kept_from_it_and_secrets_are() -> None:
    """The ignore file lists what may come in; a source it does not name would be missing from the build."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert lines[0] == "*"
    allowed = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    for source in (source.rstrip("/") for source in copied_from_here()):
        assert any(source == path or source.startswith(f"{path}/") for path in allowed), source
    assert not {path for path in allowed if path == "deploy" or "secrets" in path}


def test_the_image_has_the_versions_that_the_tests_run_on() -> None:
    """deploy/requirements.lock is requirements.lock without the tools for development."""
    locked = {
        file: set(re.findall(r"^\S+==\S+", (REPOSITORY / file).read_text(), re.MULTILINE))
        for file in ("requirements.lock", "deploy/requirements.lock")
    }
    assert locked["deploy/requirements.lock"] < locked["requirements.lock"]


def test_what_it_is_built_on_is_of_one_version() -> None:
    defaults = dict(argument.split("=") for (argument,) in instructions("ARG"))
    stages = {arguments[2] for arguments in instructions("FROM")}
    for arguments in instructions("FROM"):
        base = re.sub(r"\$\{(\w+)\}", lambda found: defaults[found[1]], arguments[0])
        assert base in stages or re.fullmatch(r"\w+:\d+\.\d+(\.\d+)?-[\w-]+", base), base
    for arguments in instructions("RUN"):
        text = " ".join(arguments)
        assert "pip install" not in text or "--require-hashes" in text or "--no-deps" in text
        assert "npm install" not in text


def test_the_targets_exist_and_no_stage_that_runs_is_root() -> None:
    stages = {arguments[2] for arguments in instructions("FROM")}
    targets = {service["build"]["target"] for service in raw()["services"].values() if "build" in service}
    assert targets <= stages
    for stage in re.split(r"^FROM ", DOCKERFILE.read_text(), flags=re.MULTILINE)[1:]:
        if stage.split()[2] in targets:
            (user,) = re.findall(r"^USER (\S+)$", stage, re.MULTILINE)
            assert user.partition(":")[0] not in {"root", "0"}
    assert instructions("ENTRYPOINT")[-1] == ['["dcron"]']


def test_the_image_says_how_to_ask_for_its_health() -> None:
    (check,) = instructions("HEALTHCHECK")
    assert check[-2:] == ["CMD", '["dcron-health"]']
    (copied,) = [arguments for arguments in instructions("COPY") if "/usr/local/bin/dcron-health" in arguments]
    assert (REPOSITORY / copied[-2]).read_text().startswith("#!/usr/bin/env python3\n")
    assert "/readyz" in PROBES, "it has no token"


def test_the_folder_that_it_starts_in_may_be_entered_by_any_user() -> None:
    """compose.yaml runs it as whoever made the secrets."""
    assert re.search(r"install -d .*-m 0755 /var/lib/dcron$", DOCKERFILE.read_text(), re.MULTILINE)
    assert instructions("WORKDIR")[-1] == ["/var/lib/dcron"]


class Service(HTTPServer):
    """Answers as a service's readiness probe."""

    status = 200


class Probe(BaseHTTPRequestHandler):
    """Says the service's status."""

    server: Service

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/readyz" else 404)
        self.end_headers()
        self.wfile.write(b'{"missing": {"lease": "why"}}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service(("127.0.0.1", 0), Probe)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def health(port: int, **environment: str) -> "subprocess.CompletedProcess[str]":
    ports = {"DCRON_MASTER_PORT": "1", "DCRON_WORKER_PORT": "2", "DCRON_LOG_INGESTER_PORT": str(port)}
    return subprocess.run(
        [sys.executable, DEPLOY / "healthcheck"], env={"PATH": os.environ["PATH"]} | ports | environment,
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def test_health_is_what_the_service_answers(service: Service) -> None:
    assert health(service.server_port).returncode == 0
    service.status = 503
    found = health(service.server_port)
    assert found.returncode == 1
    assert '"lease"' in found.stderr


def test_without_a_service_there_is_no_health() -> None:
    assert health(3).returncode == 1


def test_health_over_tls_trusts_the_own_certificate_only(service: Service, tmp_path: Path) -> None:
    """Another service that took the port would not be believed."""
    authority = Authority(tmp_path)
    own, other = authority.sign("own"), authority.sign("other")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.cert, own.key)
    service.socket = context.wrap_socket(service.socket, server_side=True)
    assert health(service.server_port, DCRON_TLS_CERT=str(own.cert)).returncode == 0
    assert health(service.server_port, DCRON_TLS_CERT=str(other.cert)).returncode == 1


def test_health_reads_variables_that_there_are() -> None:
    named = set(re.findall(r'"(DCRON_\w+)"', (DEPLOY / "healthcheck").read_text()))
    assert named
    assert named <= known_variables() | CLIENT_VARIABLES
