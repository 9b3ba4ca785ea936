"""Who was refused, as events of the log: logins, and what somebody may not do.

One who is refused again and again would fill the log, so there is at most one event a minute for each kind, user and
address: the first one at once, then one with the count of a minute. Of too many at the same time, those that come
last are counted together. What cannot be written is in the service's own log all the same.
"""

import asyncio
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.principal import Principal
from dcron_core.clock import Clock
from dcron_core.errors import DcronError
from dcron_core.telemetry import get_logger
from dcron_master.commands import Command, Commands
from dcron_schemas.identity_events import AccessRefused, LoginRefused

WINDOW_S = 60.0
MOST_WINDOWS = 200
LOOK_EVERY_S = 1.0
NOBODY = "anonymous"  # the actor of a refused login: nobody knows who it was
OTHERS = "(others)"  # the address of those who are counted together

Refusal = LoginRefused | AccessRefused
log = get_logger()


class _Window(Struct):
    refusal: Refusal  # with the count that is to be written
    until: float


class Refusals:
    """Takes refusals in, and writes them in the background."""

    def __init__(self, commands: Commands, clock: Clock) -> None:
        self._commands = commands
        self._clock = clock
        self._windows: dict[tuple[type[Refusal], str, str], _Window] = {}
        self._due: list[Refusal] = []
        self._news = asyncio.Event()

    def of_login(self, user: str, address: str, reason: str) -> None:
        """Somebody was not let in; `user`: whose name was given, "" if nobody's."""
        log.warning("login refused", action="login.refused", user=user, address=address, reason=reason)
        self._take(LoginRefused(user=user, address=address, reason=reason))

    def of_access(self, principal: Principal, request: str) -> None:
        """Somebody asked for what they may not do."""
        log.warning("access refused", action="access.refused", user=principal.name, request=request)
        self._take(AccessRefused(user=principal.name, request=request))

    async def run(self) -> None:
        """Write what is due, for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            self._news.clear()
            self._end_windows()
            while self._due:
                await self._write(self._due.pop(0))

    def _take(self, refusal: Refusal) -> None:
        key = (type(refusal), refusal.user, refusal.address)
        if key not in self._windows and len(self._windows) >= MOST_WINDOWS:
            refusal = replace(refusal, user="", address=OTHERS)
            key = (type(refusal), "", OTHERS)
        window = self._windows.get(key)
        if window is not None:
            window.refusal = replace(window.refusal, count=window.refusal.count + 1)
            return
        self._windows[key] = _Window(replace(refusal, count=0), self._clock.monotonic() + WINDOW_S)
        self._due.append(refusal)
        self._news.set()

    def _end_windows(self) -> None:
        now = self._clock.monotonic()
        for key, window in [*self._windows.items()]:
            if window.until > now:
                continue
            if window.refusal.count:
                self._due.append(window.refusal)
                self._windows[key] = _Window(replace(window.refusal, count=0), now + WINDOW_S)
            else:
                del self._windows[key]

    async def _write(self, refusal: Refusal) -> None:
        actor = refusal.user if isinstance(refusal, AccessRefused) and refusal.user else NOBODY
        asker = Principal(name=actor, grants={}, how="session")
        try:
            await self._commands.execute(Command(data=refusal, actor=actor, asker=asker, request_id="", job_id=""))
        except DcronError as error:
            log.error("a refusal could not be written", action="refusals.lost", error=str(error))
