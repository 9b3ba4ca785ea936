"""What the archive says about events of users, tokens and secrets: who, what, and never how to come in (pure).

As with all documents, the wording follows from the log alone and is never changed.
"""

from collections.abc import Iterator

from msgspec import Struct

from dcron_core.errors import (
    CommandRejectedError,
    DisabledUserError,
    GrantsChangedError,
    LastAdministratorError,
    LinkUsedError,
    NotThereError,
    UserTakenError,
)
from dcron_schemas.audit import FieldChange
from dcron_schemas.identity import Grants
from dcron_schemas.identity_events import (
    AccessRefused,
    LoggedIn,
    LoggedOut,
    LoginRefused,
    SecretRemoved,
    SecretSet,
    TokenCreated,
    TokenRevoked,
    UserAdded,
    UserGranted,
)


def namespace_of(data: Struct) -> str:
    """Return the namespace that the event is about; "": none, or all of them."""
    return data.namespace if isinstance(data, SecretSet | SecretRemoved) else ""


def grants_changed(data: UserGranted) -> tuple[FieldChange, ...]:
    """Return what a user may do now that they might not, and the other way about; by namespace."""
    return tuple(
        FieldChange(field=f"grants.{name}", before=data.before.get(name), after=data.grants.get(name))
        for name in sorted(data.before.keys() | data.grants.keys())
        if data.before.get(name) != data.grants.get(name)
    )


def said(data: Struct) -> str:
    """Return what happened, as far as the kind does not say it."""
    return " ".join(_said(data))


def _said(data: Struct) -> Iterator[str]:
    match data:
        case SecretSet(namespace=namespace, name=name) | SecretRemoved(namespace=namespace, name=name):
            yield f"{namespace}/{name}"
        case UserAdded(user=user, grants=grants) | UserGranted(user=user, grants=grants):
            yield from (f"{user}:", _grants(grants))
        case TokenCreated(user=user, name=name, grants=grants, expires_at=expires_at):
            yield f"{user}: {name}, until {expires_at.isoformat()}"
            if grants is not None:
                yield f"with {_grants(grants)}"
        case TokenRevoked(user=user, token_id=token_id):
            yield f"{user}: {token_id}"
        case LoggedIn(user=user, how=how, address=address):
            yield f"{user} by {how}"
            yield from _from(address)
        case LoggedOut(user=user, session_id=session_id):
            yield user if session_id else f"{user}, everywhere"
        case LoginRefused(user=user, address=address, reason=reason, count=count):
            yield user or "(no such user)"
            yield from (*_from(address), f"({reason})", *_times(count))
        case AccessRefused(user=user, address=address, request=request, count=count):
            yield from (f"{user}: {request}", *_from(address), *_times(count))
        case _:
            yield getattr(data, "user", "")


def refusal(error: CommandRejectedError) -> str:
    """Return why such an event was refused."""
    match error:
        case NotThereError():
            return "there is no such user, token or secret"
        case UserTakenError():
            return "the name is taken"
        case LastAdministratorError():
            return "the last administrator stays"
        case DisabledUserError():
            return "the user is disabled"
        case GrantsChangedError():
            return "the grants had been changed meanwhile"
        case LinkUsedError():
            return "the link was used, or has expired"
    return "it is there already, or there are too many"


def _grants(grants: Grants) -> str:
    return " ".join(f"{namespace}={role}" for namespace, role in sorted(grants.items())) or "no role"


def _from(address: str) -> tuple[str, ...]:
    return (f"from {address}",) if address else ()


def _times(count: int) -> tuple[str, ...]:
    return (f"({count} times)",) if count > 1 else ()
