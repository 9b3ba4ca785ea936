"""The log-ingester's errors, under the root of `dcron_core.errors`.

::

    DcronError
    ├── UnavailableError
    │   └── MongoUnavailableError   MongoDB does not answer, or did not acknowledge
    ├── NotStorableError            MongoDB will never take this document
    ├── TooMuchError                the question takes MongoDB too long
    ├── UnknownExecutionError       no record of that run has come
    └── TooManyTicksError           a ledger over more ticks than are gone through at a time
"""

from dcron_core.errors import DcronError, UnavailableError


class MongoUnavailableError(UnavailableError):
    """MongoDB does not answer, or did not acknowledge a write; the write may have happened or not."""


class NotStorableError(DcronError):
    """A document that MongoDB refuses however often it is tried."""


class TooMuchError(DcronError):
    """A question about so many runs that MongoDB did not answer it in its time."""


class UnknownExecutionError(DcronError):
    """No run with that id is known."""


class TooManyTicksError(DcronError):
    """A range holds more ticks than are gone through for one ledger; the message says how to narrow it."""
