"""The worker's file descriptors: kept from its runs, and enough of them for all its slots."""

import os
from contextlib import suppress
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

from dcron_core.telemetry import get_logger

OF_A_RUN = 5  # two pipes, and what tells its end; while it is started, the other ends too
OWN = 256  # connections, spool, guard

log = get_logger()


def keep_descriptors_from_children() -> None:
    """Keep what the worker itself inherited, besides stdin, stdout and stderr, from its runs; call it once, at start.

    What Python opens is kept from them anyway.
    """
    for path in list(Path("/proc/self/fd").iterdir()):
        if (descriptor := int(path.name)) > 2:
            with suppress(OSError):  # the listing's own
                os.set_inheritable(descriptor, False)


def allow_descriptors(slots: int) -> None:
    """Raise this process's soft limit to what so many runs at a time take; say so if it may not be raised so far.

    It is left alone where it is enough, since the runs inherit it.
    """
    wanted = OWN + OF_A_RUN * slots
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft == RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == RLIM_INFINITY else min(wanted, hard)
    setrlimit(RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning(
            "there are not enough file descriptors for all slots; raise the limit (ulimit -n), or lower DCRON_SLOTS",
            action="worker.descriptors",
            slots=slots,
            wanted=wanted,
            limit=hard,
        )
