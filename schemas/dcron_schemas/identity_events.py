"""What happened to users, their ways in, and secrets: events of `cron.job-events` since schema version 4.

They stand in the same log as those of jobs, so that who may do what has one history, and is replayed like it. What is
secret comes as a digest, or sealed with the cluster's key (`HIDDEN` names those fields): the log may be read without
letting anybody in.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from dcron_schemas.identity import Grants

HIDDEN = frozenset({"digest", "verifier", "sealed", "link"})  # fields that only the fold has a use for


class UserAdded(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """A user, with all that they may do."""

    user: str
    display_name: str = ""
    grants: Grants = {}
    origin: Literal["local", "oidc"] = "local"
    verifier: str = ""  # of a password, as in PasswordSet; "": none yet
    subject: str = ""  # of an OIDC user: what the provider calls them for ever; names may change hands there


class UserGranted(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """All that a user may do from now on."""

    user: str
    grants: Grants
    before: Grants = {}  # what they might do as it was asked; if that is not so any more, it is refused


class PasswordSet(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """A user has another password. All their sessions end, but the one named; so do their login links."""

    user: str
    verifier: str  # argon2id, sealed for this user
    kept_session: str = ""  # in which the user did it


class UserDisabled(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The user is let in no more, by no way; sessions and login links end, tokens wait."""

    user: str


class UserEnabled(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The user is let in again."""

    user: str


class UserRemoved(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The user is gone, and so are their sessions and tokens."""

    user: str


class LoginLinkMade(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """A link that logs a user in, once."""

    user: str
    digest: str  # SHA-256 of the link's text
    expires_at: datetime


class LoggedIn(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """A session of a user's. With a link: whoever comes first has used it up."""

    user: str
    how: Literal["password", "link", "oidc"]
    session_id: str
    digest: str  # SHA-256 of the session's text
    expires_at: datetime
    address: str = ""  # where the user was
    link: str = ""  # the digest of the link


class LoggedOut(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """A session of a user's has ended, or all of them."""

    user: str
    session_id: str = ""  # "": all


class TokenCreated(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """An API token of a user's."""

    token_id: str
    user: str
    name: str
    digest: str  # SHA-256 of the token's text
    expires_at: datetime
    grants: Grants | None = None  # at most these of the user's; None: all that the user has


class TokenRevoked(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """The token is gone."""

    token_id: str
    user: str


class LoginRefused(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """Somebody was not let in; within a minute, as often as `count` says."""

    user: str  # whose name was given; "": nobody's, and what was typed is not kept
    address: str
    reason: str
    count: int = 1


class AccessRefused(Struct, frozen=True, gc=False, tag=True, tag_field="kind", omit_defaults=True):
    """Somebody asked for what they may not do; within a minute, as often as `count` says."""

    user: str
    request: str  # method and path of the first one
    address: str = ""
    count: int = 1


class SecretSet(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """A secret of a namespace is new, or has another value."""

    namespace: str
    name: str
    sealed: str


class SecretRemoved(Struct, frozen=True, gc=False, tag=True, tag_field="kind"):
    """A secret of a namespace is gone."""

    namespace: str
    name: str


IdentityData = (
    UserAdded
    | UserGranted
    | PasswordSet
    | UserDisabled
    | UserEnabled
    | UserRemoved
    | LoginLinkMade
    | LoggedIn
    | LoggedOut
    | TokenCreated
    | TokenRevoked
    | LoginRefused
    | AccessRefused
    | SecretSet
    | SecretRemoved
)


def shown(data: Struct) -> dict[str, Any]:
    """Return an event's data as people may see it, in whatever list or search: without what is hidden."""
    return {name: value for name, value in msgspec.to_builtins(data).items() if name not in HIDDEN}
