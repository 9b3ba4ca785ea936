"""The worker's own errors.

::

    DcronError
    ├── SpoolError               the spool cannot be opened, written or synced; names file and cause
    │   ├── SpoolFullError       it has as many bytes as it may have
    │   └── SpoolInUseError      another process has the directory
    └── ProcessStartError        a run could not be started; says why
        └── SecretError          a secret that it needs cannot be had; names it, and never shows its value
"""

from dcron_core.errors import DcronError


class SpoolError(DcronError):
    """The spool's disk does not do what it should. What `append` raised it for was not written."""


class SpoolFullError(SpoolError):
    """The record does not fit into what the spool may take of the disk."""


class SpoolInUseError(SpoolError):
    """Another process has the spool's directory."""


class ProcessStartError(DcronError):
    """The process could not be started; nothing of it runs."""


class SecretError(ProcessStartError):
    """The run needs a secret that cannot be had here."""
