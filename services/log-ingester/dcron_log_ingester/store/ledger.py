"""What is stored about the ticks of a job in a range of time, for the ledger.

Answered from the indexes `newest_of_job` of both collections, and `ranges_of_job`: a range of skipped ticks whose
first one lies before the range asked for is found by its last one.
"""

from datetime import datetime, timedelta

from motor.motor_asyncio import AsyncIOMotorDatabase

from dcron_core.executions import own_part, tick_in
from dcron_log_ingester.batches import Document
from dcron_log_ingester.ledger import JobRecords, Run, Skip, tick_key
from dcron_log_ingester.store.driver import translated

DOCUMENTS_AT_A_TIME = 1000
# Asked for around the range: instants are stored in whole milliseconds, and SecantusDB leaves out the lower bound
# of `$gte` where the index is a descending one.
MARGIN = timedelta(seconds=1)
_OF_RUN = ("job_version", "status", "started_at", "claims", "fencing_token", "worker_id")
_OF_SKIP = ("tick", "last_tick", "reason", "detail", "job_version", "fencing_token", "worker_id")


class LedgerRecords:
    """The ledger's view of the database. Raises MongoUnavailableError when it does not answer in time."""

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        self._runs = database["executions"]
        self._skips = database["ticks"]

    async def of_job(self, job_id: str, start: datetime, end: datetime) -> JobRecords:
        """Return the runs and skips of the job's ticks from `start` to `end`, and perhaps a few around them."""
        low, high = start - MARGIN, end + MARGIN
        due = {"job_id": job_id, "due_at": {"$gte": low, "$lte": high}}
        within = {"job_id": job_id, "tick": {"$gte": low, "$lte": high}}
        across = {"job_id": job_id, "last_tick": {"$gte": low}, "tick": {"$lt": start}}
        with translated():
            found = self._runs.find(due, _OF_RUN, batch_size=DOCUMENTS_AT_A_TIME)
            runs = [run async for document in found if (run := _run(document))]
            skips: dict[str, Skip] = {}
            for query in (within, across):
                found = self._skips.find(query, _OF_SKIP, batch_size=DOCUMENTS_AT_A_TIME)
                skips |= {document["_id"]: _skip(document) async for document in found}
        return JobRecords(tuple(runs), tuple(skips.values()))


def _run(document: Document) -> Run | None:
    """Return the run of a tick; None for one that was asked for."""
    named = tick_in(document["_id"])
    if named is None:
        return None
    token = document["fencing_token"]
    claims = document.get("claims") or ([token] if token else [])  # documents of before have the last one only
    return Run(
        execution_id=document["_id"],
        key=named[0],
        attempt=named[1],
        version=document["job_version"],
        status=document["status"],
        started=document.get("started_at") is not None,
        claims=frozenset(claims),
        own=own_part(document["_id"]),
        worker_id=document["worker_id"],
    )


def _skip(document: Document) -> Skip:
    first = tick_key(document["tick"])
    return Skip(
        first=first,
        last=tick_key(document["last_tick"]) if document["last_tick"] is not None else first,
        version=document.get("job_version", 0),
        reason=document["reason"],
        detail=document["detail"],
        claim=document.get("fencing_token", 0),
        own=own_part(document["_id"].partition("/")[0]),
        worker_id=document["worker_id"],
    )
