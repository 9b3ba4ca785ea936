"""The worker's clock, held against the others' (`clock_offset`): beats are written and read, and what follows is shown.

While the clock is wrong, the worker is to claim nothing: it would start runs early or late. Runs that are under
way go on. A worker that has nobody to compare with goes on too.
"""

import asyncio
from contextlib import aclosing
from datetime import timedelta

from dcron_core.clock import Clock
from dcron_core.errors import StoreUnavailableError
from dcron_core.keys import Keys
from dcron_core.mirror import Mirror, Snapshot, follow
from dcron_core.ports.store import KeyValueStore, Put, Removed, Transaction
from dcron_core.telemetry import get_logger
from dcron_schemas.codec import UndecodableError, decode_state, encode
from dcron_schemas.state import ClockBeat
from dcron_worker.clock_offset import ClockOffset, Verdict
from dcron_worker.metrics import WorkerMetrics

SHOWN_AGAIN_S = 0.05  # how much the offset changes before the registration is written anew

log = get_logger()


class Clocks:
    """One worker's view. `right` and `wrong` are set in turn; `changed` when the registration should be renewed."""

    def __init__(
        self, worker_id: str, store: KeyValueStore, keys: Keys, clock: Clock, limit: timedelta, metrics: WorkerMetrics
    ) -> None:
        self.verdict = Verdict()
        self.right, self.wrong, self.changed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.right.set()
        self._worker_id = worker_id
        self._store = store
        self._keys = keys
        self._clock = clock
        self._limit_s = limit.total_seconds()
        self._metrics = metrics
        self._offset = ClockOffset()
        self._shown_s: float | None = None

    async def beat(self, lease: int, period_s: float) -> None:
        """Write the clock and look at what the others wrote, again and again, until cancelled."""
        while True:
            at = self._clock.now()
            self._offset.sent(at.timestamp(), self._clock.monotonic())
            put = Put(self._keys.clock(self._worker_id), encode(ClockBeat(at=at)), lease)
            try:
                await self._store.transact(Transaction((), (put,)))
            except StoreUnavailableError as error:
                log.debug("a beat was not written", action="clock.beat", error=str(error))
            self._judge()
            await asyncio.sleep(period_s)

    async def run(self) -> None:
        """Take in the beats as they come, until cancelled."""
        mirror = Mirror()
        async with aclosing(follow(self._store, self._keys.clocks)) as updates:
            async for update in updates:
                monotonic_s = self._clock.monotonic()
                changed = mirror.apply(update)
                if isinstance(update, Snapshot):  # who knows how old those beats are
                    for key in changed:
                        if key not in mirror.items:
                            self._offset.gone(key.removeprefix(self._keys.clocks))
                    continue
                for event in update.events:
                    worker_id = event.key.removeprefix(self._keys.clocks)
                    if isinstance(event, Removed):
                        self._offset.gone(worker_id)
                    else:
                        self._take(worker_id, event.value, monotonic_s)

    def _take(self, worker_id: str, value: bytes, monotonic_s: float) -> None:
        try:
            at_s = decode_state(ClockBeat, value).at.timestamp()
        except UndecodableError as error:
            log.warning("a clock cannot be read", action="clock.unreadable", worker_id=worker_id, error=str(error))
            return
        if worker_id == self._worker_id:
            self._offset.own_arrived(at_s, monotonic_s)
        else:
            self._offset.arrived(worker_id, at_s, monotonic_s)

    def _judge(self) -> None:
        before = self.verdict
        now, monotonic_s = self._clock.now(), self._clock.monotonic()
        self.verdict = self._offset.verdict(now.timestamp(), monotonic_s, self._limit_s)
        offset_s = self.verdict.offset_s
        self._metrics.clock_offset.set(offset_s or 0.0)
        if bool(self.verdict.wrong) != bool(before.wrong):
            self._turn()
        if self.verdict.in_doubt and not before.in_doubt:
            log.warning("clocks differ", action="clock.in_doubt", why=self.verdict.in_doubt)
        if offset_s is not None and (self._shown_s is None or abs(offset_s - self._shown_s) > SHOWN_AGAIN_S):
            self._shown_s = offset_s
            self.changed.set()

    def _turn(self) -> None:
        if self.verdict.wrong:
            log.error("nothing is claimed by a wrong clock", action="clock.wrong", why=self.verdict.wrong)
            self.right.clear()
            self.wrong.set()
        else:
            log.warning("the clock is right again", action="clock.right", offset_s=self.verdict.offset_s)
            self.wrong.clear()
            self.right.set()
        self.changed.set()
