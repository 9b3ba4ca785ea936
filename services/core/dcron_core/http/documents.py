"""The OpenAPI documents, with the one thing that all routes share: each may refuse, and every refusal is a Problem."""

from collections.abc import Iterator
from typing import Any, cast

import msgspec
from litestar import Litestar
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, PathItem, Reference, Schema

from dcron_core.http.problems import PROBLEM_JSON
from dcron_schemas.api import Problem

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
COMPONENTS = "#/components/schemas/"


def with_problems(app: Litestar) -> Litestar:
    """Let the application's document say what its routes answer when they refuse; return the application.

    Litestar describes its own answer to a request that is not valid, which our exception handlers replace.
    """
    document = app.openapi_schema
    assert document.components is not None
    assert document.components.schemas is not None
    for name, schema in _problem_components().items():
        document.components.schemas.setdefault(name, schema)
    for item in (document.paths or {}).values():
        for operation in _operations(item):
            answers = {status: answer for status, answer in (operation.responses or {}).items() if status != "400"}
            operation.responses = answers | {
                "4XX": _answer("refused; the problem says why, and what would be right"),
                "503": _answer("a server that this needs does not answer; nothing was changed, or the problem says so"),
            }
    return app


def _operations(item: PathItem) -> Iterator[Operation]:
    found = (getattr(item, method) for method in METHODS)
    return (operation for operation in found if operation is not None)


def _answer(description: str) -> OpenAPIResponse:
    problem = OpenAPIMediaType(schema=Reference(ref=f"{COMPONENTS}Problem"))
    return OpenAPIResponse(description=description, content={PROBLEM_JSON: problem})


def _problem_components() -> dict[str, Schema]:
    """Return the schema of a Problem and of all that it holds, which litestar writes out as they are."""
    components: Any = msgspec.json.schema_components([Problem], ref_template=f"{COMPONENTS}{{name}}")[1]
    return cast("dict[str, Schema]", components)
