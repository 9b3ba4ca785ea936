"""Knows who comes with a session's cookie, or with an API token (G11).

What is not known here may be in the log already, written by another master: so before anybody is refused, this master
reads on to the log's end. What was taken away is gone here within a fraction of a second.
"""

from datetime import date

from litestar.types import Scope

from dcron_core.access.credentials import authorization, bearer_of, cookie_of
from dcron_core.access.directory import Directory
from dcron_core.access.principal import Principal
from dcron_core.access.secret_texts import SESSION_COOKIE, TOKEN_PREFIX, csrf_of, digest_of
from dcron_core.access.token_grants import capped
from dcron_core.clock import Clock
from dcron_core.errors import UnavailableError
from dcron_master.identity_log import IdentityLog
from dcron_schemas.api import Problem

LONGEST_TEXT = 200


class DirectoryAuthenticator:
    """Authenticates against the directory of users."""

    def __init__(self, identity: IdentityLog, clock: Clock) -> None:
        self._identity = identity
        self._clock = clock
        self._used: dict[str, date] = {}  # token id → when it was last used here

    def last_used(self, token_id: str) -> date | None:
        """Return the day on which this master saw the token last, since it started."""
        return self._used.get(token_id)

    async def principal(self, scope: Scope) -> Principal | Problem | None:
        """Return who it is, a Problem for what lets nobody in, or None if nothing of ours was shown."""
        bearer = bearer_of(scope)
        if bearer is not None:
            return await self._found(bearer, by_cookie=False) if bearer.startswith(TOKEN_PREFIX) else None
        text = "" if authorization(scope) else cookie_of(scope, SESSION_COOKIE)
        return await self._found(text, by_cookie=True) if text else None

    async def _found(self, text: str, *, by_cookie: bool) -> Principal | Problem:
        look = self._with_session if by_cookie else self._with_token
        if len(text) <= LONGEST_TEXT:
            try:
                found = look(self._identity.known(), text) or look(await self._identity.now(), text)
            except UnavailableError as error:
                return Problem(title="not available now", status=503, detail=f"{error}; try again")
            if found is not None:
                return found
        what = "session has ended" if by_cookie else "API token was revoked, has expired, or is not this system's"
        return Problem(title="not logged in", status=401, detail=f"the {what}; log in again")

    def _with_session(self, directory: Directory, text: str) -> Principal | None:
        found = directory.session(digest_of(text))
        if found is None:
            return None
        user, session = found
        if not user.enabled or session.expires_at <= self._clock.now():
            return None
        return Principal(
            name=user.name,
            grants=user.grants,
            how="session",
            by_cookie=True,
            csrf=csrf_of(text),
            expires_at=session.expires_at,
            credential=session.session_id,
        )

    def _with_token(self, directory: Directory, text: str) -> Principal | None:
        token = directory.token_with(digest_of(text))
        user = directory.user(token.user) if token else None
        if token is None or user is None or not user.enabled or token.expires_at <= self._clock.now():
            return None
        self._used[token.token_id] = self._clock.now().date()
        return Principal(
            name=user.name,
            grants=capped(user.grants, token.grants),
            how="token",
            expires_at=token.expires_at,
            credential=token.token_id,
        )
