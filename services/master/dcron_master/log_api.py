"""The HTTP API of the master for the log itself, under `/api/v1/log`."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import SYSTEM, ruled
from dcron_core.errors import LogMismatchError, OffsetOutOfRangeError
from dcron_core.http.problems import ProblemError
from dcron_core.http.request_id import request_id_of
from dcron_master.skips import RecordSkips
from dcron_schemas.api import FieldProblem
from dcron_schemas.audit import RecordSkip, RecordSkipped

LONGEST_REASON = 1000


@post("/api/v1/log/skips", tags=["log"], opt=ruled(SYSTEM("admin")))
async def skip_record(
    request: Request[Any, Any, Any], data: JSONBody[RecordSkip], record_skips: NamedDependency[RecordSkips]
) -> Response[RecordSkipped]:
    """Have everybody step over a record that cannot be read: 201, or 200 if it was said before."""
    if not 0 < len(data.reason.strip()) <= LONGEST_REASON:
        message = f"the reason is empty or longer than {LONGEST_REASON} characters"
        problem = FieldProblem(
            field="reason", value=data.reason[:80], message=message, remedy="say why, for the record"
        )
        raise ProblemError(422, "the request is not valid", f"reason: {message}", errors=(problem,))
    try:
        skipped, new = await record_skips.skip(data, principal_of(request.scope).name, request_id_of(request.scope))
    except OffsetOutOfRangeError as error:
        raise ProblemError(404, "no such record", str(error)) from error
    except LogMismatchError as error:
        raise ProblemError(409, "not possible", str(error)) from error
    return Response(skipped, status_code=201 if new else 200)
