"""The guard of all routes: holds whoever asks against the route's rule, and refuses a route that has none (G11).

Each application names it once, so it stands before every handler, those of the framework itself included.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketException
from litestar.handlers.base import BaseRouteHandler

from dcron_core.access.middleware import FORBIDDEN
from dcron_core.access.principal import Principal
from dcron_core.access.rules import OPEN, Rule, rule_of
from dcron_core.errors import ForbiddenError
from dcron_core.http.problems import ProblemError


def access_guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise unless the route's rule lets the asker in."""
    try:
        _check(connection, handler)
    except ForbiddenError as error:
        if connection.scope["type"] == ScopeType.WEBSOCKET:
            raise WebSocketException(detail=str(error), code=FORBIDDEN) from error
        raise


def _check(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    if connection.scope.get("method") == "OPTIONS":
        return  # says which methods there are, and does nothing
    rule = rule_of(handler.opt)
    if rule is None:
        raise ForbiddenError("this route does not say who may use it, so nobody may; that is a mistake of dcron's")
    if rule == OPEN:
        return
    principal = connection.scope.get("state", {}).get("principal")
    if not isinstance(principal, Principal):  # the middleware has let in an open path whose route is not open
        raise ProblemError(401, "not logged in", "this needs a login")
    _require(principal, rule)


def _require(principal: Principal, rule: Rule) -> None:
    if rule.kind == "metrics":
        if principal.how != "metrics":
            principal.require("viewer")
        return
    if principal.how == "metrics":
        raise ForbiddenError("this token is for /metrics only")
    if rule.kind == "system":
        assert rule.role is not None
        principal.require(rule.role)
