"""The documents of the archive follow from the log alone, in every release."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from dcron_core.jobs.chain import Chain
from dcron_core.jobs.replay import Replay
from dcron_core.ports.log import Record
from dcron_log_ingester.batches import Document
from dcron_log_ingester.event_documents import UNREADABLE, event_document
from dcron_log_ingester.views import event_view
from dcron_schemas.audit import FieldChange
from dcron_schemas.codec import decode_event, encode
from dcron_schemas.events import (
    JobCreated,
    JobDeleted,
    JobEvent,
    JobPaused,
    JobUpdated,
    KillRequested,
    LogOpened,
    LogRecordSkipped,
    RunRequested,
)
from dcron_schemas.identity_events import LoggedIn, LoginRefused, PasswordSet, SecretSet, TokenCreated, UserAdded
from dcron_schemas.job import Run
from tests.unit.core.jobs.events import START, event, job
from tests.unit.schemas.golden import VERSIONS, lines

KILLED = "0198f5a0-1111-7000-8000-000000000001.r0198f5a0-3333-7000-8000-000000000003.1"
# Of each saved log: the chain at its end, and the SHA-256 of its documents.
ARCHIVES = {
    "v1": (
        "1d9c436655cafa2dc1d616e7bbb6da2af8e33a8c26c6dd7f1cd7532e4ea4f3e6",
        "2c16aabaa25b8341a207cecad9d05d1b8c148ad36d1c5d376c54c559000a492a",
    ),
    "v2": (
        "21b52974c6936e4d6d570373b8c3acb6761bb97a5528c74f144ea8a9ce8255dd",
        "e41e65450fd86914e008395a090b74dde1e335124a044547487f383bc31dd73b",
    ),
    "v3": (
        "0c6312fd06acef60d51f26b9582ce85acb3c85b21275ab1cd4374a3ce1144fe6",
        "c05b2cfbe769d3bcd090c08c539cedfe9f7c657e7fa5c1b26b4ae3d0321c4696",
    ),
    "v4": (
        "e5cb898428b817dd6bd3d998d06ec5f38542e596ddee618cb4054d179cb13f68",
        "bf1ac371f902a4f1fe1e0e2065a5660b943c5f7ee6141f6d0f35be51f6afe16b",
    ),
}


def documents(*events: JobEvent | None, taken_in: datetime = START) -> list[Document]:
    """Return the archive of a log; None: a record that cannot be read."""
    values = [(each, encode(each) if each else b"\xff") for each in events]
    return list(_documents([(value, each, each.job_id if each else "key") for each, value in values], taken_in))


def _documents(log: list[tuple[bytes, JobEvent | None, str]], taken_in: datetime) -> Iterator[Document]:
    replay, chain = Replay(), Chain()
    for offset, (value, happened, key) in enumerate(log):
        record = Record("cron.job-events", 0, offset, key, value, taken_in + timedelta(seconds=offset))
        yield event_document(record, replay.step(offset, happened), chain.take(record))


def saved(version: str) -> list[Document]:
    log: list[tuple[bytes, JobEvent | None, str]] = []
    for line in lines(version, "job-events.jsonl"):
        happened = decode_event(line)
        assert isinstance(happened, JobEvent)
        log.append((line, happened, happened.job_id))
    return list(_documents(log, START))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_saved_log_has_the_archive_that_it_always_had(version: str) -> None:
    """Old archives are verified against what this release makes of their log.

    When this fails, an upgrade would call every old archive forged: mend the code, never the values here.
    """
    made = saved(version)
    plain = msgspec.json.encode(made, order="sorted")
    assert (made[-1]["hash"], hashlib.sha256(plain).hexdigest()) == ARCHIVES[version]


def test_when_and_by_whom_it_is_archived_does_not_matter() -> None:
    log = [event(LogOpened("log-1"), ""), event(JobCreated(job()), minute=1), None]
    assert documents(*log) == documents(*log, taken_in=datetime(2030, 1, 1, tzinfo=UTC))


def test_an_edit_says_what_it_changed_and_a_rival_why_it_was_refused() -> None:
    log = documents(
        event(JobCreated(job("a"))),
        event(JobUpdated(job("a", cron="5 0 * * *")), minute=1, expected=1),
        event(JobUpdated(job("a", cron="6 0 * * *")), minute=2, expected=1),
        event(JobUpdated(job("a", cron="6 0 * * *")), minute=2, expected=1),
    )
    created, edited, refused, repeated = [event_view(each) for each in log]
    assert (created.version_before, created.version_after, created.changes) == (None, 1, ())
    assert (edited.version_before, edited.version_after) == (1, 2)
    assert edited.changes == (FieldChange(field="schedule.cron", before="0 0 * * *", after="5 0 * * *"),)
    assert (refused.outcome, refused.version_before, refused.version_after) == ("rejected", 2, 2)
    assert refused.detail == "meant for version 1, and the job is at version 2"
    assert (repeated.outcome, repeated.detail) == ("repeated", "the event of position 2")


def test_every_event_says_which_job_it_is_about() -> None:
    log = documents(
        event(LogOpened("log-1"), ""),
        event(JobCreated(job("a")), minute=1),
        event(JobCreated(job("a")), "job-2", minute=2),
        event(JobPaused("Wartung"), minute=3),
        event(RunRequested(), minute=4),
        event(KillRequested(KILLED), minute=5),
        event(JobDeleted(), minute=6),
        event(JobDeleted(), minute=7),
        None,
        event(LogRecordSkipped(8, "00", "disk"), "", minute=9),
    )
    views = [event_view(each) for each in log]
    assert [(view.kind, view.job_name, view.outcome, view.detail) for view in views] == [
        ("LogOpened", "", "applied", ""),
        ("JobCreated", "a", "applied", ""),
        ("JobCreated", "a", "rejected", "the name is taken"),
        ("JobPaused", "a", "applied", "Wartung"),
        ("RunRequested", "a", "applied", "job-1.revent-4.1"),
        ("KillRequested", "a", "rejected", "the execution is not a run of the job"),
        ("JobDeleted", "a", "applied", ""),
        ("JobDeleted", "", "rejected", "there is no such job"),
        (UNREADABLE, "", "stepped over", ""),
        ("LogRecordSkipped", "", "applied", "position 8: disk"),
    ]
    assert views[8].job_id == "key"  # all that is known of it
    assert views[8].at == views[7].at


def test_a_search_finds_what_an_event_says_in_any_case() -> None:
    created, paused, edited, refused = documents(
        event(JobCreated(job("a", description="Nightly BACKUP"))),
        event(JobPaused("Übung"), minute=1),
        event(JobUpdated(job("a", description="Nightly BACKUP", cron="5 0 * * *")), minute=2),
        event(JobUpdated(job("a", cron="6 0 * * *")), minute=3, expected=1),
    )
    assert "nightly backup" in created["text"]
    assert "übung" in paused["text"]
    assert "5 0 * * *" in edited["text"]
    assert "backup" not in edited["text"]  # it did not touch that
    assert "6 0 * * *" in refused["text"]


def test_a_search_finds_text_as_people_write_it() -> None:
    said = replace(job("a"), run=Run(shell='echo "grüße" \\\n | tee /tmp/x'), env={"PATH": "/opt/bin"})
    (created,) = documents(event(JobCreated(said)))
    assert 'echo "grüße" \\\n | tee' in created["text"]
    assert "path\n/opt/bin" in created["text"]


def test_what_lets_somebody_in_is_neither_shown_nor_found() -> None:
    """G11: digests, verifiers and sealed values are in the record, which the chain needs, and nowhere else."""
    logged_in = LoggedIn("ada", "link", "s-1", "a-digest", START, address="192.0.2.1", link="a-link-digest")
    log = documents(
        event(UserAdded("ada", grants={"*": "admin"}, verifier="a-verifier"), ""),
        event(PasswordSet("ada", "another-verifier"), "", minute=1),
        event(logged_in, "", minute=2),
        event(TokenCreated("t-1", "ada", "ci", "a-token-digest", START), "", minute=3),
        event(SecretSet("team", "KEY", "a-sealed-value"), "", minute=4),
        event(LoginRefused("ada", "192.0.2.66", "wrong password", 17), "", minute=5),
    )
    for each in log:
        view = msgspec.json.encode(event_view(each)).decode()
        for hidden in ("a-verifier", "another-verifier", "a-digest", "link-digest", "token-digest", "a-sealed"):
            assert hidden not in view + each["text"], each["kind"]
    assert (log[4]["namespace"], log[4]["detail"]) == ("team", "team/KEY")
    assert "192.0.2.66" in log[5]["text"]
    assert log[5]["detail"] == "ada from 192.0.2.66 (wrong password) (17 times)"
