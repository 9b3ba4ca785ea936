"""Writing a key in one line."""

from dcron_core.ports.store import KeyValueStore, Put, Transaction


async def put(store: KeyValueStore, key: str, value: bytes = b"", lease: int = 0) -> int:
    """Write a key; return the revision."""
    return (await store.transact(Transaction((), (Put(key, value, lease),)))).revision
