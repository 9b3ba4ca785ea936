"""What a benchmark found: figures, each beside a limit measured in the same run and held to a goal.

The goals are reported, not enforced. `results.json` holds the latest figure of each name.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")


class BenchmarkError(Exception):
    """A benchmark could not measure what it is about."""


class Result(Struct, frozen=True):
    """One figure."""

    name: str
    unit: str
    value: float  # dcron's
    limit: float  # what the machine gives to a bare program, in the same unit
    ratio: float  # value over limit
    goal: str  # in words
    met: bool


def result(name: str, unit: str, value: float, limit: float, goal: str, *, met: bool) -> Result:
    """Return the figure with its ratio, rounded to what can be told from noise."""
    return Result(name, unit, round(value, 2), round(limit, 2), round(value / limit, 3), goal, met)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that `share` of all are not above (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def save(results: Sequence[Result], file: Path = RESULTS) -> None:
    """Put the results into the file, in place of those of the same names; the others stay."""
    new = {each.name for each in results}
    kept = [each for each in _saved(file) if each.name not in new]
    file.write_bytes(msgspec.json.format(msgspec.json.encode([*kept, *results]), indent=2) + b"\n")


def table(title: str, caption: str, results: Sequence[Result]) -> Table:
    """Return the results for people."""
    shown = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    shown.add_column("figure", no_wrap=True)
    for column in ("dcron", "limit", "ratio"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("goal")
    shown.add_column("met")
    for each in results:
        figures = (f"{each.value:,.2f} {each.unit}", f"{each.limit:,.2f} {each.unit}", f"{each.ratio:.2f}")
        shown.add_row(each.name, *figures, each.goal, "[green]yes[/]" if each.met else "[red]no[/]")
    return shown


def _saved(file: Path) -> list[Result]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Result])
    except FileNotFoundError:
        return []
    except msgspec.DecodeError as error:
        raise BenchmarkError(f"{file} is damaged ({error}); remove it") from error
