"""The indexes are those that the filters need, and no others: each costs every write."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from pymongo import ASCENDING, IndexModel

from dcron_log_ingester.store import INDEXES, EventFilter, ExecutionFilter, LetterFilter, archive, dead_letters
from dcron_log_ingester.store.runs import EXPIRY, NEWEST_FIRST

AT = datetime(2026, 3, 1, tzinfo=UTC)
Keys = tuple[tuple[str, int], ...]


def keys_of(indexes: Iterable[IndexModel]) -> set[Keys]:
    return {tuple(index.document["key"].items()) for index in indexes}


def behind(fields: Iterable[str], order: Sequence[tuple[str, int]]) -> set[Keys]:
    """Return an index for each field, that gives what equals it in the order of the pages."""
    return {((field, ASCENDING), *order) for field in fields}


def test_each_filter_of_runs_has_its_index_and_each_index_its_filter() -> None:
    every = ExecutionFilter(
        job_ids=("j",), job_name="n", namespaces=frozenset("s"), statuses=("lost",), worker_id="w", trigger="tick",
        min_duration_ms=1, max_duration_ms=2,
    )  # fmt: skip
    (query,) = every.queries()
    walked = {"job_name", "trigger", "duration_ms"}  # sought in windows of time, within a bound (lists.py)
    assert walked < query.keys()
    wanted = {tuple(NEWEST_FIRST)} | behind(query.keys() - walked, NEWEST_FIRST)
    assert keys_of(INDEXES["executions"]) - keys_of([EXPIRY]) == wanted
    assert keys_of(INDEXES["output"]) == keys_of([EXPIRY])  # read by its ids alone


def test_each_filter_of_dead_letters_has_its_index_and_each_index_its_filter() -> None:
    query = LetterFilter(reasons=("future",), state="waiting", topic="t", start=AT, end=AT).query()
    walked = {"topic"}  # there is one only
    assert walked < query.keys()
    order = dead_letters.NEWEST_FIRST
    assert keys_of(dead_letters.INDEXES) == {tuple(order)} | behind(query.keys() - walked, order)


def test_each_filter_of_events_has_its_index_and_each_index_its_filter() -> None:
    every = EventFilter(
        job_id="j", job_name="n", namespaces=frozenset("s"), actor="a", kind="k", start=AT, end=AT, text="t"
    )
    fields = every.query().keys() - {"text", "at"}
    assert keys_of(archive.INDEXES) == behind(fields, [("_id", -1)]) | {(("at", ASCENDING),)}
