"""Letting go of an aiokafka producer that must not send anything any more.

Its own `stop` first delivers what is queued, for as long as that takes. There is no public way to do without, so
this reaches into it, and is the only place that does.
"""

import asyncio
from typing import Any

from aiokafka.errors import KafkaError


def silence(producer: Any) -> None:
    """End its sending at once: no queued batch goes out, and requests under way lose their connections.

    A request that is still waiting for its connection may yet go out; its records are then twice in the log.
    """
    task = _sending(producer)
    if task is not None:
        task.cancel()
    for connection in list(producer.client._conns.values()):  # noqa: SLF001  see the module's docstring
        connection.close()


async def bury(producer: Any) -> None:
    """After `silence`: wait until its requests are over, and close it."""
    task = _sending(producer)
    if task is not None:
        await asyncio.wait([task])
    queue = producer._message_accumulator  # noqa: SLF001  see the module's docstring
    batches = [batch for queued in queue._batches.values() for batch in queued]  # noqa: SLF001
    # Those that wait to be sent again count as pending when they end, or aiokafka stumbles over them.
    queue._pending_batches.update(batches)  # noqa: SLF001
    queue.fail_all(KafkaError("the producer was given up"))
    for batch in batches:
        if batch._drain_waiter.done() and not batch._drain_waiter.cancelled():  # noqa: SLF001
            batch._drain_waiter.exception()  # noqa: SLF001  it is looked at, so that asyncio does not report it
    await producer.stop()


def _sending(producer: Any) -> asyncio.Task[None] | None:
    task: asyncio.Task[None] | None = producer._sender.sender_task  # noqa: SLF001  see the module's docstring
    return task
