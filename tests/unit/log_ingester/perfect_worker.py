"""A worker as the design has it, in a few lines: what it leaves on record of a job's ticks. Time is made up."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from dcron_core.executions import tick_execution_id
from dcron_core.jobs.windows import Definition
from dcron_core.schedule import timetable_of
from dcron_log_ingester.ledger import JobRecords, Run, Skip, tick_key

AHEAD = timedelta(milliseconds=500)


class Claim(Struct, frozen=True):
    """A tick that was taken, and what became of it."""

    tick: datetime
    timetable: int  # which one, counted by anchors
    record: Run | Skip


class PerfectWorker:
    """Knows each definition `delay` after its event; takes the ticks in order, ahead of their instants.

    While it is `away` it takes nothing.
    """

    def __init__(
        self, definitions: Sequence[Definition], delay: timedelta, away: tuple[datetime, datetime] | None = None
    ) -> None:
        self._definitions = definitions
        self._delay = delay
        self._away = away

    def claims(self, start: datetime, end: datetime) -> list[Claim]:
        """Return what it took by `end`."""
        taken: list[Claim] = []
        now, cursor = start, start
        while now < end:
            known = self._known(now)
            change = self._definitions[known + 1].at + self._delay if known + 1 < len(self._definitions) else end
            tick = self._next(known, cursor)
            look = self._present(max(now, tick - AHEAD)) if tick is not None else end
            if tick is None or look >= change:
                now = max(change, now)
                continue
            now, cursor = look, tick
            if tick <= end:
                taken.append(self._taken(tick, known, look, len(taken) + 1))
        return taken

    def _known(self, now: datetime) -> int:
        """Return which definition it knows; -1: none."""
        return sum(1 for each in self._definitions if each.at + self._delay <= now) - 1

    def _next(self, known: int, cursor: datetime) -> datetime | None:
        if known < 0:
            return None
        spec, anchor = self._definitions[known].spec, self._definitions[known].anchor
        if spec is None or anchor is None:
            return None
        timetable = timetable_of(spec, anchor, "job")
        return timetable.next_after(max(cursor, anchor)) if timetable else None

    def _present(self, now: datetime) -> datetime:
        return self._away[1] if self._away and self._away[0] <= now < self._away[1] else now

    def _taken(self, tick: datetime, known: int, at: datetime, token: int) -> Claim:
        definition = self._definitions[known]
        key = tick_key(tick)
        record: Run | Skip
        if self._known(max(tick, at)) == known:
            name = tick_execution_id("job", tick)
            record = Run(name, key, 1, definition.version, "succeeded", started=True, claims=frozenset({token}))
        else:
            record = Skip(key, key, definition.version, "edited", claim=token)
        anchors = {each.anchor for each in self._definitions[: known + 1]}
        return Claim(tick, len(anchors), record)


def records_of(claims: Sequence[Claim]) -> JobRecords:
    """Return what is stored of them."""
    return JobRecords(
        tuple(claim.record for claim in claims if isinstance(claim.record, Run)),
        tuple(claim.record for claim in claims if isinstance(claim.record, Skip)),
    )
