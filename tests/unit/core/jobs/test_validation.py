"""Every refusal names the field, its value and what would be right; what is right passes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dcron_core.errors import InvalidJobError
from dcron_core.jobs.validation import MAX_JOB_BYTES, NOT_YET, convert_job, parse_job
from dcron_schemas.api import FieldProblem
from dcron_schemas.job import JobSpec

EXAMPLES = sorted((Path(__file__).resolve().parents[4] / "examples").rglob("*.yaml"))


def definition(**fields: Any) -> dict[str, Any]:
    return {"name": "job", "run": {"shell": "true"}} | fields


def refused(document: Any) -> list[FieldProblem]:
    with pytest.raises(InvalidJobError) as refusal:
        parse_job(document if isinstance(document, bytes) else json.dumps(document).encode())
    return refusal.value.problems


def only(document: Any) -> FieldProblem:
    (problem,) = refused(document)
    return problem


JANUARY = "2030-01-01T00:00:00Z"
DAILY: dict[str, Any] = {"schedule": {"cron": "@daily"}}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    assert convert_job(yaml.safe_load(path.read_text(encoding="utf-8"))).name


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"schedule": None, "env": {}, "tags": [], "timeout": None},
        {"schedule": {"every": "1s"}, "overlap": "allow", "timeout": "1ms", "kill_grace": "0s"},
        {"schedule": {"cron": "@daily"}, "timezone": "Asia/Kathmandu", "enabled": False},
        {"schedule": {"at": "2020-01-01T12:00:00+05:30"}, "jitter": "7d"},  # over, and may stand in a file for all that
        {"schedule": {"cron": "H H(0-5) ? * mon#2"}, "dst": {"gap": "skip", "overlap": "both"}},
        {"schedule": {"cron": "*/5 * * * * * 2030"}, "jitter": "5s", "exclude": ["weekends", "holidays-DE-BE"]},
        {"schedule": {"every": "1h"}, "start": "2020-01-01T00:00:00Z", "end": "2020-01-01T00:00:01Z"},
        {"schedule": {"cron": "@daily"}, "start": "2025-12-31T00:00:00Z", "end": "2025-12-31T00:00:01Z"},
        {"run": {"argv": ["/bin/echo", "", "ü"]}, "working_directory": "/", "env": {"EMPTY": "", "a.b-c": "x"}},
        {"misfire": {}, "retry": {"attempts": 0}, "dst": {"gap": "default"}, "placement": {"workers": "one"}},
        {"retention": "1m"},
        {"retention": "3650d"},
    ],
)
def test_what_is_right_passes(fields: dict[str, Any]) -> None:
    assert isinstance(parse_job(json.dumps(definition(**fields)).encode()), JobSpec)


@pytest.mark.parametrize(
    ("fields", "field", "value", "remedy"),
    [
        ({"shedule": {"every": "1s"}}, "shedule", "{'every': '1s'}", "did you mean schedule?"),
        ({"xyz": 1}, "xyz", "1", "known are after, description"),
        ({"run": {"shel": "true"}}, "run.shel", "true", "did you mean shell?"),
        ({"run": {"http": {"uri": "/"}}}, "run.http.uri", "/", "did you mean url?"),
        ({"schedule": {"corn": "* * * * *"}}, "schedule.corn", "* * * * *", "did you mean cron?"),
        ({"after": [{"job": "a"}, {"jobb": "b"}]}, "after[1].jobb", "b", "did you mean job?"),
    ],
)
def test_an_unknown_field_is_refused_with_the_nearest_name(
    fields: dict[str, Any], field: str, value: str, remedy: str
) -> None:
    problem = only(definition(**fields))
    assert (problem.field, problem.message, problem.value) == (field, "unknown field", value)
    assert remedy in problem.remedy


def test_all_unknown_fields_are_told_at_once() -> None:
    assert [problem.field for problem in refused(definition(nam="x", retry={"attempt": 1}))] == ["nam", "retry.attempt"]


@pytest.mark.parametrize(
    ("fields", "field", "value", "message"),
    [
        ({"name": 7}, "name", "7", "Expected `str`, got `int`"),
        ({"name": ""}, "name", "", "is not a name"),
        ({"name": "-x"}, "name", "-x", "is not a name"),
        ({"name": "a b"}, "name", "a b", "is not a name"),
        ({"name": "hello\n"}, "name", "hello\n", "is not a name"),
        ({"name": "x" * 129}, "name", "x" * 77 + "…", "is not a name"),
        ({"namespace": "a/b"}, "namespace", "a/b", "is not a name"),
        ({"enabled": "yes"}, "enabled", "yes", "Expected `bool`"),
        ({"run": "true"}, "run", "true", "Expected `object`"),
        ({"run": {"argv": "ls"}}, "run.argv", "ls", "Expected `array | null`"),
        ({"run": {"argv": ["ls", 1]}}, "run.argv[1]", "1", "Expected `str`, got `int`"),
        ({"env": {"A": "1", "B": 2}}, "env.B", "2", "Expected `str`, got `int`"),
        ({"env": ["A=1"]}, "env", "['A=1']", "Expected `object`"),
        ({"tags": ["good", "not good"]}, "tags[1]", "not good", "is not a name"),
        ({"timeout": 90}, "timeout", "90", "Expected `str | null`"),
        ({"timeout": "90"}, "timeout", "90", "is not a duration"),
        ({"timeout": "90s\n"}, "timeout", "90s\n", "is not a duration"),
        ({"overlap": "never"}, "overlap", "never", "Invalid enum value 'never'"),
        ({"misfire": {"limit": 0}}, "misfire.limit", "0", "Expected `int` >= 1"),
        ({"description": "x" * 4097}, "description", "x" * 77 + "…", "length <= 4096"),
    ],
)
def test_a_value_of_the_wrong_shape_is_named_and_shown(
    fields: dict[str, Any], field: str, value: str, message: str
) -> None:
    problem = only(definition(**fields))
    assert (problem.field, problem.value) == (field, value)
    assert message in problem.message
    if message.startswith("is not"):
        assert problem.remedy


@pytest.mark.parametrize(
    ("document", "field"),
    [({"run": {"shell": "true"}}, "name"), ({"name": "job"}, "run"), (definition(run={"http": {}}), "run.http.url")],
)
def test_a_missing_field_is_named(document: dict[str, Any], field: str) -> None:
    problem = only(document)
    assert (problem.field, problem.message) == (field, "is required")


LATER: dict[str, dict[str, Any]] = {
    "notify": {"notify": [{"url": "/"}]},
}


@pytest.mark.parametrize("field", NOT_YET)
def test_a_field_without_effect_is_refused_never_ignored(field: str) -> None:
    problem = only(definition(**LATER[field]))
    assert (problem.field, problem.remedy) == (field, NOT_YET[field])
    assert problem.value


@pytest.mark.parametrize(
    ("fields", "field", "message", "remedy"),
    [
        ({"run": {}}, "run", "exactly one of shell, argv and http, not none", ""),
        ({"run": {"shell": "a", "argv": ["b"]}}, "run", "not shell and argv", ""),
        ({"run": {"shell": " \n"}}, "run.shell", "is empty", "write a script"),
        ({"run": {"argv": []}}, "run.argv", "is empty", "write a program"),
        ({"run": {"argv": [""]}}, "run.argv", "is empty", "write a program"),
        ({"run": {"shell": "a\0b"}}, "run.shell", "NUL", ""),
        ({"misfire": {"start_deadline": "500ms"}}, "misfire.start_deadline", "shorter than 1 s", ""),
        ({"retry": {"backoff": "2m", "backoff_cap": "1m"}}, "retry.backoff_cap", "shorter than retry.backoff, 2m", ""),
        ({"retry": {"on": ["failed", "succeeded"]}}, "retry.on", "a success is not retried", "`after`"),
        ({"retry": {"attempts": 2, "on": []}}, "retry.on", "is empty", "name ends"),
        ({"placement": {"labels": "zone in (a"}}, "placement.labels", "at character 11 there is the end", "such as"),
        ({"after": [{"job": "a"}, {"job": "a", "on": "failed"}]}, "after", "names a job twice", "`finished`"),
        ({"after": [{"job": f"j{n}"} for n in range(41)]}, "after", "41 jobs; the most is 40", "in between"),
        ({"run": {"argv": ["a", "\0"]}}, "run.argv[1]", "NUL", ""),
        ({"timezone": "Europe/Berln"}, "timezone", "no such time zone", "did you mean Europe/Berlin?"),
        ({"timezone": "../../etc/passwd"}, "timezone", "no such time zone", "an IANA name"),
        ({"timezone": ""}, "timezone", "no such time zone", "an IANA name"),
        ({"schedule": {}}, "schedule", "exactly one of cron, every and at, not none", "leave schedule out"),
        ({"schedule": {"cron": "@daily", "every": "1s"}}, "schedule", "not cron and every", "keep one"),
        ({"schedule": {"every": "999ms"}}, "schedule.every", "is shorter than 1 s", ""),
        ({"schedule": {"every": "3651d"}}, "schedule.every", "is longer than ten years", ""),
        ({"schedule": {"every": "9" * 30 + "d"}}, "schedule.every", "is longer than can be counted", ""),
        ({"schedule": {"cron": "* * *"}}, "schedule.cron", "has 3 fields; write 5", ""),
        ({"schedule": {"cron": "61 * * * *"}}, "schedule.cron", "61 is outside 0-59", ""),
        ({"schedule": {"cron": "0 0 30 2 *"}}, "schedule.cron", "never fires", "check day of month against month"),
        ({"schedule": {"cron": "0 0 0 1 1 * 2023"}}, "schedule.cron", "never fires", "and the year"),
        ({"schedule": {"cron": "@reboot"}}, "schedule.cron", "'@reboot' is refused: a job belongs to no machine", ""),
        ({"schedule": {"at": "2030-01-01T00:00:00"}}, "schedule.at", "has no zone", "write 2030-01-01T00:00:00Z or"),
        ({"schedule": {"at": "2200-01-01T00:00:00Z"}}, "schedule.at", "is too far away", "a year from 1971 to 2198"),
        (DAILY | {"start": "2030-01-01T00:00:00"}, "start", "has no zone", "2030-01-01T00:00:00+01:00"),
        (DAILY | {"end": "9999-01-01T00:00:00Z"}, "end", "is too far away", "a year from 1971"),
        (DAILY | {"start": JANUARY, "end": JANUARY}, "end", "is not after start", "the first tick is at start"),
        (
            DAILY | {"start": "2030-01-01T00:00:01Z", "end": "2030-01-02T00:00:00Z"},
            "end",
            "never fires: no tick lies in start ≤ tick < end",
            "check the schedule",
        ),
        ({"schedule": {"at": JANUARY}, "end": JANUARY}, "end", "never fires", ""),
        ({"schedule": {"at": JANUARY}, "start": "2031-01-01T00:00:00Z"}, "start", "never fires", ""),
        (DAILY | {"jitter": "0s"}, "jitter", "is shorter than 0.001 s", ""),
        (DAILY | {"jitter": "25h"}, "jitter", "is longer than 1d, the shortest time between two ticks", "make jitter"),
        ({"schedule": {"cron": "0 9,17 * * *"}, "jitter": "9h"}, "jitter", "is longer than 8h", ""),
        ({"schedule": {"every": "1m"}, "jitter": "61s"}, "jitter", "is longer than 1m", ""),
        (DAILY | {"exclude": ["weekends", "easter"]}, "exclude[1]", "'easter' is no calendar; known are weekends", ""),
        (DAILY | {"exclude": ["2030-02-30"]}, "exclude[0]", "there is no day 2030-02-30", ""),
        (DAILY | {"exclude": ["01-01..12-31"]}, "exclude", "never fires: these are all the days", "leave out"),
        ({"schedule": {"cron": "0 0 * * 6"}, "exclude": ["weekends"]}, "exclude", "never fires", ""),
        ({"schedule": {"at": JANUARY}, "exclude": ["01-01"]}, "exclude", "never fires", ""),
        ({"schedule": {"every": "1h"}, "dst": {"gap": "skip"}}, "dst", "goes with schedule.cron only", "leave it out"),
        ({"jitter": "5s"}, "jitter", "has no effect without a schedule", "add a schedule, or leave jitter out"),
        ({"exclude": ["weekends"]}, "exclude", "has no effect without a schedule", "add a schedule"),
        ({"dst": {"gap": "skip"}}, "dst", "has no effect without a schedule", "add a schedule"),
        ({"end": JANUARY}, "end", "has no effect without a schedule", "add a schedule"),
        ({"env": {"A=B": "1"}}, "env", "not a variable's name", "no = and no NUL"),
        ({"env": {"": "1"}}, "env", "not a variable's name", "no = and no NUL"),
        ({"env": {"A": "\0"}}, "env.A", "NUL", ""),
        ({"env": {"DCRON_TICK": "1"}}, "env.DCRON_TICK", "set by dcron itself", "another name"),
        ({"working_directory": "tmp"}, "working_directory", "is not absolute", "begin with /"),
        ({"working_directory": "/a\0b"}, "working_directory", "NUL", ""),
        ({"retention": "59s"}, "retention", "is shorter than 60 s", ""),
        ({"retention": "3651d"}, "retention", "is longer than ten years", ""),
        ({"timeout": "0s"}, "timeout", "is shorter than 0.001 s", ""),
        ({"kill_grace": "9999d"}, "kill_grace", "is longer than ten years", ""),
    ],
)
def test_a_value_without_sense_is_refused(fields: dict[str, Any], field: str, message: str, remedy: str) -> None:
    problem = only(definition(**fields))
    assert problem.field == field
    assert message in problem.message
    assert remedy in problem.remedy


def test_all_that_makes_no_sense_is_told_at_once() -> None:
    problems = refused(definition(timezone="Nowhere", timeout="0s", schedule={"cron": "x"}, run={}, retention="1s"))
    assert {p.field for p in problems} == {"timezone", "timeout", "schedule.cron", "run", "retention"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"name: job", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
        (b'"text"', "not an object"),
        (b'{"name": "job", "run": {"shell": "\\ud800"}}', "not JSON"),
        (b" " * (MAX_JOB_BYTES + 1), f"{MAX_JOB_BYTES + 1} bytes; a job is at most {MAX_JOB_BYTES}"),
    ],
    ids=lambda value: value[:12].hex() if isinstance(value, bytes) else value,
)
def test_a_body_that_is_no_job_is_refused_as_a_whole(body: bytes, message: str) -> None:
    problem = only(body)
    assert problem.field == ""
    assert message in problem.message
    assert len(problem.value) <= 80


def test_the_largest_job_passes_and_one_byte_more_does_not() -> None:
    def body(size: int) -> bytes:
        empty = len(json.dumps(definition(run={"shell": ""}), separators=(",", ":")))
        return json.dumps(definition(run={"shell": "x" * (size - empty)}), separators=(",", ":")).encode()

    assert parse_job(body(MAX_JOB_BYTES)).name == "job"
    assert "put the script into a file" in only(body(MAX_JOB_BYTES + 1)).remedy


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (definition(run={"shell": "\ud800"}), "not Unicode"),  # YAML can spell it
        (definition(run={"shell": "x" * MAX_JOB_BYTES}), "a job is at most"),
        ({1: 2}, "unknown field"),
        (["a", "list"], "not an object"),
    ],
)
def test_what_only_yaml_can_say_is_refused_too(document: Any, message: str) -> None:
    with pytest.raises(InvalidJobError, match=message):
        convert_job(document)
