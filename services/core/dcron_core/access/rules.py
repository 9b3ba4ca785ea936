"""What each route needs: a rule stands in its options, `opt={"access": IN_NAMESPACE("viewer")}`.

A route without a rule is refused to everybody (`dcron_core.access.guard`), so that a new one is closed until somebody
has thought about it. What a rule for namespaces means is the handler's to enforce: it alone knows which ones it
touches.
"""

from functools import partial
from typing import Any, Literal

from msgspec import Struct

from dcron_schemas.identity import Role

KEY = "access"  # in a route's options

Kind = Literal["open", "logged in", "system", "namespace", "metrics"]


class Rule(Struct, frozen=True):
    """Who may come in."""

    kind: Kind
    role: Role | None = None  # the least one


OPEN = Rule("open")  # probes and logging in; the middleware lets these paths in by name as well
ANYBODY_LOGGED_IN = Rule("logged in")
METRICS = Rule("metrics", "viewer")  # the token for metrics, or a viewer of the whole system
SYSTEM = partial(Rule, "system")  # a role on `*`: checked before the handler is called
IN_NAMESPACE = partial(Rule, "namespace")  # the handler asks the principal, or shows what it may see


def ruled(rule: Rule) -> dict[str, Any]:
    """Return a route's options with its rule."""
    return {KEY: rule}


def rule_of(options: dict[str, Any]) -> Rule | None:
    """Return the rule that stands in a route's options."""
    rule = options.get(KEY)
    return rule if isinstance(rule, Rule) else None
