"""`run.http`, `run_as` and `limits`: what is wrong is named, with its value and what would be right."""

import json
from typing import Any

import pytest

from dcron_core.errors import InvalidJobError
from dcron_core.jobs.validation import parse_job

URL = "https://example.org/tasks?x=1"


def parsed(**fields: Any) -> object:
    return parse_job(json.dumps({"name": "job", "run": {"shell": "true"}} | fields).encode())


def http(**fields: Any) -> dict[str, Any]:
    return {"run": {"http": {"url": URL} | fields}}


@pytest.mark.parametrize(
    "fields",
    [
        {"run_as": "backup"},
        {"run_as": "www-data"},
        {"limits": {"memory_bytes": 512 << 20, "cpu_time": "1m30s", "output_bytes": 1}},
        http(),
        http(url="http://[::1]:8080/"),
        http(method="GET", headers={"Authorization": "Bearer x", "X-Empty": ""}, expect_status=[200, 404]),
        http(body="ü\n") | {"limits": {"output_bytes": 1000}, "timeout": "5s"},
    ],
)
def test_what_is_right_passes(fields: dict[str, Any]) -> None:
    assert parsed(**fields)


@pytest.mark.parametrize(
    ("fields", "field", "value", "message"),
    [
        ({"run_as": ""}, "run_as", "", "not a user's name"),
        ({"run_as": "a:b"}, "run_as", "a:b", "not a user's name"),
        ({"run_as": "-x"}, "run_as", "-x", "not a user's name"),
        ({"limits": {"memory_bytes": 1000}}, "limits.memory_bytes", "1000", "hardly any program"),
        ({"limits": {"memory_bytes": 0}}, "limits.memory_bytes", "0", ">= 1"),
        ({"limits": {"cpu_time": "0s"}}, "limits.cpu_time", "0s", "whole seconds"),
        ({"limits": {"cpu_time": "1500ms"}}, "limits.cpu_time", "1500ms", "whole seconds"),
        ({"limits": {"cpu_time": "9999999999999d"}}, "limits.cpu_time", "9999999999999d", ""),
        (http(url="/tasks"), "run.http.url", "/tasks", "not an http or https address"),
        (http(url="ftp://example.org"), "run.http.url", "ftp://example.org", "not an http or https address"),
        (http(url="http://"), "run.http.url", "http://", "not an http or https address"),
        (http(url="http://a:99999/"), "run.http.url", "http://a:99999/", "not an address"),
        (http(url="http://a/ b"), "run.http.url", "http://a/ b", "percent-encoded"),
        (http(url="http://a/\nb"), "run.http.url", "http://a/\nb", "percent-encoded"),
        (http(url="http://me:pw@a/"), "run.http.url", "", "holds a user or password"),
        (http(headers={"a b": "c"}), "run.http.headers", "a b", "not a header's name"),
        (http(headers={"A": "b\r\nC: d"}), "run.http.headers.A", "b\r\nC: d", "no header may have"),
        (http(headers={"dcron-attempt": "9"}), "run.http.headers.dcron-attempt", "9", "set by dcron"),
        (http(headers={"Content-Length": "9"}), "run.http.headers.Content-Length", "9", "set by dcron"),
        (http(expect_status=[200, 1000]), "run.http.expect_status[1]", "1000", "not an HTTP status"),
        (http() | {"env": {"A": "b"}}, "env", "{'A': 'b'}", "no effect on run.http"),
        (http() | {"run_as": "bob"}, "run_as", "bob", "no effect on run.http"),
        (http() | {"working_directory": "/tmp"}, "working_directory", "/tmp", "no effect on run.http"),
        (http() | {"limits": {"cpu_time": "5s"}}, "limits.cpu_time", "5s", "no effect on run.http"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str, value: str, message: str) -> None:
    with pytest.raises(InvalidJobError) as refusal:
        parsed(**fields)
    (problem,) = refusal.value.problems
    assert (problem.field, problem.value) == (field, value)
    assert message in problem.message
