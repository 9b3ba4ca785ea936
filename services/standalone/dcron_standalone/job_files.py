"""Files with job definitions: one job or several, in YAML or JSON.

What is wrong is told with file and line.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from dcron_core.errors import DcronError, InvalidJobError
from dcron_core.jobs.validation import convert_job
from dcron_schemas.job import JobSpec
from dcron_standalone.client import describe_field
from dcron_standalone.yaml12 import Dumper, Loader

STDIN = "-"
FIELD_STEP = re.compile(r"[^.\[\]]+")


class JobFileError(DcronError):
    """A file that cannot be read as jobs; one line for each problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def definition_text(spec: JobSpec) -> str:
    """Return the definition as YAML that `read_jobs` takes back."""
    document = json.loads(msgspec.json.encode(spec))
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True)


def read_jobs(name: str) -> list[JobSpec]:
    """Return the checked definitions in the file (`-`: standard input); raise JobFileError with all that is wrong."""
    text = _text_of(name)
    jobs: list[JobSpec] = []
    problems: list[str] = []
    for node, document in _documents(name, text):
        try:
            jobs.append(convert_job(document))
        except InvalidJobError as error:
            problems += [f"{name}:{_line_of(node, p.field)}: {describe_field(p)}" for p in error.problems]
    if problems:
        raise JobFileError(problems)
    if not jobs:
        raise JobFileError([f"{name}: holds no job; examples/hello.yaml shows what one looks like"])
    return jobs


def _text_of(name: str) -> str:
    try:
        return sys.stdin.read() if name == STDIN else Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise JobFileError([f"{name}: is not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    except OSError as error:
        raise JobFileError([f"{name}: cannot be read: {error.strerror}"]) from error


def _documents(name: str, text: str) -> Iterator[tuple[yaml.Node, Any]]:
    """Yield each job with the node it came from; a document may be a list of jobs."""
    try:
        loader = Loader(text)
    except yaml.YAMLError as error:  # a character that YAML does not have
        raise JobFileError([f"{name}: is not valid YAML: {error}"]) from error
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            if isinstance(node, yaml.SequenceNode):
                yield from [(item, loader.construct_document(item)) for item in node.value]
            elif not (isinstance(node, yaml.ScalarNode) and not node.value):  # `---` with nothing after it
                yield node, loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise JobFileError([f"{name}:{line}: is not valid YAML: {error.problem or error.context}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise JobFileError([f"{name}: is not valid YAML: {error}"]) from error
    finally:
        loader.dispose()


def _line_of(node: yaml.Node, field: str) -> int:
    """Return the line of a field such as `run.shell` or `run.argv[2]`, or of the nearest thing that there is."""
    line = node.start_mark.line
    for step in FIELD_STEP.findall(field):
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == step), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and step.isdecimal() and int(step) < len(node.value):
            node = node.value[int(step)]
            line = node.start_mark.line
    return int(line) + 1
