"""etcd's job table made from the log where there is none: by a master that starts, or by `dcron log rebuild`.

The log is folded first, and only what came of it is written: workers that run meanwhile never see a job as it once
was, and so never start what was deleted or rescheduled since. The projection key is written last. Until then etcd
has no position, and its job keys are of no table (G2); from then on they are the fold at that position.

One at a time does this: a claim under a lease, which every transaction compares beside the absence of the
projection key. Whoever is interrupted leaves job keys that the next one corrects.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import islice

from msgspec import Struct

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.errors import DcronError, LeaseLostError, LogMismatchError, ProjectionStoppedError, UnavailableError
from dcron_core.job_log import JobLog
from dcron_core.jobs.replay import Replay
from dcron_core.keys import Keys
from dcron_core.ports.store import Comparison, Delete, KeyValueStore, ModRevisionIs, Put, Transaction
from dcron_master.corrections import Correction, corrections
from dcron_master.directory_state import prefixes
from dcron_master.drift import drift_of
from dcron_schemas.codec import encode
from dcron_schemas.state import Projection

CLAIM_S = 30  # a claim whose holder died ends after this
AT_ONCE = 8  # transactions under way: etcd syncs them to disk together


class AlreadyProjectedError(DcronError):
    """etcd has a job table with a position; it is not made anew."""


class RebuildUnderWayError(UnavailableError):
    """Somebody else makes the job table, or did while we were at it."""


class Rebuilt(Struct, frozen=True):
    """What a rebuild did."""

    position: int  # of the log, that the table is the fold of
    log_id: str
    jobs: int
    written: int  # keys that were missing or not right
    removed: int  # keys of no job
    stopped: str = ""  # why the log could not be folded to its end; masters stop there too


class _Claim(Struct, frozen=True):
    lease: int
    fence: tuple[Comparison, ...]


async def rebuild(store: KeyValueStore, job_log: JobLog, keys: Keys, signatures: Signatures = NO_SIGNATURES) -> Rebuilt:
    """Make etcd's job table from the log, signed; raise AlreadyProjectedError if etcd has one.

    Requests for runs and kills that are in the log now are not repeated: they may have been done.
    """
    await _require_absent(store, keys)
    end = (await job_log.bounds()).end
    if end == 0:
        raise LogMismatchError(
            f"topic {job_log.topic} is empty, so there is nothing to rebuild from; restore it from a backup "
            "(`dcron log import`), or start a master, which opens a new log"
        )
    log_id = await job_log.log_id()
    replay, stopped = Replay(), ""
    try:
        async for _ in job_log.steps(replay, end):
            pass
    except ProjectionStoppedError as error:
        stopped = str(error)
    async with _claimed(store, keys) as claim:
        found = (await store.read_prefix(keys.jobs, *prefixes(keys))).items
        drifts = drift_of(replay.table, found, keys, signatures.if_signing())
        await _write(store, claim, corrections(drifts, replay.table, keys, claim.fence, signatures))
        projection = Projection(position=replay.position, log_id=log_id, requests_from=end)
        last = (Put(keys.projection, encode(projection)), Delete(keys.rebuild))
        await _transact(store, Transaction(claim.fence, last))
    removed = sum(drift.kind == "extra" for drift in drifts)
    return Rebuilt(replay.position, log_id, len(replay.table), len(drifts) - removed, removed, stopped)


async def _require_absent(store: KeyValueStore, keys: Keys) -> None:
    if await store.get(keys.projection) is not None:
        raise AlreadyProjectedError(
            f"etcd's {keys.projection} is there: etcd has a job table. `dcron log verify` compares it with the log, "
            "and `dcron log repair` writes what differs. To make it anew all the same, remove that key first"
        )


@asynccontextmanager
async def _claimed(store: KeyValueStore, keys: Keys) -> AsyncIterator[_Claim]:
    """Be the only one who makes the table."""
    absent = ModRevisionIs(keys.projection, 0)
    lease = await store.grant_lease(CLAIM_S)
    try:
        claim = Put(keys.rebuild, b"{}", lease)
        try:
            result = await store.transact(Transaction((absent, ModRevisionIs(keys.rebuild, 0)), (claim,)))
        except LeaseLostError as error:  # this process stood still since the line above
            raise RebuildUnderWayError(f"the claim on making etcd's job table came too late: {error}") from error
        if not result.succeeded:
            await _require_absent(store, keys)
            raise RebuildUnderWayError(
                f"somebody makes etcd's job table at this moment ({keys.rebuild} is there); wait until they are done. "
                f"If they died, their claim ends within {CLAIM_S} s"
            )
        yield _Claim(lease, (absent, ModRevisionIs(keys.rebuild, result.revision)))
    finally:
        with suppress(UnavailableError):  # then it ends by itself
            await store.revoke_lease(lease)


async def _write(store: KeyValueStore, claim: _Claim, wanted: Iterator[Correction]) -> None:
    """Write all corrections, some at a time."""
    while group := list(islice(wanted, AT_ONCE)):
        try:
            await store.keep_lease(claim.lease)
        except LeaseLostError as error:
            raise RebuildUnderWayError(f"the claim on making etcd's job table ended: {error}; try again") from error
        outcomes = await asyncio.gather(
            *(_transact(store, correction.transaction) for correction in group), return_exceptions=True
        )
        for outcome in outcomes:  # none goes on behind the caller's back
            if outcome is not None:
                raise outcome


async def _transact(store: KeyValueStore, transaction: Transaction) -> None:
    if not (await store.transact(transaction)).succeeded:
        raise RebuildUnderWayError("somebody else wrote etcd's job table meanwhile; look at it with `dcron log verify`")
