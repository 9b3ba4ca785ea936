"""The two-step end of a run (design §5, "An end"; G6, G8).

First the closing record goes to the spool, then one transaction lets the job go, writes the outcome into the
open entry, and with it what follows from the end: a retry, or runs of dependants. When Kafka has acknowledged
the record, the entry is removed: so an entry is removed only after Kafka has the record that closes it, in
whatever order the two servers answer.

With one exception, so that a long outage of Kafka does not fill etcd: at most MOST_CLOSED closed entries of a
worker wait there. What is closed beyond that is removed as soon as its record is on disk for good.

When the disk takes no record, runs go on. Output is left out (`run_output.py` says so in its place), the start is
told by the end, and an end is in its entry in etcd only, until the disk takes it: up to MOST_HELD of them. Beyond
that, ends wait for the disk, and their runs keep their slots.
"""

import asyncio
from datetime import timedelta

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.executions import job_of
from dcron_core.follow_ups import FollowUps, follow_ups, outcome_of
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValue
from dcron_core.telemetry import about, get_logger
from dcron_schemas.codec import encode
from dcron_schemas.records import Execution, ExecutionStarted, OutputChunk, TickSkipped
from dcron_worker.batches import TransactionBatches
from dcron_worker.claims import NOTHING_FOLLOWS, Closing, end_run, remove_entries
from dcron_worker.errors import SpoolError
from dcron_worker.planner import Planner
from dcron_worker.shipper import Shipper
from dcron_worker.spool import Spool
from dcron_worker.spool_segment import SpoolRecord

FIRST_DELAY_S = 0.2
MOST_DELAY_S = 5.0
MOST_CLOSED = 2000  # entries of this worker in etcd that wait for Kafka; about 2 MB
MOST_HELD = 2000  # closing records that wait for the disk; about 4 MB here, and their entries in etcd
REMOVE_AFTER_S = 0.2  # what is to be removed waits so long for company: nobody waits for it
NEAR = timedelta(milliseconds=200)  # a tick so soon after an end must not find the run still there
MOST_REMOVED = 80  # at a time

log = get_logger()


class Entries:
    """The entries under `executions/` that this worker owns. `planner` knows the jobs, and who comes after whom."""

    def __init__(
        self,
        keys: Keys,
        transactions: TransactionBatches,
        spool: Spool,
        planner: Planner,
        signatures: Signatures = NO_SIGNATURES,
    ) -> None:
        self._signatures = signatures
        self._keys = keys
        self._transactions = transactions
        self._spool = spool
        self._planner = planner
        self._closed_in_etcd: set[str] = set()
        self._left_to_the_spool: set[str] = set()  # removed before Kafka has acknowledged their records
        self._in_kafka: set[str] = set()
        self._held: dict[str, Closing] = {}  # closing records that the disk did not take, in order
        self._some_held = asyncio.Event()
        self._to_remove: dict[str, None] = {}  # in order
        self._some_to_remove = asyncio.Event()
        self._removed = asyncio.Event()
        self._removed.set()

    def started(self, record: ExecutionStarted) -> None:
        """Put the start of a run on disk, to be sent. If the disk does not take it, the end will tell."""
        try:
            self._spool.append(SpoolRecord(record.execution.execution_id, encode(record)))
        except SpoolError as error:
            with about(execution_id=record.execution.execution_id, job_id=record.execution.job_id):
                log.error("the disk does not take the start of a run", action="spool.full", error=str(error))

    def output(self, record: OutputChunk, *, expendable: bool = True) -> bool:
        """Put output on disk, to be sent; tell whether there was room for it."""
        try:
            self._spool.append(SpoolRecord(record.execution_id, encode(record)), expendable=expendable)
        except SpoolError as error:
            with about(execution_id=record.execution_id, job_id=job_of(record.execution_id)):
                log.debug("the disk does not take output", action="spool.full", error=str(error))
            return False
        return True

    async def closing(self, execution_id: str, record: Closing) -> None:
        """Put a closing record on disk, to be sent; or hold it until the disk takes it."""
        delay_s = FIRST_DELAY_S
        while not self._append(execution_id, record):
            if len(self._held) < MOST_HELD:
                self._held[execution_id] = record
                self._some_held.set()
                return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, MOST_DELAY_S)

    async def end(self, execution: Execution, record: Closing) -> None:
        """Both steps' beginning: the record on disk for good, then the outcome in etcd, however long that takes."""
        await self.closing(execution.execution_id, record)
        await self._synced()
        await self.close(execution, record)

    async def skipped(self, skipped: TickSkipped) -> None:
        """Send the record of a skip whose entry a claim transaction has written already."""
        await self.closing(skipped.execution.execution_id, skipped)
        await self.closed_in_etcd(skipped.execution.execution_id)

    async def close(self, execution: Execution, record: Closing) -> None:
        """Write the outcome, and what follows from it, into etcd and let the job go; the record is in the spool."""
        marks: dict[str, KeyValue] = {}
        while True:
            following = self._following(execution, record, marks)
            transaction = end_run(self._keys, execution, record, following)
            result = await self._transactions.until_answered(
                transaction, f"end of {execution.execution_id}", patient=not self._is_waited_for(execution, record)
            )
            if result.succeeded:
                break
            entry, *found = result.reads
            if not entry or entry[0].mod_revision != execution.fencing_token:
                # The sweeper closed it as lost, or this was the second try of a write whose answer was lost.
                with about(execution_id=execution.execution_id, job_id=execution.job_id):
                    log.info("the entry was not open any more", action="entry.closed")
                break
            marks = {item.key: item for items in found for item in items}
        await self.closed_in_etcd(execution.execution_id)

    async def closed_in_etcd(self, execution_id: str) -> None:
        """The entry in etcd is closed; it can go once Kafka has its record."""
        crowded = len(self._closed_in_etcd) >= MOST_CLOSED
        self._closed_in_etcd.add(execution_id)
        self._removed.clear()
        if execution_id in self._in_kafka:
            self._in_kafka.discard(execution_id)
            self._remove(execution_id)
        elif crowded and await self._synced() and self._waits_for_kafka(execution_id):
            self._left_to_the_spool.add(execution_id)
            self._remove(execution_id)

    async def removed(self) -> None:
        """Wait until no closed entry is left in etcd."""
        await self._removed.wait()

    async def remove_acknowledged(self, shipper: Shipper) -> None:
        """Remove entries as Kafka acknowledges their closing records, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_removing())
            group.create_task(self._keep_appending())
            while True:
                for execution_id in await shipper.acknowledged():
                    if execution_id in self._left_to_the_spool:
                        self._left_to_the_spool.discard(execution_id)
                    elif execution_id in self._closed_in_etcd:
                        self._remove(execution_id)
                    else:
                        self._in_kafka.add(execution_id)

    def _waits_for_kafka(self, execution_id: str) -> bool:
        return (
            execution_id in self._closed_in_etcd
            and execution_id not in self._to_remove
            and execution_id not in self._held
        )

    def _append(self, execution_id: str, record: Closing) -> bool:
        try:
            self._spool.append(SpoolRecord(execution_id, encode(record), closes=True))
        except SpoolError as error:
            with about(execution_id=execution_id, job_id=job_of(execution_id)):
                log.error("the disk does not take the end of a run", action="spool.full", error=str(error))
            return False
        return True

    async def _keep_appending(self) -> None:
        """Put on disk what is held, as soon as it is taken."""
        while True:
            await self._some_held.wait()
            delay_s = FIRST_DELAY_S
            while self._held:
                execution_id, record = next(iter(self._held.items()))
                if self._append(execution_id, record):
                    del self._held[execution_id]
                    delay_s = FIRST_DELAY_S
                else:
                    await asyncio.sleep(delay_s)
                    delay_s = min(2 * delay_s, MOST_DELAY_S)
            self._some_held.clear()

    def _remove(self, execution_id: str) -> None:
        self._to_remove[execution_id] = None
        self._some_to_remove.set()

    async def _keep_removing(self) -> None:
        while True:
            await self._some_to_remove.wait()
            await asyncio.sleep(REMOVE_AFTER_S)
            self._some_to_remove.clear()
            while self._to_remove:
                ids = list(self._to_remove)[:MOST_REMOVED]
                transaction = remove_entries(self._keys, ids)
                await self._transactions.until_answered(transaction, f"removal of {len(ids)} entries", patient=True)
                for execution_id in ids:
                    del self._to_remove[execution_id]
                    self._closed_in_etcd.discard(execution_id)
                if not self._closed_in_etcd:
                    self._removed.set()

    def _following(self, execution: Execution, record: Closing, marks: dict[str, KeyValue]) -> FollowUps:
        if isinstance(record, TickSkipped):
            return NOTHING_FOLLOWS
        outcome, at = outcome_of(record)
        job = self._planner.job(execution.job_id)
        dependants = self._planner.dependants_of(execution.namespace, execution.job_name)
        spec = job[0] if job else None
        return follow_ups(self._keys, execution, outcome, at, spec, dependants, marks, self._signatures)

    def _is_waited_for(self, execution: Execution, record: Closing) -> bool:
        """Tell whether the next run of the job may start as soon as this one is over."""
        job = self._planner.job(execution.job_id)
        if job is None or job[0].spec.overlap == "allow" or isinstance(record, TickSkipped):
            return False
        return job[0].spec.overlap != "skip" or self._planner.is_near(execution.job_id, outcome_of(record)[1] + NEAR)

    async def _synced(self) -> bool:
        """Bring the spool to the disk for good; tell whether that could be done."""
        try:
            await self._spool.sync()
        except SpoolError as error:
            log.error("the disk does not sync", action="spool.unsynced", error=str(error))
            return False
        return True
