"""What makes etcd's keys of jobs, users, tokens and secrets equal to a fold again, cut into transactions. Pure.

Each transaction compares that every key it writes still is as it was read, and the `fence` besides: whoever else
writes the table at the same time makes it fail, and is never overwritten.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from dcron_core.access.signing import NO_SIGNATURES, Signatures
from dcron_core.jobs.table import JobTable
from dcron_core.keys import Keys
from dcron_core.ports.store import Comparison, Delete, ModRevisionIs, Operation, Put, Transaction
from dcron_master.drift import Drift, Entry, entries_by_key
from dcron_master.pending import MOST_BYTES, MOST_OPERATIONS
from dcron_schemas.codec import encode


class Correction(Struct, frozen=True):
    """A transaction, and the drift that it mends."""

    drifts: tuple[Drift, ...]
    transaction: Transaction


def corrections(
    drifts: Sequence[Drift],
    table: JobTable,
    keys: Keys,
    fence: tuple[Comparison, ...],
    signatures: Signatures = NO_SIGNATURES,
) -> Iterator[Correction]:
    """Yield transactions that make the keys `table`'s, signed, given how they differ from it."""
    expected = entries_by_key(table, keys)
    part: list[Drift] = []
    operations: list[Operation] = []
    size = 0
    for drift in drifts:
        more = _operations(drift, expected, keys, signatures)
        more_size = sum(len(each.value) for each in more if isinstance(each, Put))
        if part and (len(operations) + len(more) > MOST_OPERATIONS or size + more_size > MOST_BYTES):
            yield _correction(part, operations, fence)
            part, operations, size = [], [], 0
        part.append(drift)
        operations += more
        size += more_size
    if part:
        yield _correction(part, operations, fence)


def _correction(drifts: list[Drift], operations: list[Operation], fence: tuple[Comparison, ...]) -> Correction:
    as_read = (ModRevisionIs(drift.key, drift.mod_revision) for drift in drifts)
    return Correction(tuple(drifts), Transaction((*fence, *as_read), tuple(operations)))


def _operations(
    drift: Drift, expected: Mapping[str, Entry], keys: Keys, signatures: Signatures
) -> tuple[Operation, ...]:
    if drift.kind != "extra":
        return (Put(drift.key, signatures.signed(keys.path(drift.key), encode(expected[drift.key]))),)
    if not drift.job_id:
        return (Delete(drift.key),)
    return Delete(drift.key), Delete(keys.tick(drift.job_id))  # as when a job is deleted, its cursor goes too
