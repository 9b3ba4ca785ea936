"""Letters, marks and what goes back: pure functions of the records of the dead-letter topic."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from dcron_core.ports.log import Record
from dcron_log_ingester.dead_letters import (
    MOST_ERROR,
    Headers,
    Mark,
    letter_document,
    letter_headers,
    mark_headers,
    mark_of,
    position_of,
    replay_headers,
)

AT = datetime(2026, 3, 29, 1, tzinfo=UTC)
BAD = Record("runs", 3, 41, "k", b"bad", AT, (("trace", b"abc"),))


def letter_of(record: Record, offset: int = 7) -> Record:
    """Return the letter that a record becomes."""
    return Record("dead", 0, offset, record.key, record.value, AT, letter_headers(record, "unreadable", "no JSON"))


def test_a_letter_says_what_became_of_its_record() -> None:
    known = letter_document(letter_of(BAD))
    assert (known["reason"], known["error"], known["key"], known["size"]) == ("unreadable", "no JSON", "k", 3)
    assert (known["topic"], known["partition"], known["offset"]) == ("runs", 3, 41)
    assert (known["tries"], known["replay_of"], known["cut"]) == (1, "", False)


def test_what_is_replayed_has_its_own_headers_and_counts_its_tries() -> None:
    """A letter that fails again says of which one, and how often it was tried."""
    back = replace(BAD, offset=90, headers=replay_headers(letter_of(BAD)))
    assert set(back.headers) == {("trace", b"abc"), ("tries", b"1"), ("replay-of", b"0-7")}
    second = letter_of(back, offset=8)
    assert (letter_document(second)["tries"], letter_document(second)["replay_of"]) == (2, "0-7")
    again = replace(BAD, offset=91, headers=replay_headers(second))
    third = letter_document(letter_of(again, offset=9))
    assert (third["tries"], third["replay_of"], third["offset"]) == (3, "0-8", 91)
    assert [name for name, _ in again.headers].count("tries") == 1


@pytest.mark.parametrize("forged", [mark_headers(Mark("0-3", AT)), (("reason", b"future"), ("cut", b"9"))])
def test_a_record_cannot_say_by_its_headers_what_its_letter_is(forged: Headers) -> None:
    letter = letter_of(replace(BAD, headers=forged))
    assert mark_of(letter) is None
    known = letter_document(letter)
    assert (known["reason"], known["cut"], known["size"]) == ("unreadable", False, 3)


def test_a_mark_names_its_letter() -> None:
    mark = Mark("0-7", AT)
    record = Record("dead", 0, 9, "k", b"", AT + timedelta(seconds=1), mark_headers(mark))
    assert mark_of(record) == mark
    assert mark_of(letter_of(BAD)) is None
    for headers in ([("replayed", b"7"), ("replayed-at", b"")], [("replayed", b"0-7")]):
        assert mark_of(replace(record, headers=tuple(headers))) is None


def test_headers_of_anybodys_making_are_read() -> None:
    headers = (("tries", b"many"), ("partition", b"\xff"), ("reason", b"?"), ("error", b"x" * 9999), ("cut", b""))
    known = letter_document(replace(BAD, headers=headers))
    assert (known["tries"], known["partition"], known["reason"], len(known["error"])) == (1, 0, "other", MOST_ERROR)


@pytest.mark.parametrize("text", ["", "0", "0-", "-1", "0-1\n", "0-1-2", "x-1", "0-1111111111111111111", "٣-١"])
def test_what_is_no_letters_name_is_none(text: str) -> None:
    assert position_of(text) is None
