"""deploy/kubernetes: every manifest is one that Kubernetes would take, every variable is a setting, nothing is root,
and what one manifest names is there in another. There is no cluster here to apply them to."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from dcron_core.errors import SettingsError
from dcron_core.settings import SECRETS, LogIngesterSettings, MasterSettings, WorkerSettings, load, variables_of
from dcron_standalone.api_documents import documents
from dcron_standalone.components import COMPONENTS
from tests.certificates import Authority
from tests.compose_file import DEPLOY

FOLDER = DEPLOY / "kubernetes"
VERSIONS = ("1.30", "1.37")  # the oldest that is meant, and the newest that is known
WORKLOADS = {"Deployment", "StatefulSet"}
NOT_OURS = {"DCRON_CA", "FORWARDED_ALLOW_IPS"}  # of the command line; of uvicorn
Manifest = dict[str, Any]
PORTS = {"master": 8700, "log-ingester": 8701, "worker": 8702}
KEYS = re.compile(r"^#   (dcron-\S+) +(.*)$", re.MULTILINE)


@cache
def manifests() -> tuple[Manifest, ...]:
    """What the kustomizations list, as it stands in the files."""
    found = []
    for part in ("base", "example"):
        kustomization = yaml.safe_load((FOLDER / part / "kustomization.yaml").read_text())
        listed = [name for name in kustomization["resources"] if name.endswith(".yaml")]
        assert set(listed) == {file.name for file in (FOLDER / part).iterdir()} - {"kustomization.yaml"}
        for name in listed:
            found += list(yaml.safe_load_all((FOLDER / part / name).read_text()))
    return tuple(found)


def of_kind(*kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests() if manifest["kind"] in kinds]


def workloads() -> dict[str, Manifest]:
    """Component → its Deployment or StatefulSet."""
    return {manifest["metadata"]["name"].removeprefix("dcron-"): manifest for manifest in of_kind(*WORKLOADS)}


def pod(component: str) -> Manifest:
    spec: Manifest = workloads()[component]["spec"]["template"]["spec"]
    return spec


def container(component: str) -> Manifest:
    (only,) = pod(component)["containers"]
    found: Manifest = only
    return found


def config_of(component: str) -> dict[str, str]:
    """The variables that the component gets."""
    maps = {manifest["metadata"]["name"]: manifest["data"] for manifest in of_kind("ConfigMap")}
    values: dict[str, str] = {}
    for source in container(component)["envFrom"]:
        values |= maps[source["configMapRef"]["name"]]
    return values


def keys_in_environment(component: str) -> dict[str, tuple[str, str]]:
    """Variable → the secret and the key in it that it is taken from."""
    taken = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container(component).get("env", [])}
    return {variable: (reference["name"], reference["key"]) for variable, reference in taken.items()}


def secrets_in(component: str) -> dict[str, Manifest]:
    """Folder in the container → the secret's volume."""
    volumes = {volume["name"]: volume["secret"] for volume in pod(component)["volumes"] if "secret" in volume}
    mounts = container(component)["volumeMounts"]
    return {mount["mountPath"]: volumes[mount["name"]] for mount in mounts if mount["name"] in volumes}


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_no_two_manifests_are_the_same_thing() -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests()]
    assert len(set(names)) == len(names)
    assert set(workloads()) == set(COMPONENTS)


@pytest.mark.parametrize("component", PORTS)
def test_every_variable_is_a_setting_and_all_together_add_up(component: str, tmp_path: Path) -> None:
    """With files of its own in place of those that the secrets hold."""
    values = config_of(component) | dict.fromkeys(keys_in_environment(component), "ab" * 32)
    kind = COMPONENTS[component].settings
    assert set(values) - set(variables_of(kind)) - NOT_OURS == set()
    authority = Authority(tmp_path)
    pair = authority.sign(component)
    (tmp_path / "key").write_text("ab" * 32)
    values["DCRON_TRUSTED_KEYS"] = patched_keys()
    (tmp_path / "url").write_text("mongodb://mongo.mongodb.svc/cron")
    files = {
        "ca.crt": authority.file,
        "tls.crt": pair.cert,
        "user.crt": pair.cert,
        "tls.key": pair.key,
        "user.key": pair.key,
    }
    here = {
        name: str(files.get(Path(value).name, tmp_path / ("url" if value.endswith("/url") else "key")))
        if value.startswith("/run/")
        else value
        for name, value in values.items()
    }
    settings = load(kind, here)
    assert isinstance(settings, MasterSettings | WorkerSettings | LogIngesterSettings)
    assert settings.topic_replication == 3


def patched_keys() -> str:
    """Return the trusted keys that the overlay sets."""
    patches = yaml.safe_load((FOLDER / "example" / "kustomization.yaml").read_text())["patches"]
    (keys,) = [
        parsed["data"]["DCRON_TRUSTED_KEYS"]
        for parsed in (yaml.safe_load(patch["patch"]) for patch in patches)
        if isinstance(parsed, dict)
    ]
    return str(keys)


@pytest.mark.parametrize("component", PORTS)
def test_without_trusted_keys_nothing_starts(component: str) -> None:
    """Empty would mean that workers verify no signature (G12)."""
    kind = COMPONENTS[component].settings
    values = {"DCRON_TOKEN": "x" * 16, "DCRON_TRUSTED_KEYS": config_of(component)["DCRON_TRUSTED_KEYS"]}
    with pytest.raises(SettingsError, match="DCRON_TRUSTED_KEYS"):
        load(kind, values)


@pytest.mark.parametrize("component", PORTS)
def test_every_file_in_the_settings_is_of_a_secret_that_is_mounted_and_listed(component: str) -> None:
    listed = {
        name: set(re.findall(r"[\w-]+(?:\.\w+)?", keys.partition(":")[0].partition("(")[0]))
        | set(re.findall(r"ca\.crt", keys))
        for pattern, keys in KEYS.findall((FOLDER / "base" / "kustomization.yaml").read_text())
        for name in names_in(pattern)
    }
    for value in config_of(component).values():
        if value.startswith("/run/"):
            folder, _, key = value.rpartition("/")
            secret = secrets_in(component)[folder]
            assert key in listed[secret["secretName"]], value
            assert "items" not in secret or key in {item["key"] for item in secret["items"]}
    assert {key for name, key in keys_in_environment(component).values() if key not in listed[name]} == set()


def names_in(pattern: str) -> list[str]:
    """Return what `dcron-{a,b}-tls` stands for."""
    found = re.fullmatch(r"(.*)\{(.*)\}(.*)", pattern)
    return [f"{found[1]}{middle}{found[3]}" for middle in found[2].split(",")] if found else [pattern]


def test_only_those_have_a_key_who_need_it() -> None:
    given = {
        component: {item["key"] for item in secrets_in(component).get("/run/keys", {"items": []})["items"]}
        | {key for _, key in keys_in_environment(component).values()}
        for component in PORTS
    }
    assert given["master"] == {"token", "metrics-token", "signing-key", "cluster-key"}
    assert given["worker"] == {"worker-token", "metrics-token", "cluster-key"}
    assert given["log-ingester"] == {"token", "metrics-token", "audit-key"}
    assert "/run/etcd" not in secrets_in("log-ingester")
    assert [component for component in PORTS if "/run/mongodb" in secrets_in(component)] == ["log-ingester"]


def test_no_key_of_a_worker_that_may_come_by_its_environment_is_a_file() -> None:
    """G11: jobs have its user, and can read its files. What is left are keys of TLS, which are files always."""
    files = {f"DCRON_{secret.upper()}_FILE" for secret in SECRETS}
    assert files & set(config_of("worker")) == set()
    assert "dcron-keys" not in {secret["secretName"] for secret in secrets_in("worker").values()}


@pytest.mark.parametrize("component", PORTS)
def test_nothing_is_root_or_may_become_it(component: str) -> None:
    whole, own = pod(component)["securityContext"], container(component)["securityContext"]
    assert whole["runAsNonRoot"] is True
    assert whole["runAsUser"] == whole["fsGroup"] == 10001
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod(component))
    assert not [volume for volume in pod(component)["volumes"] if "hostPath" in volume]
    assert pod(component)["automountServiceAccountToken"] is False
    (namespace,) = of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("component", PORTS)
def test_kubernetes_sets_no_variables_that_begin_with_dcron(component: str) -> None:
    """Of a Service dcron-master it would make DCRON_MASTER_PORT=tcp://…, which is a setting."""
    assert pod(component)["enableServiceLinks"] is False
    assert set(keys_in_environment(component)) & set(config_of(component)) == set()


@pytest.mark.parametrize("component", PORTS)
def test_probes_ask_what_they_should(component: str) -> None:
    """A restart helps only a process that hangs: who waits for etcd or Kafka is not ready, but lives."""
    found = container(component)
    paths = {probe: found[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
    assert {found[f"{probe}Probe"]["httpGet"]["scheme"] for probe in paths} == {"HTTPS"}
    assert found["ports"] == [{"name": "https", "containerPort": PORTS[component]}]
    assert found["args"] == [component]


@pytest.mark.parametrize("component", PORTS)
def test_resources_are_asked_for_and_limited(component: str) -> None:
    resources = container(component)["resources"]
    assert {"cpu", "memory"} <= set(resources["requests"])
    assert {"cpu", "memory", "ephemeral-storage"} <= set(resources["limits"])
    assert all("sizeLimit" in volume["emptyDir"] for volume in pod(component)["volumes"] if "emptyDir" in volume)


@pytest.mark.parametrize("component", PORTS)
def test_one_may_go_and_they_lie_apart(component: str) -> None:
    labels = workloads()[component]["spec"]["template"]["metadata"]["labels"]
    assert workloads()[component]["spec"]["selector"]["matchLabels"] == labels
    assert workloads()[component]["spec"]["replicas"] >= 2
    (budget,) = [each for each in of_kind("PodDisruptionBudget") if each["metadata"]["name"] == f"dcron-{component}"]
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    spread = {each["topologyKey"] for each in pod(component)["topologySpreadConstraints"]}
    assert spread == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(each["labelSelector"]["matchLabels"] == labels for each in pod(component)["topologySpreadConstraints"])


def test_a_service_leads_to_each() -> None:
    services = {service["metadata"]["name"]: service["spec"] for service in of_kind("Service")}
    for component, port in PORTS.items():
        spec = services[f"dcron-{component}"]
        assert spec["selector"] == workloads()[component]["spec"]["selector"]["matchLabels"]
        assert spec["ports"] == [{"name": "https", "port": port, "targetPort": "https"}]


def test_each_worker_keeps_data_of_its_own() -> None:
    """Spool and identity; as long as it is asked to end, it may take for that."""
    worker = workloads()["worker"]
    assert worker["kind"] == "StatefulSet"
    (claim,) = worker["spec"]["volumeClaimTemplates"]
    (mount,) = [each for each in container("worker")["volumeMounts"] if each["name"] == claim["metadata"]["name"]]
    assert config_of("worker")["DCRON_WORKER_DATA"].startswith(f"{mount['mountPath']}/")
    assert worker["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert pod("worker")["terminationGracePeriodSeconds"] >= 90


def test_nobody_may_speak_to_anybody_but_for_what_is_listed() -> None:
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind("NetworkPolicy")}
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = {component: workloads()[component]["spec"]["selector"]["matchLabels"] for component in PORTS}
    for component, port in PORTS.items():
        assert policies[f"to-{component}"]["podSelector"]["matchLabels"] == labels[component]
        (rule,) = policies[f"to-{component}"]["ingress"]
        assert rule["ports"] == [{"port": port}]
        assert rule["from"]
    assert policies["to-mongodb"]["podSelector"]["matchLabels"] == labels["log-ingester"]
    for name, store in (("to-kafka", "DCRON_KAFKA"), ("to-etcd", "DCRON_ETCD")):
        host, _, port_text = config_of("master")[store].partition(":")
        (rule,) = policies[name]["egress"]
        assert rule["ports"] == [{"port": int(port_text)}]
        (peer,) = rule["to"]
        assert peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == host.split(".")[1]


async def test_the_ingress_sends_each_path_to_the_service_that_has_it() -> None:
    rules = [
        (path, rule["host"])
        for ingress in of_kind("Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert {host for _, host in rules} == {"dcron.example.org"}

    def goes_to(wanted: str) -> str:
        fitting = [
            path
            for path, _ in rules
            if wanted == path["path"]
            or (path["pathType"] == "Prefix" and wanted.startswith(path["path"].rstrip("/") + "/"))
        ]
        best: str = max(fitting, key=lambda path: len(path["path"]))["backend"]["service"]["name"]
        return best.removeprefix("dcron-")

    described = await documents()
    paths = {name: set(described[f"{name}.json"]["paths"]) for name in ("master", "log-ingester")}
    both = set.intersection(*paths.values())
    for component, own in paths.items():
        for path in own - both:
            assert goes_to(re.sub(r"\{[^}]*\}", "x", path)) == component, path
    assert goes_to("/ws/feed") == "log-ingester"
    assert goes_to("/jobs/some") == "master"
    origin = "https://dcron.example.org"
    assert config_of("master")["DCRON_PUBLIC_URL"] == origin
    assert config_of("master")["DCRON_LOG_INGESTER_URL"] == config_of("log-ingester")["DCRON_ALLOWED_ORIGINS"] == origin


def test_the_autoscaler_has_no_rival() -> None:
    (scaler,) = of_kind("HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    patches = yaml.safe_load((FOLDER / "example" / "kustomization.yaml").read_text())["patches"]
    (removal,) = [each for each in patches if each.get("target", {}).get("name") == target["name"]]
    assert "/spec/replicas" in removal["patch"]
    partitions = LogIngesterSettings(token="x" * 16).execution_partitions
    assert scaler["spec"]["maxReplicas"] == partitions
