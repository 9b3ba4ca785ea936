"""Judges MongoDB: its indexes are those that the log-ingester makes, and it outlives a machine where it is meant to."""

from collections.abc import Iterator

from dcron_core.descriptions import DatabaseDescription
from dcron_standalone.doctor.finding import Finding, Look

PART = "mongodb"
RESTART = "restart a log-ingester: it makes them when it starts"


def judged(database: DatabaseDescription, *, replicated: bool) -> Look:
    """Return what is to be said of the database; `replicated`: it is meant to live on when a machine dies."""
    findings = [*_indexes(database)]
    if not database.writable:
        findings.append(Finding(PART, "MongoDB takes no writes: it has no primary", "start the other members"))
    if replicated and not database.replica_set:
        what = "MongoDB is no replica set: writes are acknowledged by one machine only"
        findings.append(Finding(PART, what, "run three members, and name the set in DCRON_MONGODB (replicaSet=…)"))
    kind = f"replica set {database.replica_set}" if database.replica_set else "one server"
    return Look(PART, f"{database.version}, {kind}", tuple(findings))


def _indexes(database: DatabaseDescription) -> Iterator[Finding]:
    for each in database.indexes:
        if each.missing:
            what = f"collection {each.collection} has no index {', '.join(each.missing)}: "
            what += "documents never leave" if "expiry" in each.missing else "what it serves walks over everything"
            yield Finding(PART, what, RESTART)
        if each.other:
            what = f"collection {each.collection}: index {', '.join(each.other)} is not as the log-ingester makes it"
            yield Finding(PART, what, f"drop it (`db.{each.collection}.dropIndex(…)`), then {RESTART}")
