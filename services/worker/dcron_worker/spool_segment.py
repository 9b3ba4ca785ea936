"""The spool's files, and the frames in them.

A segment is a file named after the position of its first record. It holds frames, one for each record::

    length   u32, little-endian    of the payload
    crc      u32                   CRC-32 of the length's four bytes and the payload
    payload  flags u8 · key length u16 · key (UTF-8) · value
"""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

_LENGTH = struct.Struct("<I")
_HEADER = struct.Struct("<II")
_PREFIX = struct.Struct("<BH")
_CLOSES = 1
_MOST_KEY_BYTES = 0xFFFF
MOST_VALUE_BYTES = 512 << 10  # a chunk of output is below 200 KiB as JSON; Kafka takes 1 MiB
_SKIP_BYTES = 1 << 18  # read at once on the way to a position
_SUFFIX = ".segment"


class SpoolRecord(Struct, frozen=True):
    """A record on its way to Kafka."""

    key: str  # of the Kafka record: the execution id
    value: bytes
    closes: bool = False  # it ends its execution: finished, or skipped


class Segment(Struct):
    """One file of the spool."""

    path: Path
    first: int  # position of its first record
    size: int  # bytes
    damaged: bool = False  # a frame that cannot be read was met; what follows it in this file is not read


class DamagedFrameError(Exception):
    """A frame is not what was once written. Never leaves the spool."""


def segment_path(directory: Path, first: int) -> Path:
    """Return where the segment that begins at position `first` lies."""
    return directory / f"{first:020d}{_SUFFIX}"


def find_segments(directory: Path) -> list[Segment]:
    """Return the segments of a directory in order."""
    paths = sorted(path for path in directory.glob(f"*{_SUFFIX}") if path.stem.isdecimal())
    return [Segment(path, int(path.stem), path.stat().st_size) for path in paths]


def encode_frame(record: SpoolRecord) -> bytes:
    """Return the frame of a record. Raises ValueError for one that Kafka would refuse, and all others wait for."""
    key = record.key.encode()
    if len(key) > _MOST_KEY_BYTES:
        raise ValueError(f"the key {record.key[:40]!r}… has {len(key)} bytes; the most is {_MOST_KEY_BYTES}")
    if len(record.value) > MOST_VALUE_BYTES:
        raise ValueError(f"the record of {record.key!r} has {len(record.value)} bytes; the most is {MOST_VALUE_BYTES}")
    payload = _PREFIX.pack(_CLOSES if record.closes else 0, len(key)) + key + record.value
    return _HEADER.pack(len(payload), _checksum(payload)) + payload


def _checksum(payload: bytes) -> int:
    # The length is under the checksum too: a stretch of zeros is then never a frame.
    return zlib.crc32(payload, zlib.crc32(_LENGTH.pack(len(payload))))


def _decode_frame(buffer: bytes, offset: int) -> tuple[SpoolRecord, int] | None:
    """Return the record whose frame begins at `offset`, and where the frame ends; None: the buffer ends first."""
    begin = offset + _HEADER.size
    if begin > len(buffer):
        return None
    length, checksum = _HEADER.unpack_from(buffer, offset)
    end = begin + length
    if end > len(buffer):
        return None
    payload = buffer[begin:end]
    if _checksum(payload) != checksum:
        raise DamagedFrameError(f"the frame at byte {offset} of what was read has a wrong checksum")
    flags, key_length = _PREFIX.unpack_from(payload)
    value_begin = _PREFIX.size + key_length
    key = payload[_PREFIX.size : value_begin].decode()
    return SpoolRecord(key, payload[value_begin:], bool(flags & _CLOSES)), end


def _decode_frames(buffer: bytes) -> Iterator[tuple[SpoolRecord, int]]:
    """Yield record and end of each whole frame up to the first that is cut off or damaged."""
    offset = 0
    try:
        while decoded := _decode_frame(buffer, offset):
            yield decoded
            offset = decoded[1]
    except DamagedFrameError:
        return


class Recovered(Struct, frozen=True):
    """What the last segment holds after a crash."""

    records: int  # whole ones, from the beginning
    size: int  # bytes they take
    torn: bool  # what follows is one frame that was not written to its end
    damaged: bool  # what follows is something else


def examine(path: Path) -> Recovered:
    """Read a whole segment and say how far it is good."""
    content = path.read_bytes()
    records = size = 0
    for _, end in _decode_frames(content):
        records, size = records + 1, end
    rest = content[size:]
    torn = bool(rest) and _is_torn_frame(rest)
    return Recovered(records, size, torn, bool(rest) and not torn)


def _is_torn_frame(rest: bytes) -> bool:
    """A frame cut short; or, after a power cut, one whose blocks or successors are still zeros."""
    if len(rest) < _HEADER.size:
        return True
    length, _ = _HEADER.unpack_from(rest)
    return not rest[_HEADER.size + length :].strip(b"\0")


class SegmentReader:
    """Reads one segment in order, also while it is being written."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.position = segment.first  # of the next record
        self._offset = 0
        self._descriptor = os.open(segment.path, os.O_RDONLY)

    def close(self) -> None:
        os.close(self._descriptor)

    def skip_to(self, position: int) -> None:
        """Go forward to `position`, or to the end. Raises DamagedFrameError."""
        while self.position < position and self.read(_SKIP_BYTES, position - self.position):
            pass

    def read(self, limit_bytes: int, limit_records: int | None = None) -> list[tuple[int, SpoolRecord]]:
        """Return the next records: as many as fit in the limits, but at least one; none at the end.

        Raises DamagedFrameError when the next one cannot be read.
        """
        rest = self.segment.size - self._offset
        if rest == 0:
            return []
        buffer = os.pread(self._descriptor, min(max(limit_bytes, _HEADER.size), rest), self._offset)
        records = self._take(buffer, limit_records)
        if records:
            return records
        length = _HEADER.unpack_from(buffer)[0] if len(buffer) >= _HEADER.size else rest
        if _HEADER.size + length <= len(buffer) or _HEADER.size + length > rest:
            raise DamagedFrameError(f"the frame at byte {self._offset} cannot be read; {rest} bytes from there on")
        records = self._take(os.pread(self._descriptor, _HEADER.size + length, self._offset), 1)
        if not records:
            raise DamagedFrameError(f"the frame at byte {self._offset} cannot be read; {rest} bytes from there on")
        return records

    def _take(self, buffer: bytes, limit_records: int | None) -> list[tuple[int, SpoolRecord]]:
        records = []
        consumed = 0
        for record, end in _decode_frames(buffer):
            records.append((self.position, record))
            self.position += 1
            consumed = end
            if len(records) == limit_records:
                break
        self._offset += consumed
        return records
