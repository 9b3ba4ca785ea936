"""From a request to an event in the log, and from the fold's outcome to the answer (design §5, "A command"; G1).

The order is: look at the window of repetitions, fold the event on trial, append it, wait until this
master's own fold has passed it, answer with that fold's outcome. What cannot be known in time is answered
as unknown, with the place to ask; it is never guessed.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.errors import (
    CommandRejectedError,
    LogUnavailableError,
    NotPossibleError,
    OutcomeUnknownError,
    StoreUnavailableError,
    UnavailableError,
)
from dcron_core.ids import IdSource, derived_id
from dcron_core.jobs.fold import Applied, Outcome, Rejected, Repeated, fold
from dcron_core.ports.log import Log, Producer
from dcron_master.metrics import MasterMetrics
from dcron_master.projector import Projector
from dcron_schemas.codec import encode
from dcron_schemas.events import EventData, JobEvent

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
        log: Log,
        producer: Producer,
        topic: str,
        clock: Clock,
        ids: IdSource,
        timeout_s: float,
        metrics: MasterMetrics,
    ) -> None:
        self._projector = projector
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
            return self._known(repeated, event)
        await self._try_out(event)
        position = await self._append(event)
        outcome = await self._within(self._projector.outcome(position), event, position)
        if isinstance(outcome, Repeated):
            return self._known(outcome.position, event)
        return _applied(outcome)

    def outcome_of(self, event_id: str) -> Outcome | None:
        """Return the outcome of an earlier command; None if this master does not know it."""
        position = self._projector.table.position_of(event_id)
        handled = None if position is None else self._projector.handled(position)
        return handled.outcome if handled else None

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
        except TimeoutError:
            where = "is in doubt" if position is None else f"is at position {position} of the log"
            raise OutcomeUnknownError(
                f"the command {where}, but its outcome is not known after {self._timeout_s:g} s; ask at "
                f"/api/v1/commands/{event.event_id}, or repeat it with the same Idempotency-Key"
            ) from None

    def _known(self, position: int, event: JobEvent) -> Applied:
        """Return what the event with this id, at `position`, came to."""
        handled = self._projector.handled(position)
        if handled is None:
            raise OutcomeUnknownError(
                f"this command was handled before, at position {position} of the log, and this master does not have "
                "its outcome any more; look at the job to see whether it took effect"
            )
        if type(handled.event.data) is not type(event.data):
            raise NotPossibleError(
                f"this Idempotency-Key was used for {type(handled.event.data).__name__}; use a new key for each command"
            )
        if isinstance(handled.outcome, Repeated):
            return self._known(handled.outcome.position, event)
        return _applied(handled.outcome)


def _applied(outcome: Applied | Rejected) -> Applied:
    if isinstance(outcome, Rejected):
        raise outcome.error
    return outcome
