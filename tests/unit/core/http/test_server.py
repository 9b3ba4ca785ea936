"""The port that services listen on."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from dcron_core.errors import SettingsError
from dcron_core.http.server import Certificate, listen, serving
from dcron_core.security import TlsFiles
from dcron_standalone.ports import LOOPBACK
from tests.certificates import Authority, Pair


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
    with listen(LOOPBACK, 0, "DCRON_MASTER_PORT") as first, pytest.raises(SettingsError, match="DCRON_MASTER_PORT"):
        listen(LOOPBACK, first.getsockname()[1], "DCRON_MASTER_PORT")


class TestTls:
    """The port by TLS: what is shown, what is renewed, and that there is no plaintext beside it."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        return Authority(tmp_path)

    @pytest.fixture
    def pair(self, authority: Authority) -> Pair:
        return authority.sign("port")

    async def test_who_trusts_the_authority_is_answered(self, authority: Authority, pair: Pair) -> None:
        bound = listen(LOOPBACK, 0, "DCRON_MASTER_PORT")
        trusting = TlsFiles("DCRON", ca=str(authority.file)).client_context()
        assert trusting is not None
        async with (
            serving(scheme, bound, files(pair)) as port,
            httpx.AsyncClient(verify=trusting, trust_env=False) as client,
        ):
            assert (await client.get(f"https://{LOOPBACK}:{port}/")).text == "https"
            with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
                await client.get(f"https://localhost:{port}/")
            with pytest.raises(httpx.TransportError):
                await client.get(f"http://{LOOPBACK}:{port}/")

    async def test_a_renewed_certificate_is_shown_to_new_connections(self, authority: Authority, pair: Pair) -> None:
        context = files(pair).server_context()
        assert context is not None
        certificate = Certificate(files(pair), context)
        async with await asyncio.start_server(lambda *_: None, LOOPBACK, 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            first = await shown(port)
            assert not certificate.look()  # nothing has changed
            authority.sign("renewed", into=pair)
            assert certificate.look()
            assert await shown(port) not in {first, b""}

    async def test_a_pair_that_does_not_fit_leaves_the_former_one(self, authority: Authority, pair: Pair) -> None:
        """As between the writes of the two files. When they fit again, they are shown."""
        context = files(pair).server_context()
        assert context is not None
        certificate = Certificate(files(pair), context)
        async with await asyncio.start_server(lambda *_: None, LOOPBACK, 0, ssl=context) as server:
            port = server.sockets[0].getsockname()[1]
            first = await shown(port)
            other = authority.sign("other")
            other.cert.replace(pair.cert)
            assert not certificate.look()
            assert await shown(port) == first
            pair.key.unlink()
            assert not certificate.look()
            other.key.replace(pair.key)
            assert certificate.look()
            assert await shown(port) != first


async def scheme(scope: Any, receive: Any, send: Any) -> None:
    """Answer each request with the scheme that it came by."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


def files(pair: Pair) -> TlsFiles:
    return TlsFiles("DCRON_TLS", cert=str(pair.cert), key=str(pair.key))


async def shown(port: int) -> bytes:
    """Return the certificate that a new connection is shown."""
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(LOOPBACK, port, ssl=anybody)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return bytes(certificate)
