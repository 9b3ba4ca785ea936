"""The HTTP routes: runs, their output, and the ticks that did not run. Read only."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.exceptions import ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream
from msgspec.structs import replace

from dcron_core.access.principal import principal_of
from dcron_core.access.rules import IN_NAMESPACE, ruled
from dcron_core.clock import Clock
from dcron_core.history import History
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.http.problems import ProblemError, problem_of, problem_response
from dcron_core.http.request_id import request_id_of
from dcron_log_ingester.cursors import Cursor, cursor_text
from dcron_log_ingester.lists import Lists
from dcron_log_ingester.output_pages import MOST_CHUNKS, OutputStream, page_of, text_of
from dcron_log_ingester.parameters import bad, cursor_of, job_ids_of, milliseconds_of, span_of, without_zero
from dcron_log_ingester.sight import Sight
from dcron_log_ingester.store import ExecutionFilter, Store
from dcron_log_ingester.views import execution_view, skipped_tick
from dcron_schemas.api import (
    ExecutionList,
    ExecutionView,
    FieldProblem,
    OutputPage,
    RecentRuns,
    RecentRunsList,
    SkippedTickList,
    Status,
)

MOST_RUNS = 500
MOST_JOBS = 200
MOST_RECENT = 200
MOST_IN_SHORT = 10_000  # runs of all jobs together that one answer holds
TAG = "executions"
LIST_PARAMETERS = {
    "job_id", "job", "job_name", "namespace", "status", "worker_id", "trigger", "start", "end", "min_duration",
    "max_duration", "text", "limit", "cursor",
}  # fmt: skip
MISSING = re.compile(r"[Mm]issing required \w+ parameter '(\w+)'")
TEXT = "text/plain"
OUTPUT_ANSWER = ResponseSpec(OutputPage, description="A page of chunks; or all that is stored, as text")


@dataclass
class TextToo(Operation):
    """An operation that answers with text in place of JSON when it is asked to."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            text = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
            answer.content = {**answer.content, "text/plain": text}


Limit = Annotated[int, QueryParameter(ge=1, le=MOST_RUNS, description="most entries in the answer")]
FromSeq = Annotated[int, QueryParameter(ge=0, lt=10**10, description="the first chunk wanted")]
JobIds = Annotated[list[str], QueryParameter(min_items=1, max_items=MOST_JOBS, description="repeatable")]


Recent = Annotated[int, QueryParameter(ge=1, le=MOST_RECENT, description="most runs of a job")]
Text = Annotated[
    str | None, QueryParameter(min_length=1, max_length=200, description="in the output, as it was written")
]
Statuses = Annotated[list[Status] | None, QueryParameter(description="repeatable")]
Trigger = Literal["tick", "request", "retry", "dependency"]


def routes(store: Store, history: History, clock: Clock) -> Sequence[HTTPRouteHandler]:
    """Return the route handlers over `store`; `history` knows the names of jobs."""
    lists = Lists(store, clock)

    @get("/api/v1/executions", opt=ruled(IN_NAMESPACE("viewer")), tags=[TAG])
    async def list_executions(
        request: Request[Any, Any, Any],
        job_id: FromQuery[str | None] = None,
        job: FromQuery[str | None] = None,
        job_name: FromQuery[str | None] = None,
        namespace: FromQuery[str | None] = None,
        status: Statuses = None,
        worker_id: FromQuery[str | None] = None,
        trigger: FromQuery[Trigger | None] = None,
        start: FromQuery[str | None] = None,
        end: FromQuery[str | None] = None,
        min_duration: FromQuery[str | None] = None,
        max_duration: FromQuery[str | None] = None,
        text: Text = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> ExecutionList:
        """List runs, newest due first; `cursor` is the `next_cursor` of the page before."""
        refuse_unknown_parameters(request, LIST_PARAMETERS)
        since, until = span_of(start, end)
        shown = principal_of(request.scope).shown(namespace)
        wanted = ExecutionFilter(
            job_ids=job_ids_of(history, shown, job_id=job_id, job=job, namespace=namespace),
            job_name=job_name,
            namespaces=shown,
            statuses=tuple(status or ()),
            worker_id=worker_id,
            trigger=trigger,
            start=since,
            end=until,
            min_duration_ms=milliseconds_of("min_duration", min_duration),
            max_duration_ms=milliseconds_of("max_duration", max_duration),
        )
        return await lists.page(wanted, cursor_of(cursor), limit, without_zero("text", text))

    @get("/api/v1/executions/latest", opt=ruled(IN_NAMESPACE("viewer")), tags=[TAG])
    async def latest_executions(request: Request[Any, Any, Any], job_id: JobIds) -> ExecutionList:
        """Return the last run of each job that is named and has one."""
        refuse_unknown_parameters(request, {"job_id"})
        shown = principal_of(request.scope).visible()
        found = await asyncio.gather(*(lists.last(each, shown) for each in dict.fromkeys(job_id)))
        return ExecutionList(executions=tuple(view for view in found if view is not None))

    @get("/api/v1/executions/recent", opt=ruled(IN_NAMESPACE("viewer")), tags=[TAG])
    async def recent_executions(
        request: Request[Any, Any, Any],
        job_id: JobIds,
        limit: Recent = 20,
        start: FromQuery[str | None] = None,
        end: FromQuery[str | None] = None,
    ) -> RecentRunsList:
        """Return the last runs of each job that is named, in short: for drawings; of `start` ≤ due_at < `end`."""
        refuse_unknown_parameters(request, {"job_id", "limit", "start", "end"})
        wanted, (since, until) = list(dict.fromkeys(job_id)), span_of(start, end)
        if len(wanted) * limit > MOST_IN_SHORT:
            most = MOST_IN_SHORT // len(wanted)
            raise bad("limit", str(limit), f"too many for {len(wanted)} jobs", f"at most {most}, or name fewer jobs")
        shown = principal_of(request.scope).visible()
        found = await asyncio.gather(*(lists.recent(each, limit, since, until, shown) for each in wanted))
        return RecentRunsList(
            jobs=tuple(RecentRuns(job_id=each, runs=tuple(runs)) for each, runs in zip(wanted, found, strict=True))
        )

    @get("/api/v1/executions/{execution_id:str}", opt=ruled(IN_NAMESPACE("viewer")), tags=[TAG])
    async def get_execution(request: Request[Any, Any, Any], execution_id: FromPath[str]) -> ExecutionView:
        """Return one run."""
        return await _existing(store, execution_id, Sight(principal_of(request.scope), history))

    @get(
        "/api/v1/executions/{execution_id:str}/output",
        opt=ruled(IN_NAMESPACE("viewer")),
        tags=[TAG],
        responses={200: OUTPUT_ANSWER},
        operation_class=TextToo,
    )
    async def get_output(
        request: Request[Any, Any, Any],
        execution_id: FromPath[str],
        from_seq: FromSeq = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=MOST_CHUNKS)] = 200,
        format: FromQuery[Literal["json", "text"] | None] = None,  # noqa: A002  its name in the address
        stream: FromQuery[OutputStream | None] = None,
        download: FromQuery[bool] = False,
    ) -> Response[OutputPage] | Stream:
        """Return a page of chunks; with `format=text` or `Accept: text/plain` all that is stored, as text.

        `download` makes a file of the text.
        """
        refuse_unknown_parameters(request, {"from_seq", "limit", "format", "stream", "download"})
        execution = await _existing(store, execution_id, Sight(principal_of(request.scope), history))
        if download or (format or _accepted_format(request)) == "text":
            headers = {"Content-Disposition": f'attachment; filename="{_file_name(execution)}"'} if download else {}
            return Stream(text_of(store, execution, from_seq, stream), media_type=TEXT, headers=headers)
        page = await page_of(store, execution, from_seq, limit)
        chunks = tuple(chunk for chunk in page.chunks if stream in {None, chunk.stream})
        return Response(OutputPage(execution_id=execution_id, chunks=chunks, next_seq=page.next_seq))

    @get("/api/v1/ticks/skipped", opt=ruled(IN_NAMESPACE("viewer")), tags=["ticks"])
    async def skipped_ticks(
        request: Request[Any, Any, Any],
        job_id: FromQuery[str | None] = None,
        job: FromQuery[str | None] = None,
        namespace: FromQuery[str | None] = None,
        start: FromQuery[str | None] = None,
        end: FromQuery[str | None] = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> SkippedTickList:
        """List the ticks of a job that did not run, newest first. One of `job_id` and `job` is needed."""
        refuse_unknown_parameters(request, {"job_id", "job", "namespace", "start", "end", "limit", "cursor"})
        shown = principal_of(request.scope).shown(namespace)
        job_ids = job_ids_of(history, shown, job_id=job_id, job=job, namespace=namespace)
        if not job_ids:
            raise bad("job_id", "", "missing", "give job_id, or job with an id or a name")
        since, until = span_of(start, end)
        found = await store.skipped_ticks(
            job_ids, cursor_of(cursor), limit + 1, start=since, end=until, namespaces=shown
        )
        page = found[:limit]
        following = cursor_text(Cursor(page[-1]["tick"], page[-1]["_id"])) if len(found) > limit else None
        return SkippedTickList(ticks=tuple(skipped_tick(each) for each in page), next_cursor=following)

    return [list_executions, latest_executions, recent_executions, get_execution, get_output, skipped_ticks]


def refused_parameters(request: Request[Any, Any, Any], error: ValidationException) -> Response[bytes]:
    """Answer a request whose parameters do not fit; names each, its value and what would be right."""
    problem = problem_of(error)
    absent = MISSING.search(error.detail)  # litestar names a missing parameter in its text only
    found = problem.errors or ((FieldProblem(field=absent[1], message="missing"),) if absent else ())
    errors = tuple(
        replace(
            each,
            value=", ".join(request.query_params.getall(each.field, []))[:80],
            remedy=f"see {each.field} of {request.url.path} in /api/openapi.json",
        )
        for each in found
    )
    return problem_response(replace(problem, errors=errors, instance=request_id_of(request.scope)))


async def _existing(store: Store, execution_id: str, sight: Sight) -> ExecutionView:
    document = await store.execution(execution_id)
    execution = None if document is None else execution_view(document)
    if execution is None or not await sight.of(execution):
        raise ProblemError(
            404,
            "no such execution",
            f"execution_id {execution_id[:200]!r} is not stored; it has not started yet, or is past its retention",
            errors=(FieldProblem(field="execution_id", value=execution_id[:200], message="not stored"),),
        )
    return execution


def _file_name(execution: ExecutionView) -> str:
    """Return the name of the file that a run's output is saved as."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", execution.job_name)
    return f"{name}-{execution.due_at:%Y%m%dT%H%M%SZ}-{execution.attempt}.log"


def _accepted_format(request: Request[Any, Any, Any]) -> str:
    return "text" if request.accept.best_match(["application/json", "text/plain"]) == "text/plain" else "json"
