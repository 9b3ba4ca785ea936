"""What a query parameter may say; the answer to anything else names the parameter, its value and the remedy."""

from datetime import UTC, datetime

import pytest

from dcron_core.http.problems import ProblemError
from dcron_log_ingester.parameters import instant_of, span_of


@pytest.mark.parametrize("text", ["2026-03-01T13:00:00+01:00", "2026-03-01T13:00:00 01:00", "2026-03-01T12:00:00Z"])
def test_an_instant_is_one_in_whatever_zone_it_is_written(text: str) -> None:
    instant = instant_of("start", text)
    assert instant == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert instant.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yesterday", "not an instant"),
        ("", "not an instant"),
        ("2026-03-01T12:00:00", "without a zone"),
        ("0001-01-01T00:00:00+14:00", "beyond the calendar"),
        ("9999-12-31T23:59:59-14:00", "beyond the calendar"),
    ],
)
def test_what_is_no_instant_is_named(text: str, message: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        instant_of("start", text)
    (problem,) = refusal.value.problem.errors
    assert (problem.field, problem.value, problem.message) == ("start", text, message)
    assert "with a zone" in problem.remedy


def test_a_span_ends_after_its_start() -> None:
    with pytest.raises(ProblemError, match="not after start"):
        span_of("2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00")
