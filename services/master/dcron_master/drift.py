"""How etcd's job keys differ from the fold of the log at the same position (G2). Pure.

Where signatures are checked, a key whose value is right but not signed by a trusted key is damaged too: no worker
runs it (G12). Which of the trusted keys signed makes no difference.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from dcron_core.access.signing import NO_SIGNATURES, REFUSALS, Signatures, taken_apart
from dcron_core.jobs.difference import difference
from dcron_core.jobs.table import JobTable
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValue
from dcron_schemas.audit import FieldChange
from dcron_schemas.codec import UndecodableError, decode_state
from dcron_schemas.state import JobEntry

DriftKind = Literal["missing", "extra", "different", "unreadable", "unsigned"]


class Drift(Struct, frozen=True, kw_only=True):
    """A key that is not what the log says."""

    kind: DriftKind
    key: str
    job_id: str
    name: str  # namespace/name, as the log has it, or for an extra key as etcd has it; "": not known
    mod_revision: int  # of the key as it was read; 0: it is missing
    changes: tuple[FieldChange, ...] = ()  # of a different one: from what the log says to what etcd says
    detail: str = ""  # why it cannot be read, or cannot be trusted


def drift_of(
    table: JobTable, found: Iterable[KeyValue], keys: Keys, signatures: Signatures = NO_SIGNATURES
) -> list[Drift]:
    """Return what is wrong with the job keys `found`, which should hold `table`; ordered by key."""
    missing = {keys.job(entry.job_id): entry for entry in table.entries()}
    drifts = []
    for item in found:
        expected = missing.pop(item.key, None)
        job_id = item.key.removeprefix(keys.jobs)
        drift = _drift(item, expected, job_id) or _distrusted(item, expected, keys, signatures)
        if drift is not None:
            drifts.append(drift)
    drifts += [
        Drift(kind="missing", key=key, job_id=entry.job_id, name=_name(entry), mod_revision=0)
        for key, entry in missing.items()
    ]
    return sorted(drifts, key=lambda drift: drift.key)


def _drift(item: KeyValue, expected: JobEntry | None, job_id: str) -> Drift | None:
    entry, why = _decoded(item)
    if entry is not None and entry == expected:
        return None
    kind: DriftKind = "extra" if expected is None else "unreadable" if entry is None else "different"
    known = expected or entry
    return Drift(
        kind=kind,
        key=item.key,
        job_id=job_id,
        name=_name(known) if known else "",
        mod_revision=item.mod_revision,
        changes=_changes(expected, entry) if expected and entry else (),
        detail=why,
    )


def _distrusted(item: KeyValue, entry: JobEntry | None, keys: Keys, signatures: Signatures) -> Drift | None:
    """Return what is wrong with a value that says what it should, if workers would not take its word for it."""
    if not signatures.verifies:
        return None
    assert entry is not None, "a key of no job is extra"
    refusal = signatures.refusal(keys.path(item.key), taken_apart(item.value).proof)
    if refusal is None:
        return None
    return Drift(
        kind="unsigned",
        key=item.key,
        job_id=entry.job_id,
        name=_name(entry),
        mod_revision=item.mod_revision,
        detail=REFUSALS[refusal],
    )


def _decoded(item: KeyValue) -> tuple[JobEntry | None, str]:
    try:
        return decode_state(JobEntry, item.value), ""
    except UndecodableError as error:
        return None, str(error)


def _name(entry: JobEntry) -> str:
    return f"{entry.spec.namespace}/{entry.spec.name}"


def _changes(expected: JobEntry, entry: JobEntry) -> tuple[FieldChange, ...]:
    """Return the fields that differ: those of the entry, and of its definition as `spec.…`."""
    own = [
        FieldChange(field=name, before=msgspec.to_builtins(was), after=msgspec.to_builtins(now))
        for name in JobEntry.__struct_fields__
        if name != "spec" and (was := getattr(expected, name)) != (now := getattr(entry, name))
    ]
    defined = [
        FieldChange(field=f"spec.{change.field}", before=change.before, after=change.after)
        for change in difference(expected.spec, entry.spec)
    ]
    return (*own, *defined)
