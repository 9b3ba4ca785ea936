"""The session over HTTP: who one is, what one may do, and the end of it."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency

from dcron_core.access.access_tokens import COOKIE as ACCESS_COOKIE
from dcron_core.access.principal import principal_of
from dcron_core.access.rules import ANYBODY_LOGGED_IN, ruled
from dcron_core.access.secret_texts import SESSION_COOKIE
from dcron_core.errors import NotPossibleError
from dcron_master.asking import Asking
from dcron_master.identity_log import IdentityLog
from dcron_schemas.events import EventData
from dcron_schemas.identity import Session
from dcron_schemas.identity_events import LoggedOut, TokenRevoked


class SessionController(Controller):
    """One's own session."""

    path = "/api/v1/session"
    tags = ("identity",)

    @get(opt=ruled(ANYBODY_LOGGED_IN))
    async def show_session(self, request: Request[Any, Any, Any], identity: NamedDependency[IdentityLog]) -> Session:
        """Show who is asking, what they may do, and the CSRF token that goes with the cookie."""
        principal = principal_of(request.scope)
        how = principal.how if principal.how in ("session", "bootstrap") else "token"
        user = None if how == "bootstrap" else identity.known().user(principal.name)
        return Session(
            user=principal.name,
            display_name=user.display_name if user else "",
            grants=principal.grants,
            how=how,
            csrf=principal.csrf,
            expires_at=principal.expires_at,
        )

    @post("/logout", status_code=204, opt=ruled(ANYBODY_LOGGED_IN))
    async def log_out(
        self,
        request: Request[Any, Any, Any],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
    ) -> Response[None]:
        """End what one came with: the session, or the API token."""
        principal = principal_of(request.scope)
        event: EventData
        match principal.how:
            case "session":
                event = LoggedOut(user=principal.name, session_id=principal.credential)
            case "token":
                event = TokenRevoked(token_id=principal.credential, user=principal.name)
            case _:
                raise NotPossibleError("only a session or an API token can be ended; this is neither")
        await asking.execute("", event)
        await identity.settled()
        answer = Response(None, status_code=204)
        for cookie in (SESSION_COOKIE, ACCESS_COOKIE):
            answer.delete_cookie(cookie, path="/")
        return answer
