"""What the ledger reads from MongoDB, on the real server: what is in the range, and all claims (G4)."""

from datetime import timedelta

from msgspec.structs import replace

from dcron_log_ingester.batches import batch_of
from dcron_log_ingester.ledger import JobRecords, tick_key
from dcron_log_ingester.store import open_store
from dcron_schemas.records import ExecutionRecord, TickSkipped
from dcron_standalone.servers import LocalServers
from tests.names import Names
from tests.unit.log_ingester.records import DUE, JOB, execution, finished, lost, skipped, started

RETENTION = timedelta(days=36_500)  # the ticks are at one instant for ever; TTL must not take them
OTHER_JOB = "0198f5a0-1111-7000-8000-000000000002"


async def read(
    servers: LocalServers, names: Names, records: list[list[ExecutionRecord]], first: int, last: int
) -> JobRecords:
    """Store the records, batch by batch; return what the ledger reads of seconds `first` to `last`."""
    async with open_store(servers.mongodb, names.database) as store:
        await store.prepare()
        for batch in records:
            await store.write(batch_of(batch, RETENTION))
        start, end = DUE + timedelta(seconds=first), DUE + timedelta(seconds=last)
        return await store.ledger.of_job(JOB, start, end)


def missed(first: int, last: int) -> TickSkipped:
    """Return the skip of the ticks from second `first` to `last`."""
    return TickSkipped(
        execution=replace(execution(first), fencing_token=0),
        reason="missed",
        at=DUE + timedelta(seconds=last + 60),
        last_tick=DUE + timedelta(seconds=last),
        count=last - first + 1,
    )


async def test_the_runs_in_the_range_are_found_with_every_claim(servers: LocalServers, names: Names) -> None:
    """G4: the document shows one fencing token, the claims are all there; the range's ends are in it."""
    rival = replace(execution(15), fencing_token=99)
    asked = replace(execution(15), execution_id=f"{JOB}.r0198f5a0.1", trigger="request")
    everything: list[list[ExecutionRecord]] = [
        [record for second in range(30) for record in (started(execution(second)), finished(execution(second), 0))],
        [started(rival), lost(rival), started(execution(15)), started(asked)],
        [started(execution(15, OTHER_JOB))],
    ]
    found = await read(servers, names, everything, 10, 20)
    runs = {run.key: run for run in found.runs}
    assert {tick_key(DUE + timedelta(seconds=second)) for second in range(10, 21)} <= set(runs)
    assert len(found.runs) == len(runs) <= 13, "no more than a second around it"
    assert {run.execution_id.partition(".")[0] for run in found.runs} == {JOB}
    assert [run.claims for run in found.runs if len(run.claims) > 1] == [{77, 99}]
    assert all(run.started and run.version == 3 for run in found.runs)


async def test_skips_are_found_by_any_part_of_their_range(servers: LocalServers, names: Names) -> None:
    """G5: also those that began before, and go on after, what is asked for."""
    kept = [
        missed(-1000, 10),
        missed(-500, 100),
        missed(-500, 200),
        missed(12, 14),
        missed(20, 3000),
        skipped(execution(16)),
    ]
    others = [
        missed(-2000, -900),
        missed(5, 8),
        missed(22, 23),
        skipped(execution(4)),
        skipped(execution(16, OTHER_JOB)),
    ]
    found = await read(servers, names, [[*kept, *others]], 10, 20)
    spans = sorted(
        (skip.first // 1000 - tick_key(DUE) // 1000, skip.last // 1000 - tick_key(DUE) // 1000) for skip in found.skips
    )
    assert spans == [(-1000, 10), (-500, 100), (-500, 200), (12, 14), (16, 16), (20, 3000)]
    assert {skip.claim for skip in found.skips if skip.reason == "overlap"} == {77}
    assert {skip.version for skip in found.skips} == {3}
