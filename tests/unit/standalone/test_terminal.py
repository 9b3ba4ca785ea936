"""What commands print stays whole: a table is as wide as it has to be."""

import pytest
from rich.table import Table

from dcron_standalone.terminal import say_table


def test_a_row_is_one_line_however_narrow_the_terminal_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    long = "01a20f98-1971-7104-b109-1299b64508c0.t1795557975953.1"
    table = Table("execution", "what it said", box=None)
    table.add_row(long, "some words that would be folded on a narrow terminal")
    say_table(table)
    _, row = capsys.readouterr().out.splitlines()
    assert long in row
    assert row.rstrip().endswith("narrow terminal")
