"""What a token may do that has less than its user. Pure."""

from dcron_schemas.identity import EVERYWHERE, ROLES, Grants, Role


def capped(held: Grants, limit: Grants | None) -> Grants:
    """Return what is within both, in each namespace; None: no limit."""
    if limit is None:
        return held
    within = {name: min(_role(held, name), _role(limit, name), key=_rank) for name in held.keys() | limit.keys()}
    return {name: role for name, role in sorted(within.items()) if role is not None}


def _role(grants: Grants, namespace: str) -> Role | None:
    return max(grants.get(namespace), grants.get(EVERYWHERE), key=_rank)


def _rank(role: Role | None) -> int:
    return -1 if role is None else ROLES.index(role)
