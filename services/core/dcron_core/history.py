"""What the whole log says: every version of every job, and the crontab as of any instant.

A history reads the log from zero, beside whatever else its service does, and keeps an index: which records made
versions of which job, and the log's time at each position. The records themselves stay in the log and are read
again when somebody asks. About 60 bytes for each event, and the table of jobs as it is now.
"""

import asyncio
from array import array
from bisect import bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from msgspec import Struct

from dcron_core.errors import (
    LogMismatchError,
    OffsetOutOfRangeError,
    UnavailableError,
    UnknownJobError,
    UnknownVersionError,
    UnreadableRecordError,
    WrongInstantError,
)
from dcron_core.job_log import JobLog
from dcron_core.jobs.changes import JobGone
from dcron_core.jobs.difference import difference
from dcron_core.jobs.fold import Outcome
from dcron_core.jobs.replay import Replay, Step, kind_of, new_version
from dcron_core.jobs.table import REPETITION_WINDOW, JobTable
from dcron_core.lifecycle import retrying
from dcron_core.ports.log import Record
from dcron_core.telemetry import get_logger
from dcron_schemas.audit import DeletedJob, JobHistory, JobVersion
from dcron_schemas.events import JobEvent
from dcron_schemas.job import JobSpec

REST_S = 0.05  # after news, unless somebody waits for more: what happens meanwhile is read in one go
HANDLED_KEPT = 2 * REPETITION_WINDOW  # events whose outcomes are kept
END_WITHIN_S = 10.0  # a history that was at the log's end once is never further from it than this
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

log = get_logger()

Sink = Callable[[Sequence[Record], Sequence[Step]], Awaitable[None]]


class Handled(Struct, frozen=True):
    """An event of the log, and what came of it."""

    event: JobEvent
    outcome: Outcome


class History:
    """The index of a log, and what can be read with it. Methods raise UnavailableError until it has caught up."""

    def __init__(self, job_log: JobLog) -> None:
        self._log = job_log
        self._replay = Replay()
        self._versions: defaultdict[str, list[int]] = defaultdict(list)  # job id → positions of what changed it
        self._times = array("q")  # log time at each position, µs since 1970
        self._deleted: dict[str, DeletedJob] = {}
        self._namespaces: dict[str, frozenset[str]] = {}  # job id → all that it ever was in
        self._shared: dict[frozenset[str], frozenset[str]] = {}  # most jobs are in few: one set for all of them
        self._handled: OrderedDict[int, Handled] = OrderedDict()
        self._last_change = -1  # position of the last event that changed a definition
        self._advanced = asyncio.Condition()
        self._awaited = asyncio.Event()  # somebody waits for a position
        self._then: tuple[int, JobTable] | None = None  # the last table that was asked for
        self.caught_up = asyncio.Event()  # it was at the log's end once
        self.stopped: LogMismatchError | None = None  # why it cannot go on, if so

    @property
    def position(self) -> int:
        """The last position taken in; -1: none."""
        return self._replay.position

    @property
    def table(self) -> JobTable:
        """The jobs at `position`; not to be changed."""
        return self._replay.table

    async def run(self, sink: Sink | None = None) -> None:
        """Read the log for ever, waiting for it to be there; `sink` gets everything, in order.

        A log that cannot be read on stops it; the reason stays in `stopped`. A record that is stepped over later
        lets it go on.
        """
        while True:
            try:
                await retrying(lambda: self._follow(sink), on=UnavailableError, what="history")
            except UnreadableRecordError as error:
                await self._stop(error)
                wait = partial(self._log.stepped_over, error.offset)
                await retrying(wait, on=UnavailableError, what="history")
                self.stopped = None
            except OffsetOutOfRangeError:
                continue  # the log was cut under the reader; how is found out from its bounds
            except LogMismatchError as error:
                await self._stop(error)
                await asyncio.Event().wait()

    async def passed(self, position: int) -> None:
        """Wait until `position` is taken in; raise the reason if the log cannot be read on."""
        if self.position < position:
            self._awaited.set()
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.position >= position or self.stopped is not None)
        if self.position < position:
            assert self.stopped is not None
            raise UnavailableError(str(self.stopped))

    async def at_end(self) -> int:
        """Wait until everything that is in the log now is taken in; return the last position."""
        end = (await self._log.bounds()).end
        if not self.caught_up.is_set():
            self.require(end)
        try:
            await asyncio.wait_for(self.passed(end - 1), END_WITHIN_S)
        except TimeoutError:
            raise UnavailableError(
                f"the log's history is at position {self.position}, and not at the log's end, {end - 1}, after "
                f"{END_WITHIN_S:g} s"
            ) from None
        return end - 1

    def require(self, end: int) -> None:
        """Raise UnavailableError if it has not caught up."""
        if self.stopped is not None:
            raise UnavailableError(str(self.stopped))
        if not self.caught_up.is_set():
            raise UnavailableError(f"the log's history is still being read: {self.position + 1} of {end} events")

    def handled(self, position: int) -> Handled | None:
        """Return the event at `position` and its outcome, if it is among the last 20,000."""
        return self._handled.get(position)

    def deleted(self, namespace: str = "", name: str = "") -> list[DeletedJob]:
        """Return the jobs that were deleted, the last one first; empty text: any."""
        found = [
            job
            for job in self._deleted.values()
            if (not namespace or job.namespace == namespace) and (not name or job.name == name)
        ]
        return sorted(found, key=lambda job: -job.position)

    def namespaces_of(self, job_id: str) -> frozenset[str]:
        """Return every namespace that a job ever was in; none: there was no such job, as far as the log is read."""
        return self._namespaces.get(job_id, frozenset())

    def jobs(self, changed_after: int = -1) -> list[str]:
        """Return the ids of the jobs whose definitions changed after a position; by default of all there ever were."""
        return [job_id for job_id, positions in self._versions.items() if positions[-1] > changed_after]

    def position_at(self, instant: datetime, now: datetime) -> int:
        """Return the last position whose log time is not after `instant`; raise WrongInstantError."""
        if instant.tzinfo is None:
            raise WrongInstantError(f"{instant.isoformat()} has no zone; write Z or an offset such as +02:00 behind it")
        if instant > now:
            raise WrongInstantError(f"{instant.isoformat()} is in the future; it is {now.isoformat()} now")
        position = bisect_right(self._times, _microseconds(instant)) - 1
        if position < 0:
            began = f"; it begins at {_instant(self._times[0]).isoformat()}" if self._times else ""
            raise WrongInstantError(f"{instant.isoformat()} is before the log began{began}")
        return position

    def time_of(self, position: int) -> datetime:
        """Return the log's time at a position."""
        return _instant(self._times[position])

    async def table_at(self, position: int) -> JobTable:
        """Return the jobs as they stood at `position`: a table that is not to be changed. Replays the log to there."""
        if position >= self._last_change:
            return self.table
        if self._then is None or self._then[0] != position:
            self._then = (position, (await self._log.replayed(position + 1)).table)
        return self._then[1]

    async def steps(self, end: int) -> AsyncIterator[list[Step]]:
        """Yield what the records before `end` came to, from zero, in batches. Reads and folds the whole log."""
        async for steps in self._log.steps(Replay(), end):
            yield steps

    async def versions(self, job_id: str) -> tuple[JobVersion, ...]:
        """Return every version of a job, oldest first; raise UnknownJobError if there never was such a job."""
        positions = list(self._versions.get(job_id, ()))
        if not positions:
            raise UnknownJobError(f"there never was a job {job_id}")
        records = await self._log.fetch(positions)
        # What was applied to the job in the whole log is applied to it alone in the same way.
        alone = Replay()
        return tuple([_version(step) for step in await self._log.step_all(alone, records)])

    async def of_job(self, job_id: str) -> JobHistory:
        """Return every version of a job with its name, which it keeps when it is deleted."""
        versions = await self.versions(job_id)
        last = next(version.spec for version in reversed(versions) if version.spec is not None)
        return JobHistory(
            job_id=job_id,
            namespace=last.namespace,
            name=last.name,
            deleted=versions[-1].spec is None,
            versions=versions,
        )

    async def definition(self, job_id: str, version: int) -> JobSpec:
        """Return the definition of one version; raise UnknownVersionError if there is none, UnknownJobError."""
        return definition_in(job_id, await self.versions(job_id), version)

    async def _follow(self, sink: Sink | None) -> None:
        end = (await self._log.bounds()).end
        if self.position + 1 > end:
            raise LogMismatchError(
                f"topic {self._log.topic} ends at offset {end - 1}, and {self.position} was read before: its end was "
                "cut off; restore the topic from a backup (`dcron log import`)"
            )
        async for records in self._log.follow(self.position + 1):
            if records:
                steps = await self._take(records)
                if sink is not None:
                    await sink(records[: len(steps)], steps)
                await self._tell()
                if len(steps) < len(records):
                    return  # the next one cannot be read: it is the first one when this is called again
            if self.position >= end - 1:
                self.caught_up.set()
                await self._rest()

    async def _rest(self) -> None:
        """Leave the loop to those who wait for commands; return at once when somebody waits for the history."""
        with suppress(TimeoutError):  # asyncio.wait_for of Python 3.11 loses a cancellation that comes with the event
            async with asyncio.timeout(REST_S):
                await self._awaited.wait()
        self._awaited.clear()

    async def _take(self, records: Sequence[Record]) -> list[Step]:
        """Take in records; stop before one that cannot be read, once those before it are told."""
        steps: list[Step] = []
        for record in records:
            try:
                event = await self._log.event_of(record)
            except (LogMismatchError, UnavailableError):
                if steps:
                    break
                raise
            step = self._replay.step(record.offset, event)
            self._index(step)
            steps.append(step)
        return steps

    def _index(self, step: Step) -> None:
        self._times.append(_microseconds(step.time))
        if step.event is None or step.outcome is None:
            return
        self._handled[step.position] = Handled(step.event, step.outcome)
        if len(self._handled) > HANDLED_KEPT:
            self._handled.popitem(last=False)
        change = new_version(step)
        if change is None:
            return
        entry = change.entry
        self._last_change = step.position
        self._versions[entry.job_id].append(step.position)
        if entry.spec.namespace not in self.namespaces_of(entry.job_id):
            namespaces = self.namespaces_of(entry.job_id) | {entry.spec.namespace}
            self._namespaces[entry.job_id] = self._shared.setdefault(namespaces, namespaces)
        if isinstance(change, JobGone):
            self._deleted[entry.job_id] = DeletedJob(
                job_id=entry.job_id,
                namespace=entry.spec.namespace,
                name=entry.spec.name,
                version=entry.version,
                position=step.position,
                deleted_at=step.event.at,
                deleted_by=step.event.actor,
            )
        else:
            self._deleted.pop(entry.job_id, None)

    async def _stop(self, error: LogMismatchError) -> None:
        self.stopped = error
        log.error("the history stopped", action="history.stopped", error=str(error))
        await self._tell()

    async def _tell(self) -> None:
        async with self._advanced:
            self._advanced.notify_all()


def definition_in(job_id: str, versions: Sequence[JobVersion], version: int) -> JobSpec:
    """Return the definition of one of a job's versions; raise UnknownVersionError if there is none."""
    for each in reversed(versions):
        if each.version == version and each.spec is not None:
            return each.spec
    have = ", ".join(str(each.version) for each in versions if each.spec is not None)
    raise UnknownVersionError(f"job {job_id} has no version {version}; it has {have}")


def _version(step: Step) -> JobVersion:
    event, before, after = step.event, step.before, step.after
    assert event is not None
    standing = after or before
    assert standing is not None
    return JobVersion(
        version=standing.version,
        position=step.position,
        kind=kind_of(event),
        at=event.at,
        actor=event.actor,
        request_id=event.request_id,
        spec=after.spec if after else None,
        anchor=after.anchor if after else None,
        changes=difference(before.spec, after.spec) if before and after else (),
    )


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
