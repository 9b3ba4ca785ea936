"""How etcd's job keys differ from the fold of the log (G2), as a table."""

import pytest
from msgspec.structs import replace

from dcron_core.access.directory import Directory
from dcron_core.jobs.table import JobTable
from dcron_core.ports.store import Delete, KeyValue, ModRevisionIs, Put
from dcron_master.corrections import corrections
from dcron_master.drift import drift_of
from dcron_schemas.codec import encode
from dcron_schemas.identity import UserEntry
from dcron_schemas.job import JobSpec, Run
from dcron_schemas.state import JobEntry
from tests.services import KEYS
from tests.unit.master.test_projector import START

ENTRY = JobEntry(
    job_id="a",
    version=3,
    spec=JobSpec(name="one", run=Run(shell="true"), env={"A": "1"}),
    anchor=START,
    position=7,
    created_at=START,
    updated_at=START,
    updated_by="ada",
)
TABLE = JobTable(log_id="log-1", position=9, entries=[ENTRY])
Seen = tuple[str, str, str, list[str]]  # kind, key, name, fields


def key(job_id: str, value: bytes, revision: int = 5) -> KeyValue:
    return KeyValue(KEYS.job(job_id), value, create_revision=revision, mod_revision=revision)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([key("a", encode(ENTRY))], []),
        ([key("a", b"  " + encode(ENTRY))], []),  # bytes of another writer that mean the same
        ([], [("missing", "a", "default/one", [])]),
        (
            [key("a", encode(ENTRY)), key("b", encode(replace(ENTRY, job_id="b")))],
            [("extra", "b", "default/one", [])],
        ),
        ([key("a", encode(ENTRY)), key("b", b"junk")], [("extra", "b", "", [])]),
        ([key("a", b"junk")], [("unreadable", "a", "default/one", [])]),
        ([key("a", b"")], [("unreadable", "a", "default/one", [])]),
        (
            [key("a", encode(replace(ENTRY, version=2, position=4)))],
            [("different", "a", "default/one", ["version", "position"])],
        ),
        (
            [key("a", encode(replace(ENTRY, spec=replace(ENTRY.spec, name="two", env={"A": "2"}))))],
            [("different", "a", "default/one", ["spec.name", "spec.env.A"])],
        ),
        ([key("a", encode(replace(ENTRY, job_id="z")))], [("different", "a", "default/one", ["job_id"])]),
        ([key("0", b"x")], [("extra", "0", "", []), ("missing", "a", "default/one", [])]),
    ],
)
def test_each_kind_of_drift_is_named_with_its_key_and_its_fields(found: list[KeyValue], expected: list[Seen]) -> None:
    """G2."""
    seen = [(d.kind, d.job_id, d.name, [c.field for c in d.changes]) for d in drift_of(TABLE, found, KEYS)]
    assert seen == [(kind, job_id, name, fields) for kind, job_id, name, fields in expected]


def test_a_change_goes_from_what_the_log_says_to_what_etcd_says() -> None:
    (drift,) = drift_of(TABLE, [key("a", encode(replace(ENTRY, version=2)))], KEYS)
    (change,) = drift.changes
    assert (change.before, change.after) == (3, 2)


def test_a_correction_compares_what_it_was_made_from() -> None:
    """G2: it never overwrites what somebody else has written since."""
    found = [key("b", b"junk", revision=12)]
    fence = (ModRevisionIs(KEYS.projection, 8),)
    (correction,) = corrections(drift_of(TABLE, found, KEYS), TABLE, KEYS, fence)
    assert correction.transaction.compare == (
        *fence,
        ModRevisionIs(KEYS.job("a"), 0),
        ModRevisionIs(KEYS.job("b"), 12),
    )
    assert correction.transaction.success == (
        Put(KEYS.job("a"), encode(ENTRY)),
        Delete(KEYS.job("b")),
        Delete(KEYS.tick("b")),
    )


@pytest.mark.parametrize(("jobs", "bytes_each", "most"), [(250, 10, 100), (40, 60_000, 16)])
def test_corrections_are_cut_by_operations_and_by_bytes(jobs: int, bytes_each: int, most: int) -> None:
    spec = replace(ENTRY.spec, description="x" * bytes_each)
    entries = [replace(ENTRY, job_id=f"{n:03}", spec=replace(spec, name=f"{n}")) for n in range(jobs)]
    table = JobTable(entries=entries)
    cut = list(corrections(drift_of(table, [], KEYS), table, KEYS, ()))
    assert sum(len(each.drifts) for each in cut) == jobs
    assert max(len(each.transaction.success) for each in cut) == most
    for each in cut:
        assert sum(len(put.value) for put in each.transaction.success if isinstance(put, Put)) <= 1_000_000


def test_what_differs_of_a_user_is_named_and_what_lets_somebody_in_is_not_shown() -> None:
    """G2, and G11: a forged user in etcd is found, and a report shows no verifier."""
    user = UserEntry(
        name="ada",
        display_name="",
        grants={"a": "viewer"},
        enabled=True,
        origin="local",
        created_at=START,
        created_by="root",
        verifier="sealed-1",
    )
    table = JobTable(entries=[ENTRY], directory=Directory([user]))
    forged = replace(user, grants={"*": "admin"}, verifier="sealed-2")
    mallory = replace(user, name="mallory")
    found = [key("a", encode(ENTRY))]
    found += [KeyValue(KEYS.user(each.name), encode(each), 5, 5) for each in (forged, mallory)]
    drifts = drift_of(table, found, KEYS)
    assert [(each.kind, each.name, each.job_id) for each in drifts] == [
        ("different", "user ada", ""),
        ("extra", "user mallory", ""),
    ]
    assert {change.field: change.after for change in drifts[0].changes} == {
        "grants": {"*": "admin"},
        "verifier": "(not shown)",
    }
    (correction,) = corrections(drifts, table, KEYS, ())
    assert correction.transaction.success == (
        Put(KEYS.user("ada"), encode(user)),
        Delete(KEYS.user("mallory")),
    )
