"""deploy/compose.yaml and deploy/Dockerfile, held against the code: no container engine is needed to see that
every command, variable, port and health path in them is one that dcron has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dcron_core.access.middleware import PROBES
from dcron_core.settings import LogIngesterSettings, MasterSettings, WorkerSettings, load, variables_of
from dcron_standalone.cli import app
from dcron_standalone.components import COMPONENTS

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "deploy" / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("build", {}).get("target") == "dcron"]
STORES = [name for name in SERVICES if name not in OURS]
PORTS = {"master": "master_port", "worker": "worker_port", "log-ingester": "log_ingester_port"}
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def component_of(name: str) -> str:
    (command,) = SERVICES[name]["command"]
    return str(command)


def environment_of(name: str) -> dict[str, str]:
    """The service's environment as compose makes it when nothing is set on the outside."""
    return {key: VARIABLE.sub(r"\2", value) for key, value in SERVICES[name]["environment"].items()}


def settings_of(name: str, tmp_path: Path) -> MasterSettings | WorkerSettings | LogIngesterSettings:
    """What the code makes of the environment, with the secret's file replaced by one that is there."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    settings = load(COMPONENTS[component_of(name)].settings, environment_of(name) | {"DCRON_TOKEN_FILE": str(token)})
    assert isinstance(settings, MasterSettings | WorkerSettings | LogIngesterSettings)
    return settings


def instructions(keyword: str) -> list[list[str]]:
    """The arguments of each such instruction of the Dockerfile."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{keyword} ")]


def test_all_three_services_are_there() -> None:
    assert {component_of(name) for name in OURS} == set(COMPONENTS)


@pytest.mark.parametrize("name", OURS)
def test_the_command_is_one_that_dcron_has(name: str) -> None:
    assert component_of(name) in app.resolved_commands()


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_that_some_service_reads_and_all_together_add_up(name: str, tmp_path: Path) -> None:
    """`load` refuses what no part of dcron knows; what stands at one service only must be that service's own."""
    settings = settings_of(name, tmp_path)
    shared = set(COMPOSE["x-dcron-environment"])
    particular = set(SERVICES[name]["environment"]) - shared
    assert particular <= set(variables_of(type(settings)))
    assert settings.host == "0.0.0.0"


@pytest.mark.parametrize("name", OURS)
def test_the_token_comes_from_a_secret_that_the_service_is_given(name: str) -> None:
    service = SERVICES[name]
    assert "DCRON_TOKEN" not in service["environment"]
    path = Path(service["environment"]["DCRON_TOKEN_FILE"])
    assert path.parent == Path("/run/secrets")
    assert path.name in service["secrets"]
    assert path.name in COMPOSE["secrets"]


@pytest.mark.parametrize("name", OURS)
def test_published_ports_are_those_that_the_service_listens_on_and_on_loopback(name: str, tmp_path: Path) -> None:
    port = getattr(settings_of(name, tmp_path), PORTS[component_of(name)])
    for published in SERVICES[name].get("ports", []):
        assert published == f"127.0.0.1:{port}:{port}"


@pytest.mark.parametrize("name", OURS)
def test_the_health_check_asks_a_path_that_is_served_without_a_token(name: str, tmp_path: Path) -> None:
    port = getattr(settings_of(name, tmp_path), PORTS[component_of(name)])
    program, *arguments = SERVICES[name]["healthcheck"]["test"][1:]
    assert program == "python", "the slim image has no curl"
    (found,) = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", " ".join(arguments))
    assert int(found[0]) == port
    assert found[1] in PROBES
    compile(arguments[1], "healthcheck", "exec")


def test_addresses_in_the_settings_are_services_of_the_file(tmp_path: Path) -> None:
    for name in OURS:
        settings = settings_of(name, tmp_path)
        addresses = settings.kafka
        if isinstance(settings, MasterSettings | WorkerSettings):
            addresses += f",{settings.etcd}"
        if isinstance(settings, LogIngesterSettings):
            addresses += "," + settings.mongodb.removeprefix("mongodb://").partition("/")[0]
        assert {address.partition(":")[0] for address in addresses.split(",")} <= set(SERVICES)


def test_the_page_may_talk_to_the_log_ingester(tmp_path: Path) -> None:
    """Its address is the published one, and the log-ingester lets the published page in."""
    master, ingester = settings_of("master", tmp_path), settings_of("log-ingester", tmp_path)
    assert isinstance(master, MasterSettings)
    assert isinstance(ingester, LogIngesterSettings)
    assert master.log_ingester_url == f"http://127.0.0.1:{ingester.log_ingester_port}"
    assert f"http://127.0.0.1:{master.master_port}" in ingester.allowed_origins.split(",")


def test_workers_do_not_share_their_data() -> None:
    """The spool and the identity in it are one worker's."""
    workers = [name for name in OURS if component_of(name) == "worker"]
    mounts = [SERVICES[name]["volumes"] for name in workers]
    assert len({str(mount) for mount in mounts}) == len(workers) >= 2
    for name in workers:
        (mount,) = SERVICES[name]["volumes"]
        assert mount.partition(":")[2] == SERVICES[name]["environment"]["DCRON_WORKER_DATA"]


@pytest.mark.parametrize("name", STORES)
def test_no_data_store_is_published(name: str) -> None:
    assert not {"ports", "network_mode"} & set(SERVICES[name])


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_is_there_and_can_be_waited_for(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        if wait["condition"] == "service_healthy":
            assert SERVICES[other]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_named_volumes_are_declared(name: str) -> None:
    for mount in SERVICES[name].get("volumes", []):
        assert mount.partition(":")[0] in COMPOSE["volumes"]


def test_the_image_copies_what_is_there_and_no_secret() -> None:
    copies = [arguments for arguments in instructions("COPY") if not arguments[0].startswith("--from")]
    sources = [source for arguments in copies for source in arguments[:-1]]
    assert sources
    assert [source for source in sources if not (REPOSITORY / source).exists()] == []
    assert not re.search(r"^(ENV|ARG) .*(TOKEN|SECRET|PASSWORD)", DOCKERFILE.read_text(), re.MULTILINE)


def test_the_image_has_the_versions_that_the_tests_run_on() -> None:
    """deploy/requirements.lock is requirements.lock without the tools for development."""
    locked = {
        file: set(re.findall(r"^\S+==\S+", (REPOSITORY / file).read_text(), re.MULTILINE))
        for file in ("requirements.lock", "deploy/requirements.lock")
    }
    assert locked["deploy/requirements.lock"] < locked["requirements.lock"]


def test_what_the_image_copies_is_not_kept_from_it() -> None:
    """The ignore file lists what may come in; a source it does not name would be missing from the build."""
    lines = (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text().split()
    allowed = {line.removeprefix("!").rstrip("/") for line in lines if line.startswith("!")}
    copies = [arguments for arguments in instructions("COPY") if not arguments[0].startswith("--from")]
    for source in (source.rstrip("/") for arguments in copies for source in arguments[:-1]):
        assert any(source == path or source.startswith(f"{path}/") for path in allowed), source


def test_the_targets_exist_and_the_last_stage_is_not_root() -> None:
    stages = {arguments[2] for arguments in instructions("FROM")}
    assert {service["build"]["target"] for service in SERVICES.values() if "build" in service} <= stages
    last = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert user.partition(":")[0] not in {"root", "0"}
    assert instructions("ENTRYPOINT")[-1] == ['["dcron"]']
