"""The services held against their OpenAPI documents: requests made from the documents, right ones and wrong ones, never
end in a server error, and every answer is one that the document has (status, content type, schema)."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.cluster import TOKEN, Cluster, wait_until

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 8  # of each operation, right ones and as many wrong ones
FOLLOWING = {
    "GET /api/v1/feed",
    "GET /api/v1/executions/{execution_id}/events",
}  # until the client goes
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
JOB = {"run": {"shell": "echo hello"}, "schedule": {"cron": "0 0 1 1 *"}}


@pytest.fixture
def system(cluster: Cluster) -> Cluster:
    cluster.start(masters=1, workers=1, ingesters=1)
    return cluster


def new_job(master: httpx.Client, name: str) -> str:
    answer = master.post("/api/v1/jobs", json={"name": name, **JOB})
    return str(answer.raise_for_status().json()["job_id"])


def run_of(system: Cluster, job_id: str) -> str:
    """A run of the job that is over and stored."""
    with system.api() as master, system.api("log-ingester") as ingester:
        execution_id = str(master.post(f"/api/v1/jobs/{job_id}/run").raise_for_status().json()["execution_id"])

        def over() -> bool:
            answer = ingester.get(f"/api/v1/executions/{execution_id}")
            return answer.status_code == 200 and answer.json()["status"] == "succeeded"

        wait_until(over, "the run to be stored")
    return execution_id


@pytest.mark.servers
def test_every_answer_is_one_that_the_document_has(system: Cluster) -> None:
    with system.api() as master:
        known = {"job_id": new_job(master, "known")}
        known["execution_id"] = run_of(system, known["job_id"])
        tried = 0
        for service in ("master", "log-ingester"):
            url = system.all_of(service)[0].url
            schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json", headers=HEADERS)
            schema.config.update(base_url=url)
            for number, found in enumerate(schema.get_all_operations()):
                operation: Any = found.ok() if isinstance(found, Ok) else pytest.fail(f"not a schema: {found.err()}")
                if operation.label in FOLLOWING:
                    continue
                tried += 1
                changes_a_job = operation.method != "get" and "{job_id}" in operation.path
                ids = known | ({"job_id": new_job(master, f"job-{number}")} if changes_a_job else {})
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    try_out(operation, mode, ids)
        assert tried > 40


def try_out(operation: Any, mode: GenerationMode, ids: dict[str, str]) -> None:
    """Ask with what the document allows, or does not; half of the time about what there is."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def ask(case: Any, known: bool) -> None:
        parameters = case.path_parameters or {}
        assume(parameters.get("job_id") not in {"deleted", "facets"})  # those are other routes
        if known:
            parameters.update({name: value for name, value in ids.items() if name in parameters})
        case.call_and_validate(checks=CHECKS, headers=HEADERS)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE  # an operation that takes nothing has nothing wrong to send
    except FailureGroup as failures:
        pytest.fail(f"{operation.label}, {mode.value}: {failures}")
