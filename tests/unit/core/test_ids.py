"""Ids: UUIDv7 from a source that can be seeded; execution ids that follow from what they name."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from dcron_core.executions import job_of, request_execution_id, tick_execution_id
from dcron_core.ids import IdSource, derived_id

AT = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
JOB_ID = "019e0000-0000-7000-8000-000000000001"


def test_a_uuid7_has_the_layout_of_rfc_9562() -> None:
    """§5.7: 48 bits of milliseconds, version 7, variant 10."""
    ids = IdSource(seed=1)
    for milliseconds in range(0, 5000, 7):
        at = AT + timedelta(milliseconds=milliseconds)
        value = UUID(ids.uuid7(at))
        assert value.version == 7
        assert value.variant == "specified in RFC 4122"
        assert value.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_uuid7s_sort_by_time_and_differ_within_a_millisecond() -> None:
    ids = IdSource(seed=1)
    later = [ids.uuid7(AT + timedelta(milliseconds=n)) for n in range(100)]
    assert later == sorted(later)
    assert len({ids.uuid7(AT) for _ in range(1000)}) == 1000


def test_a_seed_gives_the_same_ids_again_and_no_seed_never_does() -> None:
    def some(seed: int | None) -> list[str]:
        ids = IdSource(seed)
        return [ids.uuid7(AT), ids.token(), str(ids.uniform(0, 1))]

    assert some(7) == some(7) != some(8)
    assert some(None) != some(None)


def test_a_token_has_as_many_digits_as_bits_allow() -> None:
    ids = IdSource(seed=1)
    assert {len(ids.token(bits)) for bits in (128,) for _ in range(500)} == {32}
    assert len(ids.token()) == 64


def test_derived_ids_are_the_same_for_ever_and_keep_their_parts_apart() -> None:
    assert derived_id("ada", "key") == "59ca921d-29b5-51a7-9fe8-e4a1dbeaeadb"
    assert derived_id("ada", "key") != derived_id("adak", "ey") != derived_id("ada", "k", "ey")


def test_a_ticks_execution_id_follows_from_job_tick_and_attempt() -> None:
    """The same in any zone, so that every write downstream is idempotent."""
    assert tick_execution_id(JOB_ID, AT) == f"{JOB_ID}.t1772366400123.1"
    assert tick_execution_id(JOB_ID, AT.astimezone(ZoneInfo("Asia/Tokyo")), 2) == f"{JOB_ID}.t1772366400123.2"
    assert tick_execution_id(JOB_ID, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == f"{JOB_ID}.t-1000.1"


@pytest.mark.parametrize("execution_id", [tick_execution_id(JOB_ID, AT), request_execution_id(JOB_ID, "event", 3)])
def test_an_execution_id_tells_its_job(execution_id: str) -> None:
    assert job_of(execution_id) == JOB_ID
