"""Signatures of definitions and requests: what they bind, and what each kind is refused for (G12)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcron_core.access.signing import NO_SIGNATURES, Refusal, Signatures, taken_apart
from dcron_core.keys import Keys
from tests.signing_keys import (
    CLUSTER_KEY,
    MASTERS_KEYS,
    OTHER_CLUSTER_KEY,
    OTHER_PUBLIC_KEY,
    OTHER_SIGNING_KEY,
    PUBLIC_KEY,
    WORKERS_KEYS,
)

MASTER, WORKER = Signatures(**MASTERS_KEYS), Signatures(**WORKERS_KEYS)
FORGER = Signatures(OTHER_SIGNING_KEY, cluster_key=OTHER_CLUSTER_KEY)
PATH = "jobs/0198f5a0-0000-7000-8000-000000000001"
VALUE = b'{"job_id":"0198f5a0-0000-7000-8000-000000000001","spec":{"run":{"argv":["/bin/true"]}}}'


def seen(worker: Signatures, value: bytes, path: str = PATH) -> Refusal | None:
    return worker.refusal(path, taken_apart(value).proof)


def seen_of_follower(worker: Signatures, value: bytes, path: str = PATH) -> Refusal | None:
    return worker.refusal_of_follower(path, taken_apart(value).proof)


def test_a_value_that_a_master_signed_is_trusted_and_still_readable() -> None:
    """G12: the signature is a field of the JSON, and what is read is what was signed."""
    signed = MASTER.signed(PATH, VALUE)
    assert seen(WORKER, signed) is seen(MASTER, signed) is None
    assert taken_apart(signed).rest == VALUE
    assert json.loads(signed).pop("signature").startswith(f"{signed[14:30].decode()}:")
    assert {**json.loads(signed), "signature": ""} == {**json.loads(VALUE), "signature": ""}


def test_the_signed_bytes_never_change() -> None:
    """G12: values that were signed by one release are checked by the next one: Ed25519 gives always the same text."""
    by_master = (
        "790901b82a89fe50:8YXarW-7AHiReW7Ts2pm8LurMwntXwlHish2VWNWukJFOsOoH6aiuE3hwhDlfrxsoYn5dZRANoX8OFvV_LcXCQ"
    )
    assert MASTER.signed("jobs/a", b'{"job_id":"a"}') == f'{{"signature":"{by_master}","job_id":"a"}}'.encode()
    by_member = "mac:_4DyHqG6DrkmaaWCgvrv8DPsuMumZpaGI53WOa1jYzA"
    assert WORKER.confirmed("runs/a.t1.1", b'{"job_id":"a"}') == (
        f'{{"signature":"{by_member}","job_id":"a"}}'.encode()
    )


@pytest.mark.parametrize("judge", [WORKER, MASTER], ids=["by verifying", "by signing again"])
@given(where=st.integers(0, 10_000), to=st.integers(0, 255))
def test_a_value_with_one_byte_changed_is_refused(judge: Signatures, where: int, to: int) -> None:
    """G12: wherever the byte stands, in the signature or in what it is of."""
    signed = MASTER.signed(PATH, VALUE)
    where %= len(signed)
    changed = signed[:where] + bytes([to]) + signed[where + 1 :]
    assert (seen(judge, changed) is None) == (changed == signed)


def test_a_value_means_nothing_under_another_key() -> None:
    """G12: a request or a definition of one job cannot be put in the place of another's."""
    signed = MASTER.signed(PATH, VALUE)
    assert seen(WORKER, signed, PATH.replace("1", "2")) == "altered"
    assert seen(WORKER, signed, PATH.replace("jobs/", "runs/")) == "altered"
    confirmed = MASTER.confirmed(PATH, VALUE)
    assert seen_of_follower(WORKER, confirmed) is None
    assert seen_of_follower(WORKER, confirmed, PATH.replace("1", "2")) == "altered"


def test_what_is_not_signed_or_by_a_stranger_is_refused() -> None:
    """G12."""
    assert seen(WORKER, VALUE) == "unsigned"
    assert seen(WORKER, b"") == seen(WORKER, b"{}") == seen(WORKER, b'{"signature":"","job_id":"a"}') == "unsigned"
    assert seen(WORKER, FORGER.signed(PATH, VALUE)) == "unknown_key"
    own_id = MASTER.signed(PATH, VALUE)[14:30]
    claimed = FORGER.signed(PATH, VALUE)
    assert seen(WORKER, claimed.replace(claimed[14:30], own_id)) == "altered", "the id of a key is no key"
    assert seen_of_follower(WORKER, FORGER.confirmed(PATH, VALUE)) == "altered"


def test_the_code_of_a_worker_is_not_the_signature_of_a_master() -> None:
    """G12: a worker that was broken into has the cluster's key, and can still not write a job."""
    assert seen(WORKER, WORKER.confirmed(PATH, VALUE)) == "unsigned"
    assert seen_of_follower(WORKER, MASTER.signed(PATH, VALUE)) == "unsigned"


def test_keys_are_changed_while_old_values_stand() -> None:
    """G12: several keys are trusted; the first cluster key confirms, all are accepted."""
    both = Signatures(trusted_keys=f"{OTHER_PUBLIC_KEY},{PUBLIC_KEY}", cluster_key=f"{OTHER_CLUSTER_KEY},{CLUSTER_KEY}")
    assert seen(both, MASTER.signed(PATH, VALUE)) is seen(both, FORGER.signed(PATH, VALUE)) is None
    assert seen_of_follower(both, MASTER.confirmed(PATH, VALUE)) is None
    assert both.confirmed(PATH, VALUE) == FORGER.confirmed(PATH, VALUE)
    master = Signatures(OTHER_SIGNING_KEY, PUBLIC_KEY)
    assert seen(master, MASTER.signed(PATH, VALUE)) is seen(master, FORGER.signed(PATH, VALUE)) is None
    assert seen(master.own_only(), MASTER.signed(PATH, VALUE)) == "unknown_key"
    assert seen(master.own_only(), FORGER.signed(PATH, VALUE)) is None


def test_a_value_of_another_release_is_trusted_with_all_its_fields() -> None:
    """G12: what is signed are the bytes, not what this release understands of them."""
    later = VALUE.replace(b'"spec"', b'"of_a_later_release":7,"spec"')
    assert seen(WORKER, MASTER.signed(PATH, later)) is None
    assert seen(WORKER, MASTER.signed(PATH, later).replace(b":7,", b":8,")) == "altered"


def test_without_keys_values_are_written_as_they_are_and_nothing_is_refused() -> None:
    assert NO_SIGNATURES.signed(PATH, VALUE) == NO_SIGNATURES.confirmed(PATH, VALUE) == VALUE
    for value in (VALUE, b"junk", FORGER.signed(PATH, VALUE)):
        assert seen(NO_SIGNATURES, value) is seen_of_follower(NO_SIGNATURES, value) is None
    assert (NO_SIGNATURES.signs, NO_SIGNATURES.verifies, NO_SIGNATURES.confirms) == (False, False, False)


def test_the_path_of_a_key_is_the_same_under_every_prefix() -> None:
    assert Keys("/cron/").path("/cron/jobs/a") == Keys("/other/").path("/other/jobs/a") == "jobs/a"
