"""`dcron runs`, `dcron logs` and `dcron stats` against a running dcron."""

import json
import subprocess

from tests.cluster import TOKEN, Cluster, dcron_command, wait_until


def test_runs_are_listed_read_and_counted(cluster: Cluster) -> None:
    """In all forms that a terminal or a program asks for."""
    cluster.start(workers=1)

    def dcron(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in cluster.environment().items() if not key.startswith("DCRON_")}
        environment |= {"DCRON_URL": cluster.all_of("master")[0].url, "DCRON_TOKEN": TOKEN}
        done = subprocess.run(
            [*dcron_command(), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        return done

    with cluster.api() as api:
        script = "seq 1 5; echo trouble >&2"
        body = {"name": "counter", "run": {"shell": script}, "retention": "7d"}
        job_id = api.post("/api/v1/jobs", json=body).raise_for_status().json()["job_id"]
        fails = {"name": "failing", "run": {"shell": "echo no; exit 3"}}
        failing = api.post("/api/v1/jobs", json=fails).raise_for_status().json()["job_id"]
        for each in (job_id, failing):
            api.post(f"/api/v1/jobs/{each}/run").raise_for_status()

    def both_over() -> bool:
        lines = dcron("runs", "--json").stdout.splitlines()
        return sorted(json.loads(line)["status"] for line in lines) == ["failed", "succeeded"]

    wait_until(both_over, "both runs to be stored")
    (run,) = [json.loads(line) for line in dcron("runs", "counter", "--json").stdout.splitlines()]
    assert run["job_id"] == job_id
    assert "failing" in dcron("runs", "--status", "failed").stdout
    assert "counter" not in dcron("runs", "--status", "failed", "--status", "lost").stdout
    assert dcron("runs", "--text", "trouble", "--since", "1h", "--json").stdout.count("\n") == 1
    assert dcron("runs", "--until", "1h").stderr == "no such runs\n"

    assert dcron("logs", "counter").stdout == "1\n2\n3\n4\n5\n"
    assert dcron("logs", "counter", "--tail", "2", "--stream", "stdout").stdout == "4\n5\n"
    assert dcron("logs", run["execution_id"], "--stream", "stderr").stdout == "trouble\n"
    assert dcron("logs", "counter", "--since", "1h", "--json").stdout.count('"execution_id"') >= 2
    assert "is not an instant" in dcron("logs", "counter", "--since", "soon", code=1).stderr
    assert "has not run since" in dcron("logs", "counter", "--since", "0s", code=1).stderr

    table = dcron("stats").stdout
    assert "counter" in table
    assert "failing" in table
    stats = json.loads(dcron("stats", "failing", "--json").stdout)
    assert (stats["total"]["runs"], stats["total"]["success_rate"]) == (1, 0.0)

    with cluster.mongodb() as database:
        document = database["executions"].find_one({"_id": run["execution_id"]})
        assert document is not None
        assert (document["expires_at"] - document["finished_at"]).days == 7
