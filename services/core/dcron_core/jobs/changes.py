"""What an applied event changes in the projection."""

from msgspec import Struct

from dcron_schemas.state import JobEntry, KillWanted, RunWanted


class LogNamed(Struct, frozen=True, gc=False):
    """The log has an id now."""

    log_id: str


class JobStands(Struct, frozen=True, gc=False):
    """The job is new, or another version."""

    entry: JobEntry


class JobGone(Struct, frozen=True, gc=False):
    """The job was deleted."""

    entry: JobEntry  # as it was last


class RunAsked(Struct, frozen=True, gc=False):
    """A run outside the ticks is wanted."""

    run: RunWanted


class KillAsked(Struct, frozen=True, gc=False):
    """A run is to be ended."""

    execution_id: str
    kill: KillWanted


Change = LogNamed | JobStands | JobGone | RunAsked | KillAsked
