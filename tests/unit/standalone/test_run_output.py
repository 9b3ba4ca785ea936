"""What `dcron logs` prints of stored output, all or its tail, both streams or one, and of what is being written."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from dcron_core.errors import DcronError
from dcron_schemas.api import ExecutionView, FinishedFrame, Info, OutputFrame, OutputPiece, StateFrame
from dcron_standalone.client import Client
from dcron_standalone.data_directory import Access
from dcron_standalone.moments import instant_in
from dcron_standalone.ports import LOOPBACK, free_port
from dcron_standalone.run_output import TAIL_CHARACTERS, Printer, follow_run
from tests.certificates import Authority

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = ExecutionView(
    execution_id="e", job_id="j", job_name="hello", namespace="default", job_version=1, trigger="tick", due_at=AT,
    attempt=1, worker_id="w", claimed_at=AT, fencing_token=1, status="succeeded",
)  # fmt: skip


def piece(seq: int, text: str, stream: Literal["stdout", "stderr"] = "stdout") -> OutputPiece:
    return OutputPiece(seq=seq, stream=stream, at=AT + timedelta(seconds=seq), text=text)


class Kept:
    """Output in memory."""

    def __init__(self, *pieces: OutputPiece) -> None:
        self._pieces = pieces

    def output(self, execution_id: str, from_seq: int = 0) -> Iterator[OutputPiece]:
        assert execution_id == RUN.execution_id
        yield from self._pieces[from_seq:]


LINES = Kept(piece(0, "one\ntw"), piece(1, "oops\n", "stderr"), piece(2, "o\nthree\nfo"), piece(3, "ur"))


@pytest.mark.parametrize(
    ("tail", "printed"),
    [
        (None, "one\ntwo\nthree\nfour"),
        (0, ""),
        (1, "four"),
        (2, "three\nfour"),
        (4, "one\ntwo\nthree\nfour"),
        (99, "one\ntwo\nthree\nfour"),
    ],
)
def test_the_tail_counts_lines_over_chunks(tail: int | None, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert Printer(stream="stdout", tail=tail).stored(LINES, RUN) == 4
    assert capsys.readouterr().out == printed


def test_the_tail_of_a_line_without_end_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    chunk = 32 << 10
    endless = Kept(*(piece(seq, f"{seq:06d}" + "x" * (chunk - 6)) for seq in range(1000)))
    assert Printer(tail=1).stored(endless, RUN) == 1000
    printed = capsys.readouterr().out
    assert len(printed) == TAIL_CHARACTERS
    assert printed[-chunk:].startswith("000999x")


def test_both_streams_go_where_the_run_wrote_them(capsys: pytest.CaptureFixture[str]) -> None:
    Printer().stored(LINES, RUN)
    assert capsys.readouterr() == ("one\ntwo\nthree\nfour", "oops\n")
    Printer(stream="stderr").stored(LINES, RUN)
    assert capsys.readouterr() == ("oops\n", "")


def test_json_is_an_object_on_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=True, since=AT + timedelta(seconds=2)).stored(LINES, RUN)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["execution_id"], line["seq"], line["text"]) for line in lines] == [
        ("e", 2, "o\nthree\nfo"),
        ("e", 3, "ur"),
    ]


def test_an_instant_or_how_long_ago() -> None:
    assert instant_in("--since", "") == ""
    assert datetime.fromisoformat(instant_in("--since", "2026-03-01T12:00Z")) == AT
    ago = datetime.now(UTC) - datetime.fromisoformat(instant_in("--since", "2h"))
    assert abs(ago - timedelta(hours=2)) < timedelta(minutes=1)
    with pytest.raises(DcronError, match="--since 'soon' is not an instant"):
        instant_in("--since", "soon")


class Threads(Printer):
    """Sees which threads there are while output comes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[threading.Thread] = set()

    def piece(self, execution_id: str, piece: OutputPiece) -> None:
        self.seen |= set(threading.enumerate())
        super().piece(execution_id, piece)


async def test_a_run_is_followed_by_tls_from_one_thread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two that use one connection at a time make it hang now and then: Python 3.11 does not keep them apart."""
    authority = Authority(tmp_path)
    pair = authority.sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    port = free_port()
    url = f"https://{LOOPBACK}:{port}"

    def info(connection: ServerConnection, request: Request) -> Response | None:
        if request.path != "/api/v1/info":
            return None
        return connection.respond(HTTPStatus.OK, msgspec.json.encode(Info(version="1", log_ingester_url=url)).decode())

    async def run(socket: ServerConnection) -> None:
        for frame in (StateFrame(execution=RUN), OutputFrame(chunk=piece(0, "hello\n")), FinishedFrame(execution=RUN)):
            await socket.send(msgspec.json.encode(frame).decode())

    printer = Threads()
    async with serve(run, LOOPBACK, port, ssl=context, process_request=info):
        client = Client(Access(url, "a-token", str(authority.file)))
        before = set(threading.enumerate())
        await asyncio.to_thread(follow_run, client, RUN.execution_id, printer)
        client.close()
    assert capsys.readouterr().out == "hello\n"
    assert len(printer.seen - before) == 1
