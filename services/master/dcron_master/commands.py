"""From a request to an event in the log, and from the fold's outcome to the answer (design §5, "A command"; G1).

The order is: look at the window of repetitions, fold the event on trial, append it, wait until this
master's own fold has passed it, answer with that fold's outcome. What cannot be known in time is answered
as unknown, with the place to ask; it is never guessed.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.clock import Clock
from dcron_core.errors import (
    CommandRejectedError,
    LogMismatchError,
    LogUnavailableError,
    NotPossibleError,
    OutcomeUnknownError,
    StoreUnavailableError,
    UnavailableError,
)
from dcron_core.failpoints import Failpoints
from dcron_core.history import Handled, History
from dcron_core.ids import IdSource, derived_id
from dcron_core.jobs.fold import Applied, Outcome, Rejected, Repeated, fold
from dcron_core.ports.log import Log, Producer
from dcron_master.metrics import MasterMetrics
from dcron_master.projector import Projector
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobCreated, JobEvent, JobReverted, JobUpdated

T = TypeVar("T")


class Command(Struct, frozen=True, kw_only=True):
    """What somebody wants."""

    data: EventData
    actor: str
    request_id: str
    job_id: str
    idempotency_key: str = ""  # of the client; "": each try is a command of its own
    expected_version: int | None = None


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

        Raises CommandRejectedError if it was refused, UnavailableError if nothing was written, and
        OutcomeUnknownError if it may have been.
        """
        kind, began = type(command.data).__name__, self._clock.monotonic()
        answer = "failed"
        try:
            applied = await self._execute(command)
            answer = "applied"
            return applied
        except CommandRejectedError:
            answer = "rejected"
            raise
        except OutcomeUnknownError:
            answer = "unknown"
            raise
        finally:
            self._metrics.commands.labels(kind, answer).inc()
            self._metrics.command_seconds.observe(self._clock.monotonic() - began)

    async def _execute(self, command: Command) -> Applied:
        if self._projector.stopped is not None:
            raise UnavailableError(str(self._projector.stopped))
        if not self._projector.caught_up.is_set():
            raise StoreUnavailableError("this master is still reading the log, or cannot reach etcd or Kafka")
        event = self._event(command)
        repeated = self._projector.table.position_of(event.event_id)
        if repeated is not None:
            return await self._known(repeated, event)
        await self._try_out(event)
        self._failpoints.reach("command.before_append")
        position = await self._append(event)
        self._failpoints.reach("command.appended")
        outcome = await self._within(self._outcome(position), event, position)
        self._failpoints.reach("command.before_answer")
        if isinstance(outcome, Repeated):
            return await self._known(outcome.position, event)
        return _applied(outcome)

    def outcome_of(self, event_id: str) -> Outcome | None:
        """Return the outcome of an earlier command; None if it is not among the last 10,000 events."""
        position = self._projector.table.position_of(event_id)
        handled = None if position is None else self._handled(position)
        return handled.outcome if handled else None

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

    def _event(self, command: Command) -> JobEvent:
        now = self._clock.now()
        key = command.idempotency_key
        return JobEvent(
            event_id=derived_id(command.actor, key) if key else self._ids.uuid7(now),
            job_id=command.job_id,
            actor=command.actor,
            request_id=command.request_id,
            at=now,
            data=command.data,
            expected_version=command.expected_version,
        )

    async def _try_out(self, event: JobEvent) -> None:
        """Raise now what the fold would refuse, so that the log is spared; on doubt, read on to the log's end."""
        table = self._projector.table
        if isinstance(fold(table, table.position + 1, event), Applied):
            return
        end = (await self._log.bounds(self._topic)).end
        await self._within(self._projector.passed(end - 1), event, end - 1)
        table = self._projector.table
        outcome = fold(table, table.position + 1, event)
        if isinstance(outcome, Rejected):
            raise outcome.error

    async def _append(self, event: JobEvent) -> int:
        """Append the event; if it is in doubt whether that happened, look for it in the log."""
        try:
            return await self._producer.append(self._topic, event.job_id, encode(event))
        except LogUnavailableError:
            return await self._within(self._projector.seen(event.event_id), event, None)

    async def _within(self, wait: Awaitable[T], event: JobEvent, position: int | None) -> T:
        try:
            return await asyncio.wait_for(wait, self._timeout_s)
        except (TimeoutError, LogMismatchError) as error:
            where = "is in doubt" if position is None else f"is at position {position} of the log"
            stopped = isinstance(error, LogMismatchError)
            why = f"because the projection stopped ({error})" if stopped else f"after {self._timeout_s:g} s"
            raise OutcomeUnknownError(
                f"the command {where}, but its outcome is not known {why}; ask at "
                f"/api/v1/commands/{event.event_id}, or repeat it with the same Idempotency-Key"
            ) from None

    async def _known(self, position: int, event: JobEvent) -> Applied:
        """Return what the event with this id, at `position`, came to."""
        if self._handled(position) is None:  # from before this master's time: its history is still being read
            await self._within(self._history.passed(position), event, position)
        handled = self._handled(position)
        assert handled is not None, "the window of repetitions is shorter than what is kept"
        if not _same(handled.event, event):
            raise NotPossibleError(
                f"this Idempotency-Key was used for another {type(handled.event.data).__name__}, at position "
                f"{position} of the log; use a new key for each command"
            )
        if isinstance(handled.outcome, Repeated):
            return await self._known(handled.outcome.position, event)
        return _applied(handled.outcome)


def _same(first: JobEvent, second: JobEvent) -> bool:
    """Tell whether two events with one id are one command that was sent twice."""
    if type(first.data) is not type(second.data):
        return False
    if isinstance(first.data, JobCreated):  # each try thinks up a job id of its own
        return first.data == second.data
    return first.job_id == second.job_id and _without_before(first.data) == _without_before(second.data)


def _without_before(data: EventData) -> EventData:
    """Return what the client sent: `before` is what the master saw."""
    return replace(data, before=None) if isinstance(data, JobUpdated | JobReverted) else data


def _applied(outcome: Applied | Rejected) -> Applied:
    if isinstance(outcome, Rejected):
        raise outcome.error
    return outcome
