"""Judges etcd: its members answer, have room, and forget old revisions."""

from collections.abc import Iterator

from dcron_core.descriptions import MemberDescription, StoreDescription
from dcron_standalone.doctor.finding import Finding, Look

PART = "etcd"
OLDEST = (3, 4)
USUAL_QUOTA_BYTES = 2 << 30  # etcd's default; it does not tell another one
NEARLY_FULL = 0.8
MANY_REVISIONS = 100_000
START = "start it; check DCRON_ETCD, and the network between here and there"


def judged(store: StoreDescription, *, replicated: bool) -> Look:
    """Return what is to be said of etcd; `replicated`: it is meant to live on when a member dies."""
    answering = [member for member in store.members if not member.problem]
    findings = [finding for member in store.members for finding in _member(member)]
    findings += _alarms(store)
    if answering and store.revision > MANY_REVISIONS and not store.compacted:
        what = f"nothing of its {store.revision} revisions was ever compacted: it grows until it takes no writes"
        remedy = "start it with --auto-compaction-mode=periodic --auto-compaction-retention=10m"
        findings.append(Finding(PART, what, remedy))
    if replicated and len(store.members) < 3:
        what = f"DCRON_ETCD names {len(store.members)} members: with fewer than three none may die"
        findings.append(Finding(PART, what, "run three members, and name all of them in DCRON_ETCD", "warning"))
    versions = ", ".join(sorted({member.version for member in answering})) or "-"
    size = max((member.size_bytes for member in answering), default=0) / 1e6
    return Look(
        PART, f"{versions}, {len(answering)} of {len(store.members)} members answer, {size:.1f} MB", tuple(findings)
    )


def _member(member: MemberDescription) -> Iterator[Finding]:
    where = f"etcd at {member.address}"
    if member.problem:
        yield Finding(PART, member.problem, START)
        return
    if not member.has_leader:
        yield Finding(PART, f"{where} knows no leader: most members are gone or cut off", "start the other members")
    if _numbers(member.version) < OLDEST:
        yield Finding(PART, f"{where} is {member.version}; dcron counts on 3.4 or newer", "upgrade it")
    if member.size_bytes > NEARLY_FULL * USUAL_QUOTA_BYTES:
        what = f"the database of {where} has {member.size_bytes / 1e9:.2f} GB; at its quota (2.1 GB unless "
        what += "--quota-backend-bytes says otherwise) it takes no writes any more"
        yield Finding(PART, what, "compact and `etcdctl defrag`; raise --quota-backend-bytes", "warning")


def _alarms(store: StoreDescription) -> Iterator[Finding]:
    remedies = {
        "NOSPACE": "compact, `etcdctl defrag`, raise --quota-backend-bytes, then `etcdctl alarm disarm`",
        "CORRUPT": "take the member out, and let it join again with an empty directory",
    }
    for alarm in store.alarms:
        what = f"etcd has raised the alarm {alarm}" + (": it takes no writes" if alarm == "NOSPACE" else "")
        yield Finding(PART, what, remedies.get(alarm, "see etcd's documentation"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:2])
