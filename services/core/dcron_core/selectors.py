"""Label selectors: which workers may run a job. Pure; parsed once.

A selector is a list of conditions with commas, all of which have to hold, as in Kubernetes::

    zone=berlin, disk!=slow, tier in (web, batch), arch notin (arm64), gpu, !spot

`a!=b` and `a notin (…)` hold too for a worker that has no label `a`.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from msgspec import Struct

_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_TOKEN = re.compile(rf"\s*(?:(?P<word>{_WORD})|(?P<sign>!=|==|=|!|\(|\)|,))")
_END = ""


class Condition(Struct, frozen=True):
    """One condition on one label."""

    label: str
    kind: Literal["in", "notin", "exists", "absent"]
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a worker with these labels meets it."""
        value = labels.get(self.label)
        match self.kind:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "absent":
                return value is None


class Selector(Struct, frozen=True):
    """Conditions that all have to hold; none of them: every worker matches."""

    conditions: tuple[Condition, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a worker with these labels may run the job."""
        return all(condition.holds(labels) for condition in self.conditions)


@lru_cache(maxsize=4096)
def parse_selector(text: str) -> Selector:
    """Return the selector; raise ValueError that names the place and what would be right there."""
    return Selector() if not text.strip() else _Reader(text).selector()


class _Reader:
    """Reads one selector from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)

    def selector(self) -> Selector:
        conditions = [self._condition()]
        while self._next == ",":
            self._take()
            conditions.append(self._condition())
        if self._next != _END:
            raise self._wrong("a comma or the end")
        return Selector(tuple(conditions))

    def _condition(self) -> Condition:
        if self._next == "!":
            self._take()
            return Condition(self._word("a label"), "absent")
        label = self._word("a label, or ! and a label")
        match self._next:
            case "=" | "==":
                self._take()
                return Condition(label, "in", frozenset({self._word("a value")}))
            case "!=":
                self._take()
                return Condition(label, "notin", frozenset({self._word("a value")}))
            case "in":
                self._take()
                return Condition(label, "in", self._set())
            case "notin":
                self._take()
                return Condition(label, "notin", self._set())
        return Condition(label, "exists")

    def _set(self) -> frozenset[str]:
        self._sign("(")
        values = {self._word("a value")}
        while self._next == ",":
            self._take()
            values.add(self._word("a value"))
        self._sign(")")
        return frozenset(values)

    @property
    def _next(self) -> str:
        return self._tokens[0][1]

    def _take(self) -> str:
        return self._tokens.pop(0)[1]

    def _word(self, what: str) -> str:
        if not re.fullmatch(_WORD, self._next):
            raise self._wrong(what)
        return self._take()

    def _sign(self, sign: str) -> None:
        if self._next != sign:
            raise self._wrong(sign)
        self._take()

    def _wrong(self, right: str) -> ValueError:
        place, found = self._tokens[0]
        return _error(self._text, place, f"{found!r}" if found else "the end", right)


def _tokens(text: str) -> list[tuple[int, str]]:
    """Return place and text of each token, and the end."""
    tokens: list[tuple[int, str]] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise _error(text, place, repr(text[place]), "letters and digits, = != in notin ! ( ) or a comma")
        tokens.append((match.start(match.lastgroup or 0), match[match.lastgroup or 0]))
        place = match.end()
    return [*tokens, (end, _END)]


def _error(text: str, place: int, found: str, right: str) -> ValueError:
    return ValueError(f"{text!r}: at character {place + 1} there is {found}, where {right} should be")
