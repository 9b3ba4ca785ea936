"""History and time travel by the command line, on real servers with two masters."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster import TOKEN, Cluster, dcron_command

NIGHTLY = "name: nightly\nrun: {shell: 'true'}\nschedule: {cron: '0 3 * * *'}\nenv: {A: b}\n"


def environment(cluster: Cluster, master: int = 0) -> dict[str, str]:
    """Return the environment in which the command line finds one of the masters."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")}
    url = cluster.all_of("master")[master].url
    return inherited | {"DCRON_URL": url, "DCRON_TOKEN": TOKEN, "COLUMNS": "200"}


def dcron(cluster: Cluster, *arguments: str, code: int = 0, master: int = 0, said: str = "") -> str:
    """Run the command line against one master, `said` on its stdin; return what it printed."""
    done = subprocess.run(
        [*dcron_command(), *arguments],
        env=environment(cluster, master), input=said, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stderr if code else done.stdout


def state(cluster: Cluster, at: str) -> dict[str, Any]:
    """Return name → definition as `dcron audit state` tells it."""
    crontab = json.loads(dcron(cluster, "audit", "state", "--at", at, "--json", master=1))
    return {job["spec"]["name"]: job["spec"] for job in crontab["jobs"]}


def test_versions_are_shown_and_gone_back_to(cluster: Cluster, tmp_path: Path) -> None:
    """G1: what one master acknowledged, the other one's history has at once; also of a deleted job, and by its id."""
    cluster.start(masters=2, workers=0, ingesters=0)
    file = tmp_path / "nightly.yaml"
    file.write_text(NIGHTLY)
    dcron(cluster, "job", "apply", "-f", str(file))
    assert "version 2" in dcron(
        cluster, "job", "set", "nightly", "schedule.cron=0 4 * * *", "env.PORT=8080", "env.A=null"
    )
    shown = dcron(cluster, "job", "history", "nightly", "--diff", master=1)
    assert '    schedule.cron: "0 3 * * *" → "0 4 * * *"' in shown.splitlines()
    assert '    env.PORT: none → "8080"' in shown.splitlines()
    assert '    env.A: "b" → none' in shown.splitlines()
    assert "did you mean schedule" in dcron(cluster, "job", "set", "nightly", "shedule.cron=x", code=1)
    assert "no version 7; it has 1, 2" in dcron(cluster, "job", "revert", "nightly", "--to", "7", code=1)
    assert "version 3" in dcron(cluster, "job", "revert", "nightly", "--to", "1", master=1)
    dcron(cluster, "job", "rm", "nightly")
    history = json.loads(dcron(cluster, "job", "history", "nightly", "--json", master=1))
    assert [version["kind"] for version in history["versions"]] == [
        "JobCreated", "JobUpdated", "JobReverted", "JobDeleted",
    ]  # fmt: skip
    dcron(cluster, "job", "apply", "-f", str(file))
    assert "taken" in dcron(cluster, "job", "restore", "nightly", code=1)
    dcron(cluster, "job", "rm", "nightly")
    several = dcron(cluster, "job", "restore", "nightly", code=1)
    assert history["job_id"] in several
    assert "give an id" in several
    assert "version 4" in dcron(cluster, "job", "restore", history["job_id"], master=1)
    table = dcron(cluster, "job", "history", "nightly")
    assert [line.split()[1] for line in table.splitlines()[1:]] == [
        "created", "changed", "reverted", "deleted", "restored",
    ]  # fmt: skip


def test_the_crontab_is_shown_compared_and_restored(cluster: Cluster, tmp_path: Path) -> None:
    """G2, G3: the state at an instant is the fold up to it; a restore appends what brings it back, and it is back."""
    cluster.start(masters=2, workers=0, ingesters=0)
    file = tmp_path / "jobs.yaml"
    file.write_text("".join(f"---\nname: {name}\nrun: {{shell: 'true'}}\n" for name in ("kept", "edited", "gone")))
    with file.open("a") as jobs_file:
        jobs_file.write("---\nname: first\nrun: {shell: 'true'}\n")
        jobs_file.write("---\nname: after-first\nrun: {shell: 'true'}\nafter: [{job: first}]\n")
    dcron(cluster, "job", "apply", "-f", str(file))
    with cluster.api() as master:
        jobs = master.get("/api/v1/jobs").json()["jobs"]
        at = max(job["updated_at"] for job in jobs)
        dcron(cluster, "job", "set", "edited", "description=other", "timeout=5m")
        for name in ("gone", "after-first", "first"):
            dcron(cluster, "job", "rm", name, master=1)
        file.write_text("name: added\nrun: {shell: 'true'}\n")
        dcron(cluster, "job", "apply", "-f", str(file))
        assert set(state(cluster, at)) == {"kept", "edited", "gone", "first", "after-first"}

        diff = dcron(cluster, "audit", "diff", "--from", at)
        assert "created added (version none → 1)" in diff
        assert "deleted gone (version 1 → none)" in diff
        assert '    timeout: none → "5m"' in diff.splitlines()

        before = master.get("/api/v1/jobs").json()
        plan = dcron(cluster, "audit", "restore", "--at", at, "--dry-run")
        assert "delete added" in plan
        assert "revert edited (at version 2) with the definition of version 1" in plan
        assert "restore gone (deleted) with the definition of version 1" in plan
        dcron(cluster, "audit", "restore", "--at", at, said="n\n")
        assert "--yes" in dcron(cluster, "audit", "restore", "--at", at, code=1)
        assert master.get("/api/v1/jobs").json() == before, "nothing is done before it is confirmed"

        done = dcron(cluster, "audit", "restore", "--at", at, "--job", "edited", said="y\n", master=1)
        assert "1 done, 0 not done" in done
        assert "4 done, 0 not done" in dcron(cluster, "audit", "restore", "--at", at, "--yes")
        now = {job["spec"]["name"]: job["spec"] for job in master.get("/api/v1/jobs").json()["jobs"]}
        assert now == state(cluster, at)
        assert dcron(cluster, "audit", "restore", "--at", at, "--yes") == "", "there is nothing left to do"


def test_what_the_command_line_says_about_bad_instants(cluster: Cluster) -> None:
    cluster.start(masters=1, workers=0, ingesters=0)
    cases = {
        "2026-01-01T00:00:00": "no zone",
        "2999-01-01T00:00:00Z": "in the future",
        "2001-01-01T00:00:00+01:00": "before the log began",
        "yesterday": "'2h ago'",
        "5000000d ago": "'5000000d ago'",
        "soon ago": "not a duration",
    }
    for text, expected in cases.items():
        said = dcron(cluster, "audit", "state", "--at", text, code=1)
        assert expected in said
        assert len(said.strip().splitlines()) == 1, said
    assert "is after" in dcron(cluster, "audit", "diff", "--from", "0s ago", "--to", "1ms ago", code=1)
    assert "not an execution's id" in dcron(cluster, "kill", "nightly", code=1)


def test_a_run_is_killed_by_its_id(cluster: Cluster, tmp_path: Path) -> None:
    """G6: and it ends in the record as killed."""
    cluster.start(workers=1)
    file = tmp_path / "long.yaml"
    file.write_text("name: long\nrun: {shell: 'echo begun; sleep 300'}\n")
    dcron(cluster, "job", "apply", "-f", str(file))
    execution_id = dcron(cluster, "job", "run", "long").split()[3]
    assert execution_id in dcron(cluster, "kill", execution_id)
    followed = subprocess.run(
        [*dcron_command(), "logs", "-f", execution_id],
        env=environment(cluster), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "--- killed" in followed.stderr
    assert "no job" in dcron(cluster, "kill", execution_id.replace("0", "1", 1), code=1)
