"""Output is bounded by bytes: head and tail kept, the cut marked with what was left out, never half a character."""

from datetime import UTC, datetime
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from dcron_worker.output import Chunk, Stream
from dcron_worker.output_bound import TAIL_BYTES, OutputBound

AT = datetime(2026, 1, 1, tzinfo=UTC)


def bounded(limit: int, *pieces: tuple[Stream, str]) -> list[Chunk]:
    bound, numbers = OutputBound(limit), count()
    given_back: list[Chunk] = []
    for stream, text in pieces:
        given_back += bound.take(Chunk(next(numbers), stream, AT, text))
    return [*given_back, *bound.marks(), *bound.tail()]


def texts(chunks: list[Chunk]) -> list[tuple[str, str]]:
    return [(chunk.stream, chunk.text) for chunk in chunks]


def test_what_fits_is_unchanged() -> None:
    assert texts(bounded(10, ("stdout", "01234"), ("stderr", "56789"))) == [
        ("stdout", "01234"), ("stderr", "56789"),
    ]  # fmt: skip
    assert bounded(10) == []


def test_the_middle_is_left_out_and_the_cut_says_how_much_of_which_stream() -> None:
    chunks = bounded(8, ("stdout", "ab"), ("stdout", "cdef"), ("stderr", "gh"), ("stdout", "ijkl"), ("stderr", "mn"))
    assert texts(chunks) == [
        ("stdout", "ab"),
        ("stdout", "cd"),
        ("stdout", "\n[dcron: 4 bytes of stdout left out here]\n"),
        ("stderr", "\n[dcron: 2 bytes of stderr left out here]\n"),
        ("stdout", "kl"),
        ("stderr", "mn"),
    ]


def test_the_head_does_not_wait_for_the_end() -> None:
    bound = OutputBound(8)
    assert [chunk.text for chunk in bound.take(Chunk(0, "stdout", AT, "abcdef"))] == ["abcd"]


def test_a_limit_of_one_byte() -> None:
    assert texts(bounded(1, ("stdout", "abc"), ("stdout", "d"))) == [
        ("stdout", "a"), ("stdout", "\n[dcron: 3 bytes of stdout left out here]\n"),
    ]  # fmt: skip


def test_memory_is_bounded_by_the_tail_however_much_comes() -> None:
    bound = OutputBound(100 << 20)
    for _ in range(200):
        bound.take(Chunk(0, "stdout", AT, "x" * (1 << 20)))
    (mark,) = bound.marks()
    assert sum(len(chunk.text) for chunk in bound.tail()) == TAIL_BYTES
    assert bound.left_out == 100 << 20
    assert mark.text == f"\n[dcron: {100 << 20} bytes of stdout left out here]\n"


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(alphabet="aäß€😀", max_size=12)), max_size=12),
)
def test_nothing_but_the_middle_is_lost_and_no_character_is_cut(limit: int, pieces: list[tuple[Stream, str]]) -> None:
    chunks = bounded(limit, *pieces)
    whole = "".join(text for _, text in pieces)
    marks = [chunk.text for chunk in chunks if "left out here" in chunk.text]
    kept = "".join(chunk.text for chunk in chunks if chunk.text not in marks)
    size, kept_size = len(whole.encode()), len(kept.encode())
    assert kept_size <= limit
    assert sum(int(mark.split()[1]) for mark in marks) == size - kept_size
    if size <= limit:
        assert kept == whole
    else:
        assert kept_size > limit - 2 * 4, "only what would have cut a character is missing at either side"
        at = next(n for n in range(len(kept) + 1) if whole.startswith(kept[:n]) and whole.endswith(kept[n:]))
        assert at >= 0
