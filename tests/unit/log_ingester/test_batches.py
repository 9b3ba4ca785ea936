"""What is written of a run does not depend on how its records come (G6, G8, G9)."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dcron_log_ingester.batches import batch_of, stored_instant
from dcron_schemas.records import ExecutionRecord, OutputChunk
from tests.unit.log_ingester.memory_runs import MemoryRuns
from tests.unit.log_ingester.records import DUE, chunk, execution, finished, lost, skipped, started

RETENTION = timedelta(days=30)
RUN = execution()


def documents_of(batches: Iterable[Sequence[ExecutionRecord]]) -> MemoryRuns:
    """Write the batches one after the other."""
    store = MemoryRuns()

    async def write() -> None:
        for records in batches:
            await store.write(batch_of(records, RETENTION))

    asyncio.run(write())
    return store


@pytest.mark.parametrize(
    ("records", "status"),
    [
        ([started(RUN)], "running"),
        ([lost(RUN)], "lost"),
        ([started(RUN), lost(RUN)], "lost"),
        ([lost(RUN), started(RUN)], "lost"),
        ([finished(RUN, 0)], "succeeded"),
        ([finished(RUN, 0), started(RUN)], "succeeded"),
        ([finished(RUN, 0, "failed"), lost(RUN)], "failed"),
        ([lost(RUN), finished(RUN, 0, "failed"), lost(RUN), started(RUN)], "failed"),
    ],
)
def test_a_known_end_stands_above_lost_and_lost_above_running(records: list[ExecutionRecord], status: str) -> None:
    """G6: whether the records come in one batch or in several."""
    together = documents_of([records]).executions[RUN.execution_id]
    apart = documents_of([record] for record in records).executions[RUN.execution_id]
    assert together["status"] == apart["status"] == status
    assert together == apart


KINDS = [started(RUN), chunk(RUN, 0), chunk(RUN, 1), chunk(RUN, 2), finished(RUN, 3), lost(RUN), skipped(execution(1))]


@given(
    present=st.lists(st.sampled_from(KINDS), min_size=1, unique_by=id),
    data=st.data(),
)
def test_order_redelivery_and_batching_make_no_difference(present: list[ExecutionRecord], data: st.DataObject) -> None:
    """G8, G9: any shuffle with repetitions, in any batches, gives the documents of the plain order."""
    plain = documents_of([record for record in KINDS if record in present] for _ in range(1))
    repeated = present + data.draw(st.lists(st.sampled_from(present), max_size=6))
    shuffled = data.draw(st.permutations(repeated))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    batches = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    other = documents_of(batches)
    assert other.executions == plain.executions
    assert other.outputs == plain.outputs
    assert other.ticks == plain.ticks


RIVAL = replace(RUN, fencing_token=99, worker_id="worker-2")
RIVALS: list[ExecutionRecord] = [
    started(RUN), finished(RUN, 0), lost(RUN), started(RIVAL), finished(RIVAL, 0), lost(RIVAL),
    started(replace(RUN, fencing_token=0)),
]  # fmt: skip


@given(records=st.lists(st.sampled_from(RIVALS), min_size=1), data=st.data())
def test_every_claim_that_says_it_ran_is_kept(records: list[ExecutionRecord], data: st.DataObject) -> None:
    """G4: in whatever order and batches they come; what a claim left open has its token too, and is no second one."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=4)))
    batches = [records[a:b] for a, b in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    tokens = {record.execution.fencing_token for record in records if not isinstance(record, OutputChunk)} - {0}
    assert documents_of(batches).executions[RUN.execution_id].get("claims", []) == sorted(tokens)


def test_a_batch_has_each_document_once() -> None:
    """An unordered bulk write may run its operations at the same time: no two may be about one document."""
    batch = batch_of([started(RUN), chunk(RUN, 0), chunk(RUN, 0), lost(RUN), finished(RUN, 1), started(RUN)], RETENTION)
    assert len(batch.executions) == 1
    assert len(batch.output) == 1
    write = batch.executions[0]
    assert not set(write.set) & (set(write.set_on_insert) | set(write.set_unless_finished))


def test_ranges_with_the_same_first_tick_are_stored_each() -> None:
    """G5: after a lost etcd a longer one comes; the first one must not stand for it."""
    short, long = (replace(skipped(execution(1)), last_tick=DUE + timedelta(seconds=last)) for last in (5, 90))
    assert len(documents_of([[short], [long], [short]]).ticks) == 2


def test_output_ids_sort_by_seq() -> None:
    ids = [document["_id"] for document in batch_of([chunk(RUN, seq) for seq in (0, 9, 10, 99_999)], RETENTION).output]
    assert ids == sorted(ids)


def test_everything_written_expires() -> None:
    store = documents_of([[started(RUN), chunk(RUN, 0), finished(RUN, 1), skipped(execution(1))]])
    assert store.executions[RUN.execution_id]["expires_at"] == DUE + timedelta(seconds=2) + RETENTION
    for document in [*store.outputs.values(), *store.ticks.values()]:
        assert document["expires_at"] > DUE + RETENTION - timedelta(seconds=1)


def test_an_expiry_beyond_the_calendar_is_its_end() -> None:
    """A worker's mad clock must not stop the ingester."""
    late = datetime(9999, 12, 31, tzinfo=UTC)
    record = started(execution())
    write = batch_of([type(record)(execution=RUN, started_at=late, host="h", pid=1)], RETENTION).executions[0]
    assert write.expires_at.year == 9999


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        (datetime(2026, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC), datetime(2026, 1, 1, 12, 0, 0, 999_000, tzinfo=UTC)),
        (datetime.fromisoformat("2026-01-01T12:00:00+05:30"), datetime(2026, 1, 1, 6, 30, tzinfo=UTC)),
        (datetime.fromisoformat("2026-01-01T12:00:00"), datetime(2026, 1, 1, 12, tzinfo=UTC)),
    ],
)
def test_instants_are_kept_as_mongodb_keeps_them(given_: datetime, kept: datetime) -> None:
    assert stored_instant(given_) == kept
