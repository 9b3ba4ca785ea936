"""`dcron doctor`: what is wrong with this system, in words, and what to do about it."""

import asyncio
import os
import sys
from typing import Annotated

import msgspec
from cyclopts import Parameter

from dcron_core.clock import SystemClock
from dcron_core.telemetry import configure_logging
from dcron_standalone.doctor.examination import Places, examine
from dcron_standalone.doctor.finding import Report
from dcron_standalone.terminal import note, say

WRONG = 1  # exit code
STYLES = {"wrong": "red", "warning": "yellow"}


def examine_system(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Look at everything that dcron stands on, say what is wrong and what to do. Exits with 1 if anything is.

    Servers, topics, indexes, services, clocks, keys, releases, disks: with the addresses of the environment or of the
    local stack. It is for when parts are down: none is waited for longer than some seconds. Nothing is changed.

    Parameters
    ----------
    json
        Print all of it as JSON.
    """
    places = Places.of(os.environ)
    configure_logging("error", "console")
    report = asyncio.run(examine(places, SystemClock()))
    if json:
        say(msgspec.json.encode(report).decode())
    else:
        _say(report)
    if not report.healthy:
        sys.exit(WRONG)


def _say(report: Report) -> None:
    for look in report.looks:
        worst = "ok" if look.known else "unknown"
        if look.findings:
            worst = "wrong" if any(each.level == "wrong" for each in look.findings) else "warning"
        say(f"{worst:<8} {look.part:<13} {look.seen}", style=STYLES.get(worst))
        for finding in look.findings:
            say(f"         {finding.what}")
            say(f"           → {finding.remedy}")
    count = sum(each.level == "wrong" for look in report.looks for each in look.findings)
    note("nothing is wrong" if report.healthy else f"{count} thing{'s are' if count != 1 else ' is'} wrong")
