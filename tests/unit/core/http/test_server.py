"""The socket that services listen on."""

import asyncio
import socket

import pytest

from dcron_core.errors import SettingsError
from dcron_core.http.server import listen
from dcron_standalone.ports import LOOPBACK


async def test_answers_are_sent_at_once() -> None:
    """The defect: asyncio left TCP_NODELAY off on our connections, and every answer took 40 ms more."""
    found = asyncio.get_running_loop().create_future()

    async def look(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        found.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    bound = listen(LOOPBACK, 0, "DCRON_MASTER_PORT")
    async with await asyncio.start_server(look, sock=bound):
        _, writer = await asyncio.open_connection(LOOPBACK, bound.getsockname()[1])
        assert await found == 1
        writer.close()
        await writer.wait_closed()


def test_an_address_that_is_taken_is_told_with_the_variable() -> None:
    with listen(LOOPBACK, 0, "DCRON_MASTER_PORT") as first:
        first.listen()
        with pytest.raises(SettingsError, match="DCRON_MASTER_PORT"):
            listen(LOOPBACK, first.getsockname()[1], "DCRON_MASTER_PORT")
