"""Kafka's records as the port's."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dcron_core.ports.log import Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def records(fetched: Mapping[Any, Sequence[Any]]) -> list[Record]:
    """Return the records of a fetch, in order within each partition."""
    return [_record(each) for batch in fetched.values() for each in batch]


def _record(fetched: Any) -> Record:
    return Record(
        topic=fetched.topic,
        partition=fetched.partition,
        offset=fetched.offset,
        key=(fetched.key or b"").decode(errors="replace"),  # a key that is not ours must not stop a reader
        value=fetched.value or b"",
        at=_EPOCH + timedelta(milliseconds=fetched.timestamp),
        headers=tuple((name, value or b"") for name, value in fetched.headers),
    )
