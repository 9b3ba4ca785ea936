"""How etcd's keys of jobs, users, tokens and secrets differ from the fold of the log at their position (G2). Pure.

Where signatures are checked, a key whose value is right but not signed by a trusted key is damaged too: no worker
runs it, and no master starts from it (G12). Which of the trusted keys signed makes no difference.
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
from dcron_master.directory_state import (
    DirectoryEntry,
    changes_between,
    decoded_entry,
    entries_of,
    key_of,
    name_of,
)
from dcron_schemas.audit import FieldChange
from dcron_schemas.codec import UndecodableError, decode_state
from dcron_schemas.state import JobEntry

Entry = JobEntry | DirectoryEntry
DriftKind = Literal["missing", "extra", "different", "unreadable", "unsigned"]


class Drift(Struct, frozen=True, kw_only=True):
    """A key that is not what the log says."""

    kind: DriftKind
    key: str
    job_id: str  # "": it is none of a job
    name: str  # namespace/name of a job, as the log has it, or for an extra key as etcd has it; "": not known
    mod_revision: int  # of the key as it was read; 0: it is missing
    changes: tuple[FieldChange, ...] = ()  # of a different one: from what the log says to what etcd says
    detail: str = ""  # why it cannot be read, or cannot be trusted


def drift_of(
    table: JobTable, found: Iterable[KeyValue], keys: Keys, signatures: Signatures = NO_SIGNATURES
) -> list[Drift]:
    """Return what is wrong with the keys `found`, which should hold `table`; ordered by key."""
    missing = entries_by_key(table, keys)
    drifts = []
    for item in found:
        expected = missing.pop(item.key, None)
        drift = _drift(item, expected, keys) or _distrusted(item, expected, keys, signatures)
        if drift is not None:
            drifts.append(drift)
    drifts += [
        Drift(kind="missing", key=key, job_id=_job_id(key, keys), name=_name(entry), mod_revision=0)
        for key, entry in missing.items()
    ]
    return sorted(drifts, key=lambda drift: drift.key)


def entries_by_key(table: JobTable, keys: Keys) -> dict[str, Entry]:
    """Return all that should stand in etcd."""
    jobs: dict[str, Entry] = {keys.job(entry.job_id): entry for entry in table.entries()}
    return jobs | {key_of(entry, keys): entry for entry in entries_of(table.directory)}


def _job_id(key: str, keys: Keys) -> str:
    return key.removeprefix(keys.jobs) if key.startswith(keys.jobs) else ""


def _drift(item: KeyValue, expected: Entry | None, keys: Keys) -> Drift | None:
    entry, why = _decoded(item, keys)
    if entry is not None and entry == expected:
        return None
    kind: DriftKind = "extra" if expected is None else "unreadable" if entry is None else "different"
    known = expected or entry
    return Drift(
        kind=kind,
        key=item.key,
        job_id=_job_id(item.key, keys),
        name=_name(known) if known else "",
        mod_revision=item.mod_revision,
        changes=_changes(expected, entry) if expected and entry else (),
        detail=why,
    )


def _distrusted(item: KeyValue, entry: Entry | None, keys: Keys, signatures: Signatures) -> Drift | None:
    """Return what is wrong with a value that says what it should, if nobody would take its word for it."""
    if not signatures.verifies:
        return None
    assert entry is not None, "a key of nothing is extra"
    refusal = signatures.refusal(keys.path(item.key), taken_apart(item.value).proof)
    if refusal is None:
        return None
    return Drift(
        kind="unsigned",
        key=item.key,
        job_id=_job_id(item.key, keys),
        name=_name(entry),
        mod_revision=item.mod_revision,
        detail=REFUSALS[refusal],
    )


def _decoded(item: KeyValue, keys: Keys) -> tuple[Entry | None, str]:
    try:
        if item.key.startswith(keys.jobs):
            return decode_state(JobEntry, item.value), ""
        return decoded_entry(item, keys), ""
    except UndecodableError as error:
        return None, str(error)


def _name(entry: Entry) -> str:
    return f"{entry.spec.namespace}/{entry.spec.name}" if isinstance(entry, JobEntry) else name_of(entry)


def _changes(expected: Entry, entry: Entry) -> tuple[FieldChange, ...]:
    """Return the fields that differ: those of the entry, and of a job's definition as `spec.…`."""
    if not isinstance(expected, JobEntry) or not isinstance(entry, JobEntry):
        assert not isinstance(expected, JobEntry), "a key holds one kind of entry"
        assert not isinstance(entry, JobEntry), "a key holds one kind of entry"
        return changes_between(expected, entry)
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
