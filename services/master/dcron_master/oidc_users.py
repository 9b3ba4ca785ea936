"""From what a provider says of somebody to a user here: their name, whether they are the same, and what they may do."""

import re
from collections.abc import Mapping
from typing import Any

from dcron_core.access.principal import Principal
from dcron_core.errors import CommandRejectedError, LastAdministratorError, SettingsError
from dcron_core.telemetry import get_logger
from dcron_master.commands import Command, Commands
from dcron_master.identity_checks import RESERVED, USER_NAME
from dcron_master.identity_log import IdentityLog
from dcron_master.logins import LoginRefusedError, Visitor
from dcron_schemas.events import EventData
from dcron_schemas.identity import EVERYWHERE, ROLES, Grants, UserEntry
from dcron_schemas.identity_events import UserAdded, UserGranted
from dcron_schemas.types import NAME_PATTERN

ACTOR = "oidc"  # of events that follow from what the provider says
GroupGrants = dict[str, Grants]  # group → what its members may do

log = get_logger()


def parse_group_grants(text: str) -> GroupGrants:
    """Return the grants of `group:namespace=role`, several with commas; raise SettingsError for anything else."""
    found: GroupGrants = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        group, colon, grant = part.rpartition(":")
        namespace, equals, role = grant.partition("=")
        known = namespace == EVERYWHERE or re.match(NAME_PATTERN, namespace)
        if not (colon and equals and group and known and role in ROLES):
            raise SettingsError(
                [f"DCRON_OIDC_GRANTS: {part!r} is not group:namespace=role, such as ops:*=operator; roles: {ROLES}"]
            )
        held = found.setdefault(group, {})
        held[namespace] = _higher(held.get(namespace, "viewer"), role)
    return found


def grants_of(groups: object, mapping: GroupGrants) -> Grants:
    """Return what the members of the groups may do, the highest role in each namespace."""
    names = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    found: Grants = {}
    for name in names:
        for namespace, role in mapping.get(name, {}).items() if isinstance(name, str) else ():
            found[namespace] = _higher(found.get(namespace, "viewer"), role)
    return dict(sorted(found.items()))


class ProviderUsers:
    """Brings people whom the provider knows into the directory."""

    def __init__(
        self, commands: Commands, identity: IdentityLog, user_claim: str, groups_claim: str, mapping: GroupGrants
    ) -> None:
        self._commands = commands
        self._identity = identity
        self._user_claim = user_claim
        self._groups_claim = groups_claim
        self._mapping = mapping

    async def known(self, claims: Mapping[str, Any], visitor: Visitor) -> str:
        """Return the name of the user, who is added or granted roles if need be. Raises LoginRefusedError."""
        name = self._name(claims)
        grants = grants_of(claims.get(self._groups_claim), self._mapping) if self._mapping else None
        user = (await self._identity.now()).user(name)
        if user is not None:
            _require_same(user, claims["sub"])
        if user is not None and grants is not None and grants != user.grants:
            await self._grant(UserGranted(user=name, grants=grants, before=user.grants), visitor)
        if grants == {}:
            raise LoginRefusedError(f"none of the groups of {name!r} has a role here; an administrator can change that")
        if user is None:
            display_name = "".join(each for each in str(claims.get("name", ""))[:200] if each.isprintable())
            added = UserAdded(
                user=name, display_name=display_name, grants=grants or {}, origin="oidc", subject=claims["sub"]
            )
            await self._bring(added, visitor)
        return name

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._user_claim)
        if not isinstance(name, str) or not USER_NAME.fullmatch(name) or name.lower() in RESERVED:
            raise LoginRefusedError(
                f"the provider's claim {self._user_claim!r} is no name of a user: {str(name)[:80]!r}"
            )
        if self._user_claim == "email" and claims.get("email_verified") is not True:
            raise LoginRefusedError(f"the provider has not verified the address {name!r}")
        return name

    async def _grant(self, event: UserGranted, visitor: Visitor) -> None:
        try:
            await self._bring(event, visitor)
        except LastAdministratorError:  # the provider's groups lock nobody out for ever
            log.warning("the last administrator keeps the role", action="oidc.last_administrator", user=event.user)

    async def _bring(self, data: EventData, visitor: Visitor) -> None:
        asker = Principal(name=ACTOR, grants={}, how="session")
        command = Command(data=data, actor=ACTOR, asker=asker, request_id=visitor.request_id, job_id="")
        try:
            await self._commands.execute(command)
        except LastAdministratorError:
            raise
        except CommandRejectedError as error:  # somebody else changed the same user at the same time
            raise LoginRefusedError(f"{error}; log in again") from error


def _require_same(user: UserEntry, subject: str) -> None:
    """Raise for somebody else of that name: a local user, or one who had the name at the provider before."""
    if user.origin != "oidc" or user.subject != subject:
        raise LoginRefusedError(
            f"there is another user {user.name!r} here, whom the provider does not know by that name; an administrator "
            "renames one of them"
        )


def _higher(one: Any, other: Any) -> Any:
    return max(one, other, key=ROLES.index)
