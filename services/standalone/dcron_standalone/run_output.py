"""A run's output in the terminal: what is stored, and what is being written.

The run's own words go to stdout and stderr, as it wrote them; ours about it go to stderr.

A run is followed by one thread. OpenSSL does not let two use one connection at the same time, and Python does not keep
them apart: with a thread that reads while another one sends the handshake, one connection in 200 hung for ever.
"""

import asyncio
import re
import sys
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Literal, Protocol
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from dcron_schemas.api import ExecutionView, FinishedFrame, Frame, OutputFrame, OutputPiece, StateFrame, Status
from dcron_standalone.client import LOOPBACK_HOSTS, ApiError, Client
from dcron_standalone.moments import local, span
from dcron_standalone.terminal import note

Stream = Literal["stdout", "stderr"]
TAIL_CHARACTERS = 16 << 20  # most that --tail keeps: of longer lines, their ends
LINE = re.compile(r"[^\n]*\n|[^\n]+")

STATUS_STYLE: dict[Status, str] = {
    "running": "cyan", "succeeded": "green", "failed": "red", "timed_out": "red", "killed": "yellow", "lost": "magenta",
}  # fmt: skip
CLOSED_FOR_GOOD = range(4400, 4409)  # dcron's close codes: 4000 + the HTTP status; 4409 is a gap: connect again
EXPIRED = 4401  # of a websocket that was open: come again, with another access token
MOST_FAILURES, RECONNECT_AFTER_S = 5, 1.0  # in a row, and how long after each
OPEN_TIMEOUT_S, CLOSE_TIMEOUT_S = 10.0, 1.0

_frame_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


class OutputSource(Protocol):
    """Where stored output comes from."""

    def output(self, execution_id: str, from_seq: int = 0) -> Iterator[OutputPiece]:
        """Yield what is stored of a run's output from `from_seq` on, in order."""
        ...


class Printer:
    """Prints the output of runs as it is asked for: one stream or both, as text or as JSON lines, all or its tail."""

    def __init__(
        self,
        *,
        stream: Stream | None = None,
        as_json: bool = False,
        tail: int | None = None,
        since: datetime | None = None,
    ) -> None:
        self._stream = stream
        self._json = as_json
        self.tail = tail  # how many lines of what is stored; None: all
        self._since = since  # only what was written then or later

    def stored(self, source: OutputSource, execution: ExecutionView) -> int:
        """Print what is stored of a run's output; return the number of the next chunk."""
        next_seq = 0
        held: deque[OutputPiece] = deque()
        lines = characters = 0
        for piece in source.output(execution.execution_id):
            next_seq = piece.seq + 1
            if not self._wants(piece):
                continue
            if self.tail is None:
                self.piece(execution.execution_id, piece)
                continue
            held.append(piece)
            lines += piece.text.count("\n")
            characters += len(piece.text)
            while held and (lines - held[0].text.count("\n") > self.tail or characters > TAIL_CHARACTERS):
                oldest = held.popleft()
                lines -= oldest.text.count("\n")
                characters -= len(oldest.text)
        for piece in _last_lines(held, self.tail or 0):
            self.piece(execution.execution_id, piece)
        return next_seq

    def piece(self, execution_id: str, piece: OutputPiece) -> None:
        """Print a chunk, if it is wanted."""
        if not self._wants(piece):
            return
        if self._json:
            line = msgspec.json.encode({"execution_id": execution_id, **msgspec.structs.asdict(piece)})
            print(line.decode(), flush=True)
            return
        stream = sys.stderr if piece.stream == "stderr" and self._stream is None else sys.stdout
        stream.write(piece.text)
        stream.flush()

    def _wants(self, piece: OutputPiece) -> bool:
        return self._stream in {None, piece.stream} and (self._since is None or piece.at >= self._since)


def print_stored(client: Client, execution: ExecutionView, printer: Printer) -> None:
    """Print what is stored of a run's output, and how the run ended."""
    _announce(execution)
    printer.stored(client, execution)
    _conclude(execution)


def follow_run(client: Client, execution_id: str, printer: Printer | None = None, *, from_seq: int = 0) -> None:
    """Print a run's output, live, until it is over."""
    asyncio.run(_follow(client, execution_id, printer or Printer(), from_seq))


async def _follow(client: Client, execution_id: str, printer: Printer, from_seq: int) -> None:
    announced = False
    async with aclosing(_frames(client, execution_id, from_seq)) as frames:
        async for frame in frames:
            if isinstance(frame, StateFrame) and not announced:
                _announce(frame.execution)
                announced = True
            elif isinstance(frame, OutputFrame):
                printer.piece(execution_id, frame.chunk)
            elif isinstance(frame, FinishedFrame):
                _conclude(frame.execution)


def _last_lines(pieces: Sequence[OutputPiece], count: int) -> list[OutputPiece]:
    """Return the last `count` lines of the pieces; the very last one may have no end yet."""
    kept: list[OutputPiece] = []
    lines = 0
    for piece in reversed(pieces):
        for part in reversed(LINE.findall(piece.text)):
            if not kept or part.endswith("\n"):
                lines += 1
            if lines > count:
                return kept[::-1]
            kept.append(msgspec.structs.replace(piece, text=part))
    return kept[::-1]


async def _frames(client: Client, execution_id: str, from_seq: int) -> AsyncGenerator[Frame, None]:
    """Yield the frames of a run until it is over; connect again, and go on where it broke off, when it does.

    After a gap marker (we were too slow) too: a new connection begins with what is stored. When the access token has
    expired, the next one is got.
    """
    next_seq, failures = from_seq, 0
    while True:
        try:
            async with aclosing(_connection(client, execution_id, next_seq)) as frames:
                async for frame in frames:
                    failures = 0
                    yield frame
                    if isinstance(frame, FinishedFrame):
                        return
                    if isinstance(frame, OutputFrame):
                        next_seq = frame.chunk.seq + 1
        except (ConnectionClosed, InvalidHandshake, OSError) as error:
            if _has_expired(error, client):
                client.tokens.forget()
            else:
                _raise_if_refused(error, execution_id)
            failures += 1
            if failures > MOST_FAILURES:
                raise ApiError(f"{client.log_ingester_url} does not serve live output now: {error}") from error
        await asyncio.sleep(RECONNECT_AFTER_S)


async def _connection(client: Client, execution_id: str, from_seq: int) -> AsyncGenerator[Frame, None]:
    """Yield the frames that one websocket brings."""
    base = urlsplit(client.log_ingester_url)
    url = f"{'wss' if base.scheme == 'https' else 'ws'}://{base.netloc}{base.path}/ws/executions/{execution_id}"
    async with connect(
        f"{url}?from_seq={from_seq}",
        additional_headers={"Authorization": f"Bearer {client.tokens.bearer()}"},
        proxy=None if base.hostname in LOOPBACK_HOSTS else True,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=CLOSE_TIMEOUT_S,
        ssl=client.tls if base.scheme == "https" else None,
    ) as websocket:
        async for message in websocket:
            yield _frame_decoder.decode(message)


def _has_expired(error: Exception, client: Client) -> bool:
    """Tell whether what we showed may hold no more, and there is a way to get something new."""
    if isinstance(error, InvalidStatus):  # refused before it was open: a server can say no more than 403
        return client.tokens.changes and error.response.status_code in (401, 403)
    code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd is not None else 0
    return client.tokens.changes and code == EXPIRED


def _raise_if_refused(error: Exception, execution_id: str) -> None:
    """Raise ApiError for an answer that another try would not change."""
    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in CLOSED_FOR_GOOD:
        status, reason = error.rcvd.code - CLOSED_FOR_GOOD.start + 400, error.rcvd.reason
    elif isinstance(error, InvalidStatus) and error.response.status_code in range(400, 500):
        status, reason = error.response.status_code, error.response.reason_phrase
    else:
        return
    why = {401: "the token is not this system's", 404: "there is no such execution"}.get(status, f"refused ({status})")
    raise ApiError(f"{execution_id}: {reason or why}") from error


def _announce(execution: ExecutionView) -> None:
    began = local(execution.started_at or execution.due_at)
    note(f"--- {execution.job_name} {began} on {execution.worker_id} ({execution.execution_id})")


def _conclude(execution: ExecutionView) -> None:
    parts: list[str] = [execution.status]
    if execution.exit_code:
        parts.append(f"exit code {execution.exit_code}")
    if execution.signal:
        parts.append(f"signal {execution.signal}")
    if execution.started_at and execution.finished_at:
        parts.append(f"after {span(execution.finished_at - execution.started_at)}")
    if execution.error:
        parts.append(execution.error)
    if execution.output_cut_bytes:
        parts.append(f"{execution.output_cut_bytes} bytes of its output were left out")
    note(f"--- {', '.join(parts)}", style=STATUS_STYLE[execution.status])
