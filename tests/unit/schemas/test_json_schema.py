"""The published JSON Schemas are those of the Structs, and hold for what is written and for the examples."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from dcron_schemas import api, events, job, records, state
from tests.unit.schemas.golden import REPOSITORY, VERSIONS, document, lines

EXAMPLES = sorted((REPOSITORY / "examples").rglob("*.yaml"))
GENERATE = REPOSITORY / "schemas" / "generate.py"
DOCUMENTS = sorted((REPOSITORY / "schemas" / "json").glob("*.json"))


def schema(name: str, definition: str = "") -> dict[str, Any]:
    """One of the documents, or one of its definitions."""
    whole: dict[str, Any] = json.loads((REPOSITORY / "schemas" / "json" / name).read_bytes())
    if definition:
        return {"$ref": f"#/$defs/{definition}", "$defs": whole["$defs"]}
    return whole


def run(generate: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, generate, *arguments], capture_output=True, text=True, check=False)


def test_the_documents_are_what_the_structs_say() -> None:
    checked = run(GENERATE, "--check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_drift_fails_the_check_with_a_line_for_each_file_and_the_remedy(tmp_path: Path) -> None:
    generate = Path(shutil.copy(GENERATE, tmp_path))
    shutil.copytree(REPOSITORY / "schemas" / "json", tmp_path / "json")
    (tmp_path / "json" / "job.json").write_text("{}")
    (tmp_path / "json" / "state.json").unlink()
    (tmp_path / "json" / "former.json").write_text("{}")
    checked = run(generate, "--check")
    assert checked.returncode == 1
    *problems, remedy = checked.stderr.splitlines()
    assert [Path(line.split(": ")[0]).name for line in problems] == ["job.json", "state.json", "former.json"]
    assert "python schemas/generate.py" in remedy

    (tmp_path / "json" / "former.json").unlink()
    assert run(generate).returncode == 0
    assert run(generate, "--check").returncode == 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_document_is_a_valid_schema(path: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(path.read_bytes()))


def test_every_message_is_in_a_document() -> None:
    published = {name for path in DOCUMENTS for name in json.loads(path.read_bytes())["$defs"]}
    declared = {
        name
        for module in (api, events, job, records, state)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
    }
    assert declared - published == {"UnknownEvent"}, "UnknownEvent is never written"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema("job.json"))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("file", "name"), [("job-events.jsonl", "job-events.json"), ("executions.jsonl", "executions.json")]
)
def test_what_every_version_wrote_is_valid(version: str, file: str, name: str) -> None:
    validator = jsonschema.Draft202012Validator(schema(name))
    for line in lines(version, file):
        validator.validate(json.loads(line))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_saved_job_tables_are_valid(version: str) -> None:
    validator = jsonschema.Draft202012Validator(schema("state.json", "JobEntry"))
    for entry in document(version, "job-table.json")["jobs"]:
        validator.validate(entry)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"shedule": {}}, []),
        ({"name": "hello\n"}, ["name"]),
        ({"run": {"shell": 1}}, ["run"]),
        ({"timeout": "90"}, ["timeout"]),
        ({"overlap": "never"}, ["overlap"]),
        ({"misfire": {"limit": 0}}, ["misfire", "limit"]),
    ],
)
def test_the_schema_of_a_job_refuses_what_the_struct_refuses(change: dict[str, Any], place: list[str]) -> None:
    definition = {"name": "hello", "run": {"shell": "true"}} | change
    error = next(jsonschema.Draft202012Validator(schema("job.json")).iter_errors(definition))
    assert list(error.absolute_path)[: len(place)] == place
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(definition, job.JobSpec)
