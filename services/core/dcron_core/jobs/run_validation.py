"""What the values of `run.http`, `run_as` and `limits` have to be, and what has no effect on a call over HTTP."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

from dcron_core.durations import parse_duration
from dcron_core.jobs.field_values import reference_problems
from dcron_schemas.api import FieldProblem
from dcron_schemas.job import HttpCall, JobSpec, Limits

LEAST_MEMORY_BYTES = 4 << 20
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}\$?")
_OF_HTTPX = ("content-length", "transfer-encoding", "connection")


def run_value_problems(spec: JobSpec) -> list[FieldProblem]:
    """Return all that is wrong."""
    problems = _limit_problems(spec.limits)
    if spec.run_as is not None and not _USER_NAME.fullmatch(spec.run_as):
        problems.append(_problem("run_as", "is not a user's name", spec.run_as, "a name such as backup"))
    if spec.run.http is not None:
        problems += [*_http_problems(spec.run.http), *_without_effect(spec)]
    return problems


def _limit_problems(limits: Limits) -> list[FieldProblem]:
    problems = []
    if limits.memory_bytes is not None and limits.memory_bytes < LEAST_MEMORY_BYTES:
        message = f"is less than {LEAST_MEMORY_BYTES} bytes, with which hardly any program can start"
        remedy = "a number of bytes of address space, such as 536870912"
        problems.append(_problem("limits.memory_bytes", message, str(limits.memory_bytes), remedy))
    if limits.cpu_time is not None:
        try:
            cpu_time = parse_duration(limits.cpu_time)
        except ValueError as error:
            return [*problems, _problem("limits.cpu_time", str(error), limits.cpu_time, "whole seconds, such as 90s")]
        if cpu_time < timedelta(seconds=1) or cpu_time % timedelta(seconds=1) or cpu_time > timedelta(days=3650):
            message = "is not whole seconds, from one to ten years' worth"
            problems.append(_problem("limits.cpu_time", message, limits.cpu_time, "whole seconds, such as 90s"))
    return problems


def _http_problems(call: HttpCall) -> list[FieldProblem]:
    problems = [*_url_problems(call.url), *_header_problems(call)]
    problems += [
        _problem(f"run.http.expect_status[{at}]", "is not an HTTP status", str(status), "200 to 599")
        for at, status in enumerate(call.expect_status)
        if not 200 <= status <= 599
    ]
    return problems


def _url_problems(url: str) -> list[FieldProblem]:
    field, remedy = "run.http.url", "an address such as https://example.org/tasks/nightly"
    if not url.isascii() or not url.isprintable() or " " in url:
        return [_problem(field, "holds a space or a character that must be percent-encoded", url, remedy)]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return [_problem(field, f"is not an address: {error}", url, remedy)]
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return [_problem(field, "is not an http or https address with a host", url, remedy)]
    if parts.username is not None or parts.password is not None:
        return [_problem(field, "holds a user or password", "", "send an Authorization header instead")]
    return []


def _header_problems(call: HttpCall) -> list[FieldProblem]:
    problems = []
    for name, value in call.headers.items():
        field = f"run.http.headers.{name}"
        if not _HEADER_NAME.fullmatch(name):
            problems.append(_problem("run.http.headers", "not a header's name", name, "such as Content-Type"))
        elif name.lower().startswith("dcron-") or name.lower() in _OF_HTTPX:
            problems.append(_problem(field, "is set by dcron itself", value, "leave it out"))
        elif not value.isascii() or not (value.isprintable() or not value):
            problems.append(_problem(field, "holds a character that no header may have", value, "printable ASCII"))
        problems += reference_problems(field, value)
    return problems


def _without_effect(spec: JobSpec) -> list[FieldProblem]:
    given = {
        "env": spec.env,
        "working_directory": spec.working_directory,
        "run_as": spec.run_as,
        "limits.memory_bytes": spec.limits.memory_bytes,
        "limits.cpu_time": spec.limits.cpu_time,
    }
    return [
        _problem(field, "has no effect on run.http: there is no process", str(value), "leave it out")
        for field, value in given.items()
        if value
    ]


def _problem(field: str, message: str, value: str, remedy: str) -> FieldProblem:
    shown = value if len(value) <= 80 else value[:77] + "…"
    return FieldProblem(field=field, message=message, value=shown, remedy=remedy)
