"""`dcron cron …`: cron expressions explained, without any server."""

from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from dcron_core.clock import SystemClock
from dcron_core.errors import DcronError, InvalidJobError
from dcron_core.ids import IdSource
from dcron_core.jobs.validation import convert_job
from dcron_core.schedule.preview import MOST_TICKS, preview
from dcron_schemas.api import OddDate, PreviewTick
from dcron_standalone.client import describe_field
from dcron_standalone.moments import ahead
from dcron_standalone.terminal import note, say

app = App(name="cron", help="Cron expressions: explain.")


@app.command(name="explain")
def explain_expression(
    expression: str,
    *,
    timezone: Annotated[str, Parameter(name=["--tz", "--timezone"])] = "UTC",
    count: Annotated[int, Parameter(name=["--count", "-n"], validator=Number(gte=1, lte=MOST_TICKS))] = 5,
    gap: Literal["default", "skip", "shift"] = "default",
    overlap: Literal["default", "first", "last", "both"] = "default",
    job: str = "",
) -> None:
    """Say a cron expression in words, with its next ticks and the nights on which the clock changes.

    Parameters
    ----------
    expression
        The expression, in quotes.
    timezone
        The time zone that it is read in, such as Europe/Berlin.
    count
        How many ticks to show.
    gap
        What happens to times that a clock change leaves out.
    overlap
        What happens to times that come twice.
    job
        The id of the job, for expressions with H.
    """
    definition = {
        "name": "draft",
        "run": {"shell": ":"},
        "schedule": {"cron": expression},
        "timezone": timezone,
        "dst": {"gap": gap, "overlap": overlap},
    }
    now = SystemClock().now()
    try:
        spec = convert_job(definition)
    except InvalidJobError as error:
        raise DcronError("; ".join(describe_field(problem) for problem in error.problems)) from error
    shown = preview(spec, now, now, count, job or IdSource().uuid7(now))
    say(shown.words)
    if shown.depends_on_job and not job:
        note("this is what it comes to for some job; --job ID tells it for a certain one")
    for tick in shown.ticks:
        say(f"  {_tick_line(tick)}  {ahead(tick.at, now)}")
    for odd in shown.odd_dates:
        say(f"  {_odd_line(odd)}", style="yellow")


def _tick_line(tick: PreviewTick) -> str:
    day, _, time = tick.local.partition("T")
    return f"{tick.at.fromisoformat(tick.local):%a} {day} {time}  {tick.at:%Y-%m-%d %H:%M:%S}Z"


def _odd_line(odd: OddDate) -> str:
    return f"{odd.clock}: {odd.effect}"
