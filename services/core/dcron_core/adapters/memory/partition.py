"""One partition of a MemoryLog's topic."""

from datetime import datetime

from dcron_core.errors import OffsetOutOfRangeError
from dcron_core.ports.log import Bounds, Record


class Partition:
    """Records in order; the oldest may be gone."""

    def __init__(self, topic: str, number: int) -> None:
        self._topic = topic
        self._number = number
        self._start = 0
        self._records: list[Record] = []

    @property
    def bounds(self) -> Bounds:
        return Bounds(start=self._start, end=self._start + len(self._records))

    def append(self, key: str, value: bytes, headers: tuple[tuple[str, bytes], ...], at: datetime) -> int:
        """Take in a record; return its offset."""
        offset = self.bounds.end
        self._records.append(Record(self._topic, self._number, offset, key, value, at, headers))
        return offset

    def read(self, offset: int, limit: int) -> list[Record]:
        """Return the records from `offset` on."""
        bounds = self.bounds
        if not bounds.start <= offset <= bounds.end:
            held = f"the offsets from {bounds.start} to before {bounds.end}"
            raise OffsetOutOfRangeError(f"{self._topic}/{self._number} holds {held}, not {offset}")
        return self._records[offset - self._start : offset - self._start + limit]

    def trim(self, start: int) -> None:
        """Forget the records before `start`."""
        self._records = self._records[max(0, start - self._start) :]
        self._start = max(self._start, start)
