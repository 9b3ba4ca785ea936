"""The connections to etcd's members, and what their errors mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from etcd3 import etcdrpc

from dcron_core.adapters.etcd.login import Login
from dcron_core.errors import DcronError, LeaseLostError, StoreUnavailableError
from dcron_core.security import Security, TlsFiles

_SENT_BYTES = 64 * 1024 * 1024
_RECEIVED_BYTES = 256 * 1024 * 1024  # a page of a prefix, or a large transaction's reads
_OPTIONS = (
    ("grpc.max_send_message_length", _SENT_BYTES),
    ("grpc.max_receive_message_length", _RECEIVED_BYTES),
    # A half-dead connection is noticed by a ping without an answer. etcd refuses pings more often than every 5 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    # A server that comes back is to be found soon: gRPC's own default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
_WHY_NOT_S = 0.5
_LOGIN_NEEDED = ("etcdserver: user name is empty", "etcdserver: user name not found")
_PASSING = ("etcdserver: revision of auth store is old",)  # somebody changes users or roles at this moment


class Endpoint:
    """One member: its address, and the stubs on its channel."""

    def __init__(self, address: str, channel: Any, security: Security) -> None:
        self.address = address
        self.channel = channel
        self._security = security
        self.auth = etcdrpc.AuthStub(channel)
        self.keys = etcdrpc.KVStub(channel)
        self.leases = etcdrpc.LeaseStub(channel)
        self.watches = etcdrpc.WatchStub(channel)
        self.maintenance = etcdrpc.MaintenanceStub(channel)

    def error(self, error: grpc.aio.AioRpcError, operation: str) -> DcronError | ValueError:
        """Return what the failure of `operation` means to a user of the port."""
        code, details = error.code(), error.details()
        if code is grpc.StatusCode.NOT_FOUND:
            return LeaseLostError(f"{operation}: etcd at {self.address} does not know the lease: {details}")
        if details in _LOGIN_NEEDED:
            return self.unavailable(operation, f"{details}: set DCRON_ETCD_USER and DCRON_ETCD_PASSWORD")
        if code is grpc.StatusCode.INVALID_ARGUMENT and details not in _PASSING:
            return ValueError(f"{operation}: etcd at {self.address} refuses it: {details}")
        return self.unavailable(operation, f"{code.name}: {details}")

    def unavailable(self, operation: str, why: str) -> StoreUnavailableError:
        """Return the error that says that this member did not do `operation`."""
        remedy = self._security.remedy(why)
        return StoreUnavailableError(f"{operation}: no answer from etcd at {self.address}: {why}{remedy}")


class Cluster:
    """All members. Calls go to one of them for as long as it answers, then to the next."""

    def __init__(self, endpoints: list[Endpoint], timeout_s: float, login: Login) -> None:
        self.timeout_s = timeout_s
        self.login = login
        self._endpoints = endpoints  # the preferred one first

    @classmethod
    @asynccontextmanager
    async def open(cls, endpoints: str, timeout_s: float, security: Security) -> AsyncIterator["Cluster"]:
        """Make the channels to `host:port,host:port`; they connect when they are used."""
        addresses = [address.strip() for address in endpoints.split(",") if address.strip()]
        if not addresses:
            raise ValueError(f"etcd={endpoints!r} names no endpoint; write host:port, several with commas")
        async with AsyncExitStack() as stack:
            opened = []
            for address in addresses:
                channel = await stack.enter_async_context(_channel(address, security.tls))
                opened.append(Endpoint(address, channel, security))
            yield cls(opened, timeout_s, Login(security, timeout_s))

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All members, the preferred one first."""
        return tuple(self._endpoints)

    async def endpoint(self) -> Endpoint:
        """Return the member to call; of several, one that is connected."""
        if len(self._endpoints) == 1:
            return self._endpoints[0]
        for endpoint in self._endpoints:
            if endpoint.channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
                return endpoint
        return await self._first_connected()

    def failed(self, endpoint: Endpoint, error: grpc.aio.AioRpcError, operation: str) -> DcronError | ValueError:
        """Return the error to raise; if the member is at fault, prefer the others from now on."""
        meaning = endpoint.error(error, operation)
        if isinstance(meaning, StoreUnavailableError):
            self._endpoints.remove(endpoint)
            self._endpoints.append(endpoint)
        return meaning

    async def _first_connected(self) -> Endpoint:
        tasks = {asyncio.create_task(each.channel.channel_ready()): each for each in self._endpoints}
        try:
            done, _ = await asyncio.wait(tasks, timeout=self.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            return tasks[task]
        whys = await asyncio.gather(*(_why_not(each) for each in self._endpoints))
        raise StoreUnavailableError(f"no etcd could be reached within {self.timeout_s:g} s: {'; '.join(whys)}")


def _channel(address: str, tls: TlsFiles) -> Any:
    if not tls.ca:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    # gRPC holds the certificate against the host of the address, and there is no way to tell it not to.
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(*tls.pem()), options=_OPTIONS)


async def _why_not(endpoint: Endpoint) -> str:
    """Return why a member cannot be reached: a call that does not wait for a connection fails with the reason."""
    try:
        await endpoint.keys.Range(etcdrpc.RangeRequest(key=b"\0"), timeout=_WHY_NOT_S)
    except grpc.aio.AioRpcError as error:
        return str(endpoint.unavailable("connect", f"{error.code().name}: {error.details()}"))
    return f"etcd at {endpoint.address} answers again"
