"""What became of each tick that a job's definitions implied (G4, G5). Pure.

A tick has a *record* if a run of it or a skip that covers it is stored. One without a record is, in this order:

* *pending*, while it is so young that its record may be under way, or while it may wait: where ticks queue up behind a
  live run, or missed ones are made up for, they run in order, so one waits as long as no later one has run;
* *withdrawn*, if the definition ended before a worker had to take the tick. A worker takes ticks in their order, so
  only the last ones of a window can be: a tick before one with a record was taken, and must have left one too. The
  same goes for the first ticks of a window that lie before a tick which the definition before had claimed already;
* *unaccounted* else.

Of a job that runs on every worker, each worker has a line for each tick from the first to the last one that it has
records of, as its ticks come one after the other. Which workers matched before and after that, nobody recorded; a tick
that no worker has a line for has one without a worker.

What is *excluded* by a day of rest or a clock change is no tick, and nothing is owed for it. That the definition says,
so it holds without a record; whether a worker has recorded it too is told.

A tick is a *double* if more than one claim ran it, or if it ran under one claim and was given up under another. A
claim is told by its fencing token, the revision of etcd that it made; what a claim left open and the sweeper or the
worker's next life closed has the same one.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.executions import is_own_part
from dcron_core.jobs.windows import Ending, Window
from dcron_core.schedule import Excluded
from dcron_schemas.audit import LedgerTick, LedgerTotals
from dcron_schemas.records import SkipReason

# From a run's start or a skip to its document; and, of a run whose worker died, from the claim to its being
# recorded as lost: the lease's 10 s and the sweeper's grace.
RECORD_GRACE = timedelta(seconds=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Run(Struct, frozen=True):
    """A recorded run of a tick."""

    execution_id: str
    key: int  # of the tick
    attempt: int
    version: int  # of the definition it was claimed on
    status: str
    started: bool  # its process ran
    claims: frozenset[int] = frozenset()  # the fencing tokens of all claims that say they ran it
    own: str = ""  # of a job on every worker: which worker's tick it is, as `own_part` tells it
    worker_id: str = ""  # who recorded it


class Skip(Struct, frozen=True):
    """A recorded tick, or range of them, that did not run."""

    first: int  # key of the first tick
    last: int  # and of the last one
    version: int  # of the definition it was decided on; 0: not known
    reason: SkipReason
    detail: str = ""
    claim: int = 0  # fencing token of the claim that was given up; 0: there was none
    own: str = ""  # as of a run
    worker_id: str = ""


class JobRecords(Struct, frozen=True):
    """What is stored about the ticks of one job."""

    runs: tuple[Run, ...] = ()
    skips: tuple[Skip, ...] = ()


class WindowTicks(Struct, frozen=True):
    """A window, and its ticks in the range that is asked about."""

    window: Window
    ticks: tuple[datetime, ...]
    excluded: tuple[Excluded, ...] = ()


def tick_key(instant: datetime) -> int:
    """Return what tells ticks apart: milliseconds since 1970, as in execution ids and in MongoDB."""
    return (instant - _EPOCH) // _MILLISECOND


def account(
    job_id: str, spans: Sequence[WindowTicks], records: JobRecords, *, start: datetime, end: datetime, now: datetime
) -> list[LedgerTick]:
    """Return what became of each tick, and the runs with `start` < tick ≤ `end` beyond them, in order.

    `records` may hold more than the range: what comes shortly after it tells that earlier ticks were taken.
    """
    of_each = {own: _Account(job_id, of_own, now) for own, of_own in _by_worker(records).items()}
    shared = of_each.get("") or _Account(job_id, JobRecords(), now)
    implied = {tick_key(tick) for span in spans for tick in span.ticks}
    lines: list[LedgerTick] = []
    for span in spans:
        lines += _on_every_worker(span, shared, of_each) if _is_on_every(span.window) else shared.lines(span)
        lines += [_excluded(job_id, span.window, row, records.skips) for row in span.excluded]
    for of_own in of_each.values():
        lines += [line for line in of_own.beyond(implied) if start < line.tick <= end]
    lines.sort(key=lambda line: (line.tick, line.worker_id))
    return lines


def is_double(line: LedgerTick) -> bool:
    """Tell whether more than one claim had to do with a run of the tick."""
    return line.claims > 1


def is_wrong(line: LedgerTick) -> bool:
    """Tell whether the tick is one that must not be."""
    return is_double(line) or line.outcome == "unaccounted"


class Tally:
    """Counts lines into totals."""

    def __init__(self) -> None:
        self._outcomes: dict[str, int] = {}
        self._skips: dict[str, int] = {}
        self._excluded: dict[str, int] = {}
        self._doubles = 0

    def add(self, lines: Iterable[LedgerTick]) -> None:
        """Count some more lines."""
        for line in lines:
            self._outcomes[line.outcome] = self._outcomes.get(line.outcome, 0) + 1
            if line.outcome == "skipped" and line.reason is not None:
                self._skips[line.reason] = self._skips.get(line.reason, 0) + 1
            if line.outcome == "excluded" and line.reason is not None:
                self._excluded[line.reason] = self._excluded.get(line.reason, 0) + 1
            self._doubles += is_double(line)

    def totals(self) -> LedgerTotals:
        """Return what was counted so far."""
        of = self._outcomes.get
        beyond = of("beyond", 0)
        return LedgerTotals(
            ticks=sum(self._outcomes.values()) - beyond - of("excluded", 0),
            runs=of("run", 0),
            skips=dict(sorted(self._skips.items())),
            withdrawn=of("withdrawn", 0),
            pending=of("pending", 0),
            doubles=self._doubles,
            unaccounted=of("unaccounted", 0),
            beyond=beyond,
            excluded=dict(sorted(self._excluded.items())),
        )


class _Account:
    """Accounts for the ticks of a job: of one worker's own, or of those that are any worker's."""

    def __init__(self, job_id: str, records: JobRecords, now: datetime) -> None:
        self._job_id = job_id
        self._now = now
        self._skips = records.skips
        self._runs = _last_attempts(records.runs)
        self._taken = _Taken(records)
        keys = [run.key for run in records.runs]
        keys += [key for skip in records.skips for key in (skip.first, skip.last)]
        self.first, self.last = min(keys, default=0), max(keys, default=-1)
        self._worker_id = _name_of(records)

    def lines(self, span: WindowTicks) -> list[LedgerTick]:
        """Return what became of each tick."""
        keys = [tick_key(tick) for tick in span.ticks]
        skips = _covering(keys, self._skips)
        lines = []
        for tick, key in zip(span.ticks, keys, strict=True):
            line = _recorded(self._job_id, span.window, tick, self._runs.get(key), skips.get(key))
            line = line or _unrecorded(self._job_id, span.window, tick, key, self._taken, self._now)
            lines.append(replace(line, worker_id=self._worker_id) if self._worker_id else line)
        return lines

    def beyond(self, implied: Collection[int]) -> list[LedgerTick]:
        """Return the runs of ticks that are not implied."""
        found = [_beyond(self._job_id, run) for run in self._runs.values() if run.key not in implied]
        return [replace(line, worker_id=self._worker_id) for line in found]


def _by_worker(records: JobRecords) -> dict[str, JobRecords]:
    """Return the records by whose own they are; under "" those that are no worker's own."""
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    skips: defaultdict[str, list[Skip]] = defaultdict(list)
    for run in records.runs:
        runs[run.own].append(run)
    for skip in records.skips:
        skips[skip.own].append(skip)
    return {own: JobRecords(tuple(runs[own]), tuple(skips[own])) for own in {*runs, *skips}}


def _all(records: JobRecords) -> list[Run | Skip]:
    return [*records.runs, *records.skips]


def workers_in(records: JobRecords) -> int:
    """Return how many workers have records of ticks of their own."""
    return len({each.own for each in _all(records)} - {""})


def _name_of(records: JobRecords) -> str:
    """Return whose own the records are; another worker may have closed some of them."""
    found = _all(records)
    if not found or not found[0].own:
        return ""
    return next((each.worker_id for each in found if is_own_part(each.own, each.worker_id)), found[0].own)


def _is_on_every(window: Window) -> bool:
    return window.spec.placement.workers == "every"


def _on_every_worker(span: WindowTicks, shared: _Account, of_each: Mapping[str, _Account]) -> list[LedgerTick]:
    lines: list[LedgerTick] = []
    known: set[datetime] = set()
    for own, of_own in of_each.items():
        ticks = tuple(tick for tick in span.ticks if own and of_own.first <= tick_key(tick) <= of_own.last)
        known.update(ticks)
        lines += of_own.lines(replace(span, ticks=ticks))
    return lines + shared.lines(replace(span, ticks=tuple(tick for tick in span.ticks if tick not in known)))


def _excluded(job_id: str, window: Window, row: Excluded, skips: Iterable[Skip]) -> LedgerTick:
    first, last = tick_key(row.first), tick_key(row.last)
    return LedgerTick(
        job_id=job_id,
        tick=row.first,
        version=window.version_at(row.first),
        outcome="excluded",
        reason=row.reason,
        detail=row.detail,
        last_tick=row.last if row.count != 1 else None,
        count=row.count,
        recorded=any(skip.reason == row.reason and skip.first <= last and skip.last >= first for skip in skips),
    )


class _Taken:
    """How far the ticks of a job were taken by workers, as the records say; the cursor in etcd is not kept."""

    def __init__(self, records: JobRecords) -> None:
        reached = [(run.version, run.key) for run in records.runs]
        reached += [(skip.version, skip.last) for skip in records.skips if skip.version]
        reached.sort()
        self._reached = reached
        self._last_run = max((run.key for run in records.runs), default=-1)
        self._furthest = list(accumulate((key for _, key in reached), max))
        self._in: dict[tuple[int, int], int] = {}

    def within(self, window: Window) -> int:
        """Return the last tick taken on a version of the window; -1: none is known."""
        span = (window.first_version, window.last_version)
        if span not in self._in:
            keys = [key for version, key in self._reached if span[0] <= version <= span[1]]
            self._in[span] = max(keys, default=-1)
        return self._in[span]

    def may_wait(self, window: Window, key: int) -> bool:
        """Tell whether a tick without a record may have been taken to run later."""
        spec, ending = window.spec, window.ending
        waits = spec.overlap in ("queue", "replace") or spec.misfire.policy != "skip"
        given_up = ending is not None and ending.kind in ("JobDeleted", "JobPaused")  # then it is skipped, on record
        return waits and not given_up and self._last_run < key

    def before(self, window: Window) -> int:
        """Return the last tick taken on a version before the window's; -1: none is known."""
        count = bisect_left(self._reached, (window.first_version, -1))
        return self._furthest[count - 1] if count else -1


def _last_attempts(runs: Iterable[Run]) -> dict[int, Run]:
    """Return the last attempt at each tick; doubles of the attempts before stay doubles."""
    last: dict[int, Run] = {}
    for run in sorted(runs, key=lambda run: (run.key, run.attempt)):
        former = last.get(run.key)
        doubled = former is not None and len(former.claims) > max(1, len(run.claims))
        last[run.key] = replace(run, claims=former.claims) if former is not None and doubled else run
    return last


def _covering(keys: Sequence[int], skips: Sequence[Skip]) -> dict[int, Skip]:
    """Return the skip that covers each key; the narrowest of several: a lost etcd has much recorded as missed again."""
    found: dict[int, Skip] = {}
    waiting = sorted(skips, key=lambda skip: skip.first, reverse=True)
    open_: list[Skip] = []
    for key in keys:
        while waiting and waiting[-1].first <= key:
            open_.append(waiting.pop())
        open_ = [skip for skip in open_ if skip.last >= key]
        if open_:
            found[key] = min(open_, key=lambda skip: (skip.last - skip.first, skip.first))
    return found


def _recorded(job_id: str, window: Window, tick: datetime, run: Run | None, skip: Skip | None) -> LedgerTick | None:
    version = window.version_at(tick)
    if run is not None and not _given_up(run, skip):
        return LedgerTick(
            job_id=job_id,
            tick=tick,
            version=version,
            outcome="run",
            execution_id=run.execution_id,
            status=run.status,
            claims=len(run.claims) + _rival(run, skip),
            detail=f"skipped as well: {skip.reason}" if _rival(run, skip) and skip else "",
        )
    if skip is not None:
        return LedgerTick(
            job_id=job_id, tick=tick, version=version, outcome="skipped", reason=skip.reason, detail=skip.detail
        )
    return None


def _given_up(run: Run, skip: Skip | None) -> bool:
    """Tell whether the run is one taken for lost whose claim was given up before it began, as came out later."""
    return skip is not None and run.status == "lost" and not run.started and skip.claim in run.claims


def _rival(run: Run, skip: Skip | None) -> bool:
    """Tell whether the tick ran, and another claim of it was given up."""
    return skip is not None and run.started and skip.claim != 0 and skip.claim not in run.claims


def _unrecorded(job_id: str, window: Window, tick: datetime, key: int, taken: _Taken, now: datetime) -> LedgerTick:
    was_taken = taken.within(window) > key
    ending = window.ending
    deadline = window.start_deadline + RECORD_GRACE
    line = LedgerTick(job_id=job_id, tick=tick, version=window.version_at(tick), outcome="unaccounted")
    if now - tick <= (RECORD_GRACE if was_taken or ending else deadline):
        return replace(line, outcome="pending")
    if taken.may_wait(window, key):
        return replace(line, outcome="pending", detail="it may wait for its turn")
    if taken.before(window) >= key:
        why = "a later tick had been claimed already on the version before"
        return replace(line, outcome="withdrawn", detail=why)
    if ending is not None and not was_taken and ending.at - tick <= deadline:
        return replace(line, outcome="withdrawn", detail=_how(ending))
    return replace(line, detail="a later tick was taken" if was_taken else "no worker recorded it")


def _how(ending: Ending) -> str:
    return f"{ending.kind} at position {ending.position}, before a worker took it"


def _beyond(job_id: str, run: Run) -> LedgerTick:
    return LedgerTick(
        job_id=job_id,
        tick=_EPOCH + run.key * _MILLISECOND,
        version=run.version,
        outcome="beyond",
        execution_id=run.execution_id,
        status=run.status,
        claims=len(run.claims),
        detail="claimed as the definition changed",
    )


def page_of(lines: Sequence[LedgerTick], after: datetime | None, limit: int) -> tuple[tuple[LedgerTick, ...], bool]:
    """Return `limit` lines after the tick, or a few more so that no tick is torn, and whether more follow."""
    rest = [line for line in lines if after is None or line.tick > after]
    end = min(limit, len(rest))
    while 0 < end < len(rest) and rest[end].tick == rest[end - 1].tick:
        end += 1
    return tuple(rest[:end]), end < len(rest)
