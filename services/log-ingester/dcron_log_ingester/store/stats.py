"""What became of runs, added up by MongoDB: in all, for each job, and in buckets of time.

Percentiles are MongoDB's own (`$percentile`, from 7.0 on), which are approximate: memory stays bounded however many
runs there are.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import ExecutionTimeout

from dcron_log_ingester.batches import Document
from dcron_log_ingester.errors import TooMuchError
from dcron_log_ingester.store.driver import translated
from dcron_log_ingester.store.filters import ExecutionFilter
from dcron_schemas.api import BucketStats, JobStats, RunStats, Stats

MOST_JOBS = 200  # of which an answer tells; those with the most runs
MOST_MS = 10_000  # that MongoDB may take
ENDS = ("succeeded", "failed", "timed_out", "killed", "lost")
STATUSES = ("running", *ENDS)
NOTHING = RunStats(
    runs=0, running=0, succeeded=0, failed=0, timed_out=0, killed=0, lost=0, success_rate=None, p50_s=None, p95_s=None
)


async def stats_of(
    executions: AsyncIOMotorCollection[Document],
    wanted: ExecutionFilter,
    *,
    start: datetime,
    end: datetime,
    bucket: timedelta,
) -> Stats:
    """Add up the runs of the filter, which is bounded by `start` and `end`; raise TooMuchError if it takes too long."""
    bucket_ms = bucket // timedelta(milliseconds=1)
    number = {"$floor": {"$divide": [{"$subtract": ["$due_at", start]}, bucket_ms]}}
    match = wanted.query()
    total, jobs, buckets = await asyncio.gather(
        _added_up(executions, match, None),
        _added_up(executions, match, "$job_id", named=True),
        _added_up(executions, match, number),
    )
    jobs.sort(key=lambda group: (-group["runs"], group["_id"]))
    return Stats(
        start=start,
        end=end,
        bucket_s=bucket.total_seconds(),
        total=_run_stats(total[0]) if total else NOTHING,
        jobs=tuple(_job_stats(group) for group in jobs[:MOST_JOBS]),
        jobs_left_out=max(0, len(jobs) - MOST_JOBS),
        buckets=tuple(_buckets(buckets, start, end, bucket)),
    )


async def _added_up(
    executions: AsyncIOMotorCollection[Document], match: Document, key: object, *, named: bool = False
) -> list[Document]:
    group: dict[str, Any] = {
        "_id": key,
        "runs": {"$sum": 1},
        **{status: {"$sum": {"$cond": [{"$eq": ["$status", status]}, 1, 0]}} for status in STATUSES},
        "durations_ms": {"$percentile": {"input": "$duration_ms", "p": [0.5, 0.95], "method": "approximate"}},
    }
    if named:  # greatest: the last run's
        last = {"due_at": "$due_at", "job_name": "$job_name", "namespace": "$namespace"}
        group["last"] = {"$max": last}
    with translated():
        try:
            return await executions.aggregate([{"$match": match}, {"$group": group}], maxTimeMS=MOST_MS).to_list(None)
        except ExecutionTimeout as error:
            raise TooMuchError(f"MongoDB could not add up the runs within {MOST_MS / 1000:g} s") from error


def _run_stats(group: Document) -> RunStats:
    over = sum(group[status] for status in ENDS)
    p50_ms, p95_ms = group["durations_ms"] or (None, None)
    return RunStats(
        runs=group["runs"],
        **{status: group[status] for status in STATUSES},
        success_rate=group["succeeded"] / over if over else None,
        p50_s=None if p50_ms is None else p50_ms / 1000,
        p95_s=None if p95_ms is None else p95_ms / 1000,
    )


def _job_stats(group: Document) -> JobStats:
    last = group["last"]
    return JobStats(
        job_id=group["_id"], job_name=last["job_name"], namespace=last["namespace"], stats=_run_stats(group)
    )


def _buckets(groups: Sequence[Document], start: datetime, end: datetime, bucket: timedelta) -> list[BucketStats]:
    found = {int(group["_id"]): _run_stats(group) for group in groups}
    count = -((start - end) // bucket)  # rounded up
    return [BucketStats(start=start + number * bucket, stats=found.get(number, NOTHING)) for number in range(count)]
