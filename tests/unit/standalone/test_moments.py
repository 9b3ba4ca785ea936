"""Instants as people give them to the command line."""

from datetime import UTC, datetime, timedelta

import pytest

from dcron_core.errors import WrongInstantError
from dcron_standalone.moments import parse_moment

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-24T09:30:00Z", datetime(2026, 11, 24, 9, 30, tzinfo=UTC)),
        ("2026-11-24 09:30+02:00", datetime(2026, 11, 24, 7, 30, tzinfo=UTC)),
        ("2h ago", NOW - timedelta(hours=2)),
        ("1d12h ago", NOW - timedelta(hours=36)),
    ],
)
def test_instants_are_read(text: str, instant: datetime) -> None:
    assert parse_moment("--at", text, NOW) == instant


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not an instant"),
        ("yesterday", "'2h ago'"),
        ("2026-11-24", "has no zone"),
        ("2026-11-24T09:30:00", "has no zone"),
        ("2 hours ago", "not a duration"),
        ("ago", "not an instant"),
        (" ago", "not a duration"),
        ("900000000d ago", "--at"),
        ("99999999999d ago", "--at"),
    ],
)
def test_what_is_none_is_told_with_the_flag_and_the_value(text: str, says: str) -> None:
    with pytest.raises(WrongInstantError) as caught:
        parse_moment("--at", text, NOW)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"--at {text!r}")
