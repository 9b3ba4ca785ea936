"""The jobs that hang together with one."""

from datetime import UTC, datetime

from dcron_master.dependency_graph import MOST_JOBS, graph_of
from dcron_schemas.api import DependencyGraph
from dcron_schemas.job import After, JobSpec, Run
from dcron_schemas.state import JobEntry
from tests.services import Ports

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def entry(name: str, *after: str, namespace: str = "default") -> JobEntry:
    spec = JobSpec(
        name=name, namespace=namespace, run=Run(shell="true"), after=tuple(After(job=each) for each in after)
    )
    return JobEntry(
        job_id=f"id-{namespace}-{name}", version=1, spec=spec, anchor=NOW, position=0, created_at=NOW, updated_at=NOW,
        updated_by="x",
    )  # fmt: skip


def edges_of(graph: DependencyGraph) -> set[tuple[str, str]]:
    return {(edge.before.removeprefix("id-default-"), edge.after.removeprefix("id-default-")) for edge in graph.edges}


def test_what_comes_before_and_after_is_found_over_steps_and_nothing_else() -> None:
    load, check, report = entry("load"), entry("check", "load"), entry("report", "check", "prices")
    others = [entry("prices"), entry("alone"), entry("check", namespace="other"), entry("mail", "report")]
    graph = graph_of([load, check, report, *others], check)
    assert [node.name for node in graph.jobs] == ["check", "load", "report", "mail", "prices"]
    assert edges_of(graph) == {("load", "check"), ("check", "report"), ("prices", "report"), ("report", "mail")}


def test_a_name_that_no_job_has_is_passed_over() -> None:
    graph = graph_of([entry("check", "gone")], entry("check", "gone"))
    assert [node.name for node in graph.jobs] == ["check"]
    assert graph.edges == ()


def test_the_nearest_jobs_are_shown_where_there_are_too_many() -> None:
    first = entry("first")
    near = [entry(f"near-{n:03}", "first") for n in range(150)]
    far = [entry(f"far-{n:03}", f"near-{n:03}") for n in range(150)]
    graph = graph_of([first, *near, *far], first)
    assert len(graph.jobs) == MOST_JOBS
    assert {node.name for node in graph.jobs} >= {each.spec.name for each in near}
    shown = {node.job_id for node in graph.jobs}
    assert all(edge.before in shown and edge.after in shown for edge in graph.edges)


async def test_the_graph_over_http() -> None:
    ports = Ports()
    async with ports.master() as (_, client):
        first = (await client.post("/api/v1/jobs", json={"name": "a", "run": {"shell": "true"}})).json()
        body = {"name": "b", "run": {"shell": "true"}, "after": [{"job": "a", "on": "failed"}]}
        second = (await client.post("/api/v1/jobs", json=body)).json()
        answer = (await client.get(f"/api/v1/jobs/{first['job_id']}/dependencies")).json()
        assert answer["edges"] == [{"before": first["job_id"], "after": second["job_id"], "on": "failed"}]
        assert (await client.get("/api/v1/jobs/no-uuid/dependencies")).status_code in {400, 404}
