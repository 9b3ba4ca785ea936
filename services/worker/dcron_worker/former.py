"""What an earlier life of this worker, on the same data directory, left behind (design §5, "A run").

A worker that starts first ends what still runs of its former runs (`run_ledger`), and then closes its entries: with
the record that is still in the spool, with the outcome that etcd has, or, where nobody knows the outcome, as lost.
"""

from msgspec.structs import replace

from dcron_core.clock import Clock
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValue, KeyValueStore
from dcron_core.telemetry import get_logger
from dcron_schemas.codec import UndecodableError, decode_record, decode_state
from dcron_schemas.records import ExecutionLost
from dcron_schemas.state import ExecutionEntry
from dcron_worker.claims import Closing
from dcron_worker.entries import Entries
from dcron_worker.spool import Spool

log = get_logger()


async def closing_records(spool: Spool) -> dict[str, Closing]:
    """Return the closing records that are on disk and not yet in Kafka, by execution.

    A spool can be large; others have their turn meanwhile.
    """
    found: dict[str, Closing] = {}
    async for item in spool.waiting():
        if not item.closes:
            continue
        try:
            record = decode_record(item.value)
        except UndecodableError as error:  # of another release: it is sent as it is, and etcd says how the run ended
            log.error("an end on disk cannot be read", action="former.unreadable", key=item.key, error=str(error))
            continue
        assert isinstance(record, Closing)
        found[item.key] = record
    return found


async def close_former_entries(
    store: KeyValueStore, keys: Keys, worker_id: str, spool: Spool, entries: Entries, clock: Clock
) -> int:
    """Close every entry of this worker's earlier lives; return how many there were.

    The jobs are known by then: what follows from an end, or a loss, is written with it. Raises
    StoreUnavailableError; it can be called again.
    """
    on_disk = await closing_records(spool)
    closed = 0
    for item in (await store.read_prefix(keys.executions)).items:
        try:
            entry = decode_state(ExecutionEntry, item.value)
        except UndecodableError as error:
            log.error("an entry cannot be read", action="former.unreadable", key=item.key, error=str(error))
            continue
        if entry.execution.worker_id == worker_id:
            await _close(item, entry, on_disk.get(entry.execution.execution_id), entries, clock)
            closed += 1
    return closed


async def _close(
    item: KeyValue, entry: ExecutionEntry, on_disk: Closing | None, entries: Entries, clock: Clock
) -> None:
    execution_id = entry.execution.execution_id
    known = entry.finished or entry.skipped or entry.lost
    record = on_disk or known or _lost(item, entry, clock)
    if on_disk is None:
        await entries.closing(execution_id, record)
    if known is not None:
        await entries.closed_in_etcd(execution_id)
    else:
        await entries.close(replace(entry.execution, fencing_token=item.mod_revision), record)


def _lost(item: KeyValue, entry: ExecutionEntry, clock: Clock) -> ExecutionLost:
    # The entry is as old as the claim, so its creation is the fencing token.
    execution = replace(entry.execution, fencing_token=item.create_revision)
    return ExecutionLost(
        execution=execution,
        detected_at=clock.now(),
        detected_by=execution.worker_id,
        reason="the worker ended while the run was under way; what the run did is not known",
    )
