"""The window of repetitions against the rule in one line: an id that was at one of the last positions (G3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.jobs import table as module
from dcron_core.jobs.table import JobTable

WINDOW = 5
ids = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=40)  # None: a record that is stepped over


@pytest.fixture(autouse=True, scope="module")
def small_window() -> object:
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "REPETITION_WINDOW", WINDOW)
    yield
    patch.undo()


def known_by_rule(past: list[str | None], event_id: str) -> bool:
    """Tell whether the next event with this id is a repetition."""
    return event_id in past[-WINDOW:]


@settings(max_examples=300, deadline=None)
@given(told=ids, start=st.integers(0, 40))
def test_an_id_is_known_if_it_was_at_one_of_the_last_positions(told: list[str | None], start: int) -> None:
    """G3: for a table that was there from the beginning, and for one that reads only the window before `start`."""
    start = min(start, len(told))
    whole, late = JobTable(), JobTable(position=start - 1)
    for position, event_id in enumerate(told):
        for table in (whole, late):
            if table is late and position < start:
                if event_id is not None and position > start - 1 - WINDOW:
                    table.remember(position, event_id)
            elif event_id is None:
                table.step_over(position)
            else:
                table.absorb(position, event_id, ())
        past = told[: position + 1]
        for table in (whole, late) if position >= start - 1 else (whole,):
            for each in ("a", "b", "c"):
                first = table.position_of(each)
                assert (first is not None) == known_by_rule(past, each)
                assert first is None or past[first] == each


@given(told=ids)
def test_what_left_the_window_is_forgotten_altogether(told: list[str | None]) -> None:
    """Memory does not grow with the log."""
    table = JobTable()
    for position, event_id in enumerate(told):
        if event_id is None:
            table.step_over(position)
        else:
            table.absorb(position, event_id, ())
    in_window = {event_id for event_id in told[-WINDOW:] if event_id is not None}
    assert set(table._first) == in_window
    assert set(table._last) <= in_window
    assert len(table._window) <= WINDOW
