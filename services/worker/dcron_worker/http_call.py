"""A call over HTTP as a run: sent, read as it comes, and given up when the run is ended.

Status and headers of the answer are its stderr, the body is its stdout. The call is a success when the status is
expected (a 2xx, unless the job names others) and the body has come to its end. A redirect is followed to the same
scheme, host and port only, with httpx's rules for the method. Proxies in the worker's environment are not used.
"""

import asyncio
import codecs
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from dcron_core.clock import Clock
from dcron_schemas.job import HttpCall
from dcron_schemas.records import Execution
from dcron_worker.output import CHUNK_BYTES, Chunk, Stream
from dcron_worker.under_way import Ended

if TYPE_CHECKING:
    import httpx  # otherwise imported with the first call: most workers have none, and it takes 100 ms

CONNECT_S = 10.0
MOST_REDIRECTS = 5
HELD_CHUNKS = 4  # before the answer has to wait for its reader
# A peer that vanished is noticed within some minutes, even by a job without a timeout.
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6),
)

for _name in ("httpx", "httpcore"):  # below that they write down what was answered, in which a secret may be
    logging.getLogger(_name).setLevel(logging.WARNING)


def headers_of(execution: Execution) -> dict[str, str]:
    """Return what tells the one who is called which run this is."""
    return {
        "Dcron-Execution-Id": execution.execution_id,
        "Dcron-Job-Id": execution.job_id,
        "Dcron-Due-At": execution.due_at.isoformat(),
        "Dcron-Attempt": str(execution.attempt),
        "Dcron-Fencing-Token": str(execution.fencing_token),
    }


class HttpRun:
    """A call that was started."""

    pid = 0

    def __init__(self, call: HttpCall, headers: Mapping[str, str], clock: Clock) -> None:
        self.started_at = clock.now()
        self._call = call
        self._headers = {"Accept-Encoding": "identity", **call.headers, **headers}
        self._clock = clock
        self._chunks: asyncio.Queue[Chunk] = asyncio.Queue(HELD_CHUNKS)
        self._task = asyncio.create_task(self._run(), name=f"{call.method} {call.url}")
        self.over = asyncio.create_task(self.wait())

    async def wait(self) -> Ended:
        """Wait until the answer is complete, or there is none."""
        await asyncio.wait((self._task,))
        return Ended(error="it was ended before its answer was complete") if self._task.cancelled() else self._result()

    async def terminate(self, grace: timedelta) -> None:  # noqa: ARG002 (there is nobody to be patient with)
        """Give the call up."""
        self._task.cancel()
        await self.wait()

    async def output(self) -> AsyncIterator[Chunk]:
        """Give the answer as it comes."""
        while not (self._task.done() and self._chunks.empty()):
            getting = asyncio.ensure_future(self._chunks.get())
            try:
                await asyncio.wait((getting, self._task), return_when=asyncio.FIRST_COMPLETED)
                if getting.done():
                    yield getting.result()
            finally:
                getting.cancel()

    def _result(self) -> Ended:
        return Ended(error=self._task.result())

    async def _run(self) -> str:
        """Return why the call failed; "" when it did not."""
        httpx = await asyncio.to_thread(import_module, "httpx")
        transport = httpx.AsyncHTTPTransport(verify=await self._tls(), socket_options=_KEEP_ALIVE)
        timeout = httpx.Timeout(None, connect=CONNECT_S)
        try:
            async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
                request = client.build_request(
                    self._call.method, self._call.url, headers=self._headers, content=self._call.body.encode() or None
                )
                return await self._exchange(client, request)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
            return f"{self._call.method} {self._call.url} failed: {_cause(error)}"

    async def _tls(self) -> ssl.SSLContext:
        if self._call.url.lower().startswith("https:"):
            return await asyncio.to_thread(_trusting_contexts)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used, and quicker than httpx's own

    async def _exchange(self, client: "httpx.AsyncClient", request: "httpx.Request") -> str:
        for _ in range(MOST_REDIRECTS + 1):
            response = await client.send(request, stream=True)
            try:
                onward = None if self._expects(response.status_code) else response.next_request
                await self._put("stderr", _head(response))
                if onward is None:
                    await self._read(response)
                    return self._verdict(response)
            finally:
                await response.aclose()
            if _origin(onward.url) != _origin(request.url):
                return f"it was redirected to {onward.url}, which is elsewhere; call that, if it is what you want"
            request = onward
        return f"it was redirected more than {MOST_REDIRECTS} times"

    async def _read(self, response: "httpx.Response") -> None:
        decoder = _decoder(response.charset_encoding)
        async for data in response.aiter_bytes():  # as it comes; with a size, httpx would wait for so much
            for begin in range(0, len(data), CHUNK_BYTES):
                await self._put("stdout", decoder.decode(data[begin : begin + CHUNK_BYTES]))
        await self._put("stdout", decoder.decode(b"", final=True))

    async def _put(self, stream: Stream, text: str) -> None:
        if text:
            await self._chunks.put(Chunk(0, stream, self._clock.now(), text))

    def _expects(self, status: int) -> bool:
        return status in self._call.expect_status if self._call.expect_status else 200 <= status < 300

    def _verdict(self, response: "httpx.Response") -> str:
        if self._expects(response.status_code):
            return ""
        wanted = ", ".join(map(str, self._call.expect_status)) or "2xx"
        return f"it was answered {response.status_code} {response.reason_phrase}".rstrip() + f"; expected is {wanted}"


@cache
def _trusting_contexts() -> ssl.SSLContext:
    """Return what trusts the usual authorities, or those in SSL_CERT_FILE; reading them takes 20 ms and more."""
    import httpx

    return httpx.create_ssl_context()


def _head(response: "httpx.Response") -> str:
    lines = [f"{response.http_version} {response.status_code} {response.reason_phrase}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.headers.multi_items()]
    return "\n".join(lines) + "\n\n"


def _origin(url: "httpx.URL") -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _decoder(charset: str | None) -> codecs.IncrementalDecoder:
    try:
        "".encode(charset or "utf-8")  # refuses encodings that are none of text, such as base64
        return codecs.getincrementaldecoder(charset or "utf-8")("replace")
    except (LookupError, ValueError):
        return codecs.getincrementaldecoder("utf-8")("replace")


def _cause(error: Exception) -> str:
    text = str(error)
    kind = type(error).__name__
    if kind == "ConnectTimeout":
        return f"no connection within {CONNECT_S:g} s"
    return f"{text} ({kind})" if text else kind
