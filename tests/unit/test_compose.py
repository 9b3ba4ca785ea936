"""deploy/compose.yaml, held against the code, against what deploy/make-secrets makes and against the files that it
mounts: no container engine is needed to see that every command, variable, port and path in it is one that there is,
and that nothing in it runs with more rights than it needs. tests/acceptance/test_deployment.py runs it."""

import re
import stat
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dcron_core.settings import (
    CommonSettings,
    LogIngesterSettings,
    MasterSettings,
    WorkerSettings,
    load,
    variables_of,
)
from dcron_standalone.api_documents import documents
from dcron_standalone.cli import app
from dcron_standalone.components import COMPONENTS
from tests.compose_file import DEPLOY, SECRETS, raw, services

FIXED = {
    "CONTAINER_UID": "10001",
    "CONTAINER_GID": "10001",
    "TRUSTED_KEYS": "a" * 64,
    "ORIGIN": "https://localhost:8443",
}
SERVICES = services(FIXED)
OURS = [name for name, service in SERVICES.items() if service.is_ours]
STORES = [name for name in SERVICES if name.startswith(("etcd-", "kafka-", "mongo-"))]
ONCE = [name for name in SERVICES if name.endswith("-users")]
LASTING = [name for name in SERVICES if name not in ONCE]
WORKER_RIGHTS = {"SETUID", "SETGID", "KILL", "SYS_PTRACE", "DAC_OVERRIDE"}
PORTS = {"master": "master_port", "worker": "worker_port", "log-ingester": "log_ingester_port"}


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """What deploy/make-secrets makes: the folder, with .env beside it."""
    with TemporaryDirectory(prefix="dcron-tests-") as directory:
        make_secrets(Path(directory) / "secrets")
        yield Path(directory) / "secrets"


def make_secrets(folder: Path, *names: str) -> None:
    subprocess.run([DEPLOY / "make-secrets", folder, *names], check=True, capture_output=True)


def environ_of(made: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (made.parent / ".env").read_text().splitlines())


def settings_of(name: str, made: Path) -> CommonSettings:
    """What the code makes of the environment, with the secrets' files where they are here."""
    service = services(environ_of(made))[name]
    files = {SECRETS + target: str(made / source) for target, source in service.secrets.items()}
    environment = {key: files.get(value, value) for key, value in service.environment.items()}
    return load(COMPONENTS[service.command[0]].settings, environment)


# ---- what there is


def test_the_cluster_is_as_large_as_it_is_said_to_be() -> None:
    kinds = [name.rstrip("-123456789") for name in SERVICES]
    wanted = {"etcd": 3, "kafka": 3, "mongo": 3, "master": 2, "log-ingester": 2, "worker": 3, "proxy": 1}
    assert {kind: kinds.count(kind) for kind in wanted} == wanted
    assert {"prometheus", "grafana"} <= set(SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_the_command_is_one_that_dcron_has_and_the_name_says_it(name: str) -> None:
    (command,) = SERVICES[name].command
    assert command in app.resolved_commands()
    assert name.startswith(f"{command}-")


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_of_that_service_and_all_together_add_up(name: str, made: Path) -> None:
    """`load` refuses what no part of dcron knows and looks at certificates and keys; nobody is given another's."""
    settings = settings_of(name, made)
    own = set(variables_of(type(settings))) | {"DCRON_CA", "FORWARDED_ALLOW_IPS"}
    assert set(SERVICES[name].environment) - own == set()
    assert settings.host == "0.0.0.0"


def test_records_are_on_two_brokers_before_they_are_acknowledged(made: Path) -> None:
    for name in OURS:
        settings = settings_of(name, made)
        assert isinstance(settings, MasterSettings | WorkerSettings | LogIngesterSettings)
        assert settings.topic_replication == 3
    for number in (1, 2, 3):
        kafka = SERVICES[f"kafka-{number}"].environment
        assert (kafka["KAFKA_DEFAULT_REPLICATION_FACTOR"], kafka["KAFKA_MIN_INSYNC_REPLICAS"]) == ("3", "2")
        assert kafka["KAFKA_NODE_ID"] == str(number)
        assert f"{number}@kafka-{number}:9093" in kafka["KAFKA_CONTROLLER_QUORUM_VOTERS"]


def test_addresses_in_the_settings_are_services_of_the_file(made: Path) -> None:
    for name in OURS:
        settings = settings_of(name, made)
        assert isinstance(settings, MasterSettings | WorkerSettings | LogIngesterSettings)
        addresses = settings.kafka
        if isinstance(settings, MasterSettings | WorkerSettings):
            addresses += f",{settings.etcd}"
        if isinstance(settings, LogIngesterSettings):
            addresses += "," + settings.mongodb.rpartition("@")[2].partition("/")[0]
        assert {address.partition(":")[0] for address in addresses.split(",")} <= set(SERVICES)


def test_the_page_and_the_log_ingester_have_one_origin(made: Path) -> None:
    """That of the proxy, which the certificate and the published port agree with."""
    origin = environ_of(made)["ORIGIN"]
    for number in (1, 2):
        master, ingester = settings_of(f"master-{number}", made), settings_of(f"log-ingester-{number}", made)
        assert isinstance(master, MasterSettings)
        assert isinstance(ingester, LogIngesterSettings)
        assert (
            master.log_ingester_url
            == master.public_url
            == ingester.allowed_origins
            == origin
            == "https://localhost:8443"
        )
    assert SERVICES["proxy"].text["ports"] == ["127.0.0.1:8443:8443"]


def test_a_client_has_the_address_that_the_proxy_says_and_nobody_else(made: Path) -> None:
    """Limits of rates and of guessing are by address; a job on a worker could otherwise choose its own."""
    address = ip_address(SERVICES["proxy"].text["networks"]["services"]["ipv4_address"])
    (config,) = raw()["networks"]["services"]["ipam"]["config"]
    assert address in ip_network(config["subnet"])
    assert address not in ip_network(config["ip_range"])
    assert {SERVICES[name].environment["FORWARDED_ALLOW_IPS"] for name in OURS} == {str(address)}
    proxy = (DEPLOY / "proxy" / "haproxy.cfg").read_text()
    assert "option forwardfor" in proxy
    assert "http-request del-header X-Forwarded-For" in proxy, "what the client says of itself does not count"


def test_workers_do_not_share_their_data() -> None:
    """The spool and the identity in it are one worker's."""
    workers = [SERVICES[name] for name in OURS if name.startswith("worker-")]
    assert len({worker.mounts[worker.environment["DCRON_WORKER_DATA"]] for worker in workers}) == len(workers)


# ---- health, order, mounts


@pytest.mark.parametrize("name", LASTING)
def test_each_service_is_asked_for_its_health(name: str) -> None:
    assert SERVICES[name].health_check
    assert SERVICES[name].text["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", OURS)
def test_ours_are_asked_by_the_image_own_program(name: str) -> None:
    assert SERVICES[name].health_check == ["dcron-health"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_is_there_and_can_be_waited_for(name: str) -> None:
    for other, wait in SERVICES[name].text.get("depends_on", {}).items():
        assert other in SERVICES
        if wait["condition"] == "service_healthy":
            assert SERVICES[other].health_check
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert SERVICES[other].text["restart"] == "on-failure"


@pytest.mark.parametrize("name", ONCE)
def test_what_ends_is_waited_for_by_what_lasts(name: str) -> None:
    """Else `docker compose up --wait`, which deploy/up calls, takes its end for a failure."""
    assert [other for other in LASTING if name in SERVICES[other].text.get("depends_on", {})]


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_are_files_of_the_repository_read_only_or_data_of_the_service_alone(name: str) -> None:
    for mount in SERVICES[name].text.get("volumes", []):
        source, _, target = mount.removesuffix(":ro").rpartition(":")
        assert target.startswith("/")
        if source.startswith("./data/"):
            assert source == f"./data/{name}", "deploy/up makes one folder for each"
            assert re.search(rf"\b{name.rstrip('-123')}\b", (DEPLOY / "up").read_text())
        else:
            assert mount.endswith(":ro")
            assert (DEPLOY / source).exists()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_in_networks_that_there_are_and_only_proxy_and_dashboard_are_published(name: str) -> None:
    assert set(SERVICES[name].text["networks"]) <= set(raw()["networks"])
    assert "network_mode" not in SERVICES[name].text
    for published in SERVICES[name].text.get("ports", []):
        assert name in {"proxy", "grafana"}
        assert published.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", STORES)
def test_data_stores_are_on_a_network_without_a_way_out(name: str) -> None:
    assert SERVICES[name].text["networks"] == ["stores"]
    assert raw()["networks"]["stores"]["internal"] is True


# ---- rights and limits


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_has_more_rights_than_it_needs(name: str) -> None:
    text = SERVICES[name].text
    assert text["read_only"] is True
    assert text["cap_drop"] == ["ALL"]
    assert text["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "devices"} & set(text)
    assert not [mount for mount in text.get("volumes", []) if "docker.sock" in mount]


@pytest.mark.parametrize("name", SERVICES)
def test_only_a_worker_is_root_and_its_jobs_are_not(name: str) -> None:
    """G11: jobs that had the worker's user could read its keys, which are files."""
    text = SERVICES[name].text
    if name.startswith("worker-"):
        assert text["user"] == "0:0"
        assert set(text["cap_add"]) == WORKER_RIGHTS
        assert SERVICES[name].environment["DCRON_JOB_USER"] == "nobody", "whom every image has, and who owns nothing"
        assert "DCRON_RUN_AS_ALLOWED" not in SERVICES[name].environment
    else:
        assert text["user"] == "10001:10001", "the owner of the secrets, who is not root"
        assert "cap_add" not in text


@pytest.mark.parametrize("name", SERVICES)
def test_everything_is_limited(name: str) -> None:
    limits = SERVICES[name].text["deploy"]["resources"]["limits"]
    assert set(limits) == {"memory", "cpus", "pids"}
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert 0 < float(limits["cpus"]) <= 2
    assert SERVICES[name].text["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_of_one_version(name: str) -> None:
    image, _, tag = SERVICES[name].text["image"].partition(":")
    assert image
    assert re.search(r"\d+\.\d+", tag), f"{tag}: not latest, and not whatever is new"


# ---- secrets


def test_every_secret_is_made_by_the_script(made: Path) -> None:
    files = {
        name: Path(secret["file"].replace("${SECRETS:-./secrets}", str(made)))
        for name, secret in raw()["secrets"].items()
    }
    assert {name for name, file in files.items() if not file.is_file() or not file.read_bytes()} == set()


def test_every_secret_is_given_to_somebody_and_none_is_not_there() -> None:
    given = {source for service in SERVICES.values() for source in service.secrets.values()}
    assert given == set(raw()["secrets"])
    assert "ca.key" not in given, "with it, whoever breaks into a container could make certificates"


@pytest.mark.parametrize("name", SERVICES)
def test_paths_of_secrets_are_of_secrets_that_the_service_is_given(name: str) -> None:
    service = SERVICES[name]
    mounted = [
        DEPLOY / source
        for source in service.mounts.values()
        if source.endswith((".cfg", ".yaml", ".js", ".properties"))
    ]
    words = [*service.command, *service.health_check, *service.environment.values()]
    texts = words + [file.read_text() for file in mounted if not file.name.startswith("alerts")]
    named = {found for text in texts for found in re.findall(r"/run/secrets/([\w.-]+)", text)}
    assert named <= set(service.secrets)


def test_no_password_or_token_stands_in_the_file() -> None:
    """Variables that hold one name a file; nothing is interpolated that is secret."""
    for service in SERVICES.values():
        for variable, value in service.environment.items():
            if (
                re.search(r"PASSWORD|TOKEN$|TOKEN_|SIGNING|CLUSTER_KEY|AUDIT|SECRET", variable)
                and "INITIAL" not in variable
            ):
                assert value.startswith(SECRETS), variable
    for arguments in ([*service.command, *service.health_check] for service in SERVICES.values()):
        assert not re.search(r"(?i)(?<!mongo-)password|token", " ".join(arguments))


def test_only_those_have_a_key_who_need_it() -> None:
    def holders(secret: str) -> set[str]:
        return {name for name, service in SERVICES.items() if secret in service.secrets.values()}

    workers, masters = {"worker-1", "worker-2", "worker-3"}, {"master-1", "master-2"}
    assert holders("signing-key-1") == {"master-1"}
    assert holders("signing-key-2") == {"master-2"}
    assert holders("cluster-key") == workers | masters
    assert holders("mongo-url") == holders("audit-key") == {"log-ingester-1", "log-ingester-2"}
    assert holders("etcd-root.key") == {"etcd-users"}
    assert holders("mongo-root-password") == {"mongo-1", "mongo-users"}
    assert holders("metrics-token") >= {"prometheus"}
    assert holders("token") == masters | {"log-ingester-1", "log-ingester-2"}  # who has it is an administrator
    assert holders("worker-token") == workers


def test_secrets_are_readable_for_their_owner_only_and_kept_out_of_git(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in made.iterdir()} == {0o600}
    ignored = (DEPLOY.parent / ".gitignore").read_text().split()
    assert {"/deploy/secrets/", "/deploy/.env", "/deploy/data/"} <= set(ignored)


def test_no_two_secrets_are_alike_and_each_is_long(made: Path) -> None:
    names = [name for name in raw()["secrets"] if "." not in name and name != "mongo-url"]
    assert {name for name in names if len((made / name).read_text()) < 64} == set()
    assert len({(made / name).read_text() for name in names}) == len(names)


def test_the_script_called_again_changes_nothing_but_makes_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder, "cron.example.org", "192.0.2.7")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    env = (tmp_path / ".env").read_bytes()
    assert b"ORIGIN=https://cron.example.org:8443\n" in env
    (folder / "worker-1.crt").unlink()
    (folder / "worker-1.key").unlink()
    make_secrets(folder, "cron.example.org", "192.0.2.7")
    after = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert set(after) == set(before)
    assert {name for name in before if before[name] != after[name]} == {"worker-1.crt", "worker-1.key"}
    assert (tmp_path / ".env").read_bytes() == env
    assert names_of(folder / "proxy.crt") >= {"localhost", "127.0.0.1", "cron.example.org", "192.0.2.7"}


def test_a_name_that_comes_too_late_is_not_passed_over(made: Path) -> None:
    """The proxy's certificate is kept as it is, so that browsers would refuse the new name."""
    command = [str(DEPLOY / "make-secrets"), str(made), "late.example.org"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "does not name late.example.org" in done.stderr


def test_certificates_name_their_service_and_who_it_is_to_others(made: Path) -> None:
    """etcd and Kafka know a client by its common name; a certificate for several services would be one secret less."""
    for name in (*OURS, *STORES):
        if name in ONCE:
            continue
        certificate = x509.load_pem_x509_certificate((made / f"{name}.crt").read_bytes())
        (common,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        assert common.value == name.rstrip("-123")
        assert names_of(made / f"{name}.crt") >= {name, "localhost", "127.0.0.1"}
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate((made / "ca.crt").read_bytes()))


def names_of(certificate: Path) -> set[str]:
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def test_the_trusted_keys_are_the_public_ones_of_the_masters(made: Path) -> None:
    private = [bytes.fromhex((made / f"signing-key-{number}").read_text()) for number in (1, 2)]
    public = [
        Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        for key in private
    ]
    assert environ_of(made)["TRUSTED_KEYS"] == ",".join(public)


# ---- what is mounted


async def test_the_proxy_sends_each_path_to_the_service_that_has_it() -> None:
    """Every path of both APIs goes where it is served."""
    config = (DEPLOY / "proxy" / "haproxy.cfg").read_text()
    lines = [line.split() for line in config.splitlines() if line.strip().startswith("acl log_ingester")]
    exact = {word for line in lines if line[2] == "path" for word in line[3:]}
    beginnings = tuple(word for line in lines if line[2] == "path_beg" for word in line[3:])

    def goes_to(path: str) -> str:
        return "log-ingester" if path in exact or path.startswith(beginnings) else "master"

    for service, paths in (await served_paths()).items():
        for path in paths:
            assert goes_to(path) == service, path
    assert goes_to("/") == goes_to("/jobs/some") == "master", "the page"


async def served_paths() -> dict[str, set[str]]:
    """Return the paths of each API that are its alone, parameters filled in."""
    described = await documents()
    paths = {name: set(described[f"{name}.json"]["paths"]) for name in ("master", "log-ingester")}
    paths["log-ingester"] |= {"/ws/executions/{execution_id}", "/ws/feed"}
    both = set.intersection(*paths.values())
    return {name: {re.sub(r"\{[^}]*\}", "x", path) for path in own - both} for name, own in paths.items()}


def test_rights_in_etcd_cover_every_kind_of_key() -> None:
    """What a new kind of key needs is to be decided: masters may write all, workers what is listed."""
    script = (DEPLOY / "etcd" / "users.sh").read_text()
    (listed,) = re.findall(r"^for kind in (.*); do$", script, re.MULTILINE)
    assert {"jobs", "secrets", "users", "tokens", "projection", "drains"} & set(listed.split()) == set()
    assert 'may worker read "$PREFIX"' in script


def test_shell_scripts_are_sound() -> None:
    for script in ("make-secrets", "up", "down", "etcd/users.sh", "kafka/users.sh"):
        shell = "bash" if "bash" in (DEPLOY / script).read_text().splitlines()[0] else "sh"
        subprocess.run([shell, "-n", DEPLOY / script], check=True)
        if shell == "bash":
            assert (DEPLOY / script).stat().st_mode & stat.S_IXUSR


def test_the_file_says_what_is_missing_before_secrets_are_made() -> None:
    with pytest.raises(KeyError, match="run deploy/make-secrets"):
        services({})


def test_yaml_files_can_be_read() -> None:
    for file in (*DEPLOY.glob("prometheus/*.yaml"), *DEPLOY.glob("grafana/**/*.yaml")):
        assert yaml.safe_load(file.read_text()), file
