"""Problems that values of many fields can have, and how a value is shown to whoever wrote it."""

from datetime import timedelta
from typing import Any

from dcron_core.durations import parse_duration
from dcron_core.jobs.secret_references import secrets_in
from dcron_schemas.api import FieldProblem

LONGEST_DURATION = timedelta(days=3650)


def shown(value: Any) -> str:
    """Return the value as text, shortened."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def duration_problems(field: str, text: str, least: timedelta) -> list[FieldProblem]:
    """Return what is wrong with a duration; it is `least` or more, and at most ten years."""
    try:
        duration = parse_duration(text)
    except ValueError as error:
        return [FieldProblem(field=field, message=str(error), value=shown(text))]
    if duration < least:
        return [FieldProblem(field=field, message=f"is shorter than {least.total_seconds():g} s", value=shown(text))]
    if duration > LONGEST_DURATION:
        return [FieldProblem(field=field, message="is longer than ten years", value=shown(text))]
    return []


def reference_problems(field: str, text: str) -> list[FieldProblem]:
    """Return what is wrong with the references to secrets in a value."""
    try:
        secrets_in(text)
    except ValueError as error:
        remedy = "such as ${secret:API_TOKEN}; $${secret: stands for that text itself"
        return [FieldProblem(field=field, message=str(error), value=shown(text), remedy=remedy)]
    return []
