"""Asks each member of etcd how it is: version, size, leader, alarms. For `dcron doctor`."""

import asyncio
from typing import Any

import grpc.aio
from etcd3 import etcdrpc

from dcron_core.adapters.etcd.cluster import Cluster, Endpoint
from dcron_core.descriptions import MemberDescription, StoreDescription

_GET_ALARMS = 0
_ALARMS = {1: "NOSPACE", 2: "CORRUPT"}


async def describe(cluster: Cluster) -> StoreDescription:
    """Return what the members say; those that do not answer, with the reason."""
    endpoints = sorted(cluster.endpoints, key=lambda each: each.address)
    members = await asyncio.gather(*(_member(each, cluster.timeout_s) for each in endpoints))
    for endpoint, member in zip(endpoints, members, strict=True):
        if not member.problem:
            try:
                return await _whole(endpoint, members, cluster.timeout_s)
            except grpc.aio.AioRpcError:  # gone meanwhile, or it has no leader to ask
                continue
    return StoreDescription(tuple(members))


async def _member(endpoint: Endpoint, timeout_s: float) -> MemberDescription:
    try:
        status = await endpoint.maintenance.Status(etcdrpc.StatusRequest(), timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        return MemberDescription(endpoint.address, problem=f"{error.code().name}: {error.details()}")
    return MemberDescription(
        endpoint.address, version=status.version, size_bytes=status.dbSize, has_leader=status.leader != 0
    )


async def _whole(endpoint: Endpoint, members: list[MemberDescription], timeout_s: float) -> StoreDescription:
    alarms = await endpoint.maintenance.Alarm(etcdrpc.AlarmRequest(action=_GET_ALARMS), timeout=timeout_s)
    names = sorted({_ALARMS.get(each.alarm, str(each.alarm)) for each in alarms.alarms})
    now = await endpoint.keys.Range(etcdrpc.RangeRequest(key=b"\0"), timeout=timeout_s)
    compacted = await _is_compacted(endpoint, timeout_s)
    return StoreDescription(tuple(members), tuple(names), now.header.revision, compacted)


async def _is_compacted(endpoint: Endpoint, timeout_s: float) -> bool:
    """Tell whether the first revision is gone: then somebody, or etcd by itself, compacts."""
    first: Any = etcdrpc.RangeRequest(key=b"\0", revision=1)
    try:
        await endpoint.keys.Range(first, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.OUT_OF_RANGE:
            return True
        raise
    return False
