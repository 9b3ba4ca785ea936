"""Pages of runs: each run once and in order while others come in, and every answer within its bound."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcron_core.clock import SystemClock
from dcron_log_ingester import lists as lists_module
from dcron_log_ingester.batches import Document, batch_of
from dcron_log_ingester.cursors import Cursor, parse_cursor
from dcron_log_ingester.lists import Lists
from dcron_log_ingester.store.filters import ExecutionFilter
from dcron_log_ingester.walk import FIRST_WIDTH, QUICK_S, Walk, Window
from dcron_schemas.api import ExecutionList, OutputPiece
from dcron_schemas.records import ExecutionRecord
from tests.unit.log_ingester.memory_runs import MemoryRuns
from tests.unit.log_ingester.records import DUE, chunk, execution, finished, started

ANY = ExecutionFilter()
NOW = DUE + timedelta(days=2)


class ListedRuns(MemoryRuns):
    """The store's contract of lists on documents in memory; counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[Window] = []
        self.outputs_read = 0
        self.chunks_asked_for = 0

    async def keep(self, records: Sequence[ExecutionRecord]) -> None:
        await self.write(batch_of(records, timedelta(days=1)))

    async def runs(self, wanted: ExecutionFilter, window: Window, limit: int) -> list[Document]:
        self.windows.append(window)
        found = [
            run
            for run in self.executions.values()
            if (window.since is None or run["due_at"] >= window.since)
            and (window.after is None or (run["due_at"], run["_id"]) < (window.after.due_at, window.after.execution_id))
            and (not wanted.job_ids or run["job_id"] in wanted.job_ids)
        ]
        return sorted(found, key=lambda run: (run["due_at"], run["_id"]), reverse=True)[:limit]

    async def output(self, execution_id: str, from_seq: int, limit: int) -> list[OutputPiece]:
        self.outputs_read += 1
        self.chunks_asked_for += limit
        return await super().output(execution_id, from_seq, limit)


class AtNow(SystemClock):
    """The machine's clock, on the day of the records; each look at it can cost time."""

    def __init__(self, look_s: float = 0.0) -> None:
        self.at_s = 0.0
        self._look_s = look_s

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        self.at_s += self._look_s
        return self.at_s


def ids(page: ExecutionList) -> list[str]:
    return [view.execution_id for view in page.executions]


async def all_pages(lists: Lists, wanted: ExecutionFilter, limit: int, text: str | None = None) -> list[ExecutionList]:
    pages = [await lists.page(wanted, None, limit, text)]
    while (following := pages[-1].next_cursor) is not None:
        pages.append(await lists.page(wanted, parse_cursor(following), limit, text))
    return pages


@settings(max_examples=60, deadline=None)
@given(
    runs=st.lists(st.integers(0, 200_000), min_size=1, max_size=30, unique=True),
    late=st.lists(st.integers(0, 200_000), max_size=10, unique=True),
    tied=st.sets(st.integers(0, 200_000), max_size=3),
    limit=st.integers(1, 7),
    data=st.data(),
)
def test_pages_hold_each_run_once_and_in_order_while_others_come_in(
    runs: list[int], late: list[int], tied: set[int], limit: int, data: st.DataObject
) -> None:
    """What was there when the first page was asked for is listed once; what comes in is listed at most once."""

    async def walk() -> None:
        store = ListedRuns()
        lists = Lists(store, AtNow())
        before = [execution(n) for n in runs] + [execution(n, job) for n in tied for job in ("job-b", "job-c")]
        await store.keep([started(run) for run in before])
        coming = [execution(n, "job-late") for n in late]
        seen: list[str] = []
        cursor: Cursor | None = None
        while True:
            page = await lists.page(ANY, cursor, limit)
            seen += ids(page)
            if page.next_cursor is None:
                break
            cursor = parse_cursor(page.next_cursor)
            one_comes: bool = data.draw(st.booleans())
            if coming and one_comes:
                await store.keep([started(coming.pop())])
        assert len(seen) == len(set(seen))
        of_before = {run.execution_id: run for run in before}
        newest_first = sorted(before, key=lambda run: (run.due_at, run.execution_id), reverse=True)
        assert [each for each in seen if each in of_before] == [run.execution_id for run in newest_first]

    asyncio.run(walk())


async def test_start_and_end_bound_the_list() -> None:
    store = ListedRuns()
    await store.keep([started(execution(n)) for n in range(0, 100_000, 10_000)])
    start, end = execution(20_000).due_at, execution(50_000).due_at
    page = await Lists(store, AtNow()).page(ExecutionFilter(start=start, end=end), None, 50)
    assert ids(page) == [execution(n).execution_id for n in (40_000, 30_000, 20_000)]
    assert page.next_cursor is None
    assert all(window.since is not None and window.since >= start for window in store.windows)


async def test_the_last_runs_of_a_job_are_those_of_the_span() -> None:
    store = ListedRuns()
    await store.keep([started(execution(n)) for n in range(0, 100_000, 10_000)])
    await store.keep([started(execution(25_000, "job-b"))])
    start, end = execution(20_000).due_at, execution(50_000).due_at
    found = await Lists(store, AtNow()).recent(execution(0).job_id, 2, start, end)
    assert [run.execution_id for run in found] == [execution(n).execution_id for n in (40_000, 30_000)]
    assert len(await Lists(store, AtNow()).recent(execution(0).job_id, 9, start)) == 8


async def test_a_run_of_the_future_is_listed_first() -> None:
    """A worker's clock that is ahead hides nothing."""
    store = ListedRuns()
    await store.keep([started(execution(0)), started(execution(400_000))])
    page = await Lists(store, AtNow()).page(ANY, None, 50)
    assert ids(page) == [execution(400_000).execution_id, execution(0).execution_id]


def test_windows_widen_while_answers_are_quick_and_end_with_all_the_rest() -> None:
    walk = Walk(NOW)
    widths = []
    while not walk.over:
        window = walk.window
        assert window.after is None or window.after.due_at <= NOW
        widths.append(window.since)
        walk.answered([], 50, QUICK_S / 2)
    assert widths[0] == NOW - FIRST_WIDTH
    assert widths[-1] is None
    assert len(widths) < 15
    slow = Walk(NOW)
    for number in range(1, 5):
        slow.answered([], 50, QUICK_S * 2)
        assert slow.position == Cursor(NOW - number * FIRST_WIDTH, "")


async def test_a_list_that_knows_the_newest_run_looks_at_little_behind_it() -> None:
    """After two days without a run, the window that reaches the newest one is not days wide the second time."""
    store = ListedRuns()
    await store.keep([started(execution(n)) for n in range(300)])
    lists = Lists(store, AtNow())
    first = await lists.page(ANY, None, 5)
    widest = max(_held(store, window) for window in store.windows)
    store.windows.clear()
    assert ids(await lists.page(ANY, None, 5)) == ids(first) == [execution(n).execution_id for n in range(299, 294, -1)]
    assert widest == 300
    assert max(_held(store, window) for window in store.windows) <= FIRST_WIDTH.total_seconds() + 1


def _held(store: ListedRuns, window: Window) -> int:
    """How many runs the window holds."""
    until = NOW if window.after is None else window.after.due_at
    return sum(
        (window.since is None or run["due_at"] >= window.since) and run["due_at"] < until
        for run in store.executions.values()
    )


async def test_an_answer_that_takes_long_says_how_far_it_came_and_goes_on() -> None:
    store = ListedRuns()
    clock = AtNow(look_s=0.3)
    runs = [execution(n) for n in range(0, 170_000, 20_000)]
    await store.keep([started(run) for run in runs])
    pages = await all_pages(Lists(store, clock), ExecutionFilter(start=DUE), 50)
    assert len(pages) > 1
    assert all(page.searched_to is not None for page in pages[:-1])
    assert pages[-1].searched_to is None
    assert [each for page in pages for each in ids(page)] == [run.execution_id for run in reversed(runs)]


async def test_a_text_is_found_in_one_stream_also_where_chunks_meet() -> None:
    store = ListedRuns()
    across, apart, plain = execution(1), execution(2), execution(3)
    await store.keep(
        [
            started(across), chunk(across, 0, "disk is fu"), chunk(across, 2, "noise"), chunk(across, 1, "ll\n"),
            started(apart), chunk(apart, 1, "disk is fu"), chunk(apart, 2, "ll\n"),
            started(plain), chunk(plain, 0, "a .* b"),
        ]
    )  # fmt: skip
    lists = Lists(store, AtNow())
    assert ids(await lists.page(ANY, None, 50, "disk is full")) == [across.execution_id]
    assert ids(await lists.page(ANY, None, 50, ".*")) == [plain.execution_id]
    assert ids(await lists.page(ANY, None, 50, "Disk")) == []


async def test_a_search_reads_a_bounded_number_of_runs_for_one_answer() -> None:
    """It says how far it came, and the pages together have searched everything."""
    store = ListedRuns()
    runs = [execution(n) for n in range(450)]
    await store.keep([record for run in runs for record in (started(run), chunk(run, 0, "x"), finished(run, 2))])
    await store.keep([chunk(runs[3], 1, "needle")])
    pages = await all_pages(Lists(store, AtNow()), ANY, 50, "needle")
    assert [len(page.executions) for page in pages] == [0, 0, 1]
    assert pages[0].searched_to == runs[250].due_at
    assert store.outputs_read == 450


async def test_a_search_asks_for_no_output_that_the_runs_end_says_is_not_there() -> None:
    store = ListedRuns()
    silent, short, long = execution(1), execution(2), execution(3)
    await store.keep([started(silent), finished(silent, 0)])
    await store.keep([started(short), chunk(short, 0, "x"), finished(short, 1)])
    await store.keep([started(long), *(chunk(long, seq, "x") for seq in range(450)), finished(long, 450)])
    assert ids(await Lists(store, AtNow()).page(ANY, None, 50, "xx")) == [long.execution_id]
    store.chunks_asked_for = 0
    assert ids(await Lists(store, AtNow()).page(ANY, None, 50, "nothing")) == []
    assert store.chunks_asked_for == 451


async def test_a_search_reads_a_bounded_amount_of_output_for_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists_module, "MOST_SEARCHED_CHARACTERS", 1000)
    store = ListedRuns()
    runs = [execution(n) for n in range(6)]
    await store.keep([record for run in runs for record in (started(run), chunk(run, 0, "x" * 600))])
    first = await Lists(store, AtNow()).page(ANY, None, 50, "needle")
    assert first.searched_to is not None
    assert store.outputs_read < 6


async def test_the_last_run_of_a_job_is_found_however_long_ago_it_was() -> None:
    store = ListedRuns()
    await store.keep([started(execution(0)), started(execution(1)), started(execution(9, "other"))])
    lists = Lists(store, AtNow())
    found = await lists.last(execution(0).job_id)
    assert found is not None
    assert found.execution_id == execution(1).execution_id
    assert await lists.last("never") is None


async def test_a_search_passes_over_none_of_many_runs_due_at_one_instant() -> None:
    """More of them than are looked at in one go."""
    store = ListedRuns()
    runs = [execution(5, f"job-{number:02}") for number in range(50)]
    await store.keep([record for run in runs for record in (started(run), chunk(run, 0, "needle"))])
    pages = await all_pages(Lists(store, AtNow()), ANY, 50, "needle")
    assert sorted(each for page in pages for each in ids(page)) == sorted(run.execution_id for run in runs)
