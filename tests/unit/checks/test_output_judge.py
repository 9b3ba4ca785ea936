"""The validators of G9 find what they are there to find."""

from dataclasses import replace

import pytest

from tests.output_judge import (
    READ_WITHIN_S,
    Piece,
    Printed,
    Run,
    View,
    stored_is_what_was_printed,
    viewers_saw_what_is_stored,
    witness,
)

LINES = [Printed(100.0 + n, "stderr" if n == 2 else "stdout", f"line {n}\n") for n in range(6)]
PIECES = [
    Piece(0, "stdout", "line 0\nli"),
    Piece(1, "stdout", "ne 1\n"),
    Piece(2, "stderr", "line 2\n"),
    Piece(3, "stdout", "line 3\nline 4\nline 5\n"),
]
DONE = Run("run", "succeeded", "w", PIECES, output_chunks=4)
LOST = Run("run", "lost", "w", PIECES)
LATE = {"w": [50.0, LINES[-1].at + 0.5]}  # a kill before the run began is none of its own


def problems_of(run: Run, killed_at: dict[str, list[float]] | None = None, lines: list[Printed] = LINES) -> str:
    return "; ".join(stored_is_what_was_printed(run, lines, killed_at or {}))


def test_what_was_printed_and_stored_is_without_a_problem() -> None:
    assert problems_of(DONE) == ""
    assert problems_of(DONE, LATE) == ""
    assert problems_of(LOST, LATE) == ""
    assert problems_of(Run("run", "lost", "w", []), {"w": [50.0]}, []) == ""  # it never came to print


def test_a_witness_is_read_up_to_its_last_whole_line() -> None:
    assert witness("1.5 stdout a b\n2.000 stderr \n3.0 std") == [
        Printed(1.5, "stdout", "a b\n"),
        Printed(2.0, "stderr", "\n"),
    ]


@pytest.mark.parametrize(
    ("pieces", "problem"),
    [
        (PIECES[:-1], "3 are stored"),
        (PIECES[:-1], "stdout ends 3 lines too early, before 'line 3"),
        ([*PIECES[:2], PIECES[3]], "chunks are numbered 0-1, 3-3"),
        ([*PIECES, replace(PIECES[3], seq=4)], "stdout differs at character 35: stored"),
        ([PIECES[1], PIECES[0], *PIECES[2:]], "stdout differs at character 0"),
        ([replace(PIECES[0], text="line 9\nli"), *PIECES[1:]], "stdout differs at character 5"),
        ([*PIECES[:2], replace(PIECES[2], stream="stdout"), PIECES[3]], "stderr ends 1 lines too early"),
    ],
)
def test_lines_that_are_missing_doubled_or_out_of_place_are_found(pieces: list[Piece], problem: str) -> None:
    assert problem in problems_of(replace(DONE, pieces=pieces))


def test_only_the_last_lines_of_a_run_that_died_with_its_worker_may_be_missing() -> None:
    cut = replace(LOST, pieces=PIECES[:3])
    killed_at = LINES[3].at
    assert problems_of(cut, {"w": [killed_at]}) == ""
    assert problems_of(cut, {"w": [killed_at + READ_WITHIN_S]}) == ""
    assert "stdout ends 1 lines too early" in problems_of(cut, {"w": [killed_at + READ_WITHIN_S + 0.1]})
    assert "differs" in problems_of(replace(LOST, pieces=[replace(PIECES[3], seq=0)]), {"w": [killed_at]})
    assert "chunks are numbered 0-0, 2-3" in problems_of(replace(LOST, pieces=[PIECES[0], *PIECES[2:]]), LATE)


def test_a_run_whose_worker_was_not_killed_may_not_be_lost() -> None:
    assert "w was not killed while it ran" in problems_of(LOST)
    assert "w was not killed while it ran" in problems_of(LOST, {"other": [105.5], "w": [50.0]})
    assert "it is running" in problems_of(replace(DONE, status="running"), LATE)
    assert "it is killed" in problems_of(replace(DONE, status="killed"), LATE)


def seen(pieces: list[Piece], status: str, seen_then: int) -> View:
    return View("a viewer", "run", list(pieces), status=status, seen_then=seen_then)


def test_a_viewer_that_saw_what_is_stored_is_without_a_problem() -> None:
    assert viewers_saw_what_is_stored(DONE, seen(PIECES, "succeeded", 4)) == []
    assert viewers_saw_what_is_stored(LOST, seen(PIECES, "lost", 2)) == []  # the rest came when it came again
    assert viewers_saw_what_is_stored(DONE, seen(PIECES, "lost", 2)) == []


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (seen(PIECES, "", 0), "did not come to its end"),
        (seen(PIECES[:3], "succeeded", 3), "it saw chunks 0-2, and 0-3 are stored"),
        (seen([*PIECES, PIECES[3]], "succeeded", 5), "it saw chunks 0-3, 3-3, and 0-3 are stored"),
        (seen([*PIECES[:3], replace(PIECES[3], text="")], "succeeded", 4), "it saw chunks 3-3 otherwise"),
        (seen(PIECES, "failed", 4), "as failed, and succeeded is stored"),
        (seen(PIECES, "succeeded", 3), "came after 3 of 4"),
        (View("a viewer", "run", PIECES, ["chunk 3"], status="succeeded", seen_then=4), "chunk 3"),
    ],
)
def test_a_viewer_that_saw_something_else_is_found(view: View, problem: str) -> None:
    assert problem in "; ".join(viewers_saw_what_is_stored(DONE, view))
