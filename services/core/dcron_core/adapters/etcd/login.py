"""Who we are to etcd: the token that it gave us for our password, shown with each call.

A token ends when it was not used for some minutes, when the member that it is shown to has started anew, and when
somebody changes a user or a role. Then the call was refused before it did anything, so that it can be made once more
with a new token.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
import grpc.aio
from etcd3 import etcdrpc

from dcron_core.errors import StoreUnavailableError
from dcron_core.security import Security

Metadata = tuple[tuple[str, str], ...]
T = TypeVar("T")

# Older members answer a watch with a token that they do not know any more by "permission denied".
_ENDED = ("invalid auth token", "revision of auth store is old")
_DENIED = "permission denied"


class Login:
    """One user's login; without a user, nothing is shown."""

    def __init__(self, security: Security, timeout_s: float) -> None:
        self.security = security
        self._timeout_s = timeout_s
        self._token = ""
        self._asking = asyncio.Lock()  # one new token is enough for all calls that wait for it

    async def call(self, endpoint: Any, make: Callable[[Metadata], Awaitable[T]]) -> T:
        """Make a call of one answer; if its token has ended, once more with a new one."""
        shown = await self.metadata(endpoint)
        try:
            return await make(shown)
        except grpc.aio.AioRpcError as error:
            if not self.ended(shown, error.details()):
                raise
        return await make(await self.metadata(endpoint))

    async def metadata(self, endpoint: Any) -> Metadata:
        """Return what to show; ask for a token if there is none. Raises StoreUnavailableError if it is refused."""
        if not self.security.user:
            return ()
        async with self._asking:
            if not self._token:
                self._token = await self._ask(endpoint)
            return (("token", self._token),)

    def ended(self, shown: Metadata, said: str | None, *, denied_too: bool = False) -> bool:
        """Tell whether etcd refused what was shown because it has ended; then the next call brings a new one."""
        signs = (*_ENDED, _DENIED) if denied_too else _ENDED
        if not shown or not any(sign in (said or "") for sign in signs):
            return False
        if shown == (("token", self._token),):
            self._token = ""
        return True

    async def _ask(self, endpoint: Any) -> str:
        request = etcdrpc.AuthenticateRequest(name=self.security.user, password=self.security.password)
        try:
            response = await endpoint.auth.Authenticate(request, timeout=self._timeout_s)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION):
                raise StoreUnavailableError(
                    f"log in: etcd at {endpoint.address} refuses DCRON_ETCD_USER={self.security.user!r} "
                    f"with its DCRON_ETCD_PASSWORD: {error.details()}"
                ) from error
            raise
        return str(response.token)
