"""The watch that resumes: every change of a prefix, over however many connections it takes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc.aio
from etcd3 import etcdrpc

from dcron_core.adapters.etcd.cluster import Cluster
from dcron_core.adapters.etcd.login import Metadata
from dcron_core.adapters.etcd.translation import changes, range_end, range_start
from dcron_core.errors import CompactedError, StoreUnavailableError
from dcron_core.ports.store import Changes
from dcron_core.telemetry import get_logger

log = get_logger()

_FIRST_DELAY_S = 0.05
_MOST_DELAY_S = 2.0
# A member that has lost its leader would stay silent; with this it ends the stream, and we go elsewhere.
_REQUIRE_LEADER = (("hasleader", "true"),)


async def watch(cluster: Cluster, prefix: str, from_revision: int) -> AsyncGenerator[Changes, None]:
    """Yield the changes from `from_revision` on; see KeyValueStore.watch for the promise."""
    next_revision = from_revision
    delay_s = _FIRST_DELAY_S
    while True:
        try:
            async with aclosing(_responses(cluster, prefix, next_revision)) as responses:
                async for response in responses:
                    delay_s = _FIRST_DELAY_S
                    if response.events:
                        # The header may be ahead of the events while the watch catches up: trust the events.
                        batch = changes(response)
                        next_revision = batch.revision + 1
                        yield batch
                    elif not response.created:  # progress: nothing happened up to this revision
                        next_revision = max(next_revision, response.header.revision + 1)
        except StoreUnavailableError as error:
            log.warning(
                "the watch resumes",
                action="watch.resume",
                prefix=prefix,
                revision=next_revision,
                error=str(error),
                delay_s=delay_s,
            )
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, _MOST_DELAY_S)


async def _responses(cluster: Cluster, prefix: str, from_revision: int) -> AsyncGenerator[Any, None]:
    """Yield what one stream brings; raise when it ends, which it should not."""
    operation = f"watch {prefix} from {from_revision}"
    endpoint = await cluster.endpoint()
    call: Any = None
    shown: Metadata = ()
    try:
        shown = await cluster.login.metadata(endpoint)
        call = endpoint.watches.Watch(metadata=_REQUIRE_LEADER + shown)
        await call.write(_create_request(prefix, from_revision))
        while (response := await call.read()) is not grpc.aio.EOF:
            if response.canceled and response.compact_revision:
                raise CompactedError(response.compact_revision)
            if response.canceled:
                cluster.login.ended(shown, response.cancel_reason, denied_too=True)
                raise endpoint.unavailable(operation, response.cancel_reason or "cancelled without a reason")
            yield response
        raise endpoint.unavailable(operation, "the stream ended")
    except grpc.aio.AioRpcError as error:
        cluster.login.ended(shown, error.details())
        raise cluster.failed(endpoint, error, operation) from error
    except asyncio.InvalidStateError as error:  # how grpc answers a write to a stream that is over
        raise endpoint.unavailable(operation, "the stream broke at once") from error
    finally:
        if call is not None:
            call.cancel()


def _create_request(prefix: str, from_revision: int) -> Any:
    return etcdrpc.WatchRequest(
        create_request=etcdrpc.WatchCreateRequest(
            key=range_start(prefix),
            range_end=range_end(prefix),
            start_revision=from_revision,
            progress_notify=True,
        )
    )
