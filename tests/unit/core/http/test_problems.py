"""Every error becomes an RFC 9457 problem: the right status, and what would be right."""

from typing import Any

import pytest
from litestar import Litestar, get
from litestar.params import FromQuery
from litestar.testing import AsyncTestClient

from dcron_core.clock import SystemClock
from dcron_core.errors import (
    DcronError,
    InvalidJobError,
    LogUnavailableError,
    NameTakenError,
    NotPossibleError,
    OutcomeUnknownError,
    StoreUnavailableError,
    UnknownJobError,
    VersionConflictError,
)
from dcron_core.http.problems import EXCEPTION_HANDLERS, PROBLEM_JSON, ProblemError, parse_uuid, problem_of
from dcron_core.http.request_id import HEADER, RequestIdMiddleware
from dcron_core.ids import IdSource
from dcron_schemas.api import FieldProblem


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidJobError([FieldProblem(field="run", message="is required")]), 422),
        (UnknownJobError("gone"), 404),
        (VersionConflictError("changed", expected=1, current=2), 409),
        (NameTakenError("taken"), 409),
        (NotPossibleError("no"), 409),
        (OutcomeUnknownError("ask there"), 503),
        (StoreUnavailableError("etcd"), 503),
        (LogUnavailableError("kafka"), 503),
        (ProblemError(418, "a teapot", "short and stout"), 418),
        (DcronError("something else"), 500),
        (ValueError("a secret of the inside"), 500),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int) -> None:
    problem = problem_of(error)
    assert problem.status == status
    assert problem.title
    assert "inside" not in problem.detail


def test_only_a_command_is_told_that_nothing_was_changed() -> None:
    error = StoreUnavailableError("etcd is away")
    assert problem_of(error).detail == "etcd is away; nothing was changed, try again"
    assert problem_of(error, reading=True).detail == "etcd is away; try again"


def test_a_conflict_tells_both_versions() -> None:
    problem = problem_of(VersionConflictError("changed", expected=1, current=2))
    assert (problem.expected_version, problem.current_version) == (1, 2)


def test_an_invalid_job_tells_each_field() -> None:
    errors = [FieldProblem(field="run", message="is required"), FieldProblem(field="name", message="is required")]
    assert problem_of(InvalidJobError(errors)).errors == tuple(errors)


@pytest.mark.parametrize("value", ["", "7", "not-a-uuid", "019e0000-0000-7000-8000-00000000000g"])
def test_what_is_no_id_cannot_be_found(value: str) -> None:
    with pytest.raises(ProblemError) as refusal:
        parse_uuid("job_id", value)
    assert refusal.value.problem.status == 404
    assert [(error.field, error.value) for error in refusal.value.problem.errors] == [("job_id", value)]


def test_ids_have_one_form() -> None:
    canonical = "019e0000-0000-7000-8000-00000000000a"
    assert parse_uuid("job_id", canonical.upper()) == parse_uuid("job_id", canonical.replace("-", "")) == canonical


def application() -> Any:
    @get("/number", sync_to_thread=False)
    def number(limit: FromQuery[int]) -> int:
        return limit

    @get("/down", sync_to_thread=False)
    def down() -> None:
        raise StoreUnavailableError("etcd does not answer")

    app = Litestar([number, down], exception_handlers=EXCEPTION_HANDLERS, openapi_config=None)
    return RequestIdMiddleware(app, SystemClock(), IdSource(seed=1))


@pytest.mark.parametrize(
    ("path", "status"), [("/number?limit=many", 400), ("/number", 400), ("/nowhere", 404), ("/down", 503)]
)
async def test_every_error_answer_is_a_problem_with_the_requests_id(path: str, status: int) -> None:
    async with AsyncTestClient(application()) as client:
        answer = await client.get(path, headers={HEADER: "request-0001"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_JSON)
    problem = answer.json()
    assert (problem["status"], problem["instance"]) == (status, "request-0001")
    assert answer.headers[HEADER] == "request-0001"
    assert ("retry-after" in answer.headers) is (status == 503)


async def test_a_wrong_parameter_is_named() -> None:
    async with AsyncTestClient(application()) as client:
        answer = await client.get("/number?limit=many")
    assert [error["field"] for error in answer.json()["errors"]] == ["limit"]


@pytest.mark.parametrize("given", ["", "short", "x" * 65, 'evil" onload=', "with space 1"])
async def test_a_request_without_a_sane_id_gets_a_new_one(given: str) -> None:
    async with AsyncTestClient(application()) as client:
        answer = await client.get("/number?limit=1", headers={HEADER: given})
    assert len(answer.headers[HEADER]) == 36
