"""Users, their sessions and API tokens, and secrets, at one position of the log.

It stands beside the jobs in a `JobTable`, and is changed as they are: by what the fold of an event says. Whoever comes
with a credential is found by its digest; the credential itself is kept nowhere.
"""

from collections.abc import Iterable

from dcron_core.jobs.changes import (
    DirectoryChange,
    SecretGone,
    SecretStands,
    TokenGone,
    TokenStands,
    UserGone,
    UserStands,
)
from dcron_schemas.identity import EVERYWHERE, ApiTokenEntry, LinkEntry, SecretEntry, SessionEntry, UserEntry


class Directory:
    """Changed by `absorb` only."""

    def __init__(
        self,
        users: Iterable[UserEntry] = (),
        tokens: Iterable[ApiTokenEntry] = (),
        secrets: Iterable[SecretEntry] = (),
    ) -> None:
        self._users: dict[str, UserEntry] = {}
        self._tokens: dict[str, ApiTokenEntry] = {}
        self._secrets = {(entry.namespace, entry.name): entry for entry in secrets}
        self._holders: dict[str, str] = {}  # digest of a session or login link → user
        self._token_ids: dict[str, str] = {}  # digest of an API token → its id
        for user in users:
            self._take_user(user)
        for token in tokens:
            self._take_token(token)

    def user(self, name: str) -> UserEntry | None:
        """Return the user, or None."""
        return self._users.get(name)

    def users(self) -> list[UserEntry]:
        """Return all users, by name."""
        return [self._users[name] for name in sorted(self._users)]

    def administrators(self) -> set[str]:
        """Return the names of those who may do everything, and are let in."""
        return {user.name for user in self._users.values() if is_administrator(user)}

    def session(self, digest: str) -> tuple[UserEntry, SessionEntry] | None:
        """Return the session with that digest, and whose it is; None if there is none. It may have expired."""
        user = self.holder(digest)
        found = (each for each in user.sessions if each.digest == digest) if user else iter(())
        session = next(found, None)
        return None if user is None or session is None else (user, session)

    def holder(self, digest: str) -> UserEntry | None:
        """Return whose session or login link has that digest; None if nobody's."""
        name = self._holders.get(digest)
        return None if name is None else self._users[name]

    def token(self, token_id: str) -> ApiTokenEntry | None:
        """Return the API token, or None."""
        return self._tokens.get(token_id)

    def token_with(self, digest: str) -> ApiTokenEntry | None:
        """Return the API token with that digest; None if there is none. It may have expired."""
        token_id = self._token_ids.get(digest)
        return None if token_id is None else self._tokens[token_id]

    def tokens(self, user: str = "") -> list[ApiTokenEntry]:
        """Return the API tokens of a user, or of all ("")."""
        found = (each for each in self._tokens.values() if user in ("", each.user))
        return sorted(found, key=lambda each: each.token_id)

    def secret(self, namespace: str, name: str) -> SecretEntry | None:
        """Return the secret, or None."""
        return self._secrets.get((namespace, name))

    def secrets(self) -> list[SecretEntry]:
        """Return all secrets, by namespace and name."""
        return [self._secrets[key] for key in sorted(self._secrets)]

    def secrets_in(self, namespace: str) -> int:
        """Return how many secrets a namespace has."""
        return sum(each == namespace for each, _ in self._secrets)

    def absorb(self, change: DirectoryChange) -> None:
        """Take in what an event changed."""
        match change:
            case UserStands(entry):
                self._drop_user(entry.name)
                self._take_user(entry)
            case UserGone(name):
                self._drop_user(name)
            case TokenStands(entry):
                self._take_token(entry)
            case TokenGone(token_id):
                self._token_ids.pop(self._tokens.pop(token_id).digest, None)
            case SecretStands(entry):
                self._secrets[entry.namespace, entry.name] = entry
            case SecretGone(namespace, name):
                del self._secrets[namespace, name]

    def _take_user(self, entry: UserEntry) -> None:
        self._users[entry.name] = entry
        for each in _ways_in(entry):
            self._holders[each.digest] = entry.name

    def _drop_user(self, name: str) -> None:
        entry = self._users.pop(name, None)
        if entry is not None:
            for each in _ways_in(entry):
                self._holders.pop(each.digest, None)

    def _take_token(self, entry: ApiTokenEntry) -> None:
        self._tokens[entry.token_id] = entry
        self._token_ids[entry.digest] = entry.token_id


def _ways_in(entry: UserEntry) -> tuple[SessionEntry | LinkEntry, ...]:
    return (*entry.sessions, *entry.links)


def is_administrator(user: UserEntry) -> bool:
    """Tell whether the user may do everything, and is let in."""
    return user.enabled and user.grants.get(EVERYWHERE) == "admin"
