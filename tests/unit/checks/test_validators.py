"""The validators of G1 to G3 find what they are there to find."""

import json
from typing import Any

import pytest

from dcron_core.ids import derived_id
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValue, Removed
from tests.job_model import Answer, Definition, JobCommand
from tests.linearizability import NEVER, Call
from tests.naive_fold import NaiveFold
from tests.validators import Sent, acknowledged_commands_are_in_the_log, histories_are_linearizable
from tests.witness import Witness

KEYS = Keys("/c/")
SPEC = {"name": "a", "run": {"shell": "true"}, "description": "first"}


def said(key: str, kind: str, **data: Any) -> bytes:
    """An event that the master made of the command with that Idempotency-Key."""
    event = {"event_id": derived_id("ada", key), "job_id": "j", "actor": "ada", "at": "2026-01-01T00:00:00Z"}
    return json.dumps({**event, "data": {"kind": kind, **data}}).encode()


LOG = [
    said("open", "LogOpened", log_id="log-1"),
    said("create", "JobCreated", spec=SPEC),
    said("pause", "JobPaused"),
    said("create", "JobCreated", spec=SPEC),
    said("run", "RunRequested"),
    said("delete", "JobDeleted"),
    said("late", "JobPaused"),
]
FIRST = Definition("first")


def sent(key: str, kind: Any, answer: Answer | None, *, run: str = "") -> Sent:
    returned = NEVER if answer is None else 1.0
    return Sent(key, "a", Call(JobCommand(kind, "j", answer, FIRST), 0.0, returned), run)


TRUE = [
    sent("create", "create", Answer(201, 1, FIRST)),
    sent("pause", "pause", Answer(200, 2, Definition("first", enabled=False))),
    sent("run", "run", Answer(202), run=f"j.r{derived_id('ada', 'run')}.1"),
    sent("delete", "delete", Answer(204)),
    sent("late", "pause", Answer(404)),
    sent("never", "pause", Answer(404)),
    sent("unknown", "pause", None),
]


def test_what_is_in_the_log_as_it_was_answered_passes() -> None:
    """Also repeated by a retry, refused without a trace, and of unknown outcome."""
    assert acknowledged_commands_are_in_the_log(TRUE, NaiveFold.of(LOG), "ada") == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (sent("lost", "pause", Answer(200, 2, FIRST)), "not in the log"),
        (sent("late", "pause", Answer(200, 2, FIRST)), "in the log as refused"),
        (sent("pause", "pause", Answer(404)), "refused, and applied"),
        (sent("pause", "pause", Answer(200, 3, Definition("first", enabled=False))), "it came to"),
        (sent("pause", "pause", Answer(200, 2, FIRST)), "it came to"),
        (sent("run", "run", Answer(202), run="j.rother.1"), "it came to"),
        (sent("pause", "delete", Answer(204)), "it came to"),
    ],
)
def test_what_is_not_there_or_is_otherwise_is_named(wrong: Sent, says: str) -> None:
    (problem,) = acknowledged_commands_are_in_the_log([*TRUE, wrong], NaiveFold.of(LOG), "ada")
    assert says in problem


def test_a_command_that_was_done_twice_is_named() -> None:
    log = NaiveFold(window=1)  # so small that the repetition is none
    for value in (LOG[0], LOG[1], LOG[5], LOG[1]):
        log.take(value)
    (problem,) = acknowledged_commands_are_in_the_log(TRUE[:1], log, "ada")
    assert "applied 2 times" in problem


def test_a_history_that_cannot_be_is_named_with_its_job() -> None:
    doubled = [TRUE[0], Sent("again", "a", Call(JobCommand("create", "k", Answer(201, 1, FIRST), FIRST), 2.0, 3.0))]
    (problem,) = histories_are_linearizable(doubled)
    assert problem.startswith("a: ")
    assert histories_are_linearizable(TRUE[:1]) == []


def at(revision: int, position: int, *jobs: Any, **projection: Any) -> list[KeyValue | Removed]:
    """A revision that writes the position and jobs."""
    told = {"position": position, "log_id": "log-1", "requests_from": 1, **projection}
    values = {KEYS.projection: told, **{KEYS.job(job["job_id"]): job for job in jobs}}
    return [
        KeyValue(key, json.dumps(value).encode(), create_revision=revision, mod_revision=revision)
        for key, value in values.items()
    ]


NAIVE = NaiveFold.of(LOG)
CREATED, PAUSED = NAIVE.jobs_at(1)["j"], NAIVE.jobs_at(2)["j"]
GONE = Removed(KEYS.job("j"), 9)


@pytest.mark.parametrize(
    ("revisions", "says"),
    [
        ([at(1, 0), at(2, 1, CREATED), at(3, 3, PAUSED)], ""),
        ([at(1, 2, PAUSED)], ""),
        ([at(1, 1, PAUSED)], "at position 1 the store has"),
        ([at(1, 0), at(2, 1)], "at position 1 the store has {}"),
        ([at(1, 1, CREATED), at(2, 2)], "at position 2 the store has"),
        ([at(1, 3, PAUSED), at(2, 2, PAUSED)], "fell from 3 to 2"),
        ([at(1, 3, PAUSED), at(2, 3, PAUSED)], "fell from 3 to 3"),
        ([at(1, 2, PAUSED), [GONE]], "at position 2 the store has {}"),
        ([at(1, 2, PAUSED), [Removed(KEYS.projection, 9)]], "fell from 2 to -1"),
        ([at(1, 4, PAUSED)], "the store has the runs set()"),
        ([at(1, 4, PAUSED, requests_from=5)], ""),
        ([at(1, 1, CREATED, log_id="other")], "of log other, not log-1"),
        ([at(1, 99, CREATED)], "beyond"),
    ],
)
def test_the_witness_names_each_revision_that_is_not_the_fold(
    revisions: list[list[KeyValue | Removed]], says: str
) -> None:
    """G2, G3."""
    witness = Witness(NAIVE, KEYS)
    for events in revisions:
        witness.see(events)
    assert says in "; ".join(witness.problems)
    assert bool(witness.problems) == bool(says)
