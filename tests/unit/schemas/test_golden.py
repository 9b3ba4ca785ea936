"""What was once written can be read for ever, and means the same (G3): every version's saved log, replayed."""

import hashlib
import json
from typing import Any

import pytest
from msgspec import Struct

from dcron_core.jobs.fold import Applied, Outcome, Rejected, Repeated, fold
from dcron_core.jobs.table import JobTable, restored_by
from dcron_schemas import events, records
from dcron_schemas.codec import decode_event, decode_record
from dcron_schemas.events import JobEvent
from dcron_schemas.job import After, Dst, HttpCall, JobSpec, Limits, Misfire, Notify, Placement, Retry, Run, Schedule
from tests.unit.schemas.golden import FOLDER, VERSIONS, document, lines, plain, spelt_out

every_version = pytest.mark.parametrize("version", VERSIONS)
CURRENT = f"v{events.SCHEMA_VERSION}"
JOB_STRUCTS = (After, Dst, HttpCall, JobSpec, Limits, Misfire, Notify, Placement, Retry, Run, Schedule)


def read_events(version: str) -> list[JobEvent]:
    decoded = [decode_event(line) for line in lines(version, "job-events.jsonl")]
    return [event for event in decoded if isinstance(event, JobEvent)]


def replay(version: str) -> tuple[JobTable, list[Outcome]]:
    table = JobTable()
    outcomes = []
    for position, event in enumerate(read_events(version)):
        outcome = fold(table, position, event)
        table.absorb(
            position, event.event_id, outcome.changes if isinstance(outcome, Applied) else (), restored_by(event)
        )
        outcomes.append(outcome)
    return table, outcomes


def told(position: int, outcome: Outcome) -> dict[str, Any]:
    """The outcome as a line of outcomes.jsonl. Messages may be worded anew; what happened may not change."""
    line: dict[str, Any] = {"position": position, "outcome": type(outcome).__name__}
    match outcome:
        case Applied(changes, job, execution_id):
            line["changes"] = [type(change).__name__ for change in changes]
            line |= {"version": job.version} if job else {}
            line |= {"execution_id": execution_id} if execution_id else {}
        case Rejected(error):
            line["error"] = type(error).__name__
        case Repeated(first):
            line["first"] = first
    return line


@every_version
def test_the_fold_of_a_saved_log_gives_its_saved_job_table(version: str) -> None:
    """G3: replay from zero gives the same job table, in every later release too."""
    table, _ = replay(version)
    assert {
        "log_id": table.log_id,
        "position": table.position,
        "jobs": plain(table.entries()),
    } == document(version, "job-table.json")


@pytest.mark.parametrize("version", [each for each in VERSIONS if (FOLDER / each / "directory.json").exists()])
def test_the_fold_of_a_saved_log_gives_its_saved_directory(version: str) -> None:
    """G3: and so are users, tokens and secrets, since version 4 the log has them."""
    directory = replay(version)[0].directory
    assert {
        "users": plain(directory.users()),
        "tokens": plain(directory.tokens()),
        "secrets": plain(directory.secrets()),
    } == document(version, "directory.json")


@every_version
def test_every_event_of_a_saved_log_comes_to_its_saved_outcome(version: str) -> None:
    _, outcomes = replay(version)
    saved = [_json(line) for line in lines(version, "outcomes.jsonl")]
    assert [told(position, outcome) for position, outcome in enumerate(outcomes)] == saved


@every_version
def test_saved_events_are_all_known_and_written_back_the_same(version: str) -> None:
    saved = lines(version, "job-events.jsonl")
    assert [plain(decode_event(line)) for line in saved] == [_json(line) for line in saved]
    assert len(read_events(version)) == len(saved)


@every_version
def test_saved_records_are_all_known_and_written_back_the_same(version: str) -> None:
    """Fields that came later do not raise the version of a record (schemas/README.md, rule 7)."""
    saved = lines(version, "executions.jsonl")
    assert [_known_then(plain(decode_record(line)), _json(line)) for line in saved] == [_json(line) for line in saved]


@every_version
def test_what_a_saved_definition_leaves_out_means_what_it_meant(version: str) -> None:
    """Definitions are written without their defaults, so a changed default would change every old job."""
    saved = document(version, "defaults.json")
    spec = JobSpec(
        name="sparse",
        run=Run(http=HttpCall(url="/")),
        schedule=Schedule(),
        after=(After(job="a"),),
        notify=(Notify(url="/"),),
    )
    now = spelt_out(spec)
    assert _known_then(now, saved) == saved


def test_saved_files_never_change() -> None:
    """Whoever changes what an old release wrote has to say so in SHA256SUMS."""
    pinned = dict(line.split("  ")[::-1] for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    files = {file.relative_to(FOLDER).as_posix(): file for file in FOLDER.glob("v*/*")}
    assert {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()} == pinned


def test_the_current_versions_log_holds_every_kind_of_event_and_every_field_of_a_job() -> None:
    saved = [_json(line) for line in lines(CURRENT, "job-events.jsonl")]
    kinds = {kind.__name__ for kind in events.EventData.__args__}
    assert {event["data"]["kind"] for event in saved} == kinds
    written = set().union(*(_fields(event["data"]["spec"], JobSpec) for event in saved if "spec" in event["data"]))
    assert written == {(kind, name) for kind in JOB_STRUCTS for name in kind.__struct_fields__}


def test_the_current_versions_log_holds_every_kind_of_record() -> None:
    saved = [_json(line) for line in lines(CURRENT, "executions.jsonl")]
    assert {record["kind"] for record in saved} == {kind.__name__ for kind in records.ExecutionRecord.__args__}


def test_both_topics_have_the_schema_version_of_the_newest_saved_log() -> None:
    """A new schema version needs a folder of its own here."""
    assert f"v{max(events.SCHEMA_VERSION, records.SCHEMA_VERSION)}" == max(VERSIONS, key=lambda name: int(name[1:]))


def _json(line: bytes) -> Any:
    return json.loads(line)


def _known_then(now: Any, saved: Any) -> Any:
    """Leave out the fields that came later."""
    if isinstance(now, dict) and isinstance(saved, dict):
        return {name: _known_then(now[name], saved[name]) for name in saved if name in now}
    if isinstance(now, list) and isinstance(saved, list) and len(now) == len(saved):
        return [_known_then(*pair) for pair in zip(now, saved, strict=True)]
    return now


def _fields(written: dict[str, Any], kind: type[Struct]) -> set[tuple[type[Struct], str]]:
    """Return (Struct, field) for each field that is written out, on the way down."""
    inner: dict[str, type[Struct]] = {
        "run": Run, "http": HttpCall, "schedule": Schedule, "dst": Dst, "misfire": Misfire, "retry": Retry,
        "placement": Placement, "after": After, "limits": Limits, "notify": Notify,
    }  # fmt: skip
    found = {(kind, name) for name in written}
    for name, value in written.items():
        for item in value if isinstance(value, list) else [value]:
            if name in inner and isinstance(item, dict):
                found |= _fields(item, inner[name])
    return found
