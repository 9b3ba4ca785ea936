"""How far a worker's clock is from those of the others, without a server that tells the time. Pure.

Each worker writes its clock into the store again and again, and sees the others' clocks arrive. What arrives is
late: by the write, and by the watch. The least lateness of the last few beats is close to the least there can be,
and a worker knows its own from the way of its own beats. So

    this clock - that clock = least (arrival by this clock - time in the beat) - least way of an own beat

Arrivals are kept on the monotonic clock, so that a worker whose clock is set notices it at once. The cluster's time
is the median of all clocks, this one included. A clock is *wrong* if it is further than the limit from a time that
more than half of the workers, and at least three workers, agree on. With two workers, or without a majority, nobody
can say whose clock is wrong: then it is *in doubt*.
"""

from collections import deque
from statistics import median

from msgspec import Struct

BEATS = 5  # of a worker that are looked at; one delayed beat does no harm
FEWEST_FOR_A_MAJORITY = 3


class Verdict(Struct, frozen=True):
    """What a worker can say of its clock."""

    offset_s: float | None = None  # this clock minus the cluster's time; None: nothing to compare with yet
    wrong: str = ""  # why nothing should be claimed by this clock; "": it is not known to be wrong
    in_doubt: str = ""  # who is far from whom, where nobody can say who is wrong


class ClockOffset:
    """Takes in beats, in seconds of the epoch and of the monotonic clock; gives a verdict."""

    def __init__(self) -> None:
        self._sent: dict[float, float] = {}  # own beats under way: their time → when they were sent
        self._ways: deque[float] = deque(maxlen=BEATS)  # of own beats
        self._lateness: dict[str, deque[float]] = {}  # of each other worker: monotonic arrival - time in the beat

    def sent(self, at_s: float, monotonic_s: float) -> None:
        """An own beat goes out."""
        self._sent = dict(list(self._sent.items())[1 - BEATS :])  # those that were never seen again are dropped
        self._sent[at_s] = monotonic_s

    def own_arrived(self, at_s: float, monotonic_s: float) -> None:
        """An own beat came back."""
        sent = self._sent.pop(at_s, None)
        if sent is not None:
            self._ways.append(monotonic_s - sent)

    def arrived(self, worker_id: str, at_s: float, monotonic_s: float) -> None:
        """A beat of another worker arrived."""
        self._lateness.setdefault(worker_id, deque(maxlen=BEATS)).append(monotonic_s - at_s)

    def gone(self, worker_id: str) -> None:
        """A worker is not there any more."""
        self._lateness.pop(worker_id, None)

    def verdict(self, wall_s: float, monotonic_s: float, limit_s: float) -> Verdict:
        """Say what the two clocks mean, both read at the same instant."""
        if not self._ways or not self._lateness:
            return Verdict()
        ahead_s = wall_s - monotonic_s - min(self._ways)
        differences = [0.0, *(ahead_s + min(lateness) for lateness in self._lateness.values())]
        offset_s = median(differences)
        agreeing = sum(abs(difference - offset_s) <= limit_s for difference in differences)
        majority = len(differences) >= FEWEST_FOR_A_MAJORITY and agreeing * 2 > len(differences)
        if majority and abs(offset_s) > limit_s:
            direction = "ahead of" if offset_s > 0 else "behind"
            why = f"the clock is {abs(offset_s):.1f} s {direction} {agreeing} of {len(differences)} workers'"
            return Verdict(offset_s, wrong=f"{why}; the limit is {limit_s:g} s")
        furthest_s = max(differences, key=abs)
        if not majority and abs(furthest_s) > limit_s:
            return Verdict(offset_s, in_doubt=f"clocks are up to {abs(furthest_s):.1f} s apart, with no majority")
        return Verdict(offset_s)
