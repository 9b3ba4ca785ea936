"""The users over HTTP, under `/api/v1/users`. An admin of the whole system manages them; an admin of a namespace
grants roles in it; everybody changes their own password and ends their own sessions.
"""

from datetime import timedelta
from typing import Any

from litestar import Controller, Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from dcron_core.access.passwords import Passwords
from dcron_core.access.principal import Principal, principal_of
from dcron_core.access.rules import ANYBODY_LOGGED_IN, SYSTEM, ruled
from dcron_core.access.secret_texts import digest_of, new_text
from dcron_core.clock import Clock
from dcron_core.errors import ForbiddenError, GrantsChangedError, NotThereError
from dcron_core.http.problems import ProblemError
from dcron_core.ids import IdSource
from dcron_core.jobs.changes import UserStands
from dcron_master.asking import Asking
from dcron_master.identity_checks import check_grants, check_password, check_text, check_user_name, invalid
from dcron_master.identity_log import IdentityLog
from dcron_master.login_api import Door, visitor_of
from dcron_master.login_attempts import LoginAttempts, TooManyAttemptsError
from dcron_schemas.events import EventData
from dcron_schemas.identity import (
    Grants,
    GrantsWanted,
    LoginLink,
    NewUser,
    PasswordWanted,
    User,
    UserEntry,
    UserList,
)
from dcron_schemas.identity_events import (
    LoggedOut,
    LoginLinkMade,
    PasswordSet,
    UserAdded,
    UserDisabled,
    UserEnabled,
    UserGranted,
    UserRemoved,
)

LINK_LIFE = timedelta(hours=1)
GRANT_TRIES = 3


class UserController(Controller):
    """Users and what they may do."""

    path = "/api/v1/users"
    tags = ("identity",)

    @get(opt=ruled(ANYBODY_LOGGED_IN))
    async def list_users(self, request: Request[Any, Any, Any], identity: NamedDependency[IdentityLog]) -> UserList:
        """List the users. Whoever administers some namespaces only sees the names, and the grants there."""
        principal = principal_of(request.scope)
        administered = principal.visible("admin")
        if administered is not None and not administered:
            principal.require("admin")
        users = (await identity.now()).users()
        return UserList(users=tuple(_view(each, administered) for each in users))

    @post(opt=ruled(SYSTEM("admin")))
    async def add_user(
        self,
        data: JSONBody[NewUser],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
        passwords: NamedDependency[Passwords],
    ) -> User:
        """Add a user."""
        check_user_name(data.name)
        check_text("display_name", data.display_name)
        check_grants(data.grants)
        verifier = ""
        if data.password:
            check_password(data.name, data.password)
            verifier = await passwords.verifier(data.name, data.password)
        event = UserAdded(user=data.name, display_name=data.display_name, grants=data.grants, verifier=verifier)
        return _view(await _changed(asking, identity, event))

    @get("/{name:str}", opt=ruled(ANYBODY_LOGGED_IN))
    async def show_user(
        self, request: Request[Any, Any, Any], name: FromPath[str], identity: NamedDependency[IdentityLog]
    ) -> User:
        """Show a user: oneself, or as an admin anybody."""
        _require_own(principal_of(request.scope), name)
        return _view(await _user(identity, name))

    @delete("/{name:str}", opt=ruled(SYSTEM("admin")))
    async def remove_user(
        self, name: FromPath[str], asking: NamedDependency[Asking], identity: NamedDependency[IdentityLog]
    ) -> None:
        """Remove a user, with all sessions and tokens."""
        await asking.execute("", UserRemoved(user=name))
        await identity.settled()

    @put("/{name:str}/grants", opt=ruled(ANYBODY_LOGGED_IN))
    async def grant(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        data: JSONBody[GrantsWanted],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
    ) -> User:
        """Give a user these grants and no others, where the asker administers; what they do not see stays as it is."""
        check_grants(data.grants)
        principal = principal_of(request.scope)
        if not principal.visible("admin") and not principal.may("admin"):
            principal.require("admin")  # learns nothing of who there is
        for last in (*[False] * (GRANT_TRIES - 1), True):
            before = (await _user(identity, name)).grants
            hidden = {each: role for each, role in before.items() if not principal.may("admin", each)}
            wanted = hidden | data.grants
            _require_administered(principal, before, wanted)
            try:
                event = UserGranted(user=name, grants=wanted, before=before)
                return _view(await _changed(asking, identity, event), principal.visible("admin"))
            except GrantsChangedError:
                if last:
                    raise
        raise AssertionError("unreachable")

    @put("/{name:str}/password", status_code=204, opt=ruled(ANYBODY_LOGGED_IN))
    async def set_password(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        data: JSONBody[PasswordWanted],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
        passwords: NamedDependency[Passwords],
        attempts: NamedDependency[LoginAttempts],
    ) -> None:
        """Set a password: one's own, with the one until now, or as an admin another's. All other sessions end."""
        principal = principal_of(request.scope)
        _require_own(principal, name)
        user = await _user(identity, name)
        if principal.name == name:
            await _require_current(principal, user, data, passwords, attempts, visitor_of(request).address)
        check_password(name, data.password)
        kept = principal.credential if principal.how == "session" and principal.name == name else ""
        verifier = await passwords.verifier(name, data.password)
        await asking.execute("", PasswordSet(user=name, verifier=verifier, kept_session=kept))
        await identity.settled()

    @post("/{name:str}/disable", status_code=200, opt=ruled(SYSTEM("admin")))
    async def disable(
        self, name: FromPath[str], asking: NamedDependency[Asking], identity: NamedDependency[IdentityLog]
    ) -> User:
        """Let a user in no more; their sessions end."""
        return _view(await _changed(asking, identity, UserDisabled(user=name)))

    @post("/{name:str}/enable", status_code=200, opt=ruled(SYSTEM("admin")))
    async def enable(
        self, name: FromPath[str], asking: NamedDependency[Asking], identity: NamedDependency[IdentityLog]
    ) -> User:
        """Let a user in again."""
        return _view(await _changed(asking, identity, UserEnabled(user=name)))

    @post("/{name:str}/login-links", opt=ruled(SYSTEM("admin")))
    async def make_login_link(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
        door: NamedDependency[Door],
        clock: NamedDependency[Clock],
        ids: NamedDependency[IdSource],
    ) -> LoginLink:
        """Make a link that logs a user in, once."""
        text, expires_at = new_text(ids), clock.now() + LINK_LIFE
        await asking.execute("", LoginLinkMade(user=name, digest=digest_of(text), expires_at=expires_at))
        await identity.settled()
        return LoginLink(url=f"{door.base_url(request)}/login?link={text}", expires_at=expires_at)

    @delete("/{name:str}/sessions", opt=ruled(ANYBODY_LOGGED_IN))
    async def end_sessions(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
    ) -> None:
        """Log a user out everywhere: oneself, or as an admin anybody."""
        _require_own(principal_of(request.scope), name)
        await asking.execute("", LoggedOut(user=name))
        await identity.settled()


async def _changed(asking: Asking, identity: IdentityLog, data: EventData) -> UserEntry:
    """Bring a command after which the user stands; return the user."""
    applied = await asking.execute("", data)
    await identity.settled()
    for change in applied.changes:
        if isinstance(change, UserStands):
            return change.entry
    return await _user(identity, getattr(data, "user", ""))


async def _user(identity: IdentityLog, name: str) -> UserEntry:
    user = (await identity.now()).user(name)
    if user is None:
        raise NotThereError(f"there is no user {name[:80]!r}; `dcron user ls` lists them")
    return user


def _require_own(principal: Principal, name: str) -> None:
    if principal.name != name:
        principal.require("admin")


def _require_administered(principal: Principal, before: Grants, after: Grants) -> None:
    for namespace in before.keys() | after.keys():
        if before.get(namespace) != after.get(namespace):
            principal.require("admin", namespace)


async def _require_current(
    principal: Principal,
    user: UserEntry,
    data: PasswordWanted,
    passwords: Passwords,
    attempts: LoginAttempts,
    address: str,
) -> None:
    """Raise unless whoever changes their own password knows the one until now; guesses are slowed as in a login."""
    if not user.verifier:
        if principal.how != "session":  # a token that may do little would come to all that its user may do
            raise ForbiddenError("a first password is set by who is logged in with a browser, or by an admin")
        return
    try:
        attempts.begin(user.name, address)
    except TooManyAttemptsError as error:
        raise too_many(error) from error
    if not await passwords.fits(user.name, data.current_password, user.verifier):
        raise invalid("current_password", "", "is not the password until now", "or let an admin make a login link")
    attempts.succeeded(user.name, address)


def too_many(error: TooManyAttemptsError) -> ProblemError:
    """Return the answer to somebody who tries too often."""
    refused = ProblemError(429, "too many attempts", str(error))
    refused.headers = {"Retry-After": str(error.wait_s)}
    return refused


def _view(user: UserEntry, administered: frozenset[str] | None = None) -> User:
    """Return what is shown of a user, to whoever administers these namespaces; None: all of them."""
    everything = administered is None
    return User(
        name=user.name,
        display_name=user.display_name,
        grants=user.grants if administered is None else {n: r for n, r in user.grants.items() if n in administered},
        enabled=user.enabled,
        has_password=bool(user.verifier),
        origin=user.origin,
        created_at=user.created_at,
        created_by=user.created_by,
        last_login=user.last_login if everything else None,
    )
