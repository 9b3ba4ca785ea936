"""What the commands print to: results to stdout, everything about them to stderr. Lines are never folded."""

from rich.console import Console
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
tables = Console(highlight=False, width=1000)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str | None = None) -> None:
    """Print one line to stdout, as it is."""
    out.print(text, style=style, markup=False)


def say_table(table: Table) -> None:
    """Print a table to stdout, as wide as it is: an id that is broken over lines cannot be copied, nor found."""
    tables.print(table)


def note(text: str, style: str | None = "dim") -> None:
    """Print one line to stderr, as it is."""
    err.print(text, style=style, markup=False)


def complain(text: str) -> None:
    """Print what went wrong to stderr."""
    err.print(f"dcron: {text}", style="red", markup=False)
