"""Secrets are readable for whoever has the cluster's key, where they belong, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcron_core.access.sealing import MOST_BYTES, Sealer
from dcron_core.errors import SealError

OLD, NEW = "11" * 32, "22" * 32

values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(values)
def test_a_sealed_value_opens_where_it_belongs(value: str) -> None:
    """What was sealed comes back, and cannot be read in what is stored."""
    sealer = Sealer(OLD)
    sealed = sealer.seal("default", "TOKEN", value)
    assert sealer.open("default", "TOKEN", sealed) == value
    assert len(value) < 4 or value not in sealed


@pytest.mark.parametrize(("namespace", "name"), [("other", "TOKEN"), ("default", "OTHER")])
def test_a_sealed_text_cannot_be_moved(namespace: str, name: str) -> None:
    """Whoever can write etcd gives no job the secret of another namespace or name."""
    sealed = Sealer(OLD).seal("default", "TOKEN", "treasure")
    with pytest.raises(SealError, match="another place"):
        Sealer(OLD).open(namespace, name, sealed)


def test_a_rotated_key_opens_what_the_old_one_sealed() -> None:
    """The first key seals, all open; without the old one its texts are closed."""
    sealed = Sealer(OLD).seal("default", "TOKEN", "treasure")
    assert Sealer(f"{NEW},{OLD}").open("default", "TOKEN", sealed) == "treasure"
    anew = Sealer(f"{NEW},{OLD}").seal("default", "TOKEN", "treasure")
    assert Sealer(NEW).open("default", "TOKEN", anew) == "treasure"
    with pytest.raises(SealError, match="cannot be opened"):
        Sealer(NEW).open("default", "TOKEN", sealed)


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAABé", "\udcff"])
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    """Whatever stands in etcd, the answer is a SealError."""
    with pytest.raises(SealError):
        Sealer(OLD).open("default", "TOKEN", sealed)


@pytest.mark.parametrize("value", ["", "a\0b", "x" * (MOST_BYTES + 1)])
def test_a_value_that_no_environment_holds_is_refused(value: str) -> None:
    """And the message does not show it."""
    with pytest.raises(SealError) as refused:
        Sealer(OLD).seal("default", "TOKEN", value)
    assert not value or value not in str(refused.value)


def test_without_a_key_nothing_is_sealed() -> None:
    """An empty setting seals nothing, rather than with a key that anybody knows."""
    with pytest.raises(SealError, match="DCRON_CLUSTER_KEY is not set"):
        Sealer("").seal("default", "TOKEN", "treasure")
