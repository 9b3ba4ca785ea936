"""The errors of dcron, under one root.

::

    DcronError
    ├── SettingsError            the environment does not add up; all problems in one report
    ├── ForbiddenError           whoever asks has not the role for it
    ├── InvalidJobError          a definition that is refused; lists the fields
    ├── CommandRejectedError     a command the fold refused
    │   ├── UnknownJobError
    │   │   └── UnknownVersionError
    │   ├── NameTakenError
    │   │   └── UserTakenError
    │   ├── NotThereError        no such user, token or secret
    │   ├── DependencyCircleError
    │   ├── VersionConflictError
    │   └── NotPossibleError     the job's state does not allow it
    │       └── RivalRestoreError
    ├── SealError                a secret that cannot be sealed or opened
    ├── HeadError                a head of the chain that cannot be trusted
    ├── WrongInstantError        an instant that the log cannot be asked about
    ├── OutcomeUnknownError      a command is in doubt; says where to ask
    ├── UnavailableError         a server does not answer
    │   ├── StoreUnavailableError
    │   └── LogUnavailableError
    ├── CompactedError           a revision to watch from is gone
    ├── LeaseLostError           a lease ended before it was given back
    ├── OffsetOutOfRangeError    a position to read from is not in the log
    └── LogMismatchError         the log is not the one that the projection was made from
        └── ProjectionStoppedError   an event that this release cannot apply
            └── UnreadableRecordError    a record that is no event, and that nobody stepped over
"""

from collections.abc import Sequence

from dcron_schemas.api import FieldProblem
from dcron_schemas.audit import FieldChange
from dcron_schemas.job import JobSpec


class DcronError(Exception):
    """Root of all errors that dcron raises on purpose."""


class SettingsError(DcronError):
    """The settings do not add up. `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("settings: " + "; ".join(problems))
        self.problems = problems


class ForbiddenError(DcronError):
    """Whoever asks has not the role that this needs; the text says which, and where."""


class SealError(DcronError):
    """A secret that cannot be sealed or opened; the text never shows its value."""


class InvalidJobError(DcronError):
    """A job definition that is refused. `problems` names each field, its value and the remedy."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{p.field or 'body'}: {p.message}" for p in problems))
        self.problems = problems


class CommandRejectedError(DcronError):
    """A command that the fold of the log refused; nothing changed."""


class UnknownJobError(CommandRejectedError):
    """There is no job with that id."""


class UnknownVersionError(UnknownJobError):
    """The job never had that version."""


class NameTakenError(CommandRejectedError):
    """Another job of the namespace has that name."""


class UserTakenError(NameTakenError):
    """There is a user of that name."""


class NotThereError(CommandRejectedError):
    """There is no such user, API token or secret."""


class DependencyCircleError(CommandRejectedError):
    """The job would come after itself, over others: `circle` names them, from the job to itself."""

    def __init__(self, circle: Sequence[str]) -> None:
        super().__init__(
            f"{' after '.join(circle)} is a circle, in which each job would wait for the others; take one of them out "
            "of `after`"
        )
        self.circle = tuple(circle)


class VersionConflictError(CommandRejectedError):
    """The job is not at the version that the command was meant for."""

    def __init__(
        self,
        message: str,
        *,
        expected: int,
        current: int,
        definition: JobSpec | None = None,
        difference: tuple[FieldChange, ...] = (),
    ) -> None:
        super().__init__(message)
        self.expected = expected
        self.current = current
        self.definition = definition  # as it is now
        self.difference = difference  # from the definition now to the one that an edit wanted


class NotPossibleError(CommandRejectedError):
    """The job's state does not allow the command."""


class RivalRestoreError(NotPossibleError):
    """Somebody else may have restored the deleted job since it was looked at."""


class HeadError(DcronError):
    """A head of the chain is not signed, or not as it was when it was signed."""


class WrongInstantError(DcronError):
    """An instant that the log cannot be asked about: in the future, before the log began, or without a zone."""


class OutcomeUnknownError(DcronError):
    """The command may or may not take effect; the message names where to ask."""


class UnavailableError(DcronError):
    """A server that this service depends on does not answer now."""


class StoreUnavailableError(UnavailableError):
    """The key-value store does not answer."""


class LogUnavailableError(UnavailableError):
    """The log does not answer."""


class CompactedError(DcronError):
    """The store has forgotten the revision to watch from; read the prefix again."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"revisions before {revision} are compacted")
        self.revision = revision


class LeaseLostError(DcronError):
    """The lease ended, or could not be renewed in time."""


class OffsetOutOfRangeError(DcronError):
    """The log does not hold that offset."""


class LogMismatchError(DcronError):
    """The log is shorter than, or another than, the one the projection was made from."""


class ProjectionStoppedError(LogMismatchError):
    """The log holds an event that this release cannot apply; going on would be a guess."""


class UnreadableRecordError(ProjectionStoppedError):
    """A record of the log that is no event; the log can be told to step over it."""

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(message)
        self.offset = offset
