"""A call over HTTP as a run: against a real server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec

from dcron_core.clock import SystemClock
from dcron_schemas.job import HttpCall
from dcron_worker.http_call import HttpRun
from dcron_worker.under_way import Ended

CLOCK = SystemClock()
PATIENCE_S = 20.0
Answer = Callable[[str, dict[str, str], bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    """Serve HTTP/1.1, a request for each connection; give the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readline()).decode().strip()
            headers: dict[str, str] = {}
            while line := (await reader.readline()).decode().strip():
                name, _, value = line.partition(": ")
                headers[name.lower()] = value
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            await answer(request, headers, body, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def answers(status: str, body: bytes = b"", *headers: str) -> Answer:
    async def answer(_request: str, _headers: dict[str, str], _body: bytes, writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    return answer


async def call(url: str, **fields: Any) -> tuple[Ended, str, str]:
    """Call; return the end, the body and the head."""
    run = HttpRun(msgspec.convert({"url": url, **fields}, HttpCall), {"Dcron-Execution-Id": "e1"}, CLOCK)
    texts = {"stdout": "", "stderr": ""}
    async with asyncio.timeout(PATIENCE_S):
        async for chunk in run.output():
            texts[chunk.stream] += chunk.text
        return await run.wait(), texts["stdout"], texts["stderr"]


async def test_method_headers_and_body_are_sent_and_the_answer_is_the_output() -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def answer(request: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append((request, headers, body))
        await answers("201 Created", "grün\n".encode(), "X-Made: yes")(request, headers, body, writer)

    async with server(answer) as url:
        ended, body, head = await call(f"{url}/a?b=c", method="PUT", headers={"X-Mine": "1"}, body="hällo")
    ((request, headers, sent),) = seen
    assert (request, sent.decode()) == ("PUT /a?b=c HTTP/1.1", "hällo")
    assert (headers["x-mine"], headers["dcron-execution-id"]) == ("1", "e1")
    assert ended.succeeded
    assert body == "grün\n"
    assert head.startswith("HTTP/1.1 201 Created\n")
    assert "x-made: yes\n" in head.lower()


async def test_which_status_is_a_success() -> None:
    cases: list[tuple[str, list[int], str]] = [
        ("200 OK", [], ""),
        ("204 No Content", [], ""),
        ("503 Service Unavailable", [], "it was answered 503 Service Unavailable; expected is 2xx"),
        ("404 Not Found", [404, 410], ""),
        ("200 OK", [202], "it was answered 200 OK; expected is 202"),
        ("302 Found", [302], ""),
        ("304 Not Modified", [], "it was answered 304 Not Modified; expected is 2xx"),
    ]
    for status, expected, error in cases:
        async with server(answers(status, b"", "Location: http://elsewhere.invalid/")) as url:
            ended, _, head = await call(url, method="GET", expect_status=expected)
        assert (ended.error, ended.succeeded) == (error, not error), status
        assert status in head, "what was answered is in the output, of a failure too"


async def test_a_redirect_is_followed_on_the_same_host_only() -> None:
    async def answer(request: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> None:
        path = request.split()[1]
        if path == "/moved":
            await answers("303 See Other", b"", "Location: /here")(request, headers, body, writer)
        elif path == "/here":
            await answers("200 OK", f"{request} {headers.get('authorization')}".encode())(
                request, headers, body, writer
            )
        elif path == "/round":
            await answers("302 Found", b"", "Location: /round")(request, headers, body, writer)
        else:
            await answers("302 Found", b"", f"Location: {other}/secret")(request, headers, body, writer)

    reached: list[str] = []

    async def elsewhere(request: str, _headers: dict[str, str], _body: bytes, _writer: asyncio.StreamWriter) -> None:
        reached.append(request)

    async with server(answer) as url, server(elsewhere) as other:
        ended, body, head = await call(f"{url}/moved", headers={"Authorization": "s"})
        assert (ended.error, body) == ("", "GET /here HTTP/1.1 s")
        assert "303 See Other" in head
        ended, _, _ = await call(f"{url}/away", headers={"Authorization": "s"})
        assert (
            ended.error == f"it was redirected to {other}/secret, which is elsewhere; call that, if it is what you want"
        )
        ended, _, _ = await call(f"{url}/round")
        assert ended.error == "it was redirected more than 5 times"
    assert not reached, "credentials do not reach another server"


async def test_what_cannot_be_called_says_why() -> None:
    async with server(answers("200 OK")) as url:
        port = int(url.rpartition(":")[2])
    ended, _, _ = await call(url)
    assert ended.error.startswith(f"POST {url} failed: ")
    assert "connect" in ended.error.lower()

    async def cut_short(_request: str, _headers: dict[str, str], _body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    async with server(cut_short) as url:
        ended, body, _ = await call(url)
    assert not ended.succeeded
    assert "failed" in ended.error
    assert body == "half"

    async with server(answers("200 OK")) as url:
        ended, _, _ = await call(url.replace("http:", "https:"))
    assert "failed" in ended.error, f"port {port} does not speak TLS"


async def test_a_call_that_hangs_is_ended_at_once_and_keeps_what_came() -> None:
    async def hang(_request: str, _headers: dict[str, str], _body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await over.wait()

    over = asyncio.Event()

    async with server(hang) as url:
        run = HttpRun(HttpCall(url=url), {}, CLOCK)
        texts = []
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in run.output():
                texts.append(chunk.text)
                if chunk.text == "half":
                    before = CLOCK.monotonic()
                    await run.terminate(timedelta(seconds=60))
            assert CLOCK.monotonic() - before < 1
        assert (await run.wait()).error == "it was ended before its answer was complete"
        assert texts[-1] == "half"
        over.set()


async def test_an_answer_in_another_encoding_and_one_that_is_none() -> None:
    latin = answers("200 OK", "grün".encode("latin-1"), "Content-Type: text/plain; charset=iso-8859-1")
    async with server(latin) as url:
        assert (await call(url))[1] == "grün"
    async with server(answers("200 OK", b"a\xffb", "Content-Type: text/plain; charset=base64")) as url:
        assert (await call(url))[1] == "a\ufffdb"


async def test_a_large_answer_waits_for_its_reader() -> None:
    async with server(answers("200 OK", b"x" * (8 << 20))) as url:
        ended, body, _ = await call(url)
    assert ended.succeeded
    assert len(body) == 8 << 20
