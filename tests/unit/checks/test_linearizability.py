"""The check of linearizability itself: what it lets pass, and what it finds."""

import itertools
import random

import pytest

from tests.job_model import NOBODY, Answer, Definition, JobCommand, Standing, step
from tests.linearizability import NEVER, Call, is_linearizable

A, B = Definition("a"), Definition("b")
PAUSED = Definition("a", enabled=False)
CREATED = JobCommand("create", "j", Answer(201, 1, A), definition=A)
History = list[Call[JobCommand]]


def edit(to: Definition, expected: int | None, answer: Answer | None) -> JobCommand:
    return JobCommand("edit", "j", answer, definition=to, expected=expected)


def pause(answer: Answer | None) -> JobCommand:
    return JobCommand("pause", "j", answer)


def delete(answer: Answer | None) -> JobCommand:
    return JobCommand("delete", "j", answer)


def one_after_another(*commands: JobCommand) -> History:
    return [Call(command, 2 * number, 2 * number + 1) for number, command in enumerate(commands)]


def at_once(*commands: JobCommand) -> History:
    """A job that was created, then all of these."""
    return [Call(CREATED, 0, 1), *(Call(command, 2, 3) for command in commands)]


GOOD: dict[str, History] = {
    "nothing": [],
    "a life": one_after_another(
        CREATED,
        edit(B, 1, Answer(200, 2, B)),
        pause(Answer(200, 3, Definition("b", enabled=False))),
        JobCommand("resume", "j", Answer(200, 4, B)),
        JobCommand("revert", "j", Answer(200, 5, A), to_version=1),
        JobCommand("run", "j", Answer(202)),
        edit(B, 4, Answer(409, 5)),
        edit(A, 5, Answer(200, 5, A)),
        pause(Answer(200, 6, PAUSED)),
        JobCommand("patch", "j", Answer(200, 7, Definition("c", enabled=False)), Definition("c"), 6),
        JobCommand("revert", "j", Answer(404), to_version=8),
        delete(Answer(204)),
        delete(Answer(404)),
        JobCommand("create", "k", Answer(201, 1, B), definition=B),
        JobCommand("create", "", Answer(409), definition=B),
        pause(Answer(404)),
    ),
    "rivals": at_once(edit(B, 1, Answer(409, 2)), edit(PAUSED, 1, Answer(200, 2, PAUSED))),
    "a delete that overtakes": at_once(delete(Answer(204)), pause(Answer(404))),
    "an unknown edit that was done": [
        Call(CREATED, 0, 1),
        Call(edit(B, 1, None), 2, NEVER),
        Call(pause(Answer(200, 3, Definition("b", enabled=False))), 9, 10),
    ],
    "an unknown edit that was not done": [
        Call(CREATED, 0, 1),
        Call(edit(B, 1, None), 2, NEVER),
        Call(pause(Answer(200, 2, PAUSED)), 9, 10),
    ],
    "an unknown delete that was done late": [
        Call(CREATED, 0, 1),
        Call(delete(None), 2, NEVER),
        Call(pause(Answer(200, 2, PAUSED)), 3, 4),
        Call(pause(Answer(404)), 5, 6),
    ],
}

BAD: dict[str, History] = {
    "two winners": at_once(edit(B, 1, Answer(200, 2, B)), edit(PAUSED, 1, Answer(200, 2, PAUSED))),
    "no winner": at_once(edit(B, 1, Answer(409, 2)), edit(PAUSED, 1, Answer(409, 2))),
    "a lost edit": one_after_another(CREATED, edit(B, 1, Answer(200, 2, B)), pause(Answer(200, 2, PAUSED))),
    "a doubled edit": one_after_another(CREATED, edit(B, None, Answer(200, 3, B))),
    "seen before it was done": one_after_another(pause(Answer(200, 2, PAUSED)), CREATED),
    "deleted, and there": one_after_another(CREATED, delete(Answer(204)), pause(Answer(200, 2, PAUSED))),
    "deleted twice": at_once(delete(Answer(204)), delete(Answer(204))),
    "a name that two have": [
        Call(CREATED, 0, 9),
        Call(JobCommand("create", "k", Answer(201, 1, A), definition=A), 0, 9),
    ],
    "refused with a version that never was": at_once(edit(B, 7, Answer(409, 4))),
    "reverted to another definition": one_after_another(
        CREATED, edit(B, 1, Answer(200, 2, B)), JobCommand("revert", "j", Answer(200, 3, B), to_version=1)
    ),
    "unknown, and done before it was asked": [
        Call(CREATED, 0, 1),
        Call(pause(Answer(200, 3, Definition("b", enabled=False))), 2, 3),
        Call(edit(B, 1, None), 4, NEVER),
    ],
    "unknown, and undone again": [
        Call(CREATED, 0, 1),
        Call(edit(B, 1, None), 2, NEVER),
        Call(edit(B, 5, Answer(409, 2)), 3, 4),
        Call(edit(B, 5, Answer(409, 1)), 5, 6),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_could_have_happened_passes(name: str) -> None:
    assert is_linearizable(GOOD[name], NOBODY, step)


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_have_happened_is_found(name: str) -> None:
    assert not is_linearizable(BAD[name], NOBODY, step)


def by_hand(history: History) -> bool:
    """Try all orders of all choices of the unknown ones."""
    known = [call for call in history if call.returned != NEVER]
    unknown = [call for call in history if call.returned == NEVER]
    for chosen in itertools.chain.from_iterable(itertools.combinations(unknown, n) for n in range(len(unknown) + 1)):
        for order in itertools.permutations([*known, *chosen]):
            if any(b.returned < a.called for a, b in itertools.combinations(order, 2)):
                continue
            state: Standing | None = NOBODY
            for call in order:
                state = step(state, call.operation) if state is not None else None
            if state is not None:
                return True
    return False


def test_it_agrees_with_trying_every_order() -> None:
    dice = random.Random(1)
    verdicts = []
    for _ in range(400):
        history = [Call(CREATED, 0, dice.choice([1, 4]))]
        for number in range(dice.randint(1, 5)):
            called = dice.randint(1, 6)
            answers = [None, Answer(404), Answer(409, 2), Answer(200, 2, B), Answer(200, 2, PAUSED), Answer(200, 3, B)]
            answer = dice.choice(answers)
            commands = [edit(B, dice.choice([None, 1, 2]), answer), pause(answer), delete(answer and Answer(204))]
            returned = NEVER if answer is None else called + dice.randint(1, 4)
            history.append(Call(commands[number % 3], called, returned))
        verdicts.append(is_linearizable(history, NOBODY, step))
        assert verdicts[-1] == by_hand(history)
    assert 20 < sum(verdicts) < 380


def test_a_long_history_of_many_clients_is_quick() -> None:
    """A thousand operations, eight at once."""
    calls = [Call(CREATED, 0, 1)]
    for number in range(1000):
        definition = Definition(str(number))
        calls.append(
            Call(edit(definition, None, Answer(200, number + 2, definition)), 1 + number / 8, 2.5 + number / 8)
        )
    assert is_linearizable(calls, NOBODY, step)
    assert not is_linearizable([*calls, Call(delete(Answer(404)), 5, 6)], NOBODY, step)
