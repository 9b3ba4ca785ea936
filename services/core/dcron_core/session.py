"""A lease that is kept alive while a service lives, and how far it may be trusted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dcron_core.clock import Clock
from dcron_core.errors import LeaseLostError, StoreUnavailableError
from dcron_core.ports.store import KeyValueStore
from dcron_core.telemetry import get_logger

log = get_logger()

_RENEWALS = 3  # in one time to live
_RETRIES = 12  # in one time to live, while renewals fail
_MARGIN = 5  # the part of the time to live that is not trusted: clocks drift, and stopping takes time
_REVOKE_S = 2.0  # the most that leaving waits for the store


class LeaseSession:
    """Holds a lease and renews it every third of its time to live.

    The lease is trusted from the moment its last successful renewal *started*, for the time to live less a
    fifth: until `trusted_until`, the store cannot have ended it. Once lost it stays lost, even if the lease
    should still be alive; open another session then.
    """

    def __init__(self, store: KeyValueStore, clock: Clock, lease: int, ttl_s: int, started: float) -> None:
        self.lease = lease
        self.trusted_until = 0.0  # on clock.monotonic(), as the next two
        self.granted_at = started
        self.renewed_at = started  # when the last renewal that succeeded began
        self._store = store
        self._clock = clock
        self._ttl_s = float(ttl_s)
        self._lost = asyncio.Event()
        self._orphaned = False
        self._trust_from(started)

    @classmethod
    @asynccontextmanager
    async def open(cls, store: KeyValueStore, clock: Clock, ttl_s: int) -> AsyncIterator["LeaseSession"]:
        """Grant a lease and hold it while the context is open; leaving revokes it, so its keys go at once."""
        started = clock.monotonic()
        session = cls(store, clock, await store.grant_lease(ttl_s), ttl_s, started)
        renewing = asyncio.create_task(session._keep(), name=f"lease {session.lease:x}")
        try:
            yield session
        finally:
            renewing.cancel()
            outcome = (await asyncio.gather(renewing, return_exceptions=True))[0]
            await session._leave()
        if isinstance(outcome, Exception):
            raise outcome

    @property
    def trusted(self) -> bool:
        """Whether the lease is certainly alive now."""
        return not self._lost.is_set() and self._clock.monotonic() < self.trusted_until

    async def lost(self) -> None:
        """Return when the lease is gone, or could not be renewed in time to be trusted."""
        await self._lost.wait()

    def orphan(self) -> None:
        """Leave without revoking: the lease, and its keys, live to the end of its time."""
        self._orphaned = True

    def _trust_from(self, started: float) -> None:
        self.renewed_at = started
        self.trusted_until = started + self._ttl_s - self._ttl_s / _MARGIN

    async def _keep(self) -> None:
        try:
            pause_s = self._ttl_s / _RENEWALS
            while await self._trusted_after(pause_s):
                pause_s = self._ttl_s / (_RENEWALS if await self._renew() else _RETRIES)
            error = f"it was not renewed within {self._ttl_s - self._ttl_s / _MARGIN:g} s"
        except LeaseLostError as gone:
            error = str(gone)
        finally:
            self._lost.set()
        log.error("the lease is lost", action="lease.lost", lease=f"{self.lease:x}", error=error)

    async def _trusted_after(self, pause_s: float) -> bool:
        """Wait, at most until trust ends; return whether there is some left."""
        await asyncio.sleep(max(0.0, min(pause_s, self.trusted_until - self._clock.monotonic())))
        return self.trusted

    async def _renew(self) -> bool:
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self.trusted_until - started):
                await self._store.keep_lease(self.lease)
        except (StoreUnavailableError, TimeoutError) as error:
            log.warning("the lease was not renewed", action="lease.retry", lease=f"{self.lease:x}", error=str(error))
            return False
        self._trust_from(started)
        return True

    async def _leave(self) -> None:
        if self._orphaned:
            return
        try:
            async with asyncio.timeout(_REVOKE_S):
                await self._store.revoke_lease(self.lease)
        except (StoreUnavailableError, TimeoutError) as error:
            log.warning("the lease is left to end", action="lease.left", lease=f"{self.lease:x}", error=str(error))
