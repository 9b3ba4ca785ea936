"""One job's name, as clients see it: what each command answers in each state. For the check of linearizability.

The state is the job that has the name, with all its definitions: version 1 is the first, and so on. A definition
is told by a fingerprint (any text that is other for another definition) and by whether the job is enabled.
"""

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["create", "edit", "patch", "pause", "resume", "revert", "delete", "run"]


@dataclass(frozen=True)
class Definition:
    fingerprint: str
    enabled: bool = True


@dataclass(frozen=True)
class Standing:
    """The job that has the name. No definition: none has it."""

    job_id: str = ""
    definitions: tuple[Definition, ...] = ()

    @property
    def version(self) -> int:
        return len(self.definitions)

    @property
    def now(self) -> Definition:
        return self.definitions[-1]


NOBODY = Standing()


@dataclass(frozen=True)
class Answer:
    """What a client was told. With 409 the version is the current one; 0: another job has the name."""

    status: int
    version: int = 0
    definition: Definition | None = None


@dataclass(frozen=True)
class JobCommand:
    """A command and its answer; None: its outcome is not known."""

    kind: Kind
    job_id: str  # with `create`: the id that the job got, or ""
    answer: Answer | None
    definition: Definition | None = None  # with `create`, `edit` and `patch`; a patch leaves `enabled` as it is
    expected: int | None = None  # version
    to_version: int = 0  # with `revert`


def step(state: Standing, command: JobCommand) -> Standing | None:
    """Return the state after the command; None if it cannot answer so in this state."""
    after, answer = _outcome(state, command)
    if command.answer is None:
        return after if answer.status < 300 else None
    return after if answer == command.answer else None


def _outcome(state: Standing, command: JobCommand) -> tuple[Standing, Answer]:
    if command.kind == "create":
        return _created(state, command)
    if not state.definitions or state.job_id != command.job_id:
        return state, Answer(404)
    if command.kind == "revert" and not 0 < command.to_version <= state.version:
        return state, Answer(404)
    if command.expected not in (None, state.version):
        return state, Answer(409, state.version)
    if command.kind == "delete":
        return NOBODY, Answer(204)
    if command.kind == "run":
        return state, Answer(202)
    definition = _wanted(state, command)
    if definition != state.now:
        state = replace(state, definitions=(*state.definitions, definition))
    return state, Answer(200, state.version, state.now)


def _created(state: Standing, command: JobCommand) -> tuple[Standing, Answer]:
    assert command.definition is not None
    if state.definitions:
        return state, Answer(409)
    return Standing(command.job_id, (command.definition,)), Answer(201, 1, command.definition)


def _wanted(state: Standing, command: JobCommand) -> Definition:
    match command.kind:
        case "pause":
            return replace(state.now, enabled=False)
        case "resume":
            return replace(state.now, enabled=True)
        case "revert":
            return state.definitions[command.to_version - 1]
    assert command.definition is not None
    if command.kind == "patch":
        return replace(state.now, fingerprint=command.definition.fingerprint)
    return command.definition
