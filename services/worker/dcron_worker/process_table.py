"""What the kernel says of a process by its id; and the end of what a former worker left running."""

import asyncio
import os
import signal
from pathlib import Path

_OVER = (b"Z", b"X")
_AFTER_NAME = 3  # /proc/PID/stat counts its fields from 1; the third is the first after the name
_GROUP = 5 - _AFTER_NAME
_START_TIME = 22 - _AFTER_NAME


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot; None: there is none, or it is over.

    A process id is given again to another process some day; id and start time together are not.
    """
    fields = _stat(f"/proc/{pid}/stat")
    return None if fields is None or fields[0] in _OVER else int(fields[_START_TIME])


def group_lives(group: int) -> bool:
    """Tell whether a process of the group still runs. Those that are over and wait to be reaped do not count.

    Looks through the whole process table: a few milliseconds.
    """
    for file in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(str(file))
        if fields is not None and int(fields[_GROUP]) == group and fields[0] not in _OVER:
            return True
    return False


def _stat(path: str) -> list[bytes] | None:
    """Return the fields after the name; None if the process is gone."""
    try:
        stat = Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return stat[stat.rindex(b")") + 2 :].split()  # the name before it may hold spaces and brackets


def left_over(pid: int, started: int) -> bool:
    """Tell whether that very process is still there."""
    return start_time(pid) == started


async def end_left_over(pid: int, started: int) -> bool:
    """Kill that very process and its group, and wait until it is gone; False when it was gone already.

    What a former run left behind after its first process had ended is not found here: it has no id that
    could be trusted. The guard ends it.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not left_over(pid, started):
            return False
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        await readable(descriptor)
        return True
    finally:
        os.close(descriptor)


async def readable(descriptor: int) -> None:
    """Wait until there is something to read; for a pidfd: until the process is over."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
