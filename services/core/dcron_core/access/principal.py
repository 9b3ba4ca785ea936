"""Who asks, and what they may do: a name and its grants, whatever they were shown with.

A service knows a principal from an `Authenticator`; a handler asks it with `require` before it reads or changes
anything of a namespace, and narrows lists with `visible`.
"""

from datetime import datetime
from typing import Literal, Protocol

from litestar.types import Scope
from msgspec import Struct

from dcron_core.errors import ForbiddenError
from dcron_schemas.api import Problem
from dcron_schemas.identity import EVERYWHERE, ROLES, Grants, Role

# The settings' token, a cookie, an API token, a signed short-lived token, the settings' token for metrics.
How = Literal["bootstrap", "session", "token", "access", "metrics"]


class Principal(Struct, frozen=True, kw_only=True):
    """Somebody, for the length of one request or websocket."""

    name: str  # as events and logs name the actor
    grants: Grants
    how: How
    by_cookie: bool = False  # a browser sends it along by itself: what changes something needs the CSRF token too
    csrf: str = ""  # the one that belongs to the cookie
    expires_at: datetime | None = None  # from then on a websocket is closed; None: never
    credential: str = ""  # id of the session or API token, for revocation and for the audit

    def role_in(self, namespace: str) -> Role | None:
        """Return the highest role in a namespace; in `*`, the one for what belongs to no namespace."""
        held = [self.grants[each] for each in {namespace, EVERYWHERE} if each in self.grants]
        return max(held, key=ROLES.index, default=None)

    def may(self, role: Role, namespace: str = EVERYWHERE) -> bool:
        """Tell whether the principal has at least `role` in the namespace."""
        held = self.role_in(namespace)
        return held is not None and ROLES.index(held) >= ROLES.index(role)

    def require(self, role: Role, namespace: str = EVERYWHERE) -> None:
        """Raise ForbiddenError, which says what is needed, unless `may`."""
        if not self.may(role, namespace):
            where = "for the whole system" if namespace == EVERYWHERE else f"in namespace {namespace!r}"
            held = self.role_in(namespace) or "no role"
            raise ForbiddenError(
                f"this needs the role {role} {where}; {self.name!r} has {held} there. An admin grants it with "
                f"`dcron user grant {self.name} {namespace}={role}`"
            )

    def shown(self, namespace: str | None, role: Role = "viewer") -> frozenset[str] | None:
        """Return the namespaces to show of one that was asked for, or of all; None: all there are.

        Raises ForbiddenError for one in which the principal has not the role. Whether there is such a namespace does
        not matter, so nothing is learned from that.
        """
        if not namespace:
            return self.visible(role)
        self.require(role, namespace)
        return frozenset((namespace,))

    def visible(self, role: Role = "viewer") -> frozenset[str] | None:
        """Return the namespaces in which the principal has at least `role`; None: all there are."""
        if self.may(role):
            return None
        return frozenset(each for each in self.grants if each != EVERYWHERE and self.may(role, each))


class Authenticator(Protocol):
    """Tells who sent a request."""

    async def principal(self, scope: Scope) -> Principal | Problem | None:
        """Return who it is; a Problem if what was shown is not valid; None if nothing of this kind was shown."""
        ...


def principal_of(scope: Scope) -> Principal:
    """Return who sent the request, as the middleware found out."""
    principal = scope["state"]["principal"]
    assert isinstance(principal, Principal)
    return principal
