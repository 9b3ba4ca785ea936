"""Refusals come into the log, and never fill it (G11)."""

import asyncio
from datetime import datetime, timedelta

from dcron_core.access.principal import Principal
from dcron_core.clock import SystemClock
from dcron_core.errors import LogUnavailableError
from dcron_core.jobs.fold import Applied
from dcron_master.commands import Command
from dcron_master.refusals import MOST_WINDOWS, NOBODY, WINDOW_S, Refusals
from tests.people import CLUSTER_KEY, add_user, with_token
from tests.services import Ports
from tests.unit.master.test_logins import told

EVE = Principal(name="eve", grants={}, how="token")


class Clock(SystemClock):
    ahead_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Taken:
    """Takes commands, as a master does; or not."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.down = False

    async def execute(self, command: Command) -> Applied:
        if self.down:
            raise LogUnavailableError("down")
        self.commands.append(command)
        return Applied(())


async def written(refusals: Refusals) -> None:
    """Let everything that is due be written."""
    refusals._end_windows()
    while refusals._due:
        await refusals._write(refusals._due.pop(0))


async def test_one_event_a_minute_with_the_count() -> None:
    clock, taken = Clock(), Taken()
    refusals = Refusals(taken, clock)  # type: ignore[arg-type]
    for _ in range(500):
        refusals.of_login("ada", "192.0.2.1", "wrong password")
        refusals.of_access(EVE, "DELETE /api/v1/jobs/x")
    await written(refusals)
    assert [(each.actor, getattr(each.data, "count", 0)) for each in taken.commands] == [(NOBODY, 1), ("eve", 1)]
    clock.ahead_s += WINDOW_S + 1
    await written(refusals)
    assert [getattr(each.data, "count", 0) for each in taken.commands[2:]] == [499, 499]
    clock.ahead_s += WINDOW_S + 1
    await written(refusals)
    assert len(taken.commands) == 4, "what is over is not told again"


async def test_ever_so_many_at_once_are_counted_together() -> None:
    clock, taken = Clock(), Taken()
    refusals = Refusals(taken, clock)  # type: ignore[arg-type]
    for number in range(10_000):
        refusals.of_login("", f"address-{number}", "no such user")
    await written(refusals)
    clock.ahead_s += WINDOW_S + 1
    await written(refusals)
    assert len(taken.commands) <= MOST_WINDOWS + 2
    assert sum(getattr(each.data, "count", 0) for each in taken.commands) == 10_000


async def test_a_log_that_is_not_there_stops_nothing() -> None:
    taken = Taken()
    refusals = Refusals(taken, Clock())  # type: ignore[arg-type]
    taken.down = True
    refusals.of_login("ada", "192.0.2.1", "wrong password")
    await written(refusals)
    assert taken.commands == []


async def test_what_somebody_may_not_do_is_in_the_log_with_their_name() -> None:
    """Whoever refused it: the guard, the handler, or the middleware."""
    ports = Ports()
    async with ports.master(cluster_key=CLUSTER_KEY) as (master, client):
        await add_user(client, "eve", {"a": "viewer"}, password="")
        made = await client.post("/api/v1/tokens", json={"name": "x"}, params={"user": "eve"})
        async with with_token(master.port, made.json()["token"]) as eve:
            assert (await eve.delete("/api/v1/users/ada")).status_code == 403
        while not (refusals := [each for each in told(ports) if type(each.data).__name__ == "AccessRefused"]):
            await asyncio.sleep(0.01)
        (refusal,) = refusals
        assert (refusal.actor, getattr(refusal.data, "request", "")) == ("eve", "DELETE /api/v1/users/ada")
