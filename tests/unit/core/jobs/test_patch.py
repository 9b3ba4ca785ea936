"""A merge patch on a definition: RFC 7396's own examples, and what a bad one gets."""

from typing import Any

import pytest

from dcron_core.errors import InvalidJobError
from dcron_core.jobs.patch import _merged, patched
from dcron_core.jobs.validation import parse_patch
from dcron_schemas.job import JobSpec, Run, Schedule

SPEC = JobSpec(name="a", run=Run(shell="true"), schedule=Schedule(every="1h"), env={"A": "1", "B": "2"}, timeout="5m")

RFC_7396_APPENDIX_A: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396_APPENDIX_A)
def test_the_examples_of_rfc_7396(target: Any, patch: Any, result: Any) -> None:
    assert _merged(target, patch) == result


def test_what_is_named_changes_and_the_rest_stays() -> None:
    patch = {"schedule": {"every": None, "cron": "0 3 * * *"}, "env": {"A": None, "C": "3"}, "timeout": None}
    assert patched(SPEC, patch) == JobSpec(
        name="a", run=Run(shell="true"), schedule=Schedule(cron="0 3 * * *"), env={"B": "2", "C": "3"}
    )
    assert patched(SPEC, {"schedule": None}).schedule is None
    assert patched(SPEC, {}) == SPEC


@pytest.mark.parametrize(
    ("patch", "field", "says"),
    [
        ({"schedule": {"cron": "0 3 * * *"}}, "schedule", "exactly one"),
        ({"name": None}, "name", "is required"),
        ({"run": None}, "run", "is required"),
        ({"timezone": "Mars/Base"}, "timezone", "no such time zone"),
        ({"env": {"A": 5}}, "env.A", "Expected `str`"),
        ({"notify": [{"url": "http://127.0.0.1/"}]}, "notify", "no effect"),
        ({"description": "x" * 70_000}, "description", "length"),
    ],
)
def test_the_result_is_checked_like_a_whole_definition(patch: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        patched(SPEC, patch)
    (problem,) = caught.value.problems
    assert problem.field == field
    assert says in problem.message


@pytest.mark.parametrize(
    ("body", "says", "remedy"),
    [
        (b'{"shedule": null}', "unknown field", "did you mean schedule?"),
        (b'{"run": {"shel": null}}', "unknown field", "did you mean shell?"),
        (b"[]", "not an object", ""),
        (b"null", "not an object", ""),
        (b"", "not JSON", ""),
        (b'{"description":"' + b"x" * 70_000 + b'"}', "at most", "file"),
    ],
)
def test_a_patch_that_names_what_is_not_known_is_refused_even_where_it_would_change_nothing(
    body: bytes, says: str, remedy: str
) -> None:
    with pytest.raises(InvalidJobError) as caught:
        parse_patch(body)
    assert says in caught.value.problems[0].message
    assert remedy in caught.value.problems[0].remedy
