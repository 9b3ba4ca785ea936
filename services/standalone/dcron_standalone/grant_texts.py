"""Grants as people write them: namespace=role, such as team=editor or *=admin."""

from collections.abc import Iterable

import msgspec

from dcron_schemas.identity import ROLES, Grants, Role
from dcron_standalone.client import ApiError


def parse_grants(texts: Iterable[str]) -> Grants:
    """Return the grants; raise ApiError for what is none."""
    grants: Grants = {}
    for text in texts:
        namespace, equals, role = text.partition("=")
        if not (namespace and equals and role in ROLES):
            raise ApiError(
                f"{text!r} is not namespace=role, such as team=editor or '*=admin'; roles: {', '.join(ROLES)}"
            )
        grants[namespace] = msgspec.convert(role, Role)
    return grants


def grants_text(grants: Grants) -> str:
    """Return the grants as they are written."""
    return " ".join(f"{namespace}={role}" for namespace, role in sorted(grants.items())) or "-"
