"""Bodies of the HTTP API about dead letters: records of runs that were put aside."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

# unreadable: not a record; version: of a newer release; too_large: more bytes than a record may have; future: an
# instant too far ahead of the log's; refused: MongoDB does not take it; other: a letter that does not say.
Reason = Literal["unreadable", "version", "too_large", "future", "refused", "other"]
LetterState = Literal["waiting", "replayed"]


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A record that was put aside."""

    id: str  # its partition and offset in the dead-letter topic
    at: datetime  # when it was put aside
    reason: Reason
    error: str
    topic: str  # where it came from; "": it does not say
    partition: int
    offset: int
    key: str  # of records of runs: the execution id
    size: int  # bytes of its value
    tries: int  # how often it was tried to store it
    replay_of: str  # the letter that it was before it was replayed; "": none
    cut: bool  # the letter has not all of the record: it cannot be replayed
    state: LetterState
    replayed_at: datetime | None = None  # the last time


class DeadLetterList(Struct, frozen=True, kw_only=True):
    """A page of dead letters, the last one first."""

    letters: tuple[DeadLetter, ...]
    next_cursor: str | None = None


class Header(Struct, frozen=True, kw_only=True):
    """A header of the record; what is not UTF-8 in it is U+FFFD."""

    name: str
    value: str


class DeadLetterDetail(Struct, frozen=True, kw_only=True):
    """A dead letter with what it holds."""

    letter: DeadLetter
    headers: tuple[Header, ...]
    payload: str | None  # None: Kafka does not hold it any more
    encoding: Literal["utf-8", "base64"]
    payload_cut: bool  # there is more of it than is shown


class ReplayWanted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body: send dead letters back to where they came from. Either `ids`, or `all`."""

    ids: tuple[str, ...] = ()
    all: bool = False  # every letter that waits, of those that the next fields name
    reasons: tuple[Reason, ...] = ()
    topic: str | None = None
    start: datetime | None = None  # put aside at or after
    end: datetime | None = None  # put aside before
    cursor: str | None = None  # with `all`: `next_cursor` of the answer before
    again: bool = False  # with `ids`: also those that were replayed before


class NotReplayed(Struct, frozen=True, kw_only=True):
    """A letter that was not sent back."""

    id: str
    why: str


class ReplayResult(Struct, frozen=True, kw_only=True):
    """What was sent back."""

    replayed: tuple[str, ...]
    not_replayed: tuple[NotReplayed, ...]
    next_cursor: str | None = None  # with `all`: there are more
