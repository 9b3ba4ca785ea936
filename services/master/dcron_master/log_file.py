"""The log of job events as a file, for a backup: JSON lines that are checked from the first byte to the last.

A header names the log; one line for each record follows, in order and without gap; a footer holds their count and the
SHA-256 of all bytes before it. A file that was cut off, or changed in any byte, is recognised.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Self

import msgspec
from msgspec import Struct

from dcron_core.errors import DcronError
from dcron_core.ports.log import Record

FORMAT = 1


class DamagedFileError(DcronError):
    """A file that is no whole export of a log."""


class Header(Struct, frozen=True, tag="header", tag_field="line"):
    """The first line."""

    format: int
    log_id: str
    topic: str


class Line(Struct, frozen=True, tag="record", tag_field="line", omit_defaults=True):
    """A record of the log."""

    offset: int
    at: datetime  # when Kafka took it in
    key: str
    value: str | None = None  # if it is UTF-8
    value_base64: bytes | None = None  # if it is not; bytes are base64 in JSON
    headers: tuple[tuple[str, bytes], ...] = ()  # dcron writes none

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return the record as a line."""
        try:
            return cls(record.offset, record.at, record.key, value=record.value.decode(), headers=record.headers)
        except UnicodeDecodeError:
            return cls(record.offset, record.at, record.key, value_base64=record.value, headers=record.headers)

    def content(self) -> bytes:
        """Return the record's value."""
        return self.value.encode() if self.value is not None else self.value_base64 or b""

    def is_of(self, record: Record) -> bool:
        """Tell whether that is the record; its time is Kafka's, and another after an import."""
        return (self.offset, self.key, self.content(), self.headers) == (
            record.offset,
            record.key,
            record.value,
            record.headers,
        )


class Footer(Struct, frozen=True, tag="footer", tag_field="line"):
    """The last line."""

    count: int
    sha256: str  # of all bytes before this line


_decoder: msgspec.json.Decoder[Header | Line | Footer] = msgspec.json.Decoder(Header | Line | Footer)


class LogFileWriter:
    """Writes a file in order: `begin`, `add` for each record, `end`."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._hash = sha256()
        self.count = 0

    def begin(self, log_id: str, topic: str) -> None:
        self._put(Header(FORMAT, log_id, topic))

    def add(self, record: Record) -> None:
        """Write the next record; raise ValueError if it is not the next one."""
        if record.offset != self.count:
            raise ValueError(f"the record at offset {record.offset} came where {self.count} should have")
        self._put(Line.of(record))
        self.count += 1

    def end(self) -> None:
        self._put(Footer(self.count, self._hash.hexdigest()))

    def _put(self, line: Header | Line | Footer) -> None:
        content = msgspec.json.encode(line) + b"\n"
        self._hash.update(content)
        self._write(content)


class LogFile(Struct, frozen=True):
    """A file that was checked as a whole."""

    path: Path
    header: Header
    count: int  # of its records

    def lines(self, start: int = 0) -> Iterator[Line]:
        """Yield its records from offset `start` on."""
        with self.path.open("rb") as file:
            for line in _checked(file, self.path):
                if isinstance(line, Line) and line.offset >= start:
                    yield line


def check_file(path: Path) -> LogFile:
    """Read the whole file; raise DamagedFileError if it is not all there, or not as it was written."""
    header: Header | None = None
    count = 0
    try:
        with path.open("rb") as file:
            for line in _checked(file, path):
                if isinstance(line, Header):
                    header = line
                elif isinstance(line, Line):
                    count += 1
    except OSError as error:
        raise DcronError(f"{path} cannot be read: {error}") from error
    assert header is not None, "a checked file begins with one"
    return LogFile(path, header, count)


def _checked(file: BinaryIO, path: Path) -> Iterator[Header | Line | Footer]:
    """Yield the lines of a file, and raise DamagedFileError where it is not as it should be."""
    digest = sha256()
    expected = 0
    ended = False
    for number, content in enumerate(file, start=1):
        line = _decoded(content, number, path)
        if ended or isinstance(line, Header) != (number == 1):
            raise _damaged(path, number, "this line does not belong here")
        if isinstance(line, Header) and line.format != FORMAT:
            raise DamagedFileError(
                f"{path} has format {line.format}; this release reads format {FORMAT}: use the release that wrote it"
            )
        if isinstance(line, Line):
            if line.offset != expected or (line.value is None) == (line.value_base64 is None):
                raise _damaged(path, number, f"it should be the record at offset {expected}, with one value")
            expected += 1
        if isinstance(line, Footer):
            if (line.count, line.sha256) != (expected, digest.hexdigest()):
                raise _damaged(path, number, "count and SHA-256 are not those of the lines before")
            ended = True
        digest.update(content)
        yield line
    if not ended:
        raise DamagedFileError(
            f"{path} was cut off: it has {expected} records and no footer; take a whole copy of it, or another backup"
        )


def _decoded(content: bytes, number: int, path: Path) -> Header | Line | Footer:
    whole = content.endswith(b"\n")
    try:
        line = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if number == 1:
            raise DamagedFileError(f"{path} is not an export of a log: {error}") from error
        if whole:
            raise _damaged(path, number, str(error)) from error
    if not whole:
        raise DamagedFileError(f"{path} was cut off in line {number}; take a whole copy of it, or another backup")
    return line


def _damaged(path: Path, number: int, what: str) -> DamagedFileError:
    return DamagedFileError(f"{path} is damaged at line {number}: {what}; take another copy of it, or another backup")
