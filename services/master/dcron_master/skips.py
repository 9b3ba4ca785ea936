"""Stepping over a record of the log that cannot be read: an event that says so, and who did it and why."""

from dcron_core.clock import Clock
from dcron_core.errors import LogUnavailableError, NotPossibleError, OutcomeUnknownError
from dcron_core.ids import IdSource
from dcron_core.job_log import JobLog, digest_of
from dcron_core.ports.log import Producer
from dcron_core.telemetry import get_logger
from dcron_master.inspection import read, record_at
from dcron_schemas.audit import RecordSkip, RecordSkipped
from dcron_schemas.codec import encode
from dcron_schemas.events import JobEvent, LogRecordSkipped

log = get_logger()


class RecordSkips:
    """Appends the events. It asks the log alone: the projection stands still when this is needed."""

    def __init__(self, job_log: JobLog, producer: Producer, clock: Clock, ids: IdSource) -> None:
        self._job_log = job_log
        self._producer = producer
        self._clock = clock
        self._ids = ids

    async def skip(self, wanted: RecordSkip, actor: str, request_id: str) -> tuple[RecordSkipped, bool]:
        """Have the record stepped over; return where the log says so, and whether it was said now.

        A repetition answers with what is there. Raises OffsetOutOfRangeError, NotPossibleError for a record that is
        not to be stepped over, and OutcomeUnknownError.
        """
        record = await record_at(self._job_log, wanted.offset)
        reading, event, why = read(record)
        if event is not None:
            raise NotPossibleError(
                f"offset {wanted.offset} is a {type(event.data).__name__} event; only what cannot be read is stepped "
                "over. What it did can be undone with another command"
            )
        if reading == "newer event":
            raise NotPossibleError(
                f"offset {wanted.offset} is {why}: it is not damaged. Run the release that wrote it, or a newer one"
            )
        if wanted.offset == 0:
            raise NotPossibleError(
                "offset 0 names the log; without it this is no log of dcron. Restore the topic from a backup "
                "(`dcron log import`)"
            )
        digest = digest_of(record)
        position = await self._job_log.skip_of(record)
        if position is not None:
            return RecordSkipped(offset=wanted.offset, sha256=digest, position=position), False
        position = await self._append(LogRecordSkipped(wanted.offset, digest, wanted.reason), actor, request_id)
        log.warning("a record will be stepped over", action="log.skipped", offset=wanted.offset, reason=wanted.reason)
        return RecordSkipped(offset=wanted.offset, sha256=digest, position=position), True

    async def _append(self, data: LogRecordSkipped, actor: str, request_id: str) -> int:
        now = self._clock.now()
        event = JobEvent(
            event_id=self._ids.uuid7(now), job_id="", actor=actor, request_id=request_id, at=now, data=data
        )
        try:
            return await self._producer.append(self._job_log.topic, event.job_id, encode(event))
        except LogUnavailableError as error:
            raise OutcomeUnknownError(
                f"{error}; whether the skip is in the log is not known. Repeat the command: if it is there, the answer "
                "says where"
            ) from error
