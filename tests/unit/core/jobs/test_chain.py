"""The hash chain over the log: its bytes are what is written down, and every byte of a record counts."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcron_core.jobs.chain import BEGINNING, Chain, canonical, link
from dcron_core.ports.log import Record

records = st.tuples(st.integers(0, 2**63 - 1), st.binary(max_size=40), st.binary(max_size=40))


def record(offset: int, key: str = "a", value: bytes = b"{}") -> Record:
    return Record("cron.job-events", 0, offset, key, value, datetime(2026, 1, 1, tzinfo=UTC))


def values_of(*log: Record) -> list[str]:
    chain = Chain()
    return [chain.take(each) for each in log]


def test_the_canonical_bytes_are_what_the_documentation_says() -> None:
    assert canonical(258, b"key", b"value") == (
        b"\x00\x00\x00\x00\x00\x00\x01\x02" + b"\x00\x00\x00\x03key" + b"\x00\x00\x00\x05value"
    )
    assert sha256(b"dcron chain of job events, version 1").digest() == BEGINNING
    first = sha256(BEGINNING + canonical(0, b"a", b"{}")).digest()
    second = sha256(first + canonical(1, "ü".encode(), b"{}")).digest()
    assert values_of(record(0), record(1, "ü")) == [first.hex(), second.hex()]


def test_the_chain_of_a_log_never_changes() -> None:
    """Archives and signed heads hold these values: this test may not be made to pass by changing them."""
    log = [record(number, f"job-{number % 3}", b"value %d" % number) for number in range(1000)]
    assert values_of(*log)[-1] == "4f1aef433a03e8a7c7b2f95cc8c8cf6c557b84b79e71d469d21708e9c9898111"


@given(records, records)
def test_two_records_never_have_the_same_canonical_bytes(
    one: tuple[int, bytes, bytes], other: tuple[int, bytes, bytes]
) -> None:
    assert (canonical(*one) == canonical(*other)) == (one == other)


@pytest.mark.parametrize(
    "changed",
    [
        [record(0), record(1, value=b"{]"), record(2)],
        [record(0), record(1, key="b"), record(2)],
        [record(0), record(1, key="a{", value=b"}"), record(2)],
        [record(0), record(1, value=b""), record(2)],
    ],
)
def test_a_change_shows_in_every_value_from_there_on(changed: list[Record]) -> None:
    true, false = values_of(record(0), record(1), record(2)), values_of(*changed)
    assert true[0] == false[0]
    assert true[1] != false[1]
    assert true[2] != false[2]


def test_time_and_headers_are_no_part_of_it() -> None:
    """A log that was restored from a backup has the chain that it had."""
    later = Record("other", 0, 0, "a", b"{}", datetime(2027, 1, 1, tzinfo=UTC), (("h", b"x"),))
    assert values_of(later) == values_of(record(0))
    assert values_of(record(0))[0] == link(BEGINNING, 0, "a", b"{}").hex()
