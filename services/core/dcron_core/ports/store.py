"""A key-value store with revisions, transactions, leases and watches: what dcron asks of etcd.

Revisions are positive and grow with every write of any key. All methods raise StoreUnavailableError
when the store does not answer within its timeout; a write that raises it may have happened or not.
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from msgspec import Struct


class KeyValue(Struct, frozen=True):
    """A key as it stands at some revision."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    lease: int = 0  # lease id; 0: none


class Range(Struct, frozen=True):
    """All keys of a prefix at one revision, ordered by key; of several, one prefix after the other."""

    revision: int
    items: tuple[KeyValue, ...]


class ModRevisionIs(Struct, frozen=True):
    """True if the key was last written at `revision`; with 0, if it does not exist."""

    key: str
    revision: int


class PrefixIsEmpty(Struct, frozen=True):
    """True if no key begins with `prefix`."""

    prefix: str


class Put(Struct, frozen=True):
    """Write a key, optionally under a lease."""

    key: str
    value: bytes
    lease: int = 0


class Delete(Struct, frozen=True):
    """Remove a key; nothing happens if it does not exist."""

    key: str


class DeletePrefix(Struct, frozen=True):
    """Remove all keys of a prefix; nothing happens if there is none."""

    prefix: str


class Get(Struct, frozen=True):
    """Read a key."""

    key: str


class GetPrefix(Struct, frozen=True):
    """Read all keys of a prefix, at most `limit`; 0: all."""

    prefix: str
    limit: int = 0


Comparison = ModRevisionIs | PrefixIsEmpty
Operation = Put | Delete | DeletePrefix | Get | GetPrefix


class Transaction(Struct, frozen=True):
    """If every comparison holds, do `success`, else `failure`. At most 128 of each; no key written twice.

    A prefix that is deleted counts as a key: no other write may be under it.
    """

    compare: tuple[Comparison, ...]
    success: tuple[Operation, ...]
    failure: tuple[Operation, ...] = ()


class TransactionResult(Struct, frozen=True):
    """What a transaction did."""

    succeeded: bool
    revision: int  # the store's after it; of its writes, if it wrote
    reads: tuple[tuple[KeyValue, ...], ...] = ()  # one for each Get and GetPrefix of the branch taken, in order


class Removed(Struct, frozen=True):
    """A key that is gone: deleted, or its lease ended."""

    key: str
    mod_revision: int


class Changes(Struct, frozen=True):
    """What happened to a prefix in one or several revisions, in order, whole revisions only."""

    revision: int  # of the last
    events: tuple[KeyValue | Removed, ...]


class KeyValueStore(Protocol):
    """The store."""

    async def get(self, key: str) -> KeyValue | None:
        """Return the key, or None (linearizable)."""
        ...

    async def read_prefix(self, *prefixes: str) -> Range:
        """Return all keys of the prefixes at one revision, however many there are; one prefix after the other."""
        ...

    async def transact(self, transaction: Transaction) -> TransactionResult:
        """Do one transaction, atomically.

        Raises ValueError if it is not one that a store takes, and LeaseLostError if a Put names a lease that is gone.
        """
        ...

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        """Do independent transactions in as few calls as can be: each has its own outcome.

        No two of them may write the same key (ValueError). They happen in some order, and each sees what those
        before it wrote. Results come in the order of the arguments. When this raises StoreUnavailableError or
        LeaseLostError, some of them may have happened.
        """
        ...

    def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        """Yield every change of the prefix from `from_revision` on, without gap or double, for ever.

        Reconnects by itself. Raises CompactedError if `from_revision`, or the point to resume from, is gone.
        `aclose` ends it.
        """
        ...

    async def grant_lease(self, ttl_s: int) -> int:
        """Return the id of a new lease that lives `ttl_s` seconds from now unless renewed."""
        ...

    async def keep_lease(self, lease: int) -> float:
        """Renew the lease; return its new time to live in seconds. Raises LeaseLostError if it is gone."""
        ...

    async def revoke_lease(self, lease: int) -> None:
        """End the lease and remove its keys; nothing happens if it is gone."""
        ...
