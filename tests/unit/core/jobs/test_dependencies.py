"""Who comes after whom: the index, and what is refused when a job is saved."""

from datetime import UTC, datetime

import pytest

from dcron_core.errors import InvalidJobError
from dcron_core.jobs.dependencies import MOST_DEPENDANTS, Dependants, check_dependencies
from dcron_core.jobs.table import JobTable
from dcron_schemas.events import EventData, JobCreated, JobDeleted, JobPaused, JobUpdated
from dcron_schemas.job import After, JobSpec, Run
from dcron_schemas.state import JobEntry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def spec(name: str, *after: str, namespace: str = "default") -> JobSpec:
    return JobSpec(
        name=name, namespace=namespace, run=Run(shell="true"), after=tuple(After(job=each) for each in after)
    )


def entry(name: str, *after: str, namespace: str = "default") -> JobEntry:
    return JobEntry(
        job_id=f"id-{name}", version=1, spec=spec(name, *after, namespace=namespace), anchor=NOW, position=1,
        created_at=NOW, updated_at=NOW, updated_by="ada",
    )  # fmt: skip


CHAIN = JobTable(entries=[entry("a"), entry("b", "a"), entry("c", "b"), entry("far", namespace="other")])


def refusal(table: JobTable, job_id: str, data: EventData) -> str:
    with pytest.raises(InvalidJobError) as error:
        check_dependencies(table, job_id, data)
    (problem,) = error.value.problems
    assert problem.remedy
    return f"{problem.field}: {problem.message} ({problem.value})"


def test_what_can_work_is_saved() -> None:
    check_dependencies(CHAIN, "id-d", JobCreated(spec("d", "b", "c")))
    check_dependencies(CHAIN, "id-c", JobUpdated(spec("c", "a")))
    check_dependencies(CHAIN, "id-c", JobUpdated(spec("renamed", "b")))
    check_dependencies(CHAIN, "id-c", JobDeleted())
    check_dependencies(CHAIN, "id-a", JobPaused())
    check_dependencies(CHAIN, "id-none", JobDeleted())


def test_a_job_does_not_come_after_itself() -> None:
    assert refusal(CHAIN, "id-d", JobCreated(spec("d", "d"))) == "after[0].job: a job cannot come after itself (d)"


def test_a_job_comes_after_jobs_that_are_there_and_of_its_namespace() -> None:
    for name in ("nobody", "far"):
        found = refusal(CHAIN, "id-d", JobCreated(spec("d", "a", name)))
        assert found == f"after[1].job: there is no such job in namespace 'default' ({name})"


def test_a_renamed_job_does_not_come_after_its_former_name() -> None:
    assert "no such job" in refusal(CHAIN, "id-c", JobUpdated(spec("d", "c")))


def test_a_circle_is_refused_and_named() -> None:
    found = refusal(CHAIN, "id-a", JobUpdated(spec("a", "c")))
    assert found == "after[0].job: closes a circle: a after c after b after a (c)"
    assert "a after b after a" in refusal(CHAIN, "id-a", JobUpdated(spec("a", "b")))


def test_a_circle_that_is_there_already_does_not_hold_up_the_others() -> None:
    table = JobTable(entries=[entry("a", "b"), entry("b", "a"), entry("c")])
    check_dependencies(table, "id-c", JobUpdated(spec("c", "a")))
    check_dependencies(table, "id-a", JobUpdated(spec("a")))


def test_a_job_that_others_come_after_is_neither_deleted_nor_renamed() -> None:
    assert refusal(CHAIN, "id-a", JobDeleted()) == (
        "name: cannot be deleted: b would come after a job that is not there (a)"
    )
    assert "cannot be renamed" in refusal(CHAIN, "id-b", JobUpdated(spec("new", "a")))


def test_so_many_jobs_come_after_one() -> None:
    """Their runs go into the transaction that ends it, which etcd bounds."""
    table = JobTable(entries=[entry("a"), *(entry(f"n{number}", "a") for number in range(MOST_DEPENDANTS))])
    assert "which is the most" in refusal(table, "id-x", JobCreated(spec("x", "a")))
    check_dependencies(table, "id-n0", JobUpdated(spec("n0", "a")))


def test_the_index_follows_the_jobs() -> None:
    index = Dependants([entry("b", "a"), entry("c", "a", "b")])
    assert [each.spec.name for each in index.of("default", "a")] == ["b", "c"]
    assert index.of("other", "a") == []
    index.stands(entry("b"))
    index.gone("id-c")
    index.gone("id-unknown")
    assert index.of("default", "a") == index.of("default", "b") == []
    index.stands(entry("b", "a"))
    assert [each.spec.name for each in index.of("default", "a")] == ["b"]
