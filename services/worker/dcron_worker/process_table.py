"""Processes that are not our children: waited for, and ended when a former worker left them running."""

import asyncio
import os
from collections.abc import Sequence

from dcron_worker.process_tree import Root, is_first, kill, start_time


def left_over(root: Root) -> bool:
    """Tell whether the run's first process is still there, and not another one of its number."""
    started = start_time(root.pid)
    return started is not None and is_first(root, started)


async def end_left_over(root: Root) -> bool:
    """Kill all that is left of a run, and wait until its first process is gone; False when nothing was left."""
    try:
        descriptor = os.pidfd_open(root.pid)
    except OSError:
        return bool(await asyncio.to_thread(kill, (root,)))
    try:
        first_is_left = left_over(root)
        killed = await asyncio.to_thread(kill, (root,))
        if first_is_left:
            await readable(descriptor)
        return bool(killed)
    finally:
        os.close(descriptor)


async def end_marked(roots: Sequence[Root]) -> int:
    """Kill all that is left of runs whose first processes nobody knows; return how many processes there were."""
    return await asyncio.to_thread(kill, roots) if roots else 0


async def readable(descriptor: int) -> None:
    """Wait until there is something to read; for a pidfd: until the process is over."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
