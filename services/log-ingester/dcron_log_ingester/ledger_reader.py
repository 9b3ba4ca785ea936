"""Puts the ledger together: the definitions from the log, the records from MongoDB, tick by tick.

One ledger is made at a time; others wait. Of all jobs, a few are in memory at a time, and of each job no more than
`MOST_OF_A_JOB` ticks. The event loop is never held for long: ticks are found in portions, and compared with the
records in a thread.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.errors import WrongInstantError
from dcron_core.history import History
from dcron_core.jobs.windows import Definition, Window, of_entry, of_step, of_version, windows_of
from dcron_log_ingester.errors import TooManyTicksError
from dcron_log_ingester.ledger import JobRecords, Tally, WindowTicks, account, is_wrong, page_of, workers_in
from dcron_schemas.audit import Ledger, LedgerTick
from dcron_schemas.job import JobSpec

MOST_OF_A_JOB = 100_000  # ticks: a day of one each second; about 1 KB each
MOST_OF_ALL = 1_000_000
JOBS_AT_A_TIME = 4
PORTION = 200  # ticks; 2 to 6 ms of finding them
# What is recorded so soon after the range tells whether its last ticks were taken.
BEHIND = timedelta(minutes=2)
# Definitions are read from so long before the range on: masters' clocks differ.
AHEAD = timedelta(minutes=1)


def _any(_job_id: str) -> bool:
    return True


class TickRecords(Protocol):
    """What the ledger asks of the store."""

    async def of_job(self, job_id: str, start: datetime, end: datetime) -> JobRecords:
        """Return the runs and skips of the job's ticks from `start` to `end`; others do no harm."""
        ...


class Range(Struct, frozen=True):
    """start < tick ≤ end."""

    start: datetime
    end: datetime


class LedgerReader:
    """Makes ledgers."""

    def __init__(self, history: History, records: TickRecords, clock: Clock) -> None:
        self._history = history
        self._records = records
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def of_job(self, job_id: str, within: Range, after: datetime | None, limit: int) -> Ledger:
        """Return the ledger of one job; of its ticks, at most `limit` after the instant `after`.

        Raises UnknownJobError, TooManyTicksError and UnavailableError.
        """
        async with self._one_at_a_time:
            position = await self._history.at_end()
            versions = await self._history.versions(job_id)
            windows = windows_of(job_id, (of_version(version) for version in versions))
            lines = await self._lines(job_id, windows, within, Ticks(within, MOST_OF_A_JOB))
        tally = Tally()
        tally.add(lines)
        page, more = page_of(lines, after, limit)
        return Ledger(
            job_id=job_id,
            start=within.start,
            end=within.end,
            position=position,
            totals=tally.totals(),
            ticks=page,
            next_cursor=page[-1].tick.isoformat().replace("+00:00", "Z") if more else None,
        )

    async def of_all(self, within: Range, limit: int, wanted: Callable[[str], bool] = _any) -> Ledger:
        """Return the ledger of all jobs there ever were and are `wanted`, by their ids.

        Of their doubles and unaccounted ticks it holds at most `limit`.
        """
        tally = Tally()
        wrong: list[LedgerTick] = []
        ticks = Ticks(within, MOST_OF_ALL)
        async with self._one_at_a_time:
            position = await self._history.at_end()
            jobs = iter((await self._all_windows(position, within.start, wanted)).items())
            while portion := list(islice(jobs, JOBS_AT_A_TIME)):
                for lines in await asyncio.gather(*(self._lines(*job, within, ticks) for job in portion)):
                    tally.add(lines)
                    wrong += [line for line in lines if is_wrong(line)][: limit - len(wrong)]
        return Ledger(
            job_id="",
            start=within.start,
            end=within.end,
            position=position,
            totals=tally.totals(),
            ticks=tuple(sorted(wrong, key=lambda line: line.tick)),
        )

    async def _lines(self, job_id: str, windows: list[Window], within: Range, ticks: "Ticks") -> list[LedgerTick]:
        spans = await ticks.of(windows)
        now = self._clock.now()  # before the records are read: what is not pending then is stored by now
        records = await self._records.of_job(job_id, within.start, within.end + BEHIND)

        most = sum(len(span.ticks) for span in spans) * max(1, workers_in(records))
        if most > MOST_OF_A_JOB:
            raise TooManyTicksError(f"there are more than {MOST_OF_A_JOB} ticks, counted for each worker")

        def lines() -> list[LedgerTick]:
            whole = [_with_excluded(span, within) for span in spans]
            known = account(job_id, whole, records, start=within.start, end=within.end, now=now)
            kept_from = _kept_from(windows, now)
            return [line for line in known if kept_from is None or line.tick > kept_from]

        return await asyncio.to_thread(lines)

    async def _all_windows(
        self, position: int, start: datetime, wanted: Callable[[str], bool]
    ) -> dict[str, list[Window]]:
        """Return the windows of all wanted jobs there ever were; of one that did not change since `start`, its last."""
        changed = set(filter(wanted, self._history.jobs(changed_after=self._last_position_before(start - AHEAD))))
        windows: dict[str, list[Window]] = {job_id: [] for job_id in self._history.jobs() if wanted(job_id)}
        windows |= {
            entry.job_id: windows_of(entry.job_id, [of_entry(entry)])
            for entry in self._history.table.entries()
            if wanted(entry.job_id)
        }
        if changed:
            windows |= await self._windows_from_log(position, changed)
        return windows

    async def _windows_from_log(self, position: int, wanted: set[str]) -> dict[str, list[Window]]:
        definitions: defaultdict[str, list[Definition]] = defaultdict(list)
        async for steps in self._history.steps(position + 1):
            for step in steps:
                if step.event is not None and step.event.job_id in wanted and (definition := of_step(step)):
                    definitions[step.event.job_id].append(definition)
        return {job_id: windows_of(job_id, found) for job_id, found in definitions.items()}

    def _last_position_before(self, instant: datetime) -> int:
        try:
            return self._history.position_at(instant, self._clock.now())
        except WrongInstantError:  # before the log began
            return -1


class Ticks:
    """Finds the ticks of windows in a range, at most `most` in all; those of one cron expression once."""

    def __init__(self, within: Range, most: int) -> None:
        self._within = within
        self._most = most
        self._count = 0
        self._whole: dict[Hashable, tuple[datetime, ...]] = {}  # what jobs share → their ticks in the whole range

    async def of(self, windows: Iterable[Window]) -> list[WindowTicks]:
        """Return the windows that reach into the range, with their ticks."""
        start, end = self._within.start, self._within.end
        spans: list[WindowTicks] = []
        count = 0
        for window in windows:
            if window.after < end and (window.ending is None or window.ending.at > start):
                spans.append(WindowTicks(window, await self._of(window)))
                count += len(spans[-1].ticks)
                self._require(count, MOST_OF_A_JOB, end)
        return spans

    async def _of(self, window: Window) -> tuple[datetime, ...]:
        covers = window.after <= self._within.start and (window.ending is None or window.ending.at >= self._within.end)
        shared = _shared(window.spec) if covers else None
        if shared is None:
            return await self._found(window)
        if shared not in self._whole:
            self._whole[shared] = await self._found(window)
        else:
            self._counted(len(self._whole[shared]), self._within.end)
        return self._whole[shared]

    async def _found(self, window: Window) -> tuple[datetime, ...]:
        found: list[datetime] = []
        ticks = window.ticks(self._within.start, self._within.end)
        while portion := list(islice(ticks, PORTION)):
            found += portion
            self._counted(len(portion), portion[0])
            await asyncio.sleep(0)
        return tuple(found)

    def _counted(self, more: int, reached: datetime) -> None:
        self._count += more
        self._require(self._count, self._most, reached)

    def _require(self, count: int, most: int, reached: datetime) -> None:
        if count > most:
            raise TooManyTicksError(
                f"there are more than {most} ticks from {self._within.start.isoformat()} to "
                f"{self._within.end.isoformat()}; that many were found by {reached.isoformat()}"
            )


def _with_excluded(span: WindowTicks, within: Range) -> WindowTicks:
    return replace(span, excluded=tuple(span.window.excluded(within.start, within.end)))


def _kept_from(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return since when the records of a job with a retention of its own are kept; None: as long as all others'.

    Ticks from before are left out: their records have left, and nobody can tell what became of them.
    """
    retention = windows[-1].spec.retention if windows else None
    return None if retention is None else now - parse_duration(retention)


def _shared(spec: JobSpec) -> Hashable | None:
    """Return what tells jobs apart that have other ticks; None if no other job has the ticks of this one."""
    cron = spec.schedule.cron if spec.schedule is not None else None
    if cron is None or spec.jitter is not None or "H" in cron.upper():  # from an anchor, or from the job's id
        return None
    return (cron, spec.timezone, spec.dst, spec.start, spec.end, spec.exclude)
