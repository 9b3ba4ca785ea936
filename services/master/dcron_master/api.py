"""The HTTP API of the master, under `/api/v1`.

Bodies are read by `dcron_core.jobs.validation`, which reports every problem with its field; the classes at
the end tell OpenAPI what those bodies are.
"""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody
from litestar.params import FromPath, FromQuery, HeaderParameter
from msgspec import Struct

from dcron_core.clock import Clock
from dcron_core.errors import UnavailableError, UnknownJobError
from dcron_core.http.problems import ProblemError, parse_uuid
from dcron_core.http.request_id import request_id_of
from dcron_core.ids import IdSource
from dcron_core.jobs.fold import Applied, Rejected
from dcron_core.jobs.table import JobTable
from dcron_core.jobs.validation import parse_job
from dcron_master.commands import Command, Commands
from dcron_master.projector import Projector
from dcron_master.views import bad_parameter, job_page, job_view
from dcron_schemas.api import CommandOutcome, Info, Job, JobList, RunAccepted
from dcron_schemas.events import (
    EventData,
    JobCreated,
    JobDeleted,
    JobPaused,
    JobResumed,
    JobUpdated,
    KillRequested,
    RunRequested,
)
from dcron_schemas.state import JobEntry

ACTOR = "token"  # there is one identity until users come: the holder of the token

IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key", max_length=200, description="Makes a repeated command safe; any unique text."
    ),
]
IfMatch = Annotated[
    str, HeaderParameter(name="If-Match", description='The version the command is meant for, such as "3".')
]


@dataclass
class JobBody(Operation):
    """An operation whose body is a JobSpec."""

    def __post_init__(self) -> None:
        schema = Reference(ref="#/components/schemas/JobSpec")
        self.request_body = RequestBody(content={"application/json": OpenAPIMediaType(schema=schema)}, required=True)


class Asking(Struct, frozen=True):
    """A request that wants something changed: its body and conditions, and where to bring it."""

    commands: Commands
    request_id: str
    idempotency_key: str
    if_match: str
    body: bytes

    async def execute(self, job_id: str, data: EventData) -> Applied:
        """Bring the command to the log; return what the fold made of it."""
        return await self.commands.execute(
            Command(
                data=data,
                actor=ACTOR,
                request_id=self.request_id,
                job_id=job_id,
                idempotency_key=self.idempotency_key,
                expected_version=_version(self.if_match),
            )
        )

    async def change(self, job_id: str, data: EventData) -> JobEntry:
        """The same, for a command after which the job stands; return the job."""
        applied = await self.execute(job_id, data)
        assert applied.job is not None
        return applied.job


async def asking(
    request: Request[Any, Any, Any],
    commands: NamedDependency[Commands],
    if_match: IfMatch = "",
    idempotency_key: IdempotencyKey = "",
) -> Asking:
    """Give a handler what it needs to bring a command."""
    return Asking(commands, request_id_of(request.scope), idempotency_key, if_match, await request.body())


class JobController(Controller):
    """Jobs: read from this master's fold, changed through the log."""

    path = "/api/v1/jobs"
    tags = ("jobs",)

    @get()
    async def list_jobs(
        self,
        projector: NamedDependency[Projector],
        clock: NamedDependency[Clock],
        namespace: FromQuery[str] = "",
        name: FromQuery[str] = "",
        q: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        limit: FromQuery[int] = 100,
    ) -> JobList:
        """List jobs by namespace and name; `q` searches names, descriptions, owners and tags."""
        entries = _table(projector).entries()
        return job_page(entries, clock.now(), namespace=namespace, name=name, text=q, cursor=cursor, limit=limit)

    @post(operation_class=JobBody)
    async def create_job(
        self,
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
        ids: NamedDependency[IdSource],
    ) -> Response[Job]:
        """Create a job."""
        job = await asking.change(ids.uuid7(clock.now()), JobCreated(parse_job(asking.body)))
        return _job_response(job, clock, 201)

    @get("/{job_id:str}")
    async def show_job(
        self, job_id: FromPath[str], projector: NamedDependency[Projector], clock: NamedDependency[Clock]
    ) -> Response[Job]:
        """Show a job; its version is the ETag."""
        return _job_response(_entry(projector, job_id), clock, 200)

    @put("/{job_id:str}", operation_class=JobBody)
    async def update_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Replace a job's definition. `If-Match` is required: a rival edit must not be lost."""
        if not asking.if_match:
            raise ProblemError(
                428, "which version is meant?", 'send If-Match with the ETag of the job you looked at, such as "3"'
            )
        job = await asking.change(parse_uuid("job_id", job_id), JobUpdated(parse_job(asking.body)))
        return _job_response(job, clock, 200)

    @delete("/{job_id:str}", status_code=204)
    async def delete_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
    ) -> None:
        """Delete a job. Its history stays in the log, its runs in the store."""
        await asking.execute(parse_uuid("job_id", job_id), JobDeleted())

    @post("/{job_id:str}/run", status_code=202)
    async def run_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
    ) -> RunAccepted:
        """Run a job once now, outside its ticks."""
        applied = await asking.execute(parse_uuid("job_id", job_id), RunRequested())
        assert applied.execution_id is not None
        return RunAccepted(execution_id=applied.execution_id, job_id=job_id)

    @post("/{job_id:str}/pause", status_code=200)
    async def pause_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Stop a job's ticks until it is resumed."""
        return _job_response(await asking.change(parse_uuid("job_id", job_id), JobPaused()), clock, 200)

    @post("/{job_id:str}/resume", status_code=200)
    async def resume_job(
        self,
        job_id: FromPath[str],
        asking: NamedDependency[Asking],
        clock: NamedDependency[Clock],
    ) -> Response[Job]:
        """Let a job have ticks again, from now on."""
        return _job_response(await asking.change(parse_uuid("job_id", job_id), JobResumed()), clock, 200)

    @post("/{job_id:str}/executions/{execution_id:str}/kill", status_code=202)
    async def kill_execution(
        self,
        job_id: FromPath[str],
        execution_id: FromPath[str],
        asking: NamedDependency[Asking],
    ) -> RunAccepted:
        """End a run: SIGTERM to its whole process group, SIGKILL after the job's kill_grace."""
        await asking.execute(parse_uuid("job_id", job_id), KillRequested(execution_id))
        return RunAccepted(execution_id=execution_id, job_id=job_id)


@get("/api/v1/commands/{event_id:uuid}", tags=["jobs"])
async def command_outcome(event_id: FromPath[UUID], commands: NamedDependency[Commands]) -> CommandOutcome:
    """Tell what became of a command whose answer was in doubt."""
    match commands.outcome_of(str(event_id)):
        case Applied() as applied:
            return CommandOutcome(
                event_id=str(event_id),
                outcome="applied",
                job_id=applied.job.job_id if applied.job else "",
                execution_id=applied.execution_id or "",
            )
        case Rejected(error):
            return CommandOutcome(event_id=str(event_id), outcome="rejected", detail=str(error))
    return CommandOutcome(
        event_id=str(event_id), outcome="unknown", detail="not in the part of the log that this master has folded"
    )


@get("/api/v1/info", tags=["operations"], sync_to_thread=False)
def info(service_info: NamedDependency[Info]) -> Info:
    """Tell a client what it needs to find its way."""
    return service_info


def _version(if_match: str) -> int | None:
    if if_match in ("", "*"):
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isdecimal():
        raise bad_parameter("If-Match", if_match, 'the ETag of the job, such as "3", or *')
    return int(text)


def _table(projector: Projector) -> JobTable:
    if not projector.started.is_set():
        raise UnavailableError("this master has not read etcd yet")
    return projector.table


def _entry(projector: Projector, job_id: str) -> JobEntry:
    entry = _table(projector).get(parse_uuid("job_id", job_id))
    if entry is None:
        raise UnknownJobError(f"there is no job {job_id}; it may have been deleted")
    return entry


def _job_response(entry: JobEntry, clock: Clock, status: int) -> Response[Job]:
    return Response(job_view(entry, clock.now()), status_code=status, headers={"ETag": f'"{entry.version}"'})
