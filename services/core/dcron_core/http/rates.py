"""How often somebody may ask: a bucket for each, in bounded memory (pure but for the clock).

A bucket holds what may come at once (two seconds' worth) and is filled evenly. Whoever is known counts by name,
however many tokens or machines they have; whoever is not, by address, and at a tenth of the rate: what they are
answered is a refusal or the login. Of the buckets the ones used last are kept; one that is forgotten was full again,
or there were more askers at once than buckets.
"""

from collections import OrderedDict

from dcron_core.clock import Clock

MOST_BUCKETS = 10_000
BURST_S = 2.0
OF_STRANGERS = 0.1


class Rates:
    """The buckets of one service."""

    def __init__(self, per_second: float, clock: Clock, most: int = MOST_BUCKETS) -> None:
        self._per_second = per_second
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # who → (what is left, when)

    def __len__(self) -> int:
        return len(self._buckets)

    def of_somebody(self, name: str) -> float:
        """Take a request out of the bucket of a known name; return 0, or how many seconds until there is one in it."""
        return self._taken(f"name {name}", self._per_second)

    def of_stranger(self, address: str) -> float:
        """The same for an address."""
        return self._taken(f"address {address}", self._per_second * OF_STRANGERS)

    def _taken(self, who: str, rate: float) -> float:
        now_s = self._clock.monotonic()
        full = max(1.0, rate * BURST_S)
        left, at_s = self._buckets.pop(who, (full, now_s))
        left = min(full, left + (now_s - at_s) * rate)
        allowed = left >= 1.0
        self._buckets[who] = (left - 1.0 if allowed else left, now_s)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / rate
