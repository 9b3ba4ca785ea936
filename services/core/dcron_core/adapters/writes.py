"""Which keys transactions write, and the rules about them that every store keeps alike."""

from collections.abc import Sequence

from dcron_core.ports.store import Delete, DeletePrefix, Operation, Put, Transaction

MOST_OPERATIONS = 128  # comparisons, or operations of a branch; etcd's default for --max-txn-ops
_OF_A_KEY = (Put, Delete)  # a tuple: a union is made anew, and looked through slowly, at each use


def written_keys(operations: Sequence[Operation]) -> list[str]:
    """Return the key of each Put and Delete, and the prefix of each DeletePrefix."""
    keys = []
    for operation in operations:
        if isinstance(operation, _OF_A_KEY):
            keys.append(operation.key)
        elif isinstance(operation, DeletePrefix):
            keys.append(operation.prefix)
    return keys


def check_transactions(transactions: Sequence[Transaction]) -> None:
    """Raise ValueError if one is too large, or if a key is written twice by a branch or by two of them."""
    seen: set[str] = set()
    for transaction in transactions:
        _check_size(transaction)
        written: set[str] = set()
        for branch in (transaction.success, transaction.failure):
            keys = written_keys(branch)
            if not keys:
                continue
            if len(set(keys)) < len(keys):
                raise ValueError(f"a transaction writes {_first_double(keys)!r} twice; write each key once")
            _check_prefixes(branch, keys)
            written.update(keys)
        if not seen.isdisjoint(written):
            raise ValueError(f"two transactions of one call write {min(seen & written)!r}; do them one after the other")
        seen |= written


def _check_prefixes(branch: Sequence[Operation], keys: Sequence[str]) -> None:
    for prefix in (operation.prefix for operation in branch if isinstance(operation, DeletePrefix)):
        under = [key for key in keys if key != prefix and key.startswith(prefix)]
        if under:
            raise ValueError(f"a transaction deletes all of {prefix!r} and writes {under[0]!r}; do one or the other")


def _check_size(transaction: Transaction) -> None:
    size = max(len(transaction.compare), len(transaction.success), len(transaction.failure))
    if size > MOST_OPERATIONS:
        raise ValueError(f"a transaction has {size} comparisons or operations; the most is {MOST_OPERATIONS}")


def _first_double(keys: list[str]) -> str:
    return next(key for position, key in enumerate(keys) if key in keys[:position])
