"""Every error answer is an RFC 9457 problem (`application/problem+json`)."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotFoundException, ValidationException
from litestar.types import ExceptionHandlersMap
from msgspec.structs import replace

from dcron_core.errors import (
    CommandRejectedError,
    DependencyCircleError,
    ForbiddenError,
    InvalidJobError,
    NameTakenError,
    NotThereError,
    OutcomeUnknownError,
    UnavailableError,
    UnknownJobError,
    UnknownVersionError,
    VersionConflictError,
    WrongInstantError,
)
from dcron_core.http.request_id import request_id_of
from dcron_core.telemetry import get_logger
from dcron_schemas.api import FieldProblem, Problem

PROBLEM_JSON = "application/problem+json"

log = get_logger()


class ProblemError(HTTPException):
    """Raise this in a handler to answer with exactly this problem."""

    def __init__(self, status: int, title: str, detail: str = "", *, errors: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(detail=detail, status_code=status)
        self.problem = Problem(title=title, status=status, detail=detail, errors=errors)


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Return the answer that carries `problem`."""
    return Response(
        content=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=PROBLEM_JSON,
        headers=headers,
    )


def problem_of(error: Exception, *, reading: bool = False) -> Problem:
    """Return what to tell the client about `error`, which came of a command, or of `reading`."""
    match error:
        case ProblemError():
            return error.problem
        case InvalidJobError():
            return Problem(title="the job is not valid", status=422, detail=str(error), errors=tuple(error.problems))
        case ForbiddenError():
            return Problem(title="not allowed", status=403, detail=str(error))
        case CommandRejectedError():
            return _refusal(error)
        case WrongInstantError():
            return Problem(title="the instant is not valid", status=422, detail=str(error))
        case OutcomeUnknownError():
            return Problem(title="the outcome is not known yet", status=503, detail=str(error))
        case UnavailableError():
            remedy = "try again" if reading else "nothing was changed, try again"
            return Problem(title="not available now", status=503, detail=f"{error}; {remedy}")
        case ValidationException():
            return Problem(
                title="the request is not valid",
                status=400,
                detail=error.detail,
                errors=_field_problems(error.extra),
            )
        case NotFoundException() if error.detail == "Not Found":
            return Problem(title="not found", status=404, detail="there is nothing at this path; see /api/openapi.json")
        case HTTPException():
            return Problem(title=_phrase(error.status_code), status=error.status_code, detail=error.detail)
    return Problem(title="internal error", status=500, detail="the service's log has the cause")


def _refusal(error: CommandRejectedError) -> Problem:
    match error:
        case UnknownVersionError():
            return Problem(title="no such version", status=404, detail=str(error))
        case NotThereError():
            return Problem(title="not there", status=404, detail=str(error))
        case UnknownJobError():
            return Problem(title="no such job", status=404, detail=str(error))
        case VersionConflictError():
            return Problem(
                title="the job has changed",
                status=409,
                detail=str(error),
                current_version=error.current,
                expected_version=error.expected,
                current=error.definition,
                difference=error.difference,
            )
        case NameTakenError():
            return Problem(title="the name is taken", status=409, detail=str(error))
        case DependencyCircleError():
            return Problem(title="a circle of dependencies", status=409, detail=str(error))
    return Problem(title="not possible", status=409, detail=str(error))


def _field_problems(extra: Any) -> tuple[FieldProblem, ...]:
    items = extra if isinstance(extra, list) else []
    return tuple(_field_problem(str(i.get("key", "")), str(i.get("message", ""))) for i in items if isinstance(i, dict))


def _field_problem(key: str, message: str) -> FieldProblem:
    """Say what litestar says; it calls the body `data`, and a missing one by that name alone."""
    if message == "'data'":
        return FieldProblem(field="", message="the body is missing", remedy="send a JSON object")
    return FieldProblem(field="" if key == "data" else key, message=message)


def _phrase(status: int) -> str:
    return {404: "not found", 405: "method not allowed", 413: "the body is too large"}.get(status, "request refused")


def _handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    problem = replace(problem_of(error, reading=request.method == "GET"), instance=request_id_of(request.scope))
    if problem.status >= 500:
        log.error("request failed", action="http.failed", path=request.url.path, error=repr(error), exc_info=error)
    headers = {"Retry-After": "1"} if problem.status == 503 else None
    return problem_response(problem, headers)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {Exception: _handle, HTTPException: _handle}


def parse_uuid(field: str, value: str) -> str:
    """Return `value` if it is a UUID in canonical form; else a 404 that names the field: no such thing can exist."""
    try:
        return str(UUID(value))
    except ValueError:
        raise ProblemError(
            404,
            "no such id",
            f"{field} {value[:80]!r} is not an id; ids are UUIDs, as the list shows them",
            errors=(FieldProblem(field=field, value=value[:80], message="not a UUID"),),
        ) from None
