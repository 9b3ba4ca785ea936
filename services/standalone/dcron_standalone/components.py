"""dcron's services by name: one table for the command line and the local stack."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import uvloop
from msgspec import Struct

from dcron_core.private_memory import keep_memory_private
from dcron_core.settings import CommonSettings, LogIngesterSettings, MasterSettings, WorkerSettings, load, secrets_in
from dcron_core.telemetry import configure_logging

Service = Coroutine[Any, Any, None]


class Component(Struct, frozen=True):
    """A service: what it reads, and how it runs until a signal comes."""

    settings: type[CommonSettings]
    service: Callable[[Any], Service]  # given its settings
    loop: Callable[[Service], None]


def _master(settings: MasterSettings) -> Service:
    from dcron_master.service import run

    return run(settings)


def _worker(settings: WorkerSettings) -> Service:
    from dcron_worker.service import run

    return run(settings)


def _log_ingester(settings: LogIngesterSettings) -> Service:
    from dcron_log_ingester.service import run

    return run(settings)


# uvloop forks to start a process, which is slow; so the worker keeps the standard loop (design §8)
COMPONENTS: Mapping[str, Component] = {
    "master": Component(MasterSettings, _master, uvloop.run),
    "worker": Component(WorkerSettings, _worker, asyncio.run),
    "log-ingester": Component(LogIngesterSettings, _log_ingester, uvloop.run),
}


def run_component(name: str) -> None:
    """Run the service in this process, with the settings of the environment, until SIGTERM or SIGINT.

    Raises SettingsError if they do not add up.
    """
    component = COMPONENTS[name]
    settings = load(component.settings, os.environ)
    configure_logging(settings.log_level, settings.log_format, secrets_in(settings), service=name)
    keep_memory_private()
    component.loop(component.service(settings))
