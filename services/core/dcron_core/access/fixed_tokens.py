"""Principals that the settings name: the bootstrap token, and the token for metrics. Bearers only, never by cookie."""

from litestar.types import Scope

from dcron_core.access.credentials import bearer_of, matches
from dcron_core.access.principal import Principal
from dcron_schemas.api import Problem
from dcron_schemas.identity import EVERYWHERE

BOOTSTRAP = Principal(name="bootstrap", grants={EVERYWHERE: "admin"}, how="bootstrap")
METRICS = Principal(name="metrics", grants={}, how="metrics")


class FixedToken:
    """Knows the holder of one token; an empty token is nobody's."""

    def __init__(self, token: str, principal: Principal) -> None:
        self._token = token
        self._principal = principal

    async def principal(self, scope: Scope) -> Principal | Problem | None:
        """Return who it is, or None."""
        bearer = bearer_of(scope)
        return self._principal if self._token and bearer is not None and matches(bearer, self._token) else None
