"""Ids and randomness come from an `IdSource`, which can be seeded."""

import random
from datetime import datetime
from uuid import UUID, uuid5

_NAMESPACE = UUID("0198f5a0-0000-7000-8000-00646372306e")


class IdSource:
    """Ids from a random source. Without a seed, from the operating system's."""

    def __init__(self, seed: int | None = None) -> None:
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)

    def uuid7(self, at: datetime) -> str:
        """Return a UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits."""
        milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
        value = milliseconds << 80 | 0x7 << 76 | self._random.getrandbits(12) << 64
        value |= 0b10 << 62 | self._random.getrandbits(62)
        return str(UUID(int=value))

    def uniform(self, low: float, high: float) -> float:
        """Return a number between the two, for jitter."""
        return self._random.uniform(low, high)

    def token(self, bits: int = 256) -> str:
        """Return a secret as hexadecimal digits."""
        return f"{self._random.getrandbits(bits):0{bits // 4}x}"


def derived_id(*parts: str) -> str:
    """Return the UUIDv5 that the parts always give: the event id of an Idempotency-Key."""
    return str(uuid5(_NAMESPACE, "\x00".join(parts)))
