"""deploy/compose.yaml at work: every service of it as a process of this machine, from its command, its variables and
its mounted files, with the secrets that deploy/make-secrets makes, asked for its health as the file says, and proven
by deploy/smoke through the file's proxy. tests/deployment.py says what is other than in containers.

One cluster for all tests of this file: it takes half a minute to start."""

import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
import yaml

from tests.cluster import wait_until
from tests.compose_file import DEPLOY
from tests.deployment import Deployment

ETCD = ("etcd-1", "etcd-2", "etcd-3")
KAFKA = ("kafka-1", "kafka-2", "kafka-3")
MASTERS = ("master-1", "master-2")
OURS = (*MASTERS, "log-ingester-1", "worker-1")  # one of each would do, but for the master that dies
REFUSALS = ("AuthorizationFailed", "permission denied", "not authorized", "Unauthorized")

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="the proxy: apt-get install haproxy"),
    pytest.mark.skipif(shutil.which("wget") is None, reason="the proxy's health check: apt-get install wget"),
]


@pytest.fixture(scope="module")
def deployment(tools: Path) -> Iterator[Deployment]:
    """All stores and one or two of each service, healthy by the file's own checks."""
    with TemporaryDirectory(prefix="dcron-tests-") as directory, Deployment.prepared(Path(directory), tools) as made:
        Path(directory).chmod(0o755)  # what keeps jobs from secrets is their files' mode, as in containers
        made.start(*ETCD, *KAFKA)
        made.start_mongodb_stand_in(tools)
        made.wait_healthy(*ETCD)
        made.run_once("etcd-users")
        made.wait_healthy(*KAFKA)
        made.run_once("kafka-users")
        made.start(*OURS)
        made.wait_healthy(*OURS)
        made.start("proxy")
        made.wait_healthy("proxy")
        yield made


def test_the_smoke_script_finds_that_all_holds_and_a_master_may_die(deployment: Deployment) -> None:
    """Login, a job, its output while it runs, and commands with a master killed: all through the proxy."""
    again = f"{sys.executable} -c 'import pathlib; pathlib.Path(\"{deployment.directory}/again\").touch()'"
    done = smoke(deployment, stop=f"kill -9 {deployment.pid('master-1')}", start=again)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert [line for line in done.stdout.splitlines() if not line.startswith("ok ")] == []
    assert (deployment.directory / "again").exists()
    assert not deployment.is_running("master-1")
    deployment.start("master-1")
    deployment.wait_healthy("master-1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be what a worker is in its container")
def test_a_job_is_nobody_and_can_read_no_key_of_its_worker(deployment: Deployment) -> None:
    """G11: the way to the secrets is open, each file is closed; the worker reads them by DAC_OVERRIDE alone."""
    folders = [deployment.root("worker-1") / folder for folder in ("run/secrets", "var/lib/dcron")]
    script = (
        f"id -un; cd {folders[0]}; for each in *; do echo $each; cat $each 2>/dev/null; done; "
        f"ls {folders[1]} 2>/dev/null; echo end"
    )
    said = output_of_a_run(deployment, script).splitlines()
    assert said == ["nobody", *sorted(deployment.services["worker-1"].secrets), "end"]
    assert "secret.exposed" not in deployment.log("worker-1")


def test_the_link_of_the_first_user_logs_in(deployment: Deployment) -> None:
    """`deploy/link` runs this in a master's container; the link works once, and leads to the proxy."""
    script = (DEPLOY / "link").read_text()
    (url,) = re.findall(r"DCRON_URL=(\S+) master-1 dcron link", script)
    environment = deployment.environment("master-1") | {"DCRON_URL": deployment.local("master-1", url)}
    program = Path(sys.executable).with_name("dcron")
    made = subprocess.run([program, "link"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(f"{deployment.origin}/login?link=")
    trust = ssl.create_default_context(cafile=str(deployment.secrets / "ca.crt"))
    with httpx.Client(base_url=deployment.origin, verify=trust, trust_env=False) as browser:
        assert browser.get(made.stdout.strip()).status_code == 303
        assert browser.get("/api/v1/session").json()["user"] == "admin"
        assert {cookie.secure for cookie in browser.cookies.jar} == {True}
        assert browser.get("/metrics").status_code == 404, "not through the proxy"
    with httpx.Client(base_url=deployment.origin, verify=trust, trust_env=False) as thief:
        assert thief.get(made.stdout.strip()).status_code != 303
    assert made.stdout.partition("link=")[2].strip() not in deployment.log("proxy"), "what logs in is in no log"


def test_no_service_was_refused_what_it_needs(deployment: Deployment) -> None:
    """The rights that etcd-users and kafka-users give are enough."""
    logs = {name: deployment.log(name) for name in OURS}
    assert {name for name, text in logs.items() if any(refusal in text for refusal in REFUSALS)} == set()
    assert all('"action": "service.running"' in text for text in logs.values())


def test_a_worker_cannot_write_a_definition(deployment: Deployment) -> None:
    """Its certificate opens etcd to it, but not the job table: that is the masters'."""
    key = "/cron/jobs/01a20000-0000-7000-8000-000000000000"
    assert "permission denied" in etcdctl(deployment, "worker-1", "put", key, "{}").stderr
    assert etcdctl(deployment, "worker-1", "get", "--prefix", "/cron/workers/").returncode == 0
    assert etcdctl(deployment, "master-1", "put", "/cron/clocks/none", "{}").returncode == 0
    assert etcdctl(deployment, "master-1", "del", "/cron/clocks/none").returncode == 0


def test_etcd_shuts_out_whom_it_does_not_know(deployment: Deployment) -> None:
    """A certificate of the same authority is not enough without a user of its name; none at all opens nothing."""
    assert "permission denied" in (etcdctl(deployment, "log-ingester-1", "get", "--prefix", "/cron/").stderr)
    environment = etcdctl_environment(deployment, "worker-1")
    del environment["ETCDCTL_CERT"], environment["ETCDCTL_KEY"]
    done = subprocess.run(
        ["etcdctl", "--dial-timeout=2s", "--command-timeout=3s", "get", "x"],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0


def test_a_worker_cannot_write_the_log_of_job_events(deployment: Deployment) -> None:
    """Kafka's rights, as the brokers list them: only masters write it."""
    listed = deployment.kafka_program("kafka-acls.sh", "kafka-1", "--list")
    writers = set()
    for block in listed.split("Current ACLs for resource"):
        if "name=cron.job-events" in block or "name=cron.," in block:
            writers |= {
                line.split("User:")[1].split(",")[0] for line in block.splitlines() if "operation=WRITE" in line
            }
    assert writers == {"master"}


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="apt-get install prometheus")
def test_prometheus_gets_the_metrics_of_every_service_and_reads_the_rules(deployment: Deployment) -> None:
    """By TLS, with the token of metrics; whoever has no certificate is shut out of Prometheus itself."""
    deployment.start("prometheus")
    url = f"https://localhost:{deployment.port('prometheus', '9090')}"
    trust = ssl.create_default_context(cafile=str(deployment.secrets / "ca.crt"))
    stranger = httpx.Client(base_url=url, verify=trust, trust_env=False)
    trust = ssl.create_default_context(cafile=str(deployment.secrets / "ca.crt"))
    trust.load_cert_chain(deployment.secrets / "grafana.crt", deployment.secrets / "grafana.key")
    running = {*ETCD, *OURS, "prometheus"}
    with httpx.Client(base_url=url, verify=trust, trust_env=False) as client:
        wait_until(lambda: targets_up(deployment, client) == running, "targets", lambda: targets_up(deployment, client))
        groups = client.get("/api/v1/rules").json()["data"]["groups"]
    with pytest.raises(httpx.TransportError), stranger:
        stranger.get("/-/healthy")
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    assert {group["name"] for group in groups} == {group["name"] for group in rules}
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}


def test_the_smoke_script_fails_when_no_master_is_left(deployment: Deployment) -> None:
    """The last test of this file: it leaves none."""
    both = " ".join(str(deployment.pid(name)) for name in MASTERS)
    done = smoke(deployment, stop=f"kill -9 {both}", start="true", SMOKE_PATIENCE_S="3")
    assert done.returncode == 1
    assert "FAILED  with master-1 killed" in done.stdout


def output_of_a_run(deployment: Deployment, script: str) -> str:
    """Run a shell script, whose last word is `end`, as a job; return all that it printed."""
    trust = ssl.create_default_context(cafile=str(deployment.secrets / "ca.crt"))
    headers = {"Authorization": f"Bearer {(deployment.secrets / 'token').read_text()}"}
    spec = {"name": "reader", "schedule": {"cron": "0 0 1 1 *"}, "run": {"shell": script}}

    with httpx.Client(base_url=deployment.origin, verify=trust, trust_env=False, headers=headers) as client:
        made = client.post("/api/v1/jobs", json=spec, headers={"Idempotency-Key": "reader"}).raise_for_status()
        job = f"/api/v1/jobs/{made.json()['job_id']}"
        run = client.post(f"{job}/run", headers={"Idempotency-Key": "run"}).raise_for_status().json()

        def printed() -> str:
            found = client.get(f"/api/v1/executions/{run['execution_id']}/output")
            return "".join(chunk["text"] for chunk in found.json().get("chunks", []))

        wait_until(lambda: printed().endswith("end\n"), "the run's output", printed)
        client.delete(job, headers={"Idempotency-Key": "delete"}).raise_for_status()
        return printed()


def targets_up(deployment: Deployment, client: httpx.Client) -> set[str]:
    """Return the services that Prometheus has got metrics of."""
    try:
        answer = client.get("/api/v1/targets")
    except httpx.TransportError:
        return set()
    if answer.status_code == 503:  # it starts
        return set()
    targets = answer.json()["data"]["activeTargets"]
    addresses = {target["labels"]["instance"] for target in targets if target["health"] == "up"}
    return {
        name for name, port in deployment.listening().items() if {f"127.0.0.1:{port}", f"localhost:{port}"} & addresses
    }


def smoke(deployment: Deployment, stop: str, start: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(DEPLOY / "smoke"), "--url", deployment.origin, "--secrets", str(deployment.secrets)]
    return subprocess.run(
        [*command, "--stop", stop, "--start", start], env=os.environ | environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def etcdctl_environment(deployment: Deployment, name: str) -> dict[str, str]:
    """Return what makes etcdctl speak as that service."""
    own = deployment.root(name) / "run/secrets"
    etcd: Mapping[str, str] = deployment.environment("etcd-1")
    return {
        **{key: etcd[key] for key in ("PATH", "ETCDCTL_API", "ETCDCTL_ENDPOINTS", "ETCDCTL_CACERT")},
        "ETCDCTL_CERT": str(own / "own.crt"),
        "ETCDCTL_KEY": str(own / "own.key"),
    }


def etcdctl(deployment: Deployment, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = etcdctl_environment(deployment, name)
    return subprocess.run(
        ["etcdctl", *arguments], env=environment, capture_output=True, text=True, timeout=20, check=False
    )
