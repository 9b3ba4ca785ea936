"""Enough file descriptors for all slots: with the usual limit of 1,024 a worker of 1,000 slots could not start 400."""

from collections.abc import Iterator
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest

from dcron_worker.descriptors import allow_descriptors

USUAL = 1024


@pytest.fixture(autouse=True)
def usual_limit() -> Iterator[int]:
    """Give the hard limit; the soft one is the usual one."""
    soft, hard = getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (USUAL, hard))
    yield hard
    setrlimit(RLIMIT_NOFILE, (soft, hard))


def test_the_limit_is_raised_as_far_as_the_slots_need() -> None:
    allow_descriptors(slots=1000)
    assert 3 * 1000 < getrlimit(RLIMIT_NOFILE)[0] < 10_000


def test_runs_inherit_the_usual_limit_when_it_is_enough() -> None:
    allow_descriptors(slots=64)
    assert getrlimit(RLIMIT_NOFILE)[0] == USUAL


def test_a_limit_that_may_not_be_raised_is_said(usual_limit: int, capsys: pytest.CaptureFixture[str]) -> None:
    allow_descriptors(slots=usual_limit)
    assert getrlimit(RLIMIT_NOFILE) == (usual_limit, usual_limit)
    assert "worker.descriptors" in capsys.readouterr().out
