"""Serves an ASGI application inside a running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager

import uvicorn
from litestar.types import ASGIApp

from dcron_core.errors import SettingsError


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the service's lifecycle has them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int, variable: str) -> socket.socket:
    """Return a bound socket; raise SettingsError naming `variable` when the address cannot be had."""
    with ExitStack() as stack:
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            # The protocol is named because asyncio looks at it before it sets TCP_NODELAY; without that, an answer
            # waits 40 ms for the client's delayed acknowledgement.
            bound = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
        except OSError as error:
            raise SettingsError([f"cannot listen on {host}:{port}: {error}; choose another with {variable}"]) from error
        stack.pop_all()
        return bound


@asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncIterator[int]:
    """Serve `app` on the socket; yield the port once it accepts. Leaving stops it, with 2 s for open requests."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2, ws="websockets-sansio",
        ws_max_size=1 << 20, server_header=False,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the HTTP server ended while it started")
            await asyncio.sleep(0.01)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
