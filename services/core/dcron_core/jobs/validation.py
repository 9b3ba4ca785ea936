"""A definition as people send it becomes a checked JobSpec, or a report of everything that is wrong.

Three steps: the shape (unknown fields, types), what this release can do, and what the values mean. A field
whose effect this release does not have is refused here, so that it is never silently ignored.
"""

import difflib
import re
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec

from dcron_core.durations import parse_duration
from dcron_core.errors import InvalidJobError
from dcron_core.jobs.dependencies import MOST_AFTER
from dcron_core.jobs.field_values import duration_problems, reference_problems, shown
from dcron_core.jobs.run_validation import run_value_problems
from dcron_core.jobs.schedule_problems import schedule_problems
from dcron_core.selectors import parse_selector
from dcron_schemas.api import FieldProblem
from dcron_schemas.job import JobSpec

MAX_JOB_BYTES = 64 * 1024
SHORTEST_RETENTION = timedelta(minutes=1)  # what expires is removed about once a minute

# Fields of the design whose effect comes in a later release → what is possible today.
NOT_YET: dict[str, str] = {
    "notify": "leave it out",
}


def parse_job(body: bytes) -> JobSpec:
    """Return the checked definition in a JSON `body`; raise InvalidJobError with all that is wrong."""
    return convert_job(_decoded(body))


def parse_patch(body: bytes) -> dict[str, Any]:
    """Return the JSON merge patch in `body`, whose fields are those of a definition; raise InvalidJobError."""
    return _of_known_fields(_decoded(body))


def parse_draft(body: bytes) -> JobSpec:
    """The same for a definition that may still lack its name and what to run."""
    document = _decoded(body)
    if isinstance(document, dict):
        document = {"name": "draft", "run": {"shell": ":"}} | document
    return convert_job(document)


def convert_job(document: Any) -> JobSpec:
    """Return the checked definition in `document`, decoded JSON or YAML; raise InvalidJobError."""
    document = _of_known_fields(document)
    try:
        spec = msgspec.convert(document, JobSpec)
    except msgspec.ValidationError as error:
        raise InvalidJobError([_shape_problem(str(error), document)]) from error
    problems = [*_not_yet(spec), *_meaning(spec)]
    problems += _size_problems(spec)
    if problems:
        raise InvalidJobError(problems)
    return spec


def _decoded(body: bytes) -> Any:
    if len(body) > MAX_JOB_BYTES:
        raise InvalidJobError([_too_large(len(body))])
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidJobError([FieldProblem(field="", message=f"not JSON: {error}", value=shown(body[:80]))]) from error


def _of_known_fields(document: Any) -> dict[str, Any]:
    """Return `document` if it is an object whose fields are all known."""
    if not isinstance(document, dict):
        raise InvalidJobError(
            [FieldProblem(field="", message="not an object with fields such as name and run", value=shown(document))]
        )
    problems = _unknown_fields(document, JobSpec, "")
    if problems:
        raise InvalidJobError(problems)
    return document


def _size_problems(spec: JobSpec) -> list[FieldProblem]:
    try:
        size = len(msgspec.json.encode(spec))
    except UnicodeEncodeError as error:  # YAML can spell half of a surrogate pair
        remedy = "write characters, not halves of surrogate pairs"
        return [FieldProblem(field="", message=f"holds text that is not Unicode: {error.reason}", remedy=remedy)]
    return [_too_large(size)] if size > MAX_JOB_BYTES else []


def _too_large(size: int) -> FieldProblem:
    return FieldProblem(
        field="", message=f"{size} bytes; a job is at most {MAX_JOB_BYTES}", remedy="put the script into a file"
    )


def _unknown_fields(document: dict[str, Any], kind: type[msgspec.Struct], path: str) -> list[FieldProblem]:
    """Find fields that no Struct on the way down has, with the nearest known name."""
    known = _fields(kind)
    problems = []
    for name, value in document.items():
        here = f"{path}{name}"
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            problems.append(FieldProblem(field=here, message="unknown field", value=shown(value), remedy=remedy))
            continue
        for inner in known[name]:
            items = {f"{here}[{i}].": item for i, item in enumerate(value)} if isinstance(value, list) else {}
            for place, item in (items or {f"{here}.": value}).items():
                if isinstance(item, dict):
                    problems += _unknown_fields(item, inner, place)
    return problems


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, list[type[msgspec.Struct]]]:
    """Return the names of a Struct's fields, each with the Structs that its value may hold."""
    return {field.encode_name: _structs_in(field.type) for field in msgspec.structs.fields(kind)}


def _structs_in(annotation: Any) -> list[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    found: list[type[msgspec.Struct]] = []
    for argument in getattr(annotation, "__args__", ()):
        found += _structs_in(argument)
    return found


def _shape_problem(message: str, document: dict[str, Any]) -> FieldProblem:
    """Turn msgspec's `… - at `$.run.shell`` into a problem that names the field and shows its value."""
    text, _, place = message.partition(" - at ")
    path = place.strip("`").removeprefix("$").lstrip(".")
    if "missing required field" in text:
        missing = text.split("`")[1]
        path = f"{path}.{missing}" if path else missing
        return FieldProblem(field=path, message="is required")
    value: Any = document
    for step in re.findall(r"\[\.\.\.\]|[^.\[\]]+", path):
        if step == "[...]":  # some value of a mapping from text to text
            name, value = next((item for item in value.items() if not isinstance(item[1], str)), ("", value))
            path = path.replace("[...]", f".{name}")
        else:
            value = value[int(step)] if isinstance(value, list) else value.get(step)
    remedy = ""
    if "(ms|s|m|h|d)" in text:
        text, remedy = "is not a duration", "digits and units, such as 90s, 5m or 1h30m"
    elif "[A-Za-z0-9._-]" in text:
        text, remedy = (
            "is not a name",
            "1 to 128 letters, digits, dots, dashes and underscores; the first and last a letter or digit",
        )
    return FieldProblem(field=path, message=text, value=shown(value), remedy=remedy)


def _not_yet(spec: JobSpec) -> list[FieldProblem]:
    default = JobSpec(name=spec.name, run=spec.run)
    problems = []
    for path, remedy in NOT_YET.items():
        value: Any = spec
        usual: Any = default
        for step in path.split("."):
            value, usual = getattr(value, step, None), getattr(usual, step, None)
        if value is not None and value != usual:
            problems.append(_later(path, value, remedy))
    return problems


def _later(path: str, value: Any, remedy: str) -> FieldProblem:
    return FieldProblem(
        field=path,
        message="has no effect in this release yet, so it is refused",
        value=shown(msgspec.to_builtins(value)),
        remedy=remedy,
    )


def _meaning(spec: JobSpec) -> list[FieldProblem]:
    return [
        *_run_problems(spec),
        *run_value_problems(spec),
        *schedule_problems(spec),
        *_environment_problems(spec),
        *_misfire_problems(spec),
        *_retry_problems(spec),
        *_placement_problems(spec),
        *_after_problems(spec),
        *_retention_problems(spec),
    ]


def _run_problems(spec: JobSpec) -> list[FieldProblem]:
    given = [name for name in ("shell", "argv", "http") if getattr(spec.run, name) is not None]
    if len(given) != 1:
        message = f"exactly one of shell, argv and http, not {' and '.join(given) or 'none'}"
        return [FieldProblem(field="run", message=message)]
    if spec.run.shell is not None and not spec.run.shell.strip():
        return [FieldProblem(field="run.shell", message="is empty", remedy="write a script")]
    if spec.run.argv is not None and (not spec.run.argv or not spec.run.argv[0]):
        return [FieldProblem(field="run.argv", message="is empty", remedy='write a program, such as ["/bin/date"]')]
    texts = {"run.shell": spec.run.shell or "", **{f"run.argv[{i}]": a for i, a in enumerate(spec.run.argv or ())}}
    return [_nul(field) for field, text in texts.items() if "\0" in text]


def _environment_problems(spec: JobSpec) -> list[FieldProblem]:
    problems = []
    for name, value in spec.env.items():
        if not name or "=" in name or "\0" in name:
            problems.append(
                FieldProblem(field="env", message="not a variable's name", value=shown(name), remedy="no = and no NUL")
            )
        elif name.startswith("DCRON_"):
            problems.append(
                FieldProblem(
                    field=f"env.{name}", message="DCRON_* is set by dcron itself", remedy="choose another name"
                )
            )
        if "\0" in value:
            problems.append(_nul(f"env.{name}"))
        problems += reference_problems(f"env.{name}", value)
    if spec.working_directory is not None and not spec.working_directory.startswith("/"):
        problems.append(
            FieldProblem(
                field="working_directory",
                message="is not absolute",
                value=shown(spec.working_directory),
                remedy="begin with /",
            )
        )
    if "\0" in (spec.working_directory or ""):
        problems.append(_nul("working_directory"))
    if spec.timeout is not None:
        problems += duration_problems("timeout", spec.timeout, timedelta(milliseconds=1))
    return problems + duration_problems("kill_grace", spec.kill_grace, timedelta())


def _misfire_problems(spec: JobSpec) -> list[FieldProblem]:
    return duration_problems("misfire.start_deadline", spec.misfire.start_deadline, timedelta(seconds=1))


def _retry_problems(spec: JobSpec) -> list[FieldProblem]:
    retry = spec.retry
    problems = duration_problems("retry.backoff", retry.backoff, timedelta())
    problems += duration_problems("retry.backoff_cap", retry.backoff_cap, timedelta())
    if not problems and parse_duration(retry.backoff_cap) < parse_duration(retry.backoff):
        message = f"is shorter than retry.backoff, {retry.backoff}"
        problems.append(FieldProblem(field="retry.backoff_cap", message=message, value=shown(retry.backoff_cap)))
    if "succeeded" in retry.on:
        remedy = "use `after` to start another job on a success"
        problems.append(
            FieldProblem(field="retry.on", message="a success is not retried", value="succeeded", remedy=remedy)
        )
    if not retry.on:
        remedy = "leave retry out for none, or name ends such as failed, timed_out, killed and lost"
        problems.append(FieldProblem(field="retry.on", message="is empty", remedy=remedy))
    return problems


def _placement_problems(spec: JobSpec) -> list[FieldProblem]:
    try:
        parse_selector(spec.placement.labels)
    except ValueError as error:
        remedy = "such as zone=berlin, disk!=slow, tier in (web, batch), !spot"
        return [
            FieldProblem(
                field="placement.labels", message=str(error), value=shown(spec.placement.labels), remedy=remedy
            )
        ]
    return []


def _after_problems(spec: JobSpec) -> list[FieldProblem]:
    """Whether the jobs are there, and in no circle, only a master can tell that has them all: `dependencies`."""
    names = [after.job for after in spec.after]
    twice = sorted({name for name in names if names.count(name) > 1})
    problems = [
        FieldProblem(field="after", message="names a job twice", value=name, remedy="`finished` holds for every end")
        for name in twice
    ]
    if len(names) > MOST_AFTER:
        message = f"names {len(names)} jobs; the most is {MOST_AFTER}"
        problems.append(
            FieldProblem(field="after", message=message, remedy="put a job in between that comes after some")
        )
    return problems


def _retention_problems(spec: JobSpec) -> list[FieldProblem]:
    if spec.retention is None:
        return []
    return duration_problems("retention", spec.retention, SHORTEST_RETENTION)


def _nul(field: str) -> FieldProblem:
    return FieldProblem(field=field, message="holds a NUL character, which no program can be given")
