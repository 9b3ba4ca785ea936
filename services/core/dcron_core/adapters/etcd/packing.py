"""Which independent transactions go to etcd in one call.

etcd settles nested transactions in one call, but looks at all their comparisons before it does any of their
writes. So a transaction that compares what an earlier one of the pack writes begins a new pack: then the
result is always one that some order of the transactions could have given.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence

from dcron_core.adapters.writes import MOST_OPERATIONS, written_keys
from dcron_core.ports.store import Comparison, DeletePrefix, ModRevisionIs, Put, Transaction

MOST_IN_PACK = 40  # more gain little, and the whole pack waits for its slowest disk write
MOST_BYTES = 1_000_000  # of keys and values; etcd's default for --max-request-bytes is 1.5 MiB


class Pack:
    """Transactions to be done in one call."""

    def __init__(self) -> None:
        self.transactions: list[Transaction] = []
        self._written: list[str] = []  # keys and prefixes, sorted
        self._prefixes: set[str] = set()  # that are deleted
        self._bytes = 0
        self._widest = 0

    def take(self, transaction: Transaction) -> bool:
        """Put the transaction in and return True, if there is room; an empty pack takes any."""
        count, size = len(self.transactions) + 1, self._bytes + _bytes(transaction)
        # etcd allows a nested transaction what the one around it leaves of the limit.
        widest = max(self._widest, _width(transaction))
        if count > 1:
            if count > MOST_IN_PACK or count + widest > MOST_OPERATIONS or size > MOST_BYTES:
                return False
            if any(self._writes_into(comparison) for comparison in transaction.compare):
                return False
        self.transactions.append(transaction)
        for branch in (transaction.success, transaction.failure):
            for key in written_keys(branch):
                insort(self._written, key)
            self._prefixes.update(each.prefix for each in branch if isinstance(each, DeletePrefix))
        self._bytes, self._widest = size, widest
        return True

    def _writes_into(self, comparison: Comparison) -> bool:
        """Return whether the comparison is about something that an earlier transaction of the pack writes."""
        if isinstance(comparison, ModRevisionIs):
            of = comparison.key
            found = self._first_from(of) == of
        else:
            of = comparison.prefix
            found = self._first_from(of).startswith(of)
        return found or any(map(of.startswith, self._prefixes))

    def _first_from(self, text: str) -> str:
        place = bisect_left(self._written, text)
        return self._written[place] if place < len(self._written) else ""


def packed(transactions: Sequence[Transaction]) -> list[Pack]:
    """Return the transactions in packs, in their order."""
    packs: list[Pack] = []
    for transaction in transactions:
        if not packs or not packs[-1].take(transaction):
            packs.append(Pack())
            packs[-1].take(transaction)
    return packs


def _width(transaction: Transaction) -> int:
    return max(len(transaction.compare), len(transaction.success), len(transaction.failure))


def _bytes(transaction: Transaction) -> int:
    size = 0
    for branch in (transaction.success, transaction.failure):
        for each in branch:
            if isinstance(each, Put):
                size += len(each.key) + len(each.value)
    return size
