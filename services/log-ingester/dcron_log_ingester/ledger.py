"""What became of each tick that a job's definitions implied (G4, G5). Pure.

A tick has a *record* if a run of it or a skip that covers it is stored. One without a record is, in this order:

* *pending*, while it is so young that its record may be under way, or while it may wait: where ticks queue up behind a
  live run, or missed ones are made up for, they run in order, so one waits as long as no later one has run;
* *withdrawn*, if the definition ended before a worker had to take the tick. A worker takes ticks in their order, so
  only the last ones of a window can be: a tick before one with a record was taken, and must have left one too. The
  same goes for the first ticks of a window that lie before a tick which the definition before had claimed already;
* *unaccounted* else.

A tick is a *double* if more than one claim ran it, or if it ran under one claim and was given up under another. A
claim is told by its fencing token, the revision of etcd that it made; what a claim left open and the sweeper or the
worker's next life closed has the same one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.jobs.windows import Ending, Window
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


class Skip(Struct, frozen=True):
    """A recorded tick, or range of them, that did not run."""

    first: int  # key of the first tick
    last: int  # and of the last one
    version: int  # of the definition it was decided on; 0: not known
    reason: SkipReason
    detail: str = ""
    claim: int = 0  # fencing token of the claim that was given up; 0: there was none


class JobRecords(Struct, frozen=True):
    """What is stored about the ticks of one job."""

    runs: tuple[Run, ...] = ()
    skips: tuple[Skip, ...] = ()


class WindowTicks(Struct, frozen=True):
    """A window, and its ticks in the range that is asked about."""

    window: Window
    ticks: tuple[datetime, ...]


def tick_key(instant: datetime) -> int:
    """Return what tells ticks apart: milliseconds since 1970, as in execution ids and in MongoDB."""
    return (instant - _EPOCH) // _MILLISECOND


def account(
    job_id: str, spans: Sequence[WindowTicks], records: JobRecords, *, start: datetime, end: datetime, now: datetime
) -> list[LedgerTick]:
    """Return what became of each tick, and the runs with `start` < tick ≤ `end` beyond them, in order.

    `records` may hold more than the range: what comes shortly after it tells that earlier ticks were taken.
    """
    runs = _last_attempts(records.runs)
    taken = _Taken(records)
    implied: set[int] = set()
    lines: list[LedgerTick] = []
    for span in spans:
        keys = [tick_key(tick) for tick in span.ticks]
        implied.update(keys)
        skips = _covering(keys, records.skips)
        for tick, key in zip(span.ticks, keys, strict=True):
            line = _recorded(job_id, span.window, tick, runs.get(key), skips.get(key))
            lines.append(line or _unrecorded(job_id, span.window, tick, key, taken, now))
    lines += [_beyond(job_id, run) for run in runs.values() if _in_range(run, start, end) and run.key not in implied]
    lines.sort(key=lambda line: line.tick)
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
        self._doubles = 0

    def add(self, lines: Iterable[LedgerTick]) -> None:
        """Count some more lines."""
        for line in lines:
            self._outcomes[line.outcome] = self._outcomes.get(line.outcome, 0) + 1
            if line.outcome == "skipped" and line.reason is not None:
                self._skips[line.reason] = self._skips.get(line.reason, 0) + 1
            self._doubles += is_double(line)

    def totals(self) -> LedgerTotals:
        """Return what was counted so far."""
        of = self._outcomes.get
        beyond = of("beyond", 0)
        return LedgerTotals(
            ticks=sum(self._outcomes.values()) - beyond,
            runs=of("run", 0),
            skips=dict(sorted(self._skips.items())),
            withdrawn=of("withdrawn", 0),
            pending=of("pending", 0),
            doubles=self._doubles,
            unaccounted=of("unaccounted", 0),
            beyond=beyond,
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


def _in_range(run: Run, start: datetime, end: datetime) -> bool:
    return tick_key(start) < run.key <= tick_key(end)


def page_of(lines: Sequence[LedgerTick], after: datetime | None, limit: int) -> tuple[tuple[LedgerTick, ...], bool]:
    """Return at most `limit` lines after the tick, and whether more follow."""
    rest: Iterator[LedgerTick] = (line for line in lines if after is None or line.tick > after)
    page = tuple(line for line, _ in zip(rest, range(limit + 1), strict=False))
    return page[:limit], len(page) > limit
