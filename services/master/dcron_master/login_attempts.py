"""Slows whoever guesses passwords: by user and by address, longer with each failure. Pure but for its clock.

An attempt counts as a failure from its beginning until it has succeeded, so that a thousand at the same time are as
slow as a thousand in a row. Users and addresses are counted in a fixed number of places, by a secret hash: whatever
names somebody makes up, memory stays bounded, nobody's count is pushed out, and a name that nobody has is slowed like
one that somebody has. Each master counts for itself.
"""

import hmac
from ipaddress import AddressValueError, IPv6Address
from math import ceil

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.errors import DcronError
from dcron_core.ids import IdSource

PLACES = 1 << 16
FORGET_AFTER_S = 900.0  # without a failure
FREE_OF_USER, FREE_OF_ADDRESS = 5, 20  # failures that cost nothing: people mistype, offices share an address
MOST_OF_USER_S, MOST_OF_ADDRESS_S = 60.0, 300.0  # waits; a user's is short, since anybody can cause it


class TooManyAttemptsError(DcronError):
    """It is too early for another attempt."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, ceil(wait_s))
        super().__init__(f"too many attempts to log in; try again in {self.wait_s} s")


class _Count(Struct):
    failures: int = 0
    last: float = 0.0


class _Counter:
    """Failures of users, or of addresses."""

    def __init__(self, free: int, most_s: float, secret: bytes) -> None:
        self._free, self._most_s, self._secret = free, most_s, secret
        self._counts: dict[int, _Count] = {}

    def wait_s(self, name: str, now: float) -> float:
        """Return how long the next attempt has to wait from now on; 0 or less: it may be made."""
        count = self._counts.get(self._place(name))
        if count is None or count.failures < self._free:
            return 0.0
        delay = min(2.0 ** min(count.failures - self._free, 30), self._most_s)
        return count.last + delay - now

    def failed(self, name: str, now: float) -> None:
        """Count a failure."""
        count = self._counts.setdefault(self._place(name), _Count())
        if now - count.last > FORGET_AFTER_S:
            count.failures = 0
        count.failures += 1
        count.last = now

    def take_back(self, name: str, *, all_of_them: bool) -> None:
        """Do as if the last failure, or all of them, had not been."""
        count = self._counts.get(self._place(name))
        if count is not None:
            count.failures = 0 if all_of_them else max(0, count.failures - 1)

    def __len__(self) -> int:
        return len(self._counts)

    def _place(self, name: str) -> int:
        digest = hmac.digest(self._secret, name.encode("utf-8", "surrogateescape"), "sha256")
        return int.from_bytes(digest[:2])


class LoginAttempts:
    """Says when the next attempt may be made."""

    def __init__(self, clock: Clock, ids: IdSource) -> None:
        self._clock = clock
        secret = bytes.fromhex(ids.token(256))
        self._users = _Counter(FREE_OF_USER, MOST_OF_USER_S, secret)
        self._addresses = _Counter(FREE_OF_ADDRESS, MOST_OF_ADDRESS_S, secret)

    def begin(self, user: str, address: str) -> None:
        """Begin an attempt; it has failed unless `succeeded` is called. Raises TooManyAttemptsError."""
        now, network = self._clock.monotonic(), network_of(address)
        wait_s = max(self._users.wait_s(user, now) if user else 0.0, self._addresses.wait_s(network, now))
        if wait_s > 0:
            raise TooManyAttemptsError(wait_s)
        if user:
            self._users.failed(user, now)
        self._addresses.failed(network, now)

    def succeeded(self, user: str, address: str) -> None:
        """The attempt was a good one. The address keeps its other failures: one's own password clears nothing."""
        if user:
            self._users.take_back(user, all_of_them=True)
        self._addresses.take_back(network_of(address), all_of_them=False)


def network_of(address: str) -> str:
    """Return what is counted as one address: of IPv6 the /64, which is what one customer gets."""
    try:
        return IPv6Address(address).exploded[:19]
    except AddressValueError:
        return address
