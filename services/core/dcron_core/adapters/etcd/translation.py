"""The port's structs as etcd's messages, and back."""

from collections.abc import Sequence
from typing import Any

from etcd3 import etcdrpc

from dcron_core.ports.store import (
    Changes,
    Comparison,
    Delete,
    DeletePrefix,
    Get,
    GetPrefix,
    KeyValue,
    ModRevisionIs,
    Operation,
    Put,
    Removed,
    Transaction,
    TransactionResult,
)

_PUT_EVENT = 0
_EQUAL, _MOD, _CREATE = etcdrpc.Compare.EQUAL, etcdrpc.Compare.MOD, etcdrpc.Compare.CREATE


def range_end(prefix: str) -> bytes:
    """Return the first key after all keys that begin with `prefix`; as etcd has it, a zero byte if there is none."""
    end = bytearray(prefix.encode())
    if not end:
        return b"\0"
    end[-1] += 1  # UTF-8 has no byte 0xFF, so this never overflows
    return bytes(end)


def range_start(prefix: str) -> bytes:
    """Return the least key of the prefix; etcd has no empty key."""
    return prefix.encode() or b"\0"


def key_value(message: Any) -> KeyValue:
    """Return a key as it stands."""
    return KeyValue(
        key=message.key.decode(),
        value=message.value,
        create_revision=message.create_revision,
        mod_revision=message.mod_revision,
        lease=message.lease,
    )


def changes(response: Any) -> Changes:
    """Return the events of a watch response that has some."""
    events = tuple(
        key_value(event.kv) if event.type == _PUT_EVENT else Removed(event.kv.key.decode(), event.kv.mod_revision)
        for event in response.events
    )
    return Changes(revision=events[-1].mod_revision, events=events)


def transaction_request(transaction: Transaction) -> Any:
    """Return etcd's form of a transaction."""
    request = etcdrpc.TxnRequest()
    _fill(request, transaction)
    return request


def pack_request(transactions: Sequence[Transaction]) -> Any:
    """Return one transaction without a condition, which does each of the given ones with its own."""
    request = etcdrpc.TxnRequest()
    for transaction in transactions:
        _fill(request.success.add().request_txn, transaction)
    return request


def transaction_result(response: Any, revision: int) -> TransactionResult:
    """Return what a transaction, nested or not, did; `revision` is that of the whole answer."""
    reads = tuple(
        tuple(key_value(each) for each in part.response_range.kvs)
        for part in response.responses
        if part.HasField("response_range")
    )
    return TransactionResult(succeeded=response.succeeded, revision=revision, reads=reads)


def _fill(request: Any, transaction: Transaction) -> None:
    """Write a transaction into its message, in place: one that is made apart is copied into the one around it."""
    for comparison in transaction.compare:
        _compare(request.compare.add(), comparison)
    for operation in transaction.success:
        _operation(request.success.add(), operation)
    for operation in transaction.failure:
        _operation(request.failure.add(), operation)


def _compare(message: Any, comparison: Comparison) -> None:
    message.result = _EQUAL
    if isinstance(comparison, ModRevisionIs):
        message.target = _MOD
        message.key = comparison.key.encode()
        message.mod_revision = comparison.revision
        return
    # It holds if it holds for each key of the range. No key that exists has the creation revision 0.
    message.target = _CREATE
    _span(message, comparison.prefix)
    message.create_revision = 0


def _operation(message: Any, operation: Operation) -> None:
    match operation:
        case Put():
            put = message.request_put
            put.key = operation.key.encode()
            put.value = operation.value
            put.lease = operation.lease
        case Delete():
            message.request_delete_range.key = operation.key.encode()
        case DeletePrefix():
            _span(message.request_delete_range, operation.prefix)
        case Get():
            message.request_range.key = operation.key.encode()
        case GetPrefix():
            _span(message.request_range, operation.prefix)
            message.request_range.limit = operation.limit


def _span(message: Any, prefix: str) -> None:
    """Let a message be about all keys of a prefix."""
    message.key = range_start(prefix)
    message.range_end = range_end(prefix)
