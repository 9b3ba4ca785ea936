"""Pages continue where the one before ended."""

from datetime import timedelta

import msgspec
import pytest

from dcron_log_ingester.batches import applied, batch_of
from dcron_log_ingester.cursors import Cursor, cursor_after, parse_cursor
from dcron_log_ingester.views import execution_view
from tests.unit.log_ingester.records import execution, started


def test_a_cursor_names_the_last_run_of_its_page() -> None:
    run = execution()
    view = execution_view(applied(None, batch_of([started(run)], timedelta()).executions[0]))
    assert parse_cursor(cursor_after(view)) == Cursor(run.due_at, run.execution_id)


@pytest.mark.parametrize("text", ["", "x", "!!!", "é", "bm90IGpzb24", "W10", "WzEsMl0", "A" * 5000])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        parse_cursor(text)


def test_a_cursor_survives_an_address_bar() -> None:
    run = msgspec.structs.replace(execution(), execution_id="a.t1?>~.1")
    view = execution_view(applied(None, batch_of([started(run)], timedelta()).executions[0]))
    text = cursor_after(view)
    assert text.replace("-", "").replace("_", "").isalnum()
