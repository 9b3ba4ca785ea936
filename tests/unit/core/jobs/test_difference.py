"""Which fields of two definitions differ, in words of the definition."""

import pytest
from msgspec.structs import replace

from dcron_core.jobs.difference import difference
from dcron_schemas.job import JobSpec, Retry, Run, Schedule
from tests.unit.core.jobs.events import job

PLAIN = job()


def changed(after: JobSpec, before: JobSpec = PLAIN) -> list[tuple[str, object, object]]:
    return [(change.field, change.before, change.after) for change in difference(before, after)]


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (PLAIN, []),
        (replace(PLAIN, description="new"), [("description", "", "new")]),
        (replace(PLAIN, enabled=False), [("enabled", True, False)]),
        (replace(PLAIN, schedule=Schedule(cron="1 0 * * *")), [("schedule.cron", "0 0 * * *", "1 0 * * *")]),
        (
            replace(PLAIN, schedule=Schedule(every="5m")),
            [("schedule.cron", "0 0 * * *", None), ("schedule.every", None, "5m")],
        ),
        (replace(PLAIN, schedule=None), [("schedule.cron", "0 0 * * *", None)]),
        (replace(PLAIN, run=Run(argv=("ls", "-l"))), [("run.shell", "true", None), ("run.argv", None, ("ls", "-l"))]),
        (replace(PLAIN, tags=("x", "y")), [("tags", (), ("x", "y"))]),
        (replace(PLAIN, env={"A": "1"}), [("env.A", None, "1")]),
        (replace(PLAIN, retry=Retry(attempts=2)), [("retry.attempts", 0, 2)]),
        (
            replace(PLAIN, owner="ada", name="z"),
            [("name", "a", "z"), ("owner", "", "ada")],
        ),  # in the order of the definition
    ],
)
def test_each_field_that_differs_is_named_with_both_values(
    after: JobSpec, says: list[tuple[str, object, object]]
) -> None:
    assert changed(after) == says
    assert changed(PLAIN, after) == [(field, now, was) for field, was, now in says]


def test_entries_of_a_map_are_compared_one_by_one() -> None:
    before = replace(PLAIN, env={"A": "1", "B": "2", "C": "3"})
    after = replace(PLAIN, env={"B": "2", "C": "4", "D": "5"})
    assert changed(after, before) == [("env.A", "1", None), ("env.C", "3", "4"), ("env.D", None, "5")]


def test_a_job_that_does_not_stand_has_no_field() -> None:
    """Its fields are absent, also those that have their defaults in the other one."""
    made = {change.field: (change.before, change.after) for change in difference(None, PLAIN)}
    assert made["name"] == (None, "a")
    assert made["schedule.cron"] == (None, "0 0 * * *")
    assert made["enabled"] == (None, True)
    assert {change.field: (change.after, change.before) for change in difference(PLAIN, None)} == made
    assert difference(None, None) == ()
