"""API tokens over HTTP, under `/api/v1/tokens`: one's own, or as an admin those of others.

A token may do what its user may, or less if it says so. One that may do less makes no other tokens: they could outlive
it, and it them.
"""

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from dcron_core.access.principal import Principal, principal_of
from dcron_core.access.rules import ANYBODY_LOGGED_IN, ruled
from dcron_core.access.secret_texts import digest_of, new_token
from dcron_core.clock import Clock
from dcron_core.errors import ForbiddenError, NotThereError
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.ids import IdSource
from dcron_core.jobs.changes import TokenStands
from dcron_master.asking import Asking
from dcron_master.authenticator import DirectoryAuthenticator
from dcron_master.identity_checks import check_grants, check_text, invalid, token_life
from dcron_master.identity_log import IdentityLog
from dcron_schemas.identity import ApiToken, ApiTokenEntry, ApiTokenList, ApiTokenMade, NewApiToken
from dcron_schemas.identity_events import TokenCreated, TokenRevoked

All = Annotated[bool, QueryParameter(name="all", description="everybody's; for admins")]


class TokenController(Controller):
    """API tokens."""

    path = "/api/v1/tokens"
    tags = ("identity",)

    @get(opt=ruled(ANYBODY_LOGGED_IN))
    async def list_tokens(
        self,
        request: Request[Any, Any, Any],
        identity: NamedDependency[IdentityLog],
        authenticator: NamedDependency[DirectoryAuthenticator],
        clock: NamedDependency[Clock],
        user: FromQuery[str] = "",
        all_: All = False,
    ) -> ApiTokenList:
        """List one's own tokens; as an admin those of a user, or with `all` everybody's."""
        refuse_unknown_parameters(request, {"user", "all"})
        principal = principal_of(request.scope)
        whose = "" if all_ else user or principal.name
        if whose != principal.name:
            principal.require("admin")
        now = clock.now()
        tokens = [each for each in (await identity.now()).tokens(whose) if each.expires_at > now]
        tokens.sort(key=lambda each: each.created_at, reverse=True)
        return ApiTokenList(tokens=tuple(_view(each, authenticator) for each in tokens))

    @post(opt=ruled(ANYBODY_LOGGED_IN))
    async def create_token(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewApiToken],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
        authenticator: NamedDependency[DirectoryAuthenticator],
        clock: NamedDependency[Clock],
        ids: NamedDependency[IdSource],
        user: FromQuery[str] = "",
    ) -> ApiTokenMade:
        """Make a token of one's own; as an admin, of another user. Its text is in the answer, and never shown again."""
        refuse_unknown_parameters(request, {"user"})
        principal = principal_of(request.scope)
        whose = user or principal.name
        if whose != principal.name:
            principal.require("admin")
        if whose == principal.name and principal.how == "bootstrap":
            raise invalid("user", "", "is missing: DCRON_TOKEN is no user's", "?user=… says whose token it is to be")
        await _require_whole(principal, identity)
        check_text("name", data.name, empty=False)
        if data.grants is not None:
            check_grants(data.grants)
        now, text = clock.now(), new_token(ids)
        event = TokenCreated(
            token_id=ids.uuid7(now),
            user=whose,
            name=data.name.strip(),
            digest=digest_of(text),
            expires_at=now + token_life(data.expires_in),
            grants=data.grants,
        )
        applied = await asking.execute("", event)
        await identity.settled()
        made = next(change.entry for change in applied.changes if isinstance(change, TokenStands))
        return ApiTokenMade(token=text, made=_view(made, authenticator))

    @delete("/{token_id:str}", opt=ruled(ANYBODY_LOGGED_IN))
    async def revoke_token(
        self,
        request: Request[Any, Any, Any],
        token_id: FromPath[str],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
    ) -> None:
        """Revoke a token: one's own, or as an admin anybody's."""
        principal = principal_of(request.scope)
        token = (await identity.now()).token(token_id)
        if token is None or (token.user != principal.name and not principal.may("admin")):
            raise NotThereError(f"there is no token {token_id[:80]!r}; it may have been revoked, or have expired")
        await asking.execute("", TokenRevoked(token_id=token_id, user=token.user))
        await identity.settled()


async def _require_whole(principal: Principal, identity: IdentityLog) -> None:
    """Raise for who came with a credential that may do less, or lives shorter, than its user."""
    token = (await identity.now()).token(principal.credential) if principal.how == "token" else None
    if principal.how == "access" or (token is not None and token.grants is not None):
        raise ForbiddenError(
            "this token may not do all that its user may, so it makes no other ones; log in with a browser, or with "
            "`dcron login`"
        )


def _view(token: ApiTokenEntry, authenticator: DirectoryAuthenticator) -> ApiToken:
    used = authenticator.last_used(token.token_id)
    return ApiToken(
        token_id=token.token_id,
        user=token.user,
        name=token.name,
        grants=token.grants,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_on=used.isoformat() if used else "",
    )
