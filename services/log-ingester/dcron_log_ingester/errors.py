"""The log-ingester's errors, under the root of `dcron_core.errors`.

::

    DcronError
    ├── UnavailableError
    │   └── MongoUnavailableError   MongoDB does not answer, or did not acknowledge
    ├── NotStorableError            MongoDB will never take this document
    ├── BadRecordError              a record of the log that is put aside, and the reason
    ├── TooMuchError                the question takes MongoDB too long
    ├── UnknownExecutionError       no record of that run has come
    └── TooManyTicksError           a ledger over more ticks than are gone through at a time
"""

from dcron_core.errors import DcronError, UnavailableError
from dcron_schemas.dead_letters import Reason


class MongoUnavailableError(UnavailableError):
    """MongoDB does not answer, or did not acknowledge a write; the write may have happened or not."""


class NotStorableError(DcronError):
    """A document that MongoDB refuses however often it is tried."""


class BadRecordError(DcronError):
    """A record that is not what a record of a run may be. Trying again changes nothing."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


class TooMuchError(DcronError):
    """A question about so many runs that MongoDB did not answer it in its time."""


class UnknownExecutionError(DcronError):
    """No run with that id is known."""


class TooManyTicksError(DcronError):
    """A range holds more ticks than are gone through for one ledger; the message says how to narrow it."""
