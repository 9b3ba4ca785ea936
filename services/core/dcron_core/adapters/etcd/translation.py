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
    return etcdrpc.TxnRequest(
        compare=[_compare(comparison) for comparison in transaction.compare],
        success=[_operation(operation) for operation in transaction.success],
        failure=[_operation(operation) for operation in transaction.failure],
    )


def pack_request(transactions: Sequence[Transaction]) -> Any:
    """Return one transaction without a condition, which does each of the given ones with its own."""
    return etcdrpc.TxnRequest(
        success=[etcdrpc.RequestOp(request_txn=transaction_request(transaction)) for transaction in transactions]
    )


def transaction_result(response: Any, revision: int) -> TransactionResult:
    """Return what a transaction, nested or not, did; `revision` is that of the whole answer."""
    reads = tuple(
        tuple(key_value(each) for each in part.response_range.kvs)
        for part in response.responses
        if part.HasField("response_range")
    )
    return TransactionResult(succeeded=response.succeeded, revision=revision, reads=reads)


def _compare(comparison: Comparison) -> Any:
    if isinstance(comparison, ModRevisionIs):
        return etcdrpc.Compare(
            result=etcdrpc.Compare.EQUAL,
            target=etcdrpc.Compare.MOD,
            key=comparison.key.encode(),
            mod_revision=comparison.revision,
        )
    # It holds if it holds for each key of the range. No key that exists has the creation revision 0.
    return etcdrpc.Compare(
        result=etcdrpc.Compare.EQUAL,
        target=etcdrpc.Compare.CREATE,
        key=range_start(comparison.prefix),
        range_end=range_end(comparison.prefix),
        create_revision=0,
    )


def _operation(operation: Operation) -> Any:
    match operation:
        case Put(key=key, value=value, lease=lease):
            return etcdrpc.RequestOp(request_put=etcdrpc.PutRequest(key=key.encode(), value=value, lease=lease))
        case Delete(key=key):
            return etcdrpc.RequestOp(request_delete_range=etcdrpc.DeleteRangeRequest(key=key.encode()))
        case DeletePrefix(prefix=prefix):
            return etcdrpc.RequestOp(
                request_delete_range=etcdrpc.DeleteRangeRequest(key=range_start(prefix), range_end=range_end(prefix))
            )
        case Get(key=key):
            return etcdrpc.RequestOp(request_range=etcdrpc.RangeRequest(key=key.encode()))
        case GetPrefix(prefix=prefix, limit=limit):
            return etcdrpc.RequestOp(
                request_range=etcdrpc.RangeRequest(key=range_start(prefix), range_end=range_end(prefix), limit=limit)
            )
