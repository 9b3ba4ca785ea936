"""Secrets over HTTP, under `/api/v1/secrets`: set, replaced, removed, listed by name; their values are never shown."""

from typing import Any

from litestar import Controller, Request, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.access.sealing import Sealer
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.jobs.changes import SecretStands
from dcron_master.asking import Asking
from dcron_master.identity_checks import check_secret, check_secret_value
from dcron_master.identity_log import IdentityLog
from dcron_schemas.identity import Secret, SecretEntry, SecretList, SecretWanted
from dcron_schemas.identity_events import SecretRemoved, SecretSet


class SecretController(Controller):
    """Secrets of namespaces."""

    path = "/api/v1/secrets"
    tags = ("identity",)

    @get(opt=ruled(IN_NAMESPACE("viewer")))
    async def list_secrets(
        self,
        request: Request[Any, Any, Any],
        identity: NamedDependency[IdentityLog],
        namespace: FromQuery[str] = "",
    ) -> SecretList:
        """List the secrets of a namespace, or of all that the asker may view."""
        refuse_unknown_parameters(request, {"namespace"})
        principal = principal_of(request.scope)
        if namespace:
            principal.require("viewer", namespace)
        visible = frozenset((namespace,)) if namespace else principal.visible()
        secrets = (await identity.now()).secrets()
        return SecretList(
            secrets=tuple(_view(each) for each in secrets if visible is None or each.namespace in visible)
        )

    @put("/{namespace:str}/{name:str}", opt=ruled(IN_NAMESPACE("editor")))
    async def set_secret(
        self,
        request: Request[Any, Any, Any],
        namespace: FromPath[str],
        name: FromPath[str],
        data: JSONBody[SecretWanted],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
        sealer: NamedDependency[Sealer],
    ) -> Secret:
        """Set a secret, or replace its value. Runs that start from now on have the new one."""
        principal_of(request.scope).require("editor", namespace)
        check_secret(namespace, name)
        check_secret_value(data.value)
        event = SecretSet(namespace=namespace, name=name, sealed=sealer.seal(namespace, name, data.value))
        applied = await asking.execute("", event)
        await identity.settled()
        return next(_view(change.entry) for change in applied.changes if isinstance(change, SecretStands))

    @delete("/{namespace:str}/{name:str}", opt=ruled(IN_NAMESPACE("editor")))
    async def remove_secret(
        self,
        request: Request[Any, Any, Any],
        namespace: FromPath[str],
        name: FromPath[str],
        asking: NamedDependency[Asking],
        identity: NamedDependency[IdentityLog],
    ) -> None:
        """Remove a secret. Jobs that name it fail until it is there again."""
        principal_of(request.scope).require("editor", namespace)
        await asking.execute("", SecretRemoved(namespace=namespace, name=name))
        await identity.settled()


def _view(secret: SecretEntry) -> Secret:
    return Secret(
        namespace=secret.namespace, name=secret.name, updated_at=secret.updated_at, updated_by=secret.updated_by
    )
