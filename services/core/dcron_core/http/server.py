"""Serves an ASGI application inside a running event loop, in plaintext or by TLS.

A certificate that is renewed in its file is shown from then on, without a new start.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from litestar.types import ASGIApp

from dcron_core.errors import SettingsError
from dcron_core.security import TlsFiles
from dcron_core.telemetry import get_logger

log = get_logger()

_LOOK_S = 30.0  # how often the certificate's file is looked at
_PLAINTEXT = TlsFiles("DCRON_TLS")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service's lifecycle has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, variable: str) -> socket.socket:
    """Return a socket that listens; raise SettingsError naming `variable` when the address cannot be had.

    Of two services that start at one address at once both could bind; only one can listen.
    """
    with ExitStack() as stack:
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            # The protocol is named because asyncio looks at it before it sets TCP_NODELAY; without that, an answer
            # waits 40 ms for the client's delayed acknowledgement.
            bound = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.listen()
        except OSError as error:
            raise SettingsError([f"cannot listen on {host}:{port}: {error}; choose another with {variable}"]) from error
        stack.pop_all()
        return bound


class Certificate:
    """What new connections are shown, kept as the files are."""

    def __init__(self, files: TlsFiles, context: ssl.SSLContext) -> None:
        self._files = files
        self._context = context
        self._loaded = self._state()

    def look(self) -> bool:
        """Load the files if they have changed and belong together; return whether they were loaded."""
        state = self._state()
        if state == self._loaded or not state:
            return False
        self._loaded = state
        try:
            self._files.server_context()  # half written, or the key of another one: this refuses it
            self._context.load_cert_chain(self._files.cert, self._files.key)
        except (OSError, ssl.SSLError) as error:
            log.error(
                "DCRON_TLS_CERT and DCRON_TLS_KEY changed, but cannot be used: the former ones are",
                action="tls.refused",
                cert=self._files.cert,
                error=str(error),
            )
            return False
        log.info("the certificate was renewed", action="tls.renewed", cert=self._files.cert)
        return True

    async def keep(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def _state(self) -> tuple[tuple[int, int], ...]:
        """Return what differs when a file was written or replaced; nothing while one of them is not there."""
        try:
            stats = [Path(file).stat() for file in (self._files.cert, self._files.key)]
        except OSError:
            return ()
        return tuple((each.st_mtime_ns, each.st_ino) for each in stats)


@asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket, tls: TlsFiles = _PLAINTEXT) -> AsyncIterator[int]:
    """Serve `app` on the socket; yield the port once it accepts. Leaving stops it, with 2 s for open requests."""
    context = tls.server_context()
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2, ws="websockets-sansio",
        ws_max_size=1 << 20, server_header=False, ssl_context_factory=None if context is None else lambda *_: context,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    tasks = [task]
    if context is not None:
        tasks.append(asyncio.create_task(Certificate(tls, context).keep(), name="certificate"))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the HTTP server ended while it started")
            await asyncio.sleep(0.01)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        for each in tasks[1:]:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
