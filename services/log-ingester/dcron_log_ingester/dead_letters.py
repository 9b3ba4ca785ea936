"""Dead letters as they stand in their topic, and what is known of each (pure).

A letter is the record that was put aside, as it was, with what happened to it in headers behind its own. A mark is a
record of the same topic that says that a letter was replayed. The topic is only ever appended to; what is known of a
letter is made of it and of its marks, in whatever order and however often they come, so that all log-ingesters agree.
"""

import re
from datetime import datetime
from typing import get_args

from msgspec import Struct

from dcron_core.ports.log import Record
from dcron_log_ingester.batches import Document, stored_instant
from dcron_schemas.dead_letters import Reason

Headers = tuple[tuple[str, bytes], ...]

# Headers that are ours. A record's own headers of these names are left out when it is put aside.
OF_LETTERS = frozenset({"error", "topic", "partition", "offset", "reason", "tries", "replay-of", "cut"})
OF_REPLAYS = frozenset({"tries", "replay-of"})  # of a letter that is back where it came from
OF_MARKS = frozenset({"replayed", "replayed-at"})
MOST_ERROR = 1000  # characters
MOST_KEY = 1000  # characters
CUT_BYTES = 64 << 10  # of a record that is too large for a letter
ID_FORM = re.compile(r"^([0-9]{1,6})-([0-9]{1,18})\Z")


class Mark(Struct, frozen=True):
    """That a letter was replayed."""

    letter_id: str
    at: datetime


def letter_id(partition: int, offset: int) -> str:
    """Return the name of the letter at that position."""
    return f"{partition}-{offset}"


def position_of(letter: str) -> tuple[int, int] | None:
    """Return partition and offset of a letter; None for what is no letter's name."""
    found = ID_FORM.match(letter)
    return (int(found[1]), int(found[2])) if found else None


def letter_headers(record: Record, reason: Reason, error: str, *, cut: bool = False) -> Headers:
    """Return the headers of the letter that `record` becomes."""
    before = dict(record.headers)
    ours = {
        "error": error[:MOST_ERROR],
        "reason": reason,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "tries": str(_number(before.get("tries", b"")) + 1),
    }
    if "replay-of" in before:
        ours["replay-of"] = _text(before["replay-of"])
    if cut:
        ours["cut"] = str(len(record.value))
    return (*own_headers(record), *((name, value.encode(errors="replace")) for name, value in ours.items()))


def replay_headers(letter: Record) -> Headers:
    """Return the headers with which a letter goes back to where it came from."""
    tries = dict(letter.headers).get("tries", b"1")
    name = letter_id(letter.partition, letter.offset)
    return (*own_headers(letter), ("tries", tries), ("replay-of", name.encode()))


def mark_headers(mark: Mark) -> Headers:
    """Return the headers of the record that is the mark."""
    return (("replayed", mark.letter_id.encode()), ("replayed-at", mark.at.isoformat().encode()))


def mark_of(record: Record) -> Mark | None:
    """Return the mark that a record of the topic is; None for a letter."""
    headers = dict(record.headers)
    letter = _text(headers.get("replayed"))
    if position_of(letter) is None or "replayed-at" not in headers:
        return None
    try:
        at = datetime.fromisoformat(_text(headers["replayed-at"]))
    except ValueError:
        at = record.at
    return Mark(letter, stored_instant(at))


def letter_document(record: Record) -> Document:
    """Return what is known of a letter from the letter itself."""
    headers = {name: _text(value) for name, value in record.headers}
    reason = headers.get("reason", "other")
    return {
        "_id": document_id(record.partition, record.offset),
        "at": stored_instant(record.at),
        "reason": reason if reason in get_args(Reason) else "other",
        "error": headers.get("error", "")[:MOST_ERROR],
        "topic": headers.get("topic", ""),
        "partition": _number(headers.get("partition", "")),
        "offset": _number(headers.get("offset", "")),
        "key": record.key[:MOST_KEY],
        "size": _number(headers.get("cut", "")) or len(record.value),
        "tries": max(1, _number(headers.get("tries", ""))),
        "replay_of": headers.get("replay-of", ""),
        "cut": "cut" in headers,
    }


def document_id(partition: int, offset: int) -> str:
    """Return the `_id` of a letter; those of a partition sort by offset."""
    return f"{partition:06d}-{offset:018d}"


def own_headers(record: Record) -> Headers:
    """Return the headers that the record had before it was put aside."""
    return tuple((name, value) for name, value in record.headers if name not in OF_LETTERS | OF_MARKS)


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


def _number(text: str | bytes) -> int:
    """Return the number, 0 for what is none."""
    plain = text if isinstance(text, str) else _text(text)
    return int(plain) if re.fullmatch(r"[0-9]{1,18}", plain) else 0
