"""Instants in URLs, as people and programs write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dcron_core.http.parameters import parse_instant
from dcron_core.http.problems import ProblemError

EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-24T09:30:00Z", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("2026-11-24T09:30Z", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("2026-11-24T09:30:00+02:00", datetime(2026, 11, 24, 9, 30, tzinfo=EAST)),
        ("2026-11-24T09:30:00 02:00", datetime(2026, 11, 24, 9, 30, tzinfo=EAST)),  # + was not written as %2B
        ("2026-11-24 09:30:00.25 02:00", datetime(2026, 11, 24, 9, 30, 0, 250_000, tzinfo=EAST)),
        ("2026-11-24T09:30-02:00", datetime(2026, 11, 24, 9, 30, tzinfo=timezone(-timedelta(hours=2)))),
        ("2026-11-24 09:30", datetime(2026, 11, 24, 9, 30)),  # noqa: DTZ001  # the zone is asked for elsewhere
    ],
)
def test_instants_are_read(text: str, instant: datetime) -> None:
    found = parse_instant("at", text)
    assert (found, found.utcoffset()) == (instant, instant.utcoffset())


@pytest.mark.parametrize("text", ["", "now", "2026", "2026-13-01T00:00:00Z", "2026-11-24T25:00:00Z", "x" * 200, "\0"])
def test_what_is_no_instant_is_a_400_that_names_the_parameter(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        parse_instant("from", text)
    assert caught.value.status_code == 400
    assert caught.value.problem.errors[0].field == "from"
    assert len(caught.value.detail) < 250
