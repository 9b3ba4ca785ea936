"""Which independent transactions go to etcd in one call.

etcd settles nested transactions in one call, but looks at all their comparisons before it does any of their
writes. So a transaction that compares what an earlier one of the pack writes begins a new pack: then the
result is always one that some order of the transactions could have given.
"""

from collections.abc import Sequence

from dcron_core.adapters.writes import MOST_OPERATIONS, written_keys
from dcron_core.ports.store import Comparison, DeletePrefix, ModRevisionIs, Put, Transaction

MOST_IN_PACK = 40  # more gain little, and the whole pack waits for its slowest disk write
MOST_BYTES = 1_000_000  # of keys and values; etcd's default for --max-request-bytes is 1.5 MiB


class Pack:
    """Transactions to be done in one call."""

    def __init__(self) -> None:
        self.transactions: list[Transaction] = []
        self._written: set[str] = set()
        self._prefixes: set[str] = set()  # that are deleted
        self._bytes = 0
        self._widest = 0

    def takes(self, transaction: Transaction) -> bool:
        """Return whether the transaction can go into this pack; an empty pack takes any."""
        if not self.transactions:
            return True
        count = len(self.transactions) + 1
        # etcd allows a nested transaction what the one around it leaves of the limit.
        widest = max(self._widest, _width(transaction))
        if count > MOST_IN_PACK or count + widest > MOST_OPERATIONS:
            return False
        if self._bytes + _bytes(transaction) > MOST_BYTES:
            return False
        return not any(self._writes_into(comparison) for comparison in transaction.compare)

    def add(self, transaction: Transaction) -> None:
        """Put the transaction in."""
        self.transactions.append(transaction)
        self._written.update(written_keys(transaction.success), written_keys(transaction.failure))
        branches = (*transaction.success, *transaction.failure)
        self._prefixes.update(each.prefix for each in branches if isinstance(each, DeletePrefix))
        self._bytes += _bytes(transaction)
        self._widest = max(self._widest, _width(transaction))

    def _writes_into(self, comparison: Comparison) -> bool:
        """Return whether the comparison is about something that an earlier transaction of the pack writes."""
        if isinstance(comparison, ModRevisionIs):
            return comparison.key in self._written or any(comparison.key.startswith(each) for each in self._prefixes)
        of_prefix = comparison.prefix
        return any(key.startswith(of_prefix) for key in self._written) or any(map(of_prefix.startswith, self._prefixes))


def packed(transactions: Sequence[Transaction]) -> list[Pack]:
    """Return the transactions in packs, in their order."""
    packs: list[Pack] = []
    for transaction in transactions:
        if not packs or not packs[-1].takes(transaction):
            packs.append(Pack())
        packs[-1].add(transaction)
    return packs


def _width(transaction: Transaction) -> int:
    return max(len(transaction.compare), len(transaction.success), len(transaction.failure))


def _bytes(transaction: Transaction) -> int:
    puts = [each for each in (*transaction.success, *transaction.failure) if isinstance(each, Put)]
    return sum(len(each.key) + len(each.value) for each in puts)
