"""The leases of a MemoryStore."""

from dcron_core.clock import Clock
from dcron_core.errors import LeaseLostError


class Leases:
    """Who lives until when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ttl_s: dict[int, int] = {}
        self._ends: dict[int, float] = {}
        self._granted = 0

    def __contains__(self, lease: int) -> bool:
        return lease in self._ends

    def grant(self, ttl_s: int) -> int:
        """Return a new lease."""
        self._granted += 1
        self._ttl_s[self._granted] = ttl_s
        self.keep(self._granted)
        return self._granted

    def keep(self, lease: int) -> float:
        """Let the lease live for its whole time again, and return that."""
        if lease not in self._ttl_s:
            raise LeaseLostError(f"keep lease {lease}: it has ended")
        self._ends[lease] = self._clock.monotonic() + self._ttl_s[lease]
        return float(self._ttl_s[lease])

    def end(self, lease: int) -> None:
        """Forget the lease."""
        self._ttl_s.pop(lease, None)
        self._ends.pop(lease, None)

    def take_expired(self) -> list[int]:
        """Forget, and return, the leases whose time is over, in the order of their ends."""
        now = self._clock.monotonic()
        expired = sorted((end, lease) for lease, end in self._ends.items() if end <= now)
        for _, lease in expired:
            self.end(lease)
        return [lease for _, lease in expired]

    def next_expiry_s(self) -> float | None:
        """Return how long it is to the next end, if there is a lease."""
        if not self._ends:
            return None
        return max(0.0, min(self._ends.values()) - self._clock.monotonic())
