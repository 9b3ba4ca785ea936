"""`dcron job set`: what FIELD=VALUE becomes."""

from typing import Any

import pytest

from dcron_standalone.client import ApiError
from dcron_standalone.history_commands import patch_of


@pytest.mark.parametrize(
    ("assignments", "patch"),
    [
        (["description=two words"], {"description": "two words"}),
        (["schedule.cron=0 3 * * *", "schedule.every=null"], {"schedule": {"cron": "0 3 * * *", "every": None}}),
        (["schedule=null"], {"schedule": None}),
        (["schedule={every: 5m}"], {"schedule": {"every": "5m"}}),
        (["tags=[a, b]", "enabled=false"], {"tags": ["a", "b"], "enabled": False}),
        (["env.PORT=8080", "env.ON=true", "env.EMPTY="], {"env": {"PORT": "8080", "ON": "true", "EMPTY": ""}}),
        (["env.A.B=x=y", "env.C=null"], {"env": {"A.B": "x=y", "C": None}}),
        (["run.shell=a && b"], {"run": {"shell": "a && b"}}),
    ],
)
def test_assignments_become_a_merge_patch(assignments: list[str], patch: dict[str, Any]) -> None:
    assert patch_of(assignments) == patch


@pytest.mark.parametrize(
    ("assignments", "says"),
    [
        (["timeout"], "not FIELD=VALUE"),
        (["=x"], "not FIELD=VALUE"),
        (["schedule..every=x"], "not FIELD=VALUE"),
        (["env.=x"], "not FIELD=VALUE"),
        (["timeout=5m", "timeout=6m"], "timeout is set already"),
        (["schedule=null", "schedule.every=5m"], "schedule is set as a whole already"),
        (["schedule.every=5m", "schedule=null"], "schedule is set already"),
        (["tags=[a"], "tags: '[a' is not valid YAML"),
        (["tags=!!python/object:x {}"], "not valid YAML"),
    ],
)
def test_what_is_no_assignment_is_told(assignments: list[str], says: str) -> None:
    with pytest.raises(ApiError) as caught:
        patch_of(assignments)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
