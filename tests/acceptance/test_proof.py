"""The proof as an auditor meets it: the command line, on Kafka and a database of MongoDB's protocol."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cluster import TOKEN, Cluster, dcron_command, wait_until

KEY = "ab" * 32
JOB = """
name: backup
run: {shell: "tar cf /backup/home.tar /home"}
schedule: {cron: "0 3 * * *"}
"""


class Auditor:
    """Uses the `dcron` command."""

    def __init__(self, cluster: Cluster) -> None:
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("DCRON_")} | {
            "DCRON_URL": cluster.all_of("master")[0].url,
            "DCRON_TOKEN": TOKEN,
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Return all that the command printed; it must end with that exit code."""
        done = subprocess.run(
            [*dcron_command(), *arguments],
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return done.stdout

    def events(self, *filters: str) -> list[str]:
        """Return the kinds of the events found, newest first."""
        return [event["kind"] for event in json.loads(self("audit", "events", "--json", *filters))]


@pytest.fixture
def auditor(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Auditor:
    """A job was made, edited, paused and removed."""
    environment = cluster.environment()
    monkeypatch.setattr(cluster, "environment", lambda: {**environment, "DCRON_AUDIT_KEY": KEY})
    cluster.start(masters=1, workers=0, ingesters=1)
    auditor = Auditor(cluster)
    file = tmp_path / "job.yaml"
    for text in (JOB, JOB.replace("0 3", "0 4")):
        file.write_text(text)
        auditor("job", "apply", "-f", str(file))
    auditor("job", "pause", "backup")
    auditor("job", "rm", "backup")
    wait_until(lambda: len(auditor.events()) == 5, "five events in the archive")
    return auditor


def test_every_command_is_found_and_proved(auditor: Auditor) -> None:
    assert auditor.events() == ["JobDeleted", "JobPaused", "JobUpdated", "JobCreated", "LogOpened"]
    assert auditor.events("--job", "backup", "--limit", "2") == ["JobDeleted", "JobPaused"]
    assert auditor.events("--text", "0 4 * * *", "--kind", "JobUpdated") == ["JobUpdated"]
    assert auditor.events("--to", "2020-01-01T00:00:00Z") == []
    table = auditor("audit", "events", "--kind", "JobUpdated")
    assert "1 → 2" in table
    assert "applied: schedule.cron" in table
    assert "'2020-01-01'" in auditor("audit", "events", "--from", "2020-01-01", code=1)
    assert "has no zone" in auditor("audit", "events", "--from", "2020-01-01T00:00:00", code=1)
    assert "intact: 5 events in the log, 5 in the archive" in auditor("audit", "verify")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("byte", "archive: position 2: the value differs from byte "),
        ("actor", "archive: position 2: field actor differs: 'bootstrap' by the log, 'somebody' in the archive"),
        ("deleted", "archive: position 2 is missing"),
        ("tail", "the archive ends at 1, the log ends at 4: the archive's tail is cut"),
    ],
)
def test_what_was_done_to_the_archive_is_named(auditor: Auditor, cluster: Cluster, change: str, said: str) -> None:
    """One byte of one event changed, a field, one event deleted, the tail cut: named, and exit code 1."""
    with cluster.mongodb() as database:
        events = database["job_events"]
        true = events.find_one({"_id": 2})
        assert true
        match change:
            case "byte":
                events.update_one({"_id": 2}, {"$set": {"value": true["value"].replace(b"0 4 ", b"0 5 ")}})
            case "actor":
                events.update_one({"_id": 2}, {"$set": {"actor": "somebody"}})
            case "deleted":
                events.delete_one({"_id": 2})
            case "tail":
                events.delete_many({"_id": {"$gte": 2}})
    assert said in auditor("audit", "verify", code=1)


def test_a_head_is_signed_kept_and_held_against_the_log(auditor: Auditor, tmp_path: Path) -> None:
    file = tmp_path / "head.json"
    assert "position 4, signed with key" in auditor("audit", "head", "--out", str(file))
    public_key = json.loads(file.read_text())["public_key"]
    said = auditor("audit", "verify", "--head", str(file), "--public-key", public_key)
    assert "the chain goes through it at position 4" in said
    file.write_text(file.read_text().replace('"position": 4', '"position": 9'))
    assert "it was changed" in auditor("audit", "verify", "--head", str(file), code=1)
    assert "is not a head" in auditor("audit", "verify", "--head", __file__, code=1)
    assert "cannot be read" in auditor("audit", "verify", "--head", "/nowhere", code=1)
