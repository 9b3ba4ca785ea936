"""Structured logs, one event a line, set up once for each process.

A line says what happened (`action`, stable), and whom it is about, which comes by the context of whoever logs: the
request's id and who asked (`request_id`, `actor`), the run (`execution_id`, `job_id`), the worker (`worker_id`).
Secrets are not logged; where one slips into a text all the same, such as an error of a driver, it is taken out.
"""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

REDACTED = "(secret)"


def configure_logging(level: str, log_format: str, secrets: Iterable[str] = (), **context: str) -> None:
    """Send structlog's events and the standard library's records to stderr, with `context` in each line.

    None of the `secrets` is in a line.
    """
    redact = _Redactor(secrets)
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer, redact],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, redact],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper() if level != "info" else logging.WARNING)


def get_logger(**context: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger. Name the thing that happens in `action`, so that tests can assert on it."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(**context)
    return logger


@contextmanager
def about(**context: str) -> Iterator[None]:
    """Name in each line that is logged inside, by tasks begun there too, whom it is about."""
    with structlog.contextvars.bound_contextvars(**context):
        yield


def about_all(**context: str) -> None:
    """Name in each line from now on, of this task and those that it begins, whom it is about."""
    structlog.contextvars.bind_contextvars(**context)


class _Redactor:
    """The last processor: takes secrets out of a line that is text already."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form for secret in secrets if secret for form in (secret, json.dumps(secret)[1:-1])}
        self._secrets = sorted(found, key=len, reverse=True)  # one may hold another

    def __call__(self, logger: object, method: str, text: Any) -> str:  # noqa: ARG002  the signature is structlog's
        line = str(text)
        for secret in self._secrets:
            if secret in line:
                line = line.replace(secret, REDACTED)
        return line
