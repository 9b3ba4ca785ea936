"""One kept connection that posts JSON: as little as HTTP/1.1 takes, so that the client is not what is measured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from benchmarks.results import BenchmarkError
from benchmarks.stack import TOKEN


class Connection:
    """A connection to one service; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._token = token

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, token: str = TOKEN) -> AsyncIterator["Connection"]:
        """Connect to `http://host:port`."""
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            yield cls(reader, writer, address.netloc, token)
        finally:
            writer.close()
            await writer.wait_closed()

    async def post(self, path: str, body: bytes) -> bytes:
        """Post `body` as JSON; return the answer's body. Raises BenchmarkError unless the status is 2xx."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        content = await self._reader.readexactly(length)
        if answer[9:10] != b"2":
            raise BenchmarkError(
                f"POST {path} was answered {answer.splitlines()[0].decode()}: {content.decode()[:300]}"
            )
        return content
