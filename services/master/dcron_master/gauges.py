"""Keeps the master's probe and gauges true: the projection's position, its distance to the log's end, the workers.

The log is asked for its end apart from the projector, which does not look while it is stopped: that is when the
distance matters.
"""

import asyncio
from collections import Counter
from contextlib import suppress

from dcron_core.clock import Clock
from dcron_core.errors import UnavailableError
from dcron_core.http.probes import Readiness
from dcron_core.ports.log import Log
from dcron_master.metrics import STATES, MasterMetrics
from dcron_master.projector import Projector
from dcron_master.workers_api import Workers

LOOK_EVERY_S = 0.1
ASK_EVERY_S = 10.0


async def watch_readiness(projector: Projector, readiness: Readiness, metrics: MasterMetrics) -> None:
    """Tell whether this master projects, and how far it is, until cancelled."""
    while True:
        if projector.stopped is not None:
            readiness.lost("projection", str(projector.stopped))
        elif projector.caught_up.is_set():
            readiness.met("projection")
        else:
            readiness.lost("projection", projector.trouble or "reading the log")
        metrics.stopped.set(projector.stopped is not None)
        metrics.position.set(projector.projected)
        metrics.jobs.set(len(projector.table))
        await asyncio.sleep(LOOK_EVERY_S)


async def watch_log(
    projector: Projector, log: Log, topic: str, workers: Workers, clock: Clock, metrics: MasterMetrics
) -> None:
    """Tell how far the log's end is from etcd's position, and how many workers there are, until cancelled."""
    await projector.started.wait()
    while True:
        with suppress(UnavailableError):  # the time of the last look tells
            end = (await log.bounds(topic)).end
            metrics.lag.set(max(0, end - 1 - projector.projected))
            metrics.looked.set(clock.now().timestamp())
        with suppress(UnavailableError):  # not read yet
            count: Counter[str] = Counter(
                view.state if view.drained_by is None else "draining" for view in workers.views()
            )
            for state in STATES:
                metrics.workers.labels(state).set(count[state])
        await asyncio.sleep(ASK_EVERY_S)
