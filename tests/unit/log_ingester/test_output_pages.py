"""Pages of output: together they are the output, and none is larger than its bounds (G9)."""

import asyncio
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dcron_log_ingester import output_pages
from dcron_log_ingester.batches import batch_of
from dcron_log_ingester.output_pages import MOST_CHARACTERS, PORTION, page_of, text_of
from dcron_log_ingester.views import execution_view
from dcron_schemas.api import ExecutionView, OutputPiece
from tests.unit.log_ingester.memory_runs import MemoryRuns
from tests.unit.log_ingester.records import chunk, execution, finished, started

RUN = execution()
CHUNK = 32 << 10


class CountedRuns(MemoryRuns):
    """Knows how many chunks were asked for at once."""

    most = 0

    async def output(self, execution_id: str, from_seq: int, limit: int) -> list[OutputPiece]:
        self.most = max(self.most, limit)
        return await super().output(execution_id, from_seq, limit)


async def stored(texts: dict[int, str], *, chunks: int | None) -> tuple[CountedRuns, ExecutionView]:
    """Store these chunks of a run, which is over if `chunks` says how many it has."""
    store = CountedRuns()
    output = [chunk(RUN, seq, text) for seq, text in texts.items()]
    end = [finished(RUN, chunks=chunks)] if chunks is not None else []
    await store.write(batch_of([started(RUN), *output, *end], timedelta(days=1)))
    return store, execution_view(store.executions[RUN.execution_id])


@given(st.dictionaries(st.integers(0, 60), st.text(max_size=12), max_size=40), st.booleans(), st.integers(1, 25))
def test_pages_are_together_what_is_stored_and_a_hole_hides_nothing(
    texts: dict[int, str], over: bool, limit: int
) -> None:
    """A run that is over shows all that there is; one that goes on, all up to a hole that may still be filled."""

    async def scenario() -> None:
        store, run = await stored(texts, chunks=61 if over else None)
        found: list[OutputPiece] = []
        following: int | None = 0
        while following is not None:
            page = await page_of(store, run, following, limit)
            assert len(page.chunks) <= limit
            found += page.chunks
            following = page.next_seq
        seqs = [piece.seq for piece in found]
        assert seqs == sorted(set(seqs))
        if over:
            assert seqs == sorted(texts)
        without_hole = next(seq for seq in range(62) if seq not in texts)
        assert seqs[:without_hole] == list(range(without_hole))

    asyncio.run(scenario())


async def test_a_page_of_long_chunks_ends_early_and_the_next_one_goes_on() -> None:
    texts = {seq: f"{seq:05d}" + "x" * (CHUNK - 5) for seq in range(400)}
    store, run = await stored(texts, chunks=400)
    found: list[OutputPiece] = []
    following: int | None = 0
    while following is not None:
        page = await page_of(store, run, following, 1000)
        assert sum(len(piece.text) for piece in page.chunks) < MOST_CHARACTERS + PORTION * CHUNK
        found += page.chunks
        following = page.next_seq
    assert [piece.text for piece in found] == list(texts.values())
    assert store.most <= PORTION


async def test_a_whole_text_is_read_a_page_at_a_time() -> None:
    texts = dict.fromkeys(range(400), "x" * CHUNK)
    store, run = await stored(texts, chunks=400)
    pieces = [piece async for piece in text_of(store, run, 0, None)]
    assert max(map(len, pieces)) < MOST_CHARACTERS + PORTION * CHUNK
    assert sum(map(len, pieces)) == 400 * CHUNK


async def test_one_stream_of_it() -> None:
    store, run = await stored({0: "a", 1: "b"}, chunks=2)
    assert "".join([piece async for piece in output_pages.text_of(store, run, 1, "stdout")]) == "b"
    assert "".join([piece async for piece in output_pages.text_of(store, run, 0, "stderr")]) == ""
