"""What people are told about the spool: in metrics, in readiness, and in a few words in the worker's registration.

A spool with no room for output is told of, and the worker is ready all the same: results still have their reserve.
One that takes no results either makes it not ready, although its runs go on.
"""

import asyncio

from dcron_core.http.probes import Readiness
from dcron_core.telemetry import get_logger
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.spool import Spool

LOOK_EVERY_S = 1.0
DISK = "spool"  # readiness: it takes results

FULL = {
    "": "",
    "output": "full: output is cut until Kafka takes more",
    "everything": "full: output is cut, and results wait, until Kafka takes more",
}

log = get_logger()


class SpoolState:
    """Looks at one spool again and again. `changed` is set when `words` are others."""

    def __init__(self, spool: Spool, metrics: WorkerMetrics, readiness: Readiness) -> None:
        self.words = ""  # "": all is well
        self.changed = asyncio.Event()
        self._spool = spool
        self._metrics = metrics
        self._readiness = readiness

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Look once, and tell."""
        depth, full_for = self._spool.depth, self._spool.full_for
        words = self._spool.failure or FULL[full_for]
        self._metrics.spool_records.set(depth.records)
        self._metrics.spool_bytes.set(depth.bytes)
        self._metrics.spool_damaged.set(self._spool.damaged_segments)
        if self._spool.failure or full_for == "everything":
            self._readiness.lost(DISK, words)
        else:
            self._readiness.met(DISK)
        if words != self.words:
            log.warning("the spool's state changed", action="spool.state", now=words or "well", before=self.words)
            self.words = words
            self.changed.set()
