"""Whether what several clients saw of one job could have happened one after the other.

A history is linearizable if every operation can be given an instant between its call and its return, so that a
single job that does them in that order gives all the answers. The search is that of Wing and Gong ("Testing and
Verifying Concurrent Objects", 1993) with Lowe's memory of what was tried ("Testing for Linearizability", 2017):
the same operations done before, and the same state after them, need not be looked at twice. Porcupine, which
etcd's tests use, does likewise.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)
Op = TypeVar("Op")

NEVER = float("inf")


@dataclass(frozen=True)
class Call(Generic[Op]):
    """An operation as its client saw it. With `returned` NEVER, its outcome is unknown: it may be done, or not."""

    operation: Op
    called: float
    returned: float = NEVER


def is_linearizable(history: Sequence[Call[Op]], start: S, step: Callable[[S, Op], S | None]) -> bool:
    """Tell whether the calls can be put in an order that `step` allows.

    `step` returns the state after an operation, and None if the operation cannot give its answer in that state; one
    of unknown outcome gives none, and is left out where it would do nothing.
    """
    calls = sorted(history, key=lambda call: call.called)
    known = sum(1 << number for number, call in enumerate(calls) if call.returned != NEVER)
    tried: set[tuple[int, S]] = set()
    left = [(0, start)]  # sets of operations done, as bits, and the state after them
    while left:
        done, state = left.pop()
        if done & known == known:
            return True
        for number in _next(calls, done):
            after = step(state, calls[number].operation)
            if after is None:
                continue
            reached = (done | 1 << number, after)
            if reached not in tried:
                tried.add(reached)
                left.append(reached)
    return False


def _next(calls: Sequence[Call[Op]], done: int) -> list[int]:
    """Return which calls can be done next: those that were called before any other that is not done returned."""
    open_calls = [number for number in range(len(calls)) if not done >> number & 1]
    first_return = min(calls[number].returned for number in open_calls)
    return [number for number in open_calls if calls[number].called <= first_return]
