"""Query parameters: none that is not known passes silently, and instants are read as people write them."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from litestar import Request

from dcron_core.http.problems import ProblemError
from dcron_schemas.api import FieldProblem

# What is left of the `+` of an offset that was not written as %2B.
_LOST_PLUS = re.compile(r"^(.*\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?) (\d{2}:?\d{2})$")


def refuse_unknown_parameters(request: Request[Any, Any, Any], known: Iterable[str]) -> None:
    """Raise a 400 that names the parameters which this route does not have."""
    names = sorted(known)
    unknown = [name for name in request.query_params if name not in names]
    if unknown:
        raise ProblemError(
            400,
            "the request is not valid",
            f"there is no parameter {unknown[0][:80]!r}",
            errors=tuple(
                FieldProblem(
                    field=name[:80],
                    value=str(request.query_params[name])[:80],
                    message="no such parameter",
                    remedy="one of " + ", ".join(names),
                )
                for name in unknown
            ),
        )


def parse_instant(parameter: str, value: str) -> datetime:
    """Return the instant in `value`; raise a 400 that names the parameter. Whether it has a zone is asked elsewhere."""
    try:
        return datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", value.strip()))
    except ValueError:
        remedy = "write it as in RFC 3339, such as 2026-11-24T09:30:00Z; + is %2B in a URL"
        problem = FieldProblem(field=parameter, value=value[:80], message="is not an instant", remedy=remedy)
        detail = f"{parameter} {value[:80]!r} is not an instant; {remedy}"
        raise ProblemError(400, "the request is not valid", detail, errors=(problem,)) from None
