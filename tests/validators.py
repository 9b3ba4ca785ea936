"""One validator for each guarantee about commands, over what clients were told and what is in the log.

A validator returns what is wrong, as text for people; nothing: the guarantee held. G2 and G3 are the witness's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dcron_core.ids import derived_id
from tests.job_model import NOBODY, JobCommand, step
from tests.linearizability import Call, is_linearizable
from tests.naive_fold import NaiveFold, NaiveStep


@dataclass(frozen=True)
class Sent:
    """A command as its client saw it, from the first try to the last answer."""

    key: str  # Idempotency-Key
    name: str  # of the job
    call: Call[JobCommand]
    execution_id: str = ""  # of the run, if that was asked for

    @property
    def command(self) -> JobCommand:
        return self.call.operation

    @property
    def acknowledged(self) -> bool:
        return self.command.answer is not None and self.command.answer.status < 300


def acknowledged_commands_are_in_the_log(sent: Iterable[Sent], log: NaiveFold, actor: str) -> list[str]:
    """G1: each took effect once, as answered; what was refused did not, and what is in doubt at most once."""
    steps: defaultdict[str, list[NaiveStep]] = defaultdict(list)
    for each in log.steps:
        if each.event is not None:
            steps[each.event["event_id"]].append(each)
    problems = []
    for command in sent:
        problem = _problem(command, steps[derived_id(actor, command.key)])
        if problem:
            problems.append(f"{command}: {problem}")
    return problems


def _problem(sent: Sent, steps: list[NaiveStep]) -> str:
    """Return what is wrong with what the log holds of one command."""
    outcomes = Counter(each.outcome for each in steps)
    if outcomes["applied"] > 1:
        return f"applied {outcomes['applied']} times"
    if not sent.acknowledged:
        refused = sent.command.answer is not None
        return "refused, and applied" if refused and outcomes["applied"] else ""
    if not steps:
        return "not in the log"
    if steps[0].outcome != "applied":
        return f"in the log as {steps[0].outcome}"
    return "" if _as_answered(sent, steps[0]) else f"it came to {steps[0]}"


def _as_answered(sent: Sent, done: NaiveStep) -> bool:
    command, answer = sent.command, sent.command.answer
    assert answer is not None
    job = done.jobs.get(command.job_id)
    if command.kind == "run":
        return done.run == sent.execution_id != ""
    if job is None or answer.definition is None:
        return job is None and command.kind == "delete"
    enabled = job["spec"].get("enabled", True)
    told = (answer.version, answer.definition.fingerprint, answer.definition.enabled)
    return (job["version"], job["spec"].get("description", ""), enabled) == told


def histories_are_linearizable(sent: Iterable[Sent]) -> list[str]:
    """What happened to each job's name could have happened one after the other."""
    histories: defaultdict[str, list[Call[JobCommand]]] = defaultdict(list)
    for command in sent:
        histories[command.name].append(command.call)
    return [
        f"{name}: " + "\n".join(str(call) for call in sorted(calls, key=lambda call: call.called))
        for name, calls in histories.items()
        if not is_linearizable(calls, NOBODY, step)
    ]
