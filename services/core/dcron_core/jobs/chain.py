"""The hash chain over the log of job events: one value that stands for every byte up to a position. Pure.

    h(-1) = SHA-256(TAG)        h(n) = SHA-256(h(n-1) ‖ canonical(n))

Whoever changes, adds, removes or moves a record changes all values from there on. The canonical bytes of a record
are what Kafka holds, each part behind its length, so that no two records have the same: offset (8 bytes, big
endian), length of the key (4), the key, length of the value (4), the value. Neither may ever change: archives and
signed heads hold the values of old logs. A record's time and headers are not part of it: a log that is restored
from a backup has the same chain.
"""

from hashlib import sha256

from dcron_core.ports.log import Record

TAG = b"dcron chain of job events, version 1"
BEGINNING = sha256(TAG).digest()


def canonical(offset: int, key: bytes, value: bytes) -> bytes:
    """Return the bytes of a record that the chain is made over."""
    return b"".join((offset.to_bytes(8, "big"), len(key).to_bytes(4, "big"), key, len(value).to_bytes(4, "big"), value))


def link(previous: bytes, offset: int, key: str, value: bytes) -> bytes:
    """Return the chain's value at a record, from the one at the record before."""
    return sha256(previous + canonical(offset, key.encode(), value)).digest()


class Chain:
    """The chain's value, advanced record by record from the beginning of a log."""

    def __init__(self) -> None:
        self.position = -1  # of the last record taken in
        self.value = BEGINNING

    def take(self, record: Record) -> str:
        """Take in the next record; return the chain's value there, as hexadecimal digits."""
        assert record.offset == self.position + 1
        self.value = link(self.value, record.offset, record.key, record.value)
        self.position = record.offset
        return self.value.hex()
