"""What an event about users, tokens or secrets does to the directory, or why it is refused. Pure and total.

It is part of the fold (`dcron_core.jobs.fold`), and as deterministic: time is the event's own. Whoever used a login
link first is whoever comes first in the log. The last administrator stays: a system that nobody may administer can be
mended by nobody.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec.structs import replace

from dcron_core.access.directory import Directory, is_administrator
from dcron_core.errors import (
    DisabledUserError,
    GrantsChangedError,
    LastAdministratorError,
    LinkUsedError,
    NotPossibleError,
    NotThereError,
    UserTakenError,
)
from dcron_core.jobs.changes import (
    DirectoryChange,
    SecretGone,
    SecretStands,
    TokenGone,
    TokenStands,
    UserGone,
    UserStands,
)
from dcron_schemas.events import JobEvent
from dcron_schemas.identity import ApiTokenEntry, LinkEntry, SecretEntry, SessionEntry, UserEntry
from dcron_schemas.identity_events import (
    AccessRefused,
    LoggedIn,
    LoggedOut,
    LoginLinkMade,
    LoginRefused,
    PasswordSet,
    SecretRemoved,
    SecretSet,
    TokenCreated,
    TokenRevoked,
    UserAdded,
    UserDisabled,
    UserEnabled,
    UserGranted,
    UserRemoved,
)

MOST_SESSIONS = 20  # of a user; one more ends the oldest
MOST_LINKS = 5  # likewise
MOST_TOKENS = 100  # of a user
MOST_SECRETS = 500  # of a namespace

Changes = tuple[DirectoryChange, ...]
Expiring = TypeVar("Expiring", SessionEntry, LinkEntry)


def _added(directory: Directory, event: JobEvent, data: UserAdded) -> Changes:
    if directory.user(data.user) is not None:
        raise UserTakenError(f"there is a user {data.user!r} already; choose another name")
    entry = UserEntry(
        name=data.user,
        display_name=data.display_name,
        grants=data.grants,
        enabled=True,
        origin=data.origin,
        created_at=event.at,
        created_by=event.actor,
        verifier=data.verifier,
        subject=data.subject,
    )
    return (UserStands(entry),)


def _granted(directory: Directory, _event: JobEvent, data: UserGranted) -> Changes:
    if _user(directory, data.user).grants != data.before:  # whoever granted this may have had no say in the others
        raise GrantsChangedError(f"the grants of user {data.user!r} were changed meanwhile; look at them again")
    return _changed(directory, data.user, grants=data.grants)


def _password_set(directory: Directory, _event: JobEvent, data: PasswordSet) -> Changes:
    kept = tuple(each for each in _user(directory, data.user).sessions if each.session_id == data.kept_session)
    return _changed(directory, data.user, verifier=data.verifier, sessions=kept, links=())


def _disabled(directory: Directory, _event: JobEvent, data: UserDisabled) -> Changes:
    return _changed(directory, data.user, enabled=False, sessions=(), links=())


def _enabled(directory: Directory, _event: JobEvent, data: UserEnabled) -> Changes:
    return _changed(directory, data.user, enabled=True)


def _removed(directory: Directory, _event: JobEvent, data: UserRemoved) -> Changes:
    user = _user(directory, data.user)
    _require_administrator_besides(directory, user)
    return (*(TokenGone(each.token_id) for each in directory.tokens(user.name)), UserGone(user.name))


def _link_made(directory: Directory, event: JobEvent, data: LoginLinkMade) -> Changes:
    user = _let_in(directory, data.user)
    _require_new(directory, data.digest)
    links = _standing(user.links, event)[-MOST_LINKS + 1 :]
    return _changed(directory, user.name, links=(*links, LinkEntry(digest=data.digest, expires_at=data.expires_at)))


def _logged_in(directory: Directory, event: JobEvent, data: LoggedIn) -> Changes:
    user = _let_in(directory, data.user)
    _require_new(directory, data.digest)
    links = _standing(user.links, event)
    if data.how == "link":
        if all(each.digest != data.link for each in links):
            raise LinkUsedError("this login link was used already, or has expired; ask for another one")
        links = tuple(each for each in links if each.digest != data.link)
    session = SessionEntry(
        session_id=data.session_id,
        digest=data.digest,
        created_at=event.at,
        expires_at=data.expires_at,
        address=data.address,
    )
    sessions = (*_standing(user.sessions, event)[-MOST_SESSIONS + 1 :], session)
    return _changed(directory, user.name, links=links, sessions=sessions, last_login=event.at)


def _logged_out(directory: Directory, _event: JobEvent, data: LoggedOut) -> Changes:
    user = _user(directory, data.user)
    ended = data.session_id
    return _changed(
        directory, user.name, sessions=tuple(each for each in user.sessions if ended not in ("", each.session_id))
    )


def _token_created(directory: Directory, event: JobEvent, data: TokenCreated) -> Changes:
    user = _let_in(directory, data.user)
    if directory.token(data.token_id) is not None or directory.token_with(data.digest) is not None:
        raise NotPossibleError(f"there is a token {data.token_id} already")
    held = directory.tokens(user.name)
    expired = [each for each in held if each.expires_at <= event.at]
    if len(held) - len(expired) >= MOST_TOKENS:
        raise NotPossibleError(f"user {user.name!r} has {MOST_TOKENS} tokens, which is the most; revoke one first")
    entry = ApiTokenEntry(
        token_id=data.token_id,
        digest=data.digest,
        user=user.name,
        name=data.name,
        grants=data.grants,
        created_at=event.at,
        created_by=event.actor,
        expires_at=data.expires_at,
    )
    return (*(TokenGone(each.token_id) for each in expired), TokenStands(entry))


def _token_revoked(directory: Directory, _event: JobEvent, data: TokenRevoked) -> Changes:
    if directory.token(data.token_id) is None:
        raise NotThereError(f"there is no token {data.token_id}; it may have been revoked, or have expired")
    return (TokenGone(data.token_id),)


def _refused(_directory: Directory, _event: JobEvent, _data: LoginRefused | AccessRefused) -> Changes:
    return ()


def _secret_set(directory: Directory, event: JobEvent, data: SecretSet) -> Changes:
    if directory.secret(data.namespace, data.name) is None and directory.secrets_in(data.namespace) >= MOST_SECRETS:
        raise NotPossibleError(
            f"namespace {data.namespace!r} has {MOST_SECRETS} secrets, which is the most; remove one first"
        )
    entry = SecretEntry(
        namespace=data.namespace, name=data.name, sealed=data.sealed, updated_at=event.at, updated_by=event.actor
    )
    return (SecretStands(entry),)


def _secret_removed(directory: Directory, _event: JobEvent, data: SecretRemoved) -> Changes:
    if directory.secret(data.namespace, data.name) is None:
        raise NotThereError(f"there is no secret {data.name!r} in namespace {data.namespace!r}")
    return (SecretGone(data.namespace, data.name),)


EFFECTS: dict[type, Callable[[Directory, JobEvent, Any], Changes]] = {
    UserAdded: _added,
    UserGranted: _granted,
    PasswordSet: _password_set,
    UserDisabled: _disabled,
    UserEnabled: _enabled,
    UserRemoved: _removed,
    LoginLinkMade: _link_made,
    LoggedIn: _logged_in,
    LoggedOut: _logged_out,
    TokenCreated: _token_created,
    TokenRevoked: _token_revoked,
    LoginRefused: _refused,
    AccessRefused: _refused,
    SecretSet: _secret_set,
    SecretRemoved: _secret_removed,
}


def _user(directory: Directory, name: str) -> UserEntry:
    user = directory.user(name)
    if user is None:
        raise NotThereError(f"there is no user {name!r}; `dcron user ls` lists them")
    return user


def _let_in(directory: Directory, name: str) -> UserEntry:
    user = _user(directory, name)
    if not user.enabled:
        raise DisabledUserError(f"user {name!r} is disabled; an admin enables it with `dcron user enable {name}`")
    return user


def _changed(directory: Directory, name: str, **fields: Any) -> Changes:
    user = _user(directory, name)
    changed: UserEntry = replace(user, **fields)
    if changed == user:
        return ()
    if is_administrator(user) and not is_administrator(changed):
        _require_administrator_besides(directory, user)
    return (UserStands(changed),)


def _require_administrator_besides(directory: Directory, user: UserEntry) -> None:
    if directory.administrators() == {user.name}:
        raise LastAdministratorError(
            f"user {user.name!r} is the last one who may administer the system and is let in; make another one first: "
            "`dcron user grant <name> '*=admin'`"
        )


def _require_new(directory: Directory, digest: str) -> None:
    """Raise for a credential that is there already: no random source gives one twice, but a log could."""
    if directory.holder(digest) is not None:
        raise NotPossibleError("this session or login link is there already")


def _standing(entries: tuple[Expiring, ...], event: JobEvent) -> tuple[Expiring, ...]:
    """Return those that have not expired when the event happened."""
    return tuple(each for each in entries if each.expires_at > event.at)
