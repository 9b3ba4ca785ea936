"""How etcd's job keys differ from the fold of the log at the same position (G2). Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from dcron_core.jobs.difference import difference
from dcron_core.jobs.table import JobTable
from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValue
from dcron_schemas.audit import FieldChange
from dcron_schemas.codec import UndecodableError, decode_state
from dcron_schemas.state import JobEntry

DriftKind = Literal["missing", "extra", "different", "unreadable"]


class Drift(Struct, frozen=True, kw_only=True):
    """A key that is not what the log says."""

    kind: DriftKind
    key: str
    job_id: str
    name: str  # namespace/name, as the log has it, or for an extra key as etcd has it; "": not known
    mod_revision: int  # of the key as it was read; 0: it is missing
    changes: tuple[FieldChange, ...] = ()  # of a different one: from what the log says to what etcd says
    detail: str = ""  # why it cannot be read


def drift_of(table: JobTable, found: Iterable[KeyValue], keys: Keys) -> list[Drift]:
    """Return what is wrong with the job keys `found`, which should hold `table`; ordered by key."""
    missing = {keys.job(entry.job_id): entry for entry in table.entries()}
    drifts = []
    for item in found:
        drift = _drift(item, missing.pop(item.key, None), item.key.removeprefix(keys.jobs))
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
