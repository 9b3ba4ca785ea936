"""What an applied event changes in the projection."""

from msgspec import Struct

from dcron_schemas.identity import ApiTokenEntry, SecretEntry, UserEntry
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


class UserStands(Struct, frozen=True, gc=False):
    """The user is new, or another one."""

    entry: UserEntry


class UserGone(Struct, frozen=True, gc=False):
    """The user was removed."""

    name: str


class TokenStands(Struct, frozen=True, gc=False):
    """The API token is new."""

    entry: ApiTokenEntry


class TokenGone(Struct, frozen=True, gc=False):
    """The API token was revoked, or has expired."""

    token_id: str


class SecretStands(Struct, frozen=True, gc=False):
    """The secret is new, or has another value."""

    entry: SecretEntry


class SecretGone(Struct, frozen=True, gc=False):
    """The secret was removed."""

    namespace: str
    name: str


DirectoryChange = UserStands | UserGone | TokenStands | TokenGone | SecretStands | SecretGone
Change = LogNamed | JobStands | JobGone | RunAsked | KillAsked | DirectoryChange
