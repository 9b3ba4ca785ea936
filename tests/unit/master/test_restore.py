"""The plan of a restore and its order: tables of jobs in, steps out."""

from datetime import UTC, datetime

import pytest

from dcron_core.jobs.table import JobTable
from dcron_master.restore import ordered, planned
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.state import JobEntry

AT = datetime(2026, 1, 1, tzinfo=UTC)


def table(version: int = 1, **names: str) -> JobTable:
    """Return a table of job id → name."""
    return JobTable(
        entries=[
            JobEntry(
                job_id=job_id,
                version=version,
                spec=JobSpec(name=name, run=Run(shell="true")),
                anchor=AT,
                position=1,
                created_at=AT,
                updated_at=AT,
                updated_by="ada",
            )
            for job_id, name in names.items()
        ]
    )


@pytest.mark.parametrize(
    ("then", "now", "steps"),
    [
        (table(x="a"), table(x="a"), []),
        (table(x="a"), table(version=5, x="a"), []),  # changed, and changed back
        (table(x="a"), table(), [("restore", "x", None, 1)]),
        (table(), table(version=3, x="a"), [("delete", "x", 3, None)]),
        (table(x="a"), table(version=3, x="b"), [("revert", "x", 3, 1)]),
        (
            table(x="a", y="b"),
            table(version=2, y="c", z="a"),
            [("delete", "z", 2, None), ("revert", "y", 2, 1), ("restore", "x", None, 1)],
        ),
    ],
)
def test_the_plan_has_a_step_for_each_job_that_is_another(
    then: JobTable, now: JobTable, steps: list[tuple[str, str, int | None, int | None]]
) -> None:
    found = planned(then, now)
    assert [(step.action, step.job_id, step.current_version, step.to_version) for step in found] == steps
    assert all(step.changes for step in found)


def test_only_what_was_asked_for_is_planned() -> None:
    steps = planned(table(x="a", y="b"), table(), ["y", "other"])
    assert [step.job_id for step in steps] == ["y"]
    assert [(change.field, change.before, change.after) for change in steps[0].changes] == [
        ("name", None, "b"),
        ("run.shell", None, "true"),
    ]


@pytest.mark.parametrize(
    ("then", "now", "waves", "aside"),
    [
        (table(x="a"), table(y="a"), ["y", "x"], 0),  # a deletion frees the name
        (table(x="a", y="b", z="c"), table(x="b", y="c", z="d"), ["z", "y", "x"], 0),  # a chain
        (table(x="a", y="b"), table(x="b", y="a"), ["x", "y"], 1),  # exchanged
        (table(x="a", y="b", z="c"), table(x="b", y="c", z="a"), ["x", "y", "z"], 1),  # a circle
        (table(v="a", w="b", x="c", y="d"), table(v="b", w="a", x="d", y="c"), ["v", "w", "x", "y"], 2),
        (table(x="a"), table(x="b", y="a"), ["y", "x"], 0),
    ],
)
def test_names_are_free_before_they_are_taken(then: JobTable, now: JobTable, waves: list[str], aside: int) -> None:
    order = ordered(planned(then, now), now)
    names = {(entry.spec.namespace, entry.spec.name): entry.job_id for entry in now.entries()}
    for job_id, spec in order.aside.items():
        del names[next(name for name, holder in names.items() if holder == job_id)]
        names[spec.namespace, spec.name] = job_id
    for wave in order.waves:
        for step in wave:  # what a wave gives up is free in the next one only
            assert names.get((step.namespace, step.name), step.job_id) == step.job_id or step.action == "delete"
        names = {name: holder for name, holder in names.items() if holder not in {step.job_id for step in wave}}
        names |= {(step.namespace, step.name): step.job_id for step in wave if step.action != "delete"}
    assert sorted(step.job_id for wave in order.waves for step in wave) == sorted(waves)
    assert len(order.aside) == aside
