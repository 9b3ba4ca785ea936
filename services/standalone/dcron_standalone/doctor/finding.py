"""What the doctor finds, and the report of it all."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Level = Literal["wrong", "warning"]  # a warning is for whoever knows better: it does not count against health


class Finding(Struct, frozen=True):
    """Something that is not as it should be."""

    part: str  # such as `kafka`
    what: str  # in words, with the value
    remedy: str
    level: Level = "wrong"


class Look(Struct, frozen=True):
    """What came of looking at one part."""

    part: str
    seen: str  # in a few words, what was looked at
    findings: tuple[Finding, ...] = ()
    known: bool = True  # whether there was anything to judge


class Report(Struct, frozen=True):
    """All of it."""

    healthy: bool  # nothing is wrong
    looks: tuple[Look, ...]

    @classmethod
    def of(cls, looks: Iterable[Look]) -> "Report":
        every = tuple(looks)
        return cls(not any(each.level == "wrong" for look in every for each in look.findings), every)


def unanswered(part: str, where: str, why: str, remedy: str) -> Look:
    """Return what is said of a part that does not answer."""
    return Look(part, f"{where} does not answer", (Finding(part, f"no answer from {where}: {why}", remedy),))
