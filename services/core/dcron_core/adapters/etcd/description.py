"""Asks each member of etcd how it is: version, size, leader, alarms. For `dcron doctor`."""

import asyncio
from typing import Any

import grpc.aio
from etcd3 import etcdrpc

from dcron_core.adapters.etcd.cluster import Cluster, Endpoint
from dcron_core.descriptions import MemberDescription, StoreDescription
from dcron_core.errors import StoreUnavailableError

_GET_ALARMS = 0
_ALARMS = {1: "NOSPACE", 2: "CORRUPT"}


async def describe(cluster: Cluster, key: str) -> StoreDescription:
    """Return what the members say; those that do not answer, with the reason. `key` is one that we may read."""
    endpoints = sorted(cluster.endpoints, key=lambda each: each.address)
    members = await asyncio.gather(*(_member(each, cluster) for each in endpoints))
    for endpoint, member in zip(endpoints, members, strict=True):
        if not member.problem:
            try:
                return await _whole(endpoint, members, cluster, key.encode())
            except grpc.aio.AioRpcError:  # gone meanwhile, or it has no leader to ask
                continue
    return StoreDescription(tuple(members))


async def _member(endpoint: Endpoint, cluster: Cluster) -> MemberDescription:
    try:
        status = await _called(cluster, endpoint, endpoint.maintenance.Status, etcdrpc.StatusRequest())
    except grpc.aio.AioRpcError as error:
        why = f"{error.code().name}: {error.details()}"
        return MemberDescription(endpoint.address, problem=why + cluster.login.security.remedy(why))
    except StoreUnavailableError as error:  # the user is refused
        return MemberDescription(endpoint.address, problem=str(error))
    return MemberDescription(
        endpoint.address, version=status.version, size_bytes=status.dbSize, has_leader=status.leader != 0
    )


async def _whole(
    endpoint: Endpoint, members: list[MemberDescription], cluster: Cluster, key: bytes
) -> StoreDescription:
    request = etcdrpc.AlarmRequest(action=_GET_ALARMS)
    alarms = await _called(cluster, endpoint, endpoint.maintenance.Alarm, request)
    names = sorted({_ALARMS.get(each.alarm, str(each.alarm)) for each in alarms.alarms})
    now = await _called(cluster, endpoint, endpoint.keys.Range, etcdrpc.RangeRequest(key=key))
    compacted = await _is_compacted(endpoint, cluster, key)
    return StoreDescription(tuple(members), tuple(names), now.header.revision, compacted)


async def _called(cluster: Cluster, endpoint: Endpoint, method: Any, request: Any) -> Any:
    return await cluster.login.call(endpoint, lambda shown: method(request, timeout=cluster.timeout_s, metadata=shown))


async def _is_compacted(endpoint: Endpoint, cluster: Cluster, key: bytes) -> bool:
    """Tell whether the first revision is gone: then somebody, or etcd by itself, compacts."""
    first = etcdrpc.RangeRequest(key=key, revision=1)
    try:
        await _called(cluster, endpoint, endpoint.keys.Range, first)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.OUT_OF_RANGE:
            return True
        raise
    return False
