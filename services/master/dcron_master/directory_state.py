"""Users, API tokens and secrets as they stand in etcd, beside the jobs: keys and values both ways. Pure."""

from collections.abc import Iterable, Iterator

import msgspec

from dcron_core.access.directory import Directory
from dcron_core.jobs.changes import (
    DirectoryChange,
    SecretGone,
    SecretStands,
    TokenGone,
    TokenStands,
    UserGone,
    UserStands,
)
from dcron_core.keys import Keys
from dcron_core.ports.store import Delete, KeyValue, Operation, Put
from dcron_schemas.audit import FieldChange
from dcron_schemas.codec import decode_state, encode
from dcron_schemas.identity import ApiTokenEntry, SecretEntry, UserEntry

DirectoryEntry = UserEntry | ApiTokenEntry | SecretEntry
_CREDENTIALS = ("verifier", "digest", "sealed", "sessions", "links")  # fields whose values nobody is shown


def prefixes(keys: Keys) -> tuple[str, ...]:
    """Return what the keys begin with."""
    return keys.users, keys.tokens, keys.secrets


def write_of(change: DirectoryChange, keys: Keys) -> Operation:
    """Return what brings a change to etcd."""
    match change:
        case UserStands(entry) | TokenStands(entry) | SecretStands(entry):
            return Put(key_of(entry, keys), encode(entry))
        case UserGone(name):
            return Delete(keys.user(name))
        case TokenGone(token_id):
            return Delete(keys.token(token_id))
        case SecretGone(namespace, name):
            return Delete(keys.secret(namespace, name))


def key_of(entry: DirectoryEntry, keys: Keys) -> str:
    """Return the key that an entry stands at."""
    match entry:
        case UserEntry():
            return keys.user(entry.name)
        case ApiTokenEntry():
            return keys.token(entry.token_id)
        case SecretEntry():
            return keys.secret(entry.namespace, entry.name)


def entries_of(directory: Directory) -> Iterator[DirectoryEntry]:
    """Yield all that stands in etcd of a directory."""
    yield from directory.users()
    yield from directory.tokens()
    yield from directory.secrets()


def directory_of(entries: Iterable[DirectoryEntry]) -> Directory:
    """Return the directory that consists of the entries."""
    users: list[UserEntry] = []
    tokens: list[ApiTokenEntry] = []
    secrets: list[SecretEntry] = []
    for entry in entries:
        match entry:
            case UserEntry():
                users.append(entry)
            case ApiTokenEntry():
                tokens.append(entry)
            case SecretEntry():
                secrets.append(entry)
    return Directory(users, tokens, secrets)


def decoded_entry(item: KeyValue, keys: Keys) -> DirectoryEntry:
    """Read a key under one of the prefixes; raise UndecodableError."""
    if item.key.startswith(keys.users):
        return decode_state(UserEntry, item.value)
    if item.key.startswith(keys.tokens):
        return decode_state(ApiTokenEntry, item.value)
    return decode_state(SecretEntry, item.value)


def name_of(entry: DirectoryEntry) -> str:
    """Return what a person calls it."""
    match entry:
        case UserEntry():
            return f"user {entry.name}"
        case ApiTokenEntry():
            return f"token {entry.name} of {entry.user}"
        case SecretEntry():
            return f"secret {entry.namespace}/{entry.name}"


def changes_between(expected: DirectoryEntry, entry: DirectoryEntry) -> tuple[FieldChange, ...]:
    """Return the fields that differ; of those that let somebody in, only that they do."""
    return tuple(
        FieldChange(field=name, before=_shown(name, was), after=_shown(name, now))
        for name in expected.__struct_fields__
        if (was := getattr(expected, name)) != (now := getattr(entry, name, None))
    )


def _shown(name: str, value: object) -> object:
    return "(not shown)" if name in _CREDENTIALS else msgspec.to_builtins(value)
