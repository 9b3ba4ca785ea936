"""From a request to an event in the log, and from the fold's outcome to the answer (design §5, "A command"; G1).

The order is: look at the window of repetitions, find the definition that an edit is on, fold the event on trial,
append it, wait until this master's own fold has passed it, answer with that fold's outcome. What cannot be known in
time is answered as unknown, with the place to ask; it is never guessed.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from msgspec import Struct

from dcron_core.access.principal import Principal
from dcron_core.clock import Clock
from dcron_core.errors import (
    CommandRejectedError,
    DependencyCircleError,
    InvalidJobError,
    LogMismatchError,
    LogUnavailableError,
    NotPossibleError,
    OutcomeUnknownError,
    StoreUnavailableError,
    UnavailableError,
    UnknownJobError,
    VersionConflictError,
)
from dcron_core.failpoints import Failpoints
from dcron_core.history import Handled, History
from dcron_core.ids import IdSource, derived_id
from dcron_core.jobs.dependencies import check_dependencies
from dcron_core.jobs.fold import Applied, Outcome, Rejected, Repeated, fold
from dcron_core.ports.log import Log, Producer
from dcron_core.telemetry import about, get_logger
from dcron_master.edits import Edit, is_repeated
from dcron_master.metrics import MasterMetrics
from dcron_master.permits import BRINGS_A_JOB, may_everywhere, no_such_job, require_permit, require_permit_again
from dcron_master.projector import Projector
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobCreated, JobEvent, JobRestored, RunRequested
from dcron_schemas.identity_events import IdentityData, shown
from dcron_schemas.job import JobSpec
from dcron_schemas.state import JobEntry

T = TypeVar("T")
MOST_TRIES = 3  # of a command for any version, by somebody whose permit is looked up for one version at a time

log = get_logger()


class Command(Struct, frozen=True, kw_only=True):
    """What somebody wants."""

    data: EventData | Edit
    actor: str
    asker: Principal  # the actor, and what they may do
    request_id: str
    job_id: str
    idempotency_key: str = ""  # of the client; "": each try is a command of its own
    expected_version: int | None = None  # None: any; of an edit: the one at the log's end


class Commands:
    """Takes commands for one master."""

    def __init__(
        self,
        projector: Projector,
        history: History,
        log: Log,
        producer: Producer,
        topic: str,
        clock: Clock,
        ids: IdSource,
        timeout_s: float,
        metrics: MasterMetrics,
        failpoints: Failpoints | None = None,
    ) -> None:
        self._projector = projector
        self._history = history
        self._failpoints = failpoints or Failpoints()
        self._log = log
        self._producer = producer
        self._topic = topic
        self._clock = clock
        self._ids = ids
        self._timeout_s = timeout_s
        self._metrics = metrics

    async def execute(self, command: Command) -> Applied:
        """Do `command`; return what the fold made of it.

        Raises CommandRejectedError or InvalidJobError if it was refused, UnavailableError if nothing was written, and
        OutcomeUnknownError if it may have been.
        """
        kind, began = _kind_of(command).__name__, self._clock.monotonic()
        answer, why = "failed", ""
        with about(actor=command.actor, job_id=command.job_id, request_id=command.request_id):
            try:
                applied = await self._permitted(command)
                answer = "applied"
                return applied
            except (CommandRejectedError, InvalidJobError) as error:
                answer, why = "rejected", str(error)
                raise
            except OutcomeUnknownError as error:
                answer, why = "unknown", str(error)
                raise
            except UnavailableError as error:
                why = str(error)
                raise
            finally:
                self._metrics.commands.labels(kind, answer).inc()
                self._metrics.command_seconds.observe(self._clock.monotonic() - began)
                tell = log.warning if answer in {"unknown", "failed"} else log.info
                tell("a command is answered", action=f"command.{answer}", kind=kind, **({"why": why} if why else {}))

    async def _permitted(self, command: Command) -> Applied:
        """Do a command, of which maybe only the permit is for one version; tell nothing of what is out of sight.

        A rejection that is in the log already stays what the command came to.
        """
        again = command.expected_version is None and not may_everywhere(command.asker, _kind_of(command))
        for last in (*[False] * (MOST_TRIES - 1), True):
            try:
                return await self._execute(command)
            except VersionConflictError as error:
                standing = error.definition
                if standing is not None and not command.asker.may("viewer", standing.namespace):
                    raise no_such_job(command.job_id) from None
                if last or not again:
                    raise
        raise AssertionError("unreachable")

    async def _execute(self, command: Command) -> Applied:
        if self._projector.stopped is not None:
            raise UnavailableError(str(self._projector.stopped))
        if not self._projector.caught_up.is_set():
            raise StoreUnavailableError("this master is still reading the log, or cannot reach etcd or Kafka")
        event_id = self._event_id(command)
        if self._is_ahead(command):
            await self._read_on()
        repeated = self._projector.table.position_of(event_id)
        if repeated is not None:
            return await self._known(repeated, event_id, command)
        event = await self._event(command, event_id)
        await self._try_out(event)
        self._failpoints.reach("command.before_append")
        position = await self._append(event)
        self._failpoints.reach("command.appended")
        outcome = await self._within(self._outcome(position), event_id, position)
        self._failpoints.reach("command.before_answer")
        if isinstance(outcome, Repeated):
            return await self._known(outcome.position, event_id, command)
        return _applied(outcome)

    async def outcome_of(self, event_id: str) -> Handled | None:
        """Return an earlier command's event and outcome; None if it is not among the last 10,000 events."""
        position = self._projector.table.position_of(event_id)
        return None if position is None else await self._first(position, event_id)

    async def _outcome(self, position: int) -> Outcome:
        """Wait until etcd holds the fold up to `position`; return the outcome of the event there."""
        await self._projector.passed(position)
        if self._handled(position) is None:  # etcd's table was made anew meanwhile, and this master took it over
            await self._history.passed(position)
        handled = self._handled(position)
        assert handled is not None, "the event is younger than what is kept"
        return handled.outcome

    def _handled(self, position: int) -> Handled | None:
        """Return what came of the event there; one from before this master's time is in the history."""
        return self._projector.handled(position) or self._history.handled(position)

    def _event_id(self, command: Command) -> str:
        key = command.idempotency_key
        return derived_id(command.actor, key) if key else self._ids.uuid7(self._clock.now())

    def _is_ahead(self, command: Command) -> bool:
        """Tell whether the command may be on a definition that this master has not read yet."""
        if isinstance(command.data, EventData):
            return False
        job = self._projector.table.get(command.job_id)
        return job is None or command.expected_version != job.version

    async def _event(self, command: Command, event_id: str) -> JobEvent:
        data, expected = command.data, command.expected_version
        standing = await self._standing(command)
        if not isinstance(data, EventData):
            self._require_sight(command, standing)
            before, expected = await self._meant(command)
            data = data.on(before)
        require_permit(command.asker, command.job_id, data, standing.spec if standing else None)
        if expected is None and standing is not None and not may_everywhere(command.asker, type(data)):
            expected = standing.version
        return JobEvent(
            event_id=event_id,
            job_id=command.job_id,
            actor=command.actor,
            request_id=command.request_id,
            at=self._clock.now(),
            data=data,
            expected_version=expected,
        )

    async def _standing(self, command: Command) -> JobEntry | None:
        """Return the job that the command is about, as its permit is to be looked up for; None: it does not stand.

        Where the permit hangs on it, a job that this master does not know is looked for to the log's end.
        """
        kind = _kind_of(command)
        job = self._projector.table.get(command.job_id)
        if job is None and not issubclass(kind, BRINGS_A_JOB) and not may_everywhere(command.asker, kind):
            await self._read_on()
            job = self._projector.table.get(command.job_id)
            if job is None:
                raise no_such_job(command.job_id)
        return job

    @staticmethod
    def _require_sight(command: Command, standing: JobEntry | None) -> None:
        """Raise for a job out of sight before anything is said that hangs on its definition."""
        if standing is not None and not command.asker.may("viewer", standing.spec.namespace):
            raise no_such_job(command.job_id)

    async def _meant(self, command: Command) -> tuple[JobSpec, int]:
        """Return the definition that an edit is on, and its version."""
        job = self._projector.table.get(command.job_id)
        if job is None:
            raise no_such_job(command.job_id)
        expected = command.expected_version
        if expected is None or expected == job.version:
            return job.spec, job.version
        try:  # it will be refused, with the difference from the definition now to the one that was wanted
            await self._history.at_end()
            return await self._history.definition(command.job_id, expected), expected
        except (UnknownJobError, UnavailableError):
            return job.spec, expected

    async def _read_on(self) -> None:
        """Wait until this master has folded all that is in the log now."""
        end = (await self._log.bounds(self._topic)).end
        try:
            await asyncio.wait_for(self._projector.passed(end - 1), self._timeout_s)
        except LogMismatchError as error:
            raise UnavailableError(f"the projection stopped: {error}") from error
        except TimeoutError:
            raise UnavailableError(
                f"this master is at position {self._projector.projected}, and not at the log's end, {end - 1}, after "
                f"{self._timeout_s:g} s"
            ) from None

    async def _try_out(self, event: JobEvent) -> None:
        """Raise now what the fold would refuse, so that the log is spared; on doubt, read on to the log's end."""
        if self._would_apply(event):
            return
        await self._read_on()
        table = self._projector.table
        outcome = fold(table, table.position + 1, event)
        if isinstance(outcome, Rejected) and not isinstance(outcome.error, DependencyCircleError):
            raise outcome.error
        check_dependencies(table, event.job_id, event.data)  # it names the field that closes a circle
        if isinstance(outcome, Rejected):
            raise outcome.error

    def _would_apply(self, event: JobEvent) -> bool:
        """Tell whether the event is all right on the table as this master has it."""
        table = self._projector.table
        try:
            check_dependencies(table, event.job_id, event.data)
        except InvalidJobError:
            return False
        return isinstance(fold(table, table.position + 1, event), Applied)

    async def _append(self, event: JobEvent) -> int:
        """Append the event; if it is in doubt whether that happened, look for it in the log."""
        try:
            return await self._producer.append(self._topic, event.job_id, encode(event))
        except LogUnavailableError:
            return await self._within(self._projector.seen(event.event_id), event.event_id, None)

    async def _within(self, wait: Awaitable[T], event_id: str, position: int | None) -> T:
        try:
            return await asyncio.wait_for(wait, self._timeout_s)
        except (TimeoutError, LogMismatchError) as error:
            where = "is in doubt" if position is None else f"is at position {position} of the log"
            stopped = isinstance(error, LogMismatchError)
            why = f"because the projection stopped ({error})" if stopped else f"after {self._timeout_s:g} s"
            raise OutcomeUnknownError(
                f"the command {where}, but its outcome is not known {why}; ask at "
                f"/api/v1/commands/{event_id}, or repeat it with the same Idempotency-Key"
            ) from None

    async def _known(self, position: int, event_id: str, command: Command) -> Applied:
        """Return what the event with this id, at `position`, came to."""
        first = await self._first(position, event_id)
        if not _same(first.event, command):
            raise NotPossibleError(
                f"this Idempotency-Key was used for another {type(first.event.data).__name__}, at position "
                f"{position} of the log; use a new key for each command"
            )
        assert not isinstance(first.outcome, Repeated)
        applied = _applied(first.outcome)
        require_permit_again(command.asker, first.event, applied)
        return applied

    async def _first(self, position: int, event_id: str) -> Handled:
        """Return the event at `position`, or the one before it that it repeats, and its outcome."""
        if self._handled(position) is None:  # from before this master's time: its history is still being read
            await self._within(self._history.passed(position), event_id, position)
        handled = self._handled(position)
        assert handled is not None, "the window of repetitions is shorter than what is kept"
        if isinstance(handled.outcome, Repeated):
            return await self._first(handled.outcome.position, event_id)
        return handled


def _kind_of(command: Command) -> type:
    data = command.data
    return type(data) if isinstance(data, EventData) else data.kind


def _same(first: JobEvent, again: Command) -> bool:
    """Tell whether `again` is the command that became `first`, sent once more."""
    data = again.data
    if isinstance(data, JobCreated):  # each try thinks up a job id of its own
        return data == first.data
    if first.job_id != again.job_id:
        return False
    if isinstance(data, JobRestored):  # what was deleted last; the id says which job is wanted back
        return isinstance(first.data, JobRestored)
    if isinstance(data, RunRequested):  # other workers may be there by now
        return isinstance(first.data, RunRequested)
    if isinstance(data, IdentityData):  # each try is sealed anew
        return type(first.data) is type(data) and shown(first.data) == shown(data)
    return data == first.data if isinstance(data, EventData) else is_repeated(first.data, data)


def _applied(outcome: Applied | Rejected) -> Applied:
    if isinstance(outcome, Rejected):
        raise outcome.error
    return outcome
