"""A process whose memory, environment and descriptors no other process of its user can read.

A service holds the cluster's keys, and a worker's jobs may run as the worker's own user. The kernel gives what is in
`/proc/PID` of such a process (`environ`, `mem`, `fd` …), and its memory to a debugger, to root only; and it writes no
core dump of it. A program that is started by it begins anew, as any other.
"""

import ctypes

from dcron_core.telemetry import get_logger

_PR_SET_DUMPABLE = 4  # linux/prctl.h

log = get_logger()


def keep_memory_private() -> None:
    """Make this process such a one; say so in the log if the system cannot."""
    try:
        failed = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0
        why = f"errno {ctypes.get_errno()}"
    except (AttributeError, OSError) as error:
        failed, why = True, str(error)
    if failed:
        log.warning("other processes of this user can read the memory of this one", action="memory.open", why=why)
