"""Asks each member of etcd how it is: version, size, leader, alarms. For `dcron doctor`.

A user of etcd who may see one prefix only may not see the alarms: then none are told.
"""

import asyncio
from typing import Any

import grpc.aio
from etcd3 import etcdrpc
from msgspec import Struct

from dcron_core.adapters.etcd.cluster import Cluster, Endpoint
from dcron_core.descriptions import MemberDescription, StoreDescription
from dcron_core.errors import StoreUnavailableError

_GET_ALARMS = 0
_ALARMS = {1: "NOSPACE", 2: "CORRUPT"}


class _Answer(Struct, frozen=True):
    member: MemberDescription
    revision: int = 0


async def describe(cluster: Cluster, key: str) -> StoreDescription:
    """Return what the members say; those that do not answer, with the reason. `key` is one that we may read."""
    endpoints = sorted(cluster.endpoints, key=lambda each: each.address)
    answers = await asyncio.gather(*(_member(cluster, each) for each in endpoints))
    members = tuple(answer.member for answer in answers)
    for endpoint, answer in zip(endpoints, answers, strict=True):
        if not answer.member.problem:
            try:
                alarms = await _alarms(cluster, endpoint)
                compacted = await _is_compacted(cluster, endpoint, key)
            except grpc.aio.AioRpcError:  # gone meanwhile, or it has no leader to ask
                continue
            return StoreDescription(members, alarms, answer.revision, compacted)
    return StoreDescription(members)


async def _member(cluster: Cluster, endpoint: Endpoint) -> _Answer:
    try:
        status = await _called(cluster, endpoint, endpoint.maintenance.Status, etcdrpc.StatusRequest())
    except StoreUnavailableError as error:  # the login was refused
        return _Answer(MemberDescription(endpoint.address, problem=str(error)))
    except grpc.aio.AioRpcError as error:
        said = endpoint.unavailable("status", f"{error.code().name}: {error.details()}")
        return _Answer(MemberDescription(endpoint.address, problem=str(said)))
    member = MemberDescription(
        endpoint.address, version=status.version, size_bytes=status.dbSize, has_leader=status.leader != 0
    )
    return _Answer(member, status.header.revision)


async def _alarms(cluster: Cluster, endpoint: Endpoint) -> tuple[str, ...]:
    request = etcdrpc.AlarmRequest(action=_GET_ALARMS)
    try:
        found = await _called(cluster, endpoint, endpoint.maintenance.Alarm, request)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED:
            return ()
        raise
    return tuple(sorted({_ALARMS.get(each.alarm, str(each.alarm)) for each in found.alarms}))


async def _is_compacted(cluster: Cluster, endpoint: Endpoint, key: str) -> bool:
    """Tell whether the first revision is gone: then somebody, or etcd by itself, compacts."""
    first = etcdrpc.RangeRequest(key=key.encode(), revision=1)
    try:
        await _called(cluster, endpoint, endpoint.keys.Range, first)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.OUT_OF_RANGE:
            return True
        raise
    return False


async def _called(cluster: Cluster, endpoint: Endpoint, method: Any, request: Any) -> Any:
    return await cluster.login.call(endpoint, lambda shown: method(request, timeout=cluster.timeout_s, metadata=shown))
