"""Who may do what: roles, and what of users, tokens and secrets crosses a process boundary.

A grant is a role in a namespace; the namespace `*` stands for all of them, and for what belongs to none (workers,
users, the log as a whole). A higher role includes the lower ones.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Role = Literal["viewer", "operator", "editor", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "editor", "admin")  # each includes those before it
EVERYWHERE = "*"  # the namespace of a grant that holds in all of them

Grants = dict[str, Role]  # namespace or `*` → role


class SecretEntry(Struct, frozen=True, gc=False, kw_only=True):
    """`secrets/{namespace}/{name}`: a secret of a namespace, sealed with the cluster's key."""

    namespace: str
    name: str
    sealed: str  # dcron_core.access.sealing; readable for masters and workers, for nobody who reads etcd or the log
    updated_at: datetime
    updated_by: str


class SessionEntry(Struct, frozen=True, gc=False, kw_only=True):
    """A user who is logged in with a browser."""

    session_id: str
    digest: str  # SHA-256 of the text that the cookie holds
    created_at: datetime
    expires_at: datetime
    address: str = ""


class LinkEntry(Struct, frozen=True, gc=False, kw_only=True):
    """A login link that nobody has used yet."""

    digest: str  # SHA-256 of its text
    expires_at: datetime


class UserEntry(Struct, frozen=True, gc=False, kw_only=True):
    """`users/{name}`: a user, and how they come in."""

    name: str
    display_name: str
    grants: Grants
    enabled: bool
    origin: Literal["local", "oidc"]
    created_at: datetime
    created_by: str
    verifier: str = ""  # of the password: argon2id, sealed with the cluster's key; "": there is none
    subject: str = ""  # what the OIDC provider calls them for ever
    last_login: datetime | None = None
    sessions: tuple[SessionEntry, ...] = ()  # the oldest first; what has expired stays until the next login
    links: tuple[LinkEntry, ...] = ()


class ApiTokenEntry(Struct, frozen=True, gc=False, kw_only=True):
    """`tokens/{token_id}`: an API token."""

    token_id: str
    digest: str  # SHA-256 of its text
    user: str
    name: str
    grants: Grants | None  # at most these of the user's; None: all that the user has
    created_at: datetime
    created_by: str
    expires_at: datetime


class Session(Struct, frozen=True, kw_only=True):
    """Who is asking, and what they may do."""

    user: str
    display_name: str
    grants: Grants
    how: Literal["session", "token", "bootstrap"]  # by cookie; by an API token; by the token of the settings
    csrf: str  # to be sent as X-CSRF-Token with whatever changes something, by those who come with the cookie
    expires_at: datetime | None = None


class AccessToken(Struct, frozen=True, kw_only=True):
    """A short-lived signed token, for services that know no users."""

    token: str
    expires_at: datetime


class PublicKey(Struct, frozen=True, kw_only=True):
    """A key that definitions and access tokens are signed with."""

    key_id: str
    public_key: str  # Ed25519, 64 hexadecimal digits
    current: bool  # this master signs with it


class PublicKeys(Struct, frozen=True, kw_only=True):
    """The keys that this system trusts."""

    keys: tuple[PublicKey, ...]


class User(Struct, frozen=True, kw_only=True):
    """A user."""

    name: str
    display_name: str
    grants: Grants
    enabled: bool
    has_password: bool
    origin: Literal["local", "oidc"]
    created_at: datetime
    created_by: str
    last_login: datetime | None = None


class UserList(Struct, frozen=True, kw_only=True):
    """All users, by name."""

    users: tuple[User, ...]


class NewUser(Struct, frozen=True, kw_only=True):
    """A user to be."""

    name: str
    display_name: str = ""
    grants: Grants = {}
    password: str = ""  # "": none yet; a login link lets the user in, to set one


class GrantsWanted(Struct, frozen=True, kw_only=True):
    """All grants that a user is to have."""

    grants: Grants


class PasswordWanted(Struct, frozen=True, kw_only=True):
    """A user's new password."""

    password: str
    current_password: str = ""  # needed of whoever changes their own


class LoginLink(Struct, frozen=True, kw_only=True):
    """An address that logs a user in, once."""

    url: str
    expires_at: datetime


class ApiToken(Struct, frozen=True, kw_only=True):
    """A token of a user, for the command line or a machine. Its text is shown once, when it is made."""

    token_id: str
    user: str
    name: str
    grants: Grants | None  # at most these of the user's; None: all that the user has
    created_at: datetime
    expires_at: datetime
    last_used_on: str = ""  # a date; "": not used yet, as far as this master knows


class ApiTokenList(Struct, frozen=True, kw_only=True):
    """Tokens that are neither revoked nor expired, the newest first."""

    tokens: tuple[ApiToken, ...]


class NewApiToken(Struct, frozen=True, kw_only=True):
    """A token to be."""

    name: str
    expires_in: str = "90d"  # a duration; at most 365d
    grants: Grants | None = None


class ApiTokenMade(Struct, frozen=True, kw_only=True):
    """A new token, with its text, which is never shown again."""

    token: str
    made: ApiToken


class Secret(Struct, frozen=True, kw_only=True):
    """A secret, without its value: that is never shown."""

    namespace: str
    name: str
    updated_at: datetime
    updated_by: str


class SecretList(Struct, frozen=True, kw_only=True):
    """Secrets of the namespaces that the asker may view, by namespace and name."""

    secrets: tuple[Secret, ...]


class SecretWanted(Struct, frozen=True, kw_only=True):
    """A secret's value."""

    value: str
