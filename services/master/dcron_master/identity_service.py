"""The parts of a master that know users, put together: who comes in, and what manages them."""

from collections.abc import Sequence
from typing import Any

from litestar import Controller
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from dcron_core.access.access_tokens import AccessTokenMaker
from dcron_core.access.passwords import Passwords
from dcron_core.access.sealing import Sealer
from dcron_core.clock import Clock
from dcron_core.durations import parse_duration
from dcron_core.history import History
from dcron_core.ids import IdSource
from dcron_core.settings import MasterSettings
from dcron_master.authenticator import DirectoryAuthenticator
from dcron_master.commands import Commands
from dcron_master.identity_log import IdentityLog
from dcron_master.login_api import Door, login_routes
from dcron_master.login_attempts import LoginAttempts
from dcron_master.logins import Logins
from dcron_master.oidc_api import PURPOSE, Oidc, client_of, oidc_routes
from dcron_master.oidc_provider import Provider
from dcron_master.oidc_users import ProviderUsers, parse_group_grants
from dcron_master.refusals import Refusals
from dcron_master.secrets_api import SecretController
from dcron_master.session_api import SessionController
from dcron_master.tokens_api import TokenController
from dcron_master.users_api import UserController


class Identity(Struct, frozen=True):
    """What the service takes in: something to run in the background, to ask who it is, and to serve."""

    refusals: Refusals
    authenticator: DirectoryAuthenticator
    given: dict[str, Any]  # to the handlers
    controllers: Sequence[type[Controller]]
    routes: Sequence[HTTPRouteHandler]


def identity_of(
    settings: MasterSettings,
    commands: Commands,
    history: History,
    clock: Clock,
    ids: IdSource,
    maker: AccessTokenMaker | None,
) -> Identity:
    """Put the parts together; without a maker no access tokens are to be had."""
    identity = IdentityLog(history)
    passwords = Passwords(settings.cluster_key)
    attempts = LoginAttempts(clock, ids)
    refusals = Refusals(commands, clock)
    life = parse_duration(settings.session_life)
    logins = Logins(commands, identity, passwords, attempts, refusals, clock, ids, life)
    client = client_of(settings)
    door = Door(logins, clock, maker, settings.public_url, settings.oidc_name if client else "")
    routes = login_routes(door)
    if client is not None:
        mapping = parse_group_grants(settings.oidc_grants)
        users = ProviderUsers(commands, identity, settings.oidc_user_claim, settings.oidc_groups_claim, mapping)
        sealer = Sealer(settings.cluster_key, PURPOSE)
        routes += oidc_routes(Oidc(Provider(client, clock), users, door, refusals, sealer, clock, ids))
    authenticator = DirectoryAuthenticator(identity, clock)
    given = {
        "identity": identity,
        "passwords": passwords,
        "attempts": attempts,
        "door": door,
        "sealer": Sealer(settings.cluster_key),
        "authenticator": authenticator,
    }
    controllers = (SessionController, UserController, TokenController, SecretController)
    return Identity(refusals, authenticator, given, controllers, routes)
