"""Judges clocks: all machines of a system, this one included, are to agree within a second or two."""

from collections.abc import Iterable
from datetime import timedelta

from msgspec import Struct

from dcron_standalone.doctor.finding import Finding, Look

PART = "clocks"
LIMIT = timedelta(seconds=2)


class Difference(Struct, frozen=True):
    """This machine's clock minus another one."""

    other: str  # whose
    by: timedelta
    uncertain: timedelta = timedelta(0)  # how far it may be off


def judged(differences: Iterable[Difference]) -> Look:
    """Return what is to be said. If most are off by the same, it is this machine's clock that is wrong."""
    every = tuple(differences)
    off = [each for each in every if abs(each.by) > LIMIT + each.uncertain]
    seen = f"{len(every)} compared with this machine's" if every else "there is none to compare with"
    remedy = "let NTP set it (`timedatectl status`, `chronyc tracking`)"
    if len(off) > 1 and len(off) == len(every):
        names = ", ".join(each.other for each in off)
        what = f"this machine's clock is {_words(off[0].by)} the others' ({names})"
        return Look(PART, seen, (Finding(PART, what, remedy),))
    findings = [
        Finding(PART, f"the clock of {each.other} is {_words(-each.by)} this machine's", remedy) for each in off
    ]
    return Look(PART, seen, tuple(findings), known=bool(every))


def _words(by: timedelta) -> str:
    return f"{abs(by).total_seconds():.1f} s {'ahead of' if by > timedelta(0) else 'behind'}"
