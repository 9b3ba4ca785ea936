"""Letting people in with a browser: by password, by a one-time link, or as an OIDC provider says; and out again.

Each login is a command: a session is there once the log says so, and a link is used up by whoever comes first there.
"""

from datetime import timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dcron_core.access.passwords import Passwords
from dcron_core.access.principal import Principal
from dcron_core.access.secret_texts import csrf_of, digest_of, new_text
from dcron_core.clock import Clock
from dcron_core.errors import CommandRejectedError, DcronError
from dcron_core.ids import IdSource
from dcron_core.jobs.changes import UserStands
from dcron_master.commands import Command, Commands
from dcron_master.identity_log import IdentityLog
from dcron_master.login_attempts import LoginAttempts
from dcron_master.refusals import Refusals
from dcron_schemas.identity_events import LoggedIn

WRONG = "the user or the password is not right"  # whichever it is, and whether or not there is such a user
USED = "this link was used already, or has expired; ask for another one (`dcron link` on the machine of `dcron up`)"

How = Literal["password", "link", "oidc"]


class LoginRefusedError(DcronError):
    """Somebody is not let in; the text is for them."""


class Visitor(Struct, frozen=True):
    """Who wants to come in, as far as that is known."""

    address: str
    request_id: str


class NewSession(Struct, frozen=True):
    """A session that has begun. Its text is known to the browser alone."""

    text: str
    life: timedelta
    principal: Principal


class Logins:
    """The door of one master."""

    def __init__(
        self,
        commands: Commands,
        identity: IdentityLog,
        passwords: Passwords,
        attempts: LoginAttempts,
        refusals: Refusals,
        clock: Clock,
        ids: IdSource,
        life: timedelta,
    ) -> None:
        self._commands = commands
        self._identity = identity
        self._passwords = passwords
        self._attempts = attempts
        self._refusals = refusals
        self._clock = clock
        self._ids = ids
        self._life = life

    async def by_password(self, user: str, password: str, visitor: Visitor) -> NewSession:
        """Let in a user with a password. Raises LoginRefusedError, TooManyAttemptsError."""
        self._attempts.begin(user, visitor.address)
        entry = (await self._identity.now()).user(user)
        fits = await self._passwords.fits(user, password, entry.verifier if entry else "")
        if entry is None or not fits or not entry.enabled:
            reason = "no such user" if entry is None else "wrong password" if not fits else "disabled"
            self._refusals.of_login(entry.name if entry else "", visitor.address, reason)
            raise LoginRefusedError(WRONG)
        session = await self._begin(entry.name, "password", visitor)
        self._attempts.succeeded(user, visitor.address)
        return session

    async def by_link(self, text: str, visitor: Visitor) -> NewSession:
        """Let in whoever comes first with a link. Raises LoginRefusedError, TooManyAttemptsError."""
        self._attempts.begin("", visitor.address)
        digest = digest_of(text)
        user = (await self._identity.now()).holder(digest)
        if user is None:
            self._refusals.of_login("", visitor.address, "no such link")
            raise LoginRefusedError(USED)
        session = await self._begin(user.name, "link", visitor, digest)
        self._attempts.succeeded("", visitor.address)
        return session

    async def by_provider(self, user: str, visitor: Visitor) -> NewSession:
        """Let in a user for whom an OIDC provider vouches. Raises LoginRefusedError."""
        return await self._begin(user, "oidc", visitor)

    async def _begin(self, user: str, how: How, visitor: Visitor, link: str = "") -> NewSession:
        now, text = self._clock.now(), new_text(self._ids)
        session_id, expires_at = self._ids.uuid7(now), now + self._life
        data = LoggedIn(
            user=user,
            how=how,
            session_id=session_id,
            digest=digest_of(text),
            expires_at=expires_at,
            address=visitor.address,
            link=link,
        )
        principal = Principal(
            name=user,
            grants={},
            how="session",
            by_cookie=True,
            csrf=csrf_of(text),
            expires_at=expires_at,
            credential=session_id,
        )
        command = Command(data=data, actor=user, asker=principal, request_id=visitor.request_id, job_id="")
        try:
            applied = await self._commands.execute(command)
        except CommandRejectedError as error:
            self._refusals.of_login(user, visitor.address, str(error))
            raise LoginRefusedError(USED if how == "link" else WRONG) from error
        await self._identity.settled()
        grants = next(change.entry.grants for change in applied.changes if isinstance(change, UserStands))
        return NewSession(text, self._life, replace(principal, grants=grants))
