"""A request that wants something changed, and what OpenAPI has to know about it.

Bodies are read by `dcron_core.jobs.validation`, which reports every problem with its field; the operations here tell
OpenAPI what those bodies are.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Reference, RequestBody, Schema
from litestar.params import HeaderParameter
from msgspec import Struct

from dcron_core.access.principal import Principal, principal_of
from dcron_core.http.request_id import request_id_of
from dcron_core.jobs.fold import Applied
from dcron_master.commands import Command, Commands
from dcron_master.edits import Edit
from dcron_master.listing import bad_parameter
from dcron_schemas.events import EventData
from dcron_schemas.state import JobEntry

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


@dataclass
class PatchBody(Operation):
    """An operation whose body is a JSON merge patch on a JobSpec."""

    def __post_init__(self) -> None:
        media_type = OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT, description="some fields of a JobSpec"))
        self.request_body = RequestBody(content={"application/merge-patch+json": media_type}, required=True)


class Asking(Struct, frozen=True):
    """A request that wants something changed: its body and conditions, and where to bring it."""

    commands: Commands
    principal: Principal
    request_id: str
    idempotency_key: str
    if_match: str
    body: bytes

    async def execute(self, job_id: str, data: EventData | Edit) -> Applied:
        """Bring the command to the log; return what the fold made of it."""
        return await self._execute(job_id, data, self.idempotency_key, _version(self.if_match))

    async def change(self, job_id: str, data: EventData | Edit) -> JobEntry:
        """The same, for a command after which the job stands; return the job."""
        applied = await self.execute(job_id, data)
        assert applied.job is not None
        return applied.job

    async def part(self, name: str, job_id: str, data: EventData | Edit, expected_version: int | None) -> Applied:
        """Bring one of the commands that this request consists of. `name` tells it from the others."""
        key = f"{self.idempotency_key}\n{name}" if self.idempotency_key else ""
        return await self._execute(job_id, data, key, expected_version)

    async def _execute(self, job_id: str, data: EventData | Edit, key: str, expected_version: int | None) -> Applied:
        return await self.commands.execute(
            Command(
                data=data,
                actor=self.principal.name,
                asker=self.principal,
                request_id=self.request_id,
                job_id=job_id,
                idempotency_key=key,
                expected_version=expected_version,
            )
        )


async def asking(
    request: Request[Any, Any, Any],
    commands: NamedDependency[Commands],
    if_match: IfMatch = "",
    idempotency_key: IdempotencyKey = "",
) -> Asking:
    """Give a handler what it needs to bring a command."""
    principal = principal_of(request.scope)
    return Asking(commands, principal, request_id_of(request.scope), idempotency_key, if_match, await request.body())


def _version(if_match: str) -> int | None:
    if if_match in ("", "*"):
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not text.isdecimal():
        raise bad_parameter("If-Match", if_match, 'the ETag of the job, such as "3", or *')
    return int(text)
