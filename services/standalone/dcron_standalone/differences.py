"""Differences between definitions as people read them: a line for each field."""

import json
from collections.abc import Sequence
from typing import Any

from dcron_schemas.audit import FieldChange

LONGEST = 100  # characters of a value


def change_lines(changes: Sequence[FieldChange], indent: str = "    ") -> list[str]:
    """Return a line for each change, such as `schedule.every: "1h" → "2h"`."""
    return [f"{indent}{change.field}: {_shown(change.before)} → {_shown(change.after)}" for change in changes]


def _shown(value: Any) -> str:
    """Return a value as JSON writes it, shortened; `none` for one that is not there."""
    if value is None:
        return "none"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
