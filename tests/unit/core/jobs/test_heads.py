"""Signed heads of the chain: what is signed cannot be changed unseen, and who signed can be asked for."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from dcron_core.errors import HeadError
from dcron_core.jobs.heads import check_signature, head_bytes, signed
from dcron_schemas.audit import ChainHead

KEY, OTHER_KEY = "01" * 32, "02" * 32
AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
HEAD = ChainHead(log_id="log-1", position=7, hash="ab" * 32, at=AT)
SIGNED = signed(HEAD, KEY)


def test_a_signed_head_is_checked_with_its_key() -> None:
    check_signature(SIGNED)
    check_signature(SIGNED, SIGNED.public_key)
    check_signature(SIGNED, SIGNED.public_key.upper())
    with pytest.raises(HeadError, match=f"not with {signed(HEAD, OTHER_KEY).public_key}"):
        check_signature(SIGNED, signed(HEAD, OTHER_KEY).public_key)


def test_the_signed_bytes_and_the_signature_never_change() -> None:
    """Heads that were signed years ago must still be good: this test may not be made to pass by changing it."""
    assert head_bytes(HEAD) == (
        b"dcron chain head, version 1\0"
        b"\0\0\0\x05log-1"
        b"\0\0\0\0\0\0\0\x07"
        b"\0\0\0\x40" + b"ab" * 32 + (1_772_366_400_123_456).to_bytes(8, "big")
    )
    assert SIGNED.public_key == "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
    assert SIGNED.signature == (
        "fd45a7f1f79293f365d2997342998a5e8ac0429515f33063c011916c2c408e4b"
        "823077b5c760d881b50a91583002b04a301e661d616aa034045a7ca035e6180e"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"log_id": "log-2"},
        {"position": 6},
        {"hash": "cd" * 32},
        {"at": AT + timedelta(microseconds=1)},
        {"signature": "00" * 64},
        {"signature": "no digits"},
        {"public_key": signed(HEAD, OTHER_KEY).public_key},
        {"public_key": "abcd"},
        {"position": -1},
        {"position": 2**80},
        {"at": datetime(2026, 3, 1)},  # noqa: DTZ001  a head without a zone is no head
        {"key_id": "0123456789abcdef"},
        {"signature": ""},
    ],
)
def test_whatever_is_changed_shows(change: dict[str, Any]) -> None:
    with pytest.raises(HeadError):
        check_signature(replace(SIGNED, **change))


def test_the_zone_that_an_instant_is_written_in_does_not_matter() -> None:
    check_signature(replace(SIGNED, at=AT.astimezone(timezone(timedelta(hours=5)))))


def test_without_a_key_a_head_is_not_signed() -> None:
    assert signed(HEAD, "") == HEAD
    with pytest.raises(HeadError, match="DCRON_AUDIT_KEY"):
        check_signature(HEAD)
