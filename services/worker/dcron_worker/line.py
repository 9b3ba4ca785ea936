"""Whose turn it is to claim: rendezvous hashing (Thaler and Ravishankar, 1998).

Every worker computes the same order for a tick without asking anybody, and a worker that comes or goes
changes the order of no two others.
"""

from collections.abc import Iterable
from hashlib import blake2b


def place_in_line(worker_id: str, workers: Iterable[str], key: str) -> int:
    """Return how many of `workers` come before `worker_id` for `key`: 0 is first."""
    own = _weight(worker_id, key)
    return sum(_weight(other, key) > own for other in workers if other != worker_id)


def _weight(worker_id: str, key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8, key=worker_id.encode()[:64]).digest() + worker_id.encode()
