"""An API token changed into access tokens: for the log-ingester, which knows no users.

The settings' own token goes everywhere as it is.
"""

import re
from collections.abc import Callable
from datetime import timedelta

from dcron_core.clock import Clock
from dcron_schemas.identity import AccessToken

API_TOKEN = re.compile(r"dcron_[A-Za-z0-9_-]{43}")
EARLY = timedelta(seconds=30)  # before a token expires the next one is got


class AccessTokenSource:
    """What to show the log-ingester, got from the master when it is needed."""

    def __init__(self, token: str, exchange: Callable[[], AccessToken], clock: Clock) -> None:
        self._token = token
        self._exchange = exchange
        self._clock = clock
        self._current: AccessToken | None = None
        self.changes = API_TOKEN.fullmatch(token) is not None  # the token is one that has to be changed

    def bearer(self) -> str:
        """Return a token that holds for a while."""
        if not self.changes:
            return self._token
        if self._current is None or self._current.expires_at - EARLY <= self._clock.now():
            self._current = self._exchange()
        return self._current.token

    def forget(self) -> None:
        """Get another one the next time: this one was refused."""
        self._current = None
