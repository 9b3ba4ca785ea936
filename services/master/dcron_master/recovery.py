"""etcd's job table held against the log, and mended: what `dcron log verify` and `dcron log repair` do (G2).

Both work while masters project: what is compared is etcd at one revision and the fold at the position that etcd had
then. Neither writes the projection key, so masters do not notice.
"""

from msgspec import Struct

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.errors import LogMismatchError, UnavailableError
from dcron_core.job_log import JobLog
from dcron_core.jobs.replay import Replay
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValueStore, ModRevisionIs
from dcron_master.corrections import corrections
from dcron_master.drift import Drift, drift_of
from dcron_master.log_check import require_its_log
from dcron_master.snapshot import RawSnapshot, read_projection, read_raw
from dcron_schemas.state import Projection

MOST_ROUNDS = 1000  # of reading again because somebody else wrote; each one writes something, or loses to a master


class Verified(Struct, frozen=True, kw_only=True):
    """What came of comparing etcd with the log."""

    clean: bool
    revision: int  # of etcd, that was compared
    position: int | None  # of etcd's job table; None: it has none that can be used
    log_id: str
    log_end: int  # how many records the log holds
    lag: int | None  # how many of them etcd does not have yet
    jobs: int  # in the fold at the position
    drifts: tuple[Drift, ...] = ()
    problem: str = ""  # why the two could not be compared, or what stops masters further on; and what to do


class Repaired(Struct, frozen=True, kw_only=True):
    """What a repair wrote; at the end etcd's job table was the fold at the position."""

    position: int
    jobs: int
    written: tuple[Drift, ...]  # what had been wrong with each key


async def verify(store: KeyValueStore, job_log: JobLog, keys: Keys, signatures: Signatures = NO_SIGNATURES) -> Verified:
    """Compare etcd's job table with the fold of the log."""
    snapshot = await read_raw(store, keys)
    position: int | None = None
    log_id, end = "", 0
    try:
        end = (await job_log.bounds()).end
        projection = await _projection(snapshot, job_log, keys)
        position, log_id = projection.position, projection.log_id
        end = (await job_log.bounds()).end  # it may have grown past what was read of etcd
        replay = await job_log.replayed(position + 1)
    except LogMismatchError as error:
        return Verified(
            clean=False,
            revision=snapshot.revision,
            position=position,
            log_id=log_id,
            log_end=end,
            lag=None,
            jobs=0,
            problem=str(error),
        )
    drifts = tuple(drift_of(replay.table, snapshot.table, keys, signatures))
    jobs = len(replay.table)
    problem = await _unreadable(job_log, replay, end)
    return Verified(
        clean=not drifts and not problem,
        revision=snapshot.revision,
        position=position,
        log_id=log_id,
        log_end=end,
        lag=end - 1 - position,
        jobs=jobs,
        drifts=drifts,
        problem=problem,
    )


async def _unreadable(job_log: JobLog, replay: Replay, end: int) -> str:
    """Read the log on to its end; tell what stops a master on the way, "" if nothing does."""
    try:
        async for _ in job_log.steps(replay, end):
            pass
    except LogMismatchError as error:
        return str(error)
    return ""


async def repair(store: KeyValueStore, job_log: JobLog, keys: Keys, signatures: Signatures = NO_SIGNATURES) -> Repaired:
    """Make etcd's job table the fold of the log at etcd's position, writing only what differs.

    With a key to sign with, what no trusted key has signed is written too.

    Raises LogMismatchError if etcd has no position, or one that is not of this log.
    """
    written: list[Drift] = []
    replay = Replay()
    for _ in range(MOST_ROUNDS):
        snapshot = await read_raw(store, keys)
        position = (await _projection(snapshot, job_log, keys)).position
        replay = await _advanced(job_log, replay, position)
        drifts = drift_of(replay.table, snapshot.table, keys, signatures.if_signing())
        if not drifts:
            return Repaired(position=position, jobs=len(replay.table), written=tuple(written))
        written += await _write(store, snapshot, drifts, replay, keys, signatures)
    raise UnavailableError(
        f"etcd's job table was written by others {MOST_ROUNDS} times while it was being repaired; {len(written)} keys "
        "were written. Find out who else writes there, then repeat this"
    )


async def _projection(snapshot: RawSnapshot, job_log: JobLog, keys: Keys) -> Projection:
    """Return the position that the job table has; raise LogMismatchError if it has none in this log."""
    if snapshot.projection is None:
        raise LogMismatchError(
            f"etcd has no {keys.projection}: it has no job table of any log; `dcron log rebuild` makes it from the log"
        )
    projection = read_projection(snapshot.projection)
    await require_its_log(job_log, keys, projection)
    return projection


async def _advanced(job_log: JobLog, replay: Replay, position: int) -> Replay:
    """Return the fold at `position`, which goes on from `replay` if it can."""
    if position < replay.position:  # etcd was set back
        replay = Replay()
    async for _ in job_log.steps(replay, position + 1):
        pass
    return replay


async def _write(
    store: KeyValueStore,
    snapshot: RawSnapshot,
    drifts: list[Drift],
    replay: Replay,
    keys: Keys,
    signatures: Signatures,
) -> list[Drift]:
    """Write what differs, until all is written or somebody else wrote; return what was."""
    fence = (ModRevisionIs(keys.projection, snapshot.projection_revision),)
    written: list[Drift] = []
    for correction in corrections(drifts, replay.table, keys, fence, signatures):
        if not (await store.transact(correction.transaction)).succeeded:
            break
        written += correction.drifts
    return written
