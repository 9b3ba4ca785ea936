"""`EtcdStore`: the KeyValueStore port on etcd."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import Any

import grpc.aio
from etcd3 import etcdrpc

from dcron_core.adapters.etcd.cluster import Cluster, Endpoint
from dcron_core.adapters.etcd.description import describe
from dcron_core.adapters.etcd.login import Metadata
from dcron_core.adapters.etcd.packing import packed
from dcron_core.adapters.etcd.translation import (
    key_value,
    pack_request,
    range_end,
    range_start,
    transaction_request,
    transaction_result,
)
from dcron_core.adapters.etcd.watch import watch
from dcron_core.adapters.writes import check_transactions
from dcron_core.descriptions import StoreDescription
from dcron_core.errors import CompactedError, LeaseLostError
from dcron_core.ports.store import Changes, KeyValue, Range, Transaction, TransactionResult
from dcron_core.security import Security, plaintext

_RANGE = attrgetter("keys.Range")
_TXN = attrgetter("keys.Txn")
_GRANT = attrgetter("leases.LeaseGrant")
_REVOKE = attrgetter("leases.LeaseRevoke")
# For each page etcd counts all that is left of the prefix, so that a large prefix in small pages costs it seconds. But
# large values make large pages: the first one is small, and the next ones go by what was seen so far.
_FIRST_PAGE_KEYS = 500
_MOST_PAGE_KEYS = 2000  # if all are jobs of 64 KiB after all, 128 MiB: within the largest message
_PAGE_BYTES = 16 * 1024 * 1024

_PLAINTEXT = plaintext("DCRON_ETCD")


class EtcdStore:
    """A KeyValueStore. It connects when it is first used, and again whenever it must."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @classmethod
    @asynccontextmanager
    async def open(
        cls, endpoints: str, timeout_s: float = 5.0, security: Security = _PLAINTEXT
    ) -> AsyncIterator["EtcdStore"]:
        """Open the store at `host:port`, several with commas; `timeout_s` is for each call."""
        async with Cluster.open(endpoints, timeout_s, security) as cluster:
            yield cls(cluster)

    async def get(self, key: str) -> KeyValue | None:
        response = await self._call(_RANGE, etcdrpc.RangeRequest(key=key.encode()), f"get {key}")
        return key_value(response.kvs[0]) if response.kvs else None

    async def read_prefix(self, *prefixes: str) -> Range:
        while True:
            try:
                return await self._read_prefixes(prefixes)
            except CompactedError:  # between two pages: the revision of the first one is gone, so start again
                continue

    async def transact(self, transaction: Transaction) -> TransactionResult:
        check_transactions([transaction])
        response = await self._call(_TXN, transaction_request(transaction), "transaction")
        return transaction_result(response, response.header.revision)

    async def transact_all(self, transactions: Sequence[Transaction]) -> list[TransactionResult]:
        check_transactions(transactions)
        calls = [self._transact_pack(pack.transactions) for pack in packed(transactions)]
        # All are awaited before an error is raised, so that none goes on behind the caller's back.
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        results: list[TransactionResult] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            results.extend(outcome)
        return results

    def watch(self, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
        return watch(self._cluster, prefix, from_revision)

    async def grant_lease(self, ttl_s: int) -> int:
        response = await self._call(_GRANT, etcdrpc.LeaseGrantRequest(TTL=ttl_s), "grant a lease")
        return int(response.ID)

    async def keep_lease(self, lease: int) -> float:
        operation = f"keep lease {lease:x}"
        endpoint = await self._cluster.endpoint()
        try:
            response = await self._cluster.login.call(endpoint, lambda shown: self._keep(endpoint, lease, shown))
        except grpc.aio.AioRpcError as error:
            raise self._cluster.failed(endpoint, error, operation) from error
        except asyncio.InvalidStateError as error:  # how grpc answers a write to a stream that is over
            raise endpoint.unavailable(operation, "the stream broke at once") from error
        if response is grpc.aio.EOF:
            raise endpoint.unavailable(operation, "the stream ended")
        if response.TTL <= 0:
            raise LeaseLostError(f"{operation}: it has ended")
        return float(response.TTL)

    async def _keep(self, endpoint: Endpoint, lease: int, shown: Metadata) -> Any:
        call = endpoint.leases.LeaseKeepAlive(timeout=self._cluster.timeout_s, metadata=shown)
        try:
            await call.write(etcdrpc.LeaseKeepAliveRequest(ID=lease))
            return await call.read()
        finally:
            call.cancel()

    async def revoke_lease(self, lease: int) -> None:
        try:
            request = etcdrpc.LeaseRevokeRequest(ID=lease)
            await self._call(_REVOKE, request, f"revoke lease {lease:x}")
        except LeaseLostError:
            return

    async def describe(self, key: str) -> StoreDescription:
        """Return how each member is, and etcd as a whole; `key` is one that we may read.

        Not of the port: other stores have no members.
        """
        return await describe(self._cluster, key)

    async def _transact_pack(self, transactions: list[Transaction]) -> list[TransactionResult]:
        if len(transactions) == 1:
            return [await self.transact(transactions[0])]
        response = await self._call(
            _TXN, pack_request(transactions), f"transaction of {len(transactions)} transactions"
        )
        revision = response.header.revision
        return [transaction_result(part.response_txn, revision) for part in response.responses]

    async def _read_prefixes(self, prefixes: Sequence[str]) -> Range:
        revision = 0  # 0: the newest, for the first page; then that page's
        items: list[KeyValue] = []
        for prefix in prefixes:
            found = await self._read_pages(prefix, revision)
            revision = found.revision
            items.extend(found.items)
        return Range(revision=revision, items=tuple(items))

    async def _read_pages(self, prefix: str, revision: int) -> Range:
        start, end = range_start(prefix), range_end(prefix)
        items: list[KeyValue] = []
        limit, size = _FIRST_PAGE_KEYS, 0
        while True:
            request = etcdrpc.RangeRequest(key=start, range_end=end, limit=limit, revision=revision)
            response = await self._call(_RANGE, request, f"read {prefix}")
            revision = revision or response.header.revision
            items.extend(key_value(each) for each in response.kvs)
            if not response.more:
                return Range(revision=revision, items=tuple(items))
            start = response.kvs[-1].key + b"\0"
            size += response.ByteSize()
            limit = max(_FIRST_PAGE_KEYS, min(_PAGE_BYTES * len(items) // size, _MOST_PAGE_KEYS))

    async def _call(self, method: Callable[[Endpoint], Any], request: Any, operation: str) -> Any:
        """Make one call and return its response; raise the port's errors."""
        endpoint = await self._cluster.endpoint()
        try:
            return await self._cluster.login.call(
                endpoint, lambda shown: method(endpoint)(request, timeout=self._cluster.timeout_s, metadata=shown)
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.OUT_OF_RANGE:
                raise CompactedError(request.revision + 1) from error
            raise self._cluster.failed(endpoint, error, operation) from error
