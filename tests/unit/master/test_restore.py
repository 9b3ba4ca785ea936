"""The plan of a restore and its order: tables of jobs in, steps out."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.jobs.dependencies import check_dependencies
from dcron_core.jobs.table import JobTable
from dcron_master.restore import ordered, planned
from dcron_schemas.audit import RestoreStep
from dcron_schemas.events import EventData, JobDeleted, JobRestored, JobReverted
from dcron_schemas.job import After, JobSpec, Run
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
    order = ordered(planned(then, now), now, then)
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


Links = dict[str, str]  # the name of a job, which is its id too → the names that it comes after


def linked(links: Links) -> JobTable:
    entries = [
        JobEntry(
            job_id=name,
            version=1,
            spec=JobSpec(name=name, run=Run(shell="true"), after=tuple(After(job=each) for each in after)),
            anchor=AT,
            position=1,
            created_at=AT,
            updated_at=AT,
            updated_by="ada",
        )
        for name, after in links.items()
    ]
    return JobTable(entries=entries)


def carried_out(steps: list[RestoreStep], now: Links, then: Links) -> Links:
    """Do the steps one after the other, as a master does that saves only what can work."""
    stands = dict(now)
    for step in steps:
        data: EventData = JobDeleted()
        target = linked(then).get(step.job_id)
        if target is not None:
            data = JobReverted(target.spec, 1) if step.job_id in stands else JobRestored(target.spec, 2)
        check_dependencies(linked(stands), step.job_id, data)
        stands.pop(step.job_id, None)
        if target is not None:
            stands[step.job_id] = then[step.job_id]
    return stands


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"a": "b", "b": ""}, {}),  # both deleted
        ({"a": "b", "b": "c", "c": ""}, {"b": ""}),
        ({}, {"a": "b", "b": ""}),  # both created since
        ({"a": "b", "b": ""}, {"a": "", "b": "a"}),  # turned round
        ({"a": "", "b": "a", "c": "b"}, {"a": "b", "b": "c", "c": ""}),
        ({"a": "c", "b": "", "c": ""}, {"a": "b", "b": "c"}),
        ({"x": "y", "y": "", "z": "x"}, {"x": "", "y": "z", "z": ""}),  # a circle over what is and what will be
        (
            {"a": "", "d": "", "c": "ad", "b": "ac"},
            {"a": "", "e": "", "b": "e", "d": "ab"},
        ),  # b and c, each for the other
    ],
)
def test_a_job_finds_what_it_comes_after(then: Links, now: Links) -> None:
    order = ordered(planned(linked(then), linked(now)), linked(now), linked(then))
    assert carried_out([step for wave in order.waves for step in wave], now, then) == then
    assert carried_out([step for wave in order.waves for step in reversed(wave)], now, then) == then


def links_of(drawn: list[tuple[str, set[int]]]) -> Links:
    """Return dependencies without a circle: each job comes after some of those before it."""
    names = [name for name, _ in drawn]
    return {
        name: "".join(sorted(names[place] for place in places if place < number))
        for number, (name, places) in enumerate(drawn)
    }


some_links = st.permutations("abcdef").flatmap(
    lambda names: st.lists(st.sets(st.integers(0, 5), max_size=3), max_size=6).map(
        lambda places: links_of(list(zip(names, places, strict=False)))
    )
)


@settings(max_examples=400, deadline=None)
@given(then=some_links, now=some_links)
def test_any_dependencies_are_brought_back_step_by_step(then: Links, now: Links) -> None:
    order = ordered(planned(linked(then), linked(now)), linked(now), linked(then))
    assert carried_out([step for wave in order.waves for step in wave], now, then) == then
    assert carried_out([step for wave in order.waves for step in reversed(wave)], now, then) == then
