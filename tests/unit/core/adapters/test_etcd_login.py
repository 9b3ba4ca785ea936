"""Which refusals of etcd mean that a token has ended."""

import pytest

from dcron_core.adapters.etcd.login import Login
from dcron_core.security import Security, TlsFiles

SHOWN = (("token", "first"),)


@pytest.fixture
def login() -> Login:
    login = Login(Security(TlsFiles("DCRON_ETCD", "ca"), "user", "password"), timeout_s=1)
    login._token = "first"
    return login


@pytest.mark.parametrize("said", ["etcdserver: invalid auth token", "etcdserver: revision of auth store is old"])
def test_an_ended_token_is_forgotten(login: Login, said: str) -> None:
    assert login.ended(SHOWN, said)
    assert login._token == ""


def test_a_watch_that_is_denied_may_have_shown_an_ended_token(login: Login) -> None:
    """Some releases of etcd 3.4 say no more than this."""
    assert not login.ended(SHOWN, "etcdserver: permission denied")
    assert login._token == "first"
    assert login.ended(SHOWN, "etcdserver: permission denied", denied_too=True)
    assert login._token == ""


def test_a_token_that_was_renewed_meanwhile_stays(login: Login) -> None:
    """Many calls fail at once when a token ends; one new token is enough."""
    login._token = "second"
    assert login.ended(SHOWN, "etcdserver: invalid auth token")
    assert login._token == "second"


def test_who_shows_nothing_has_nothing_that_ends(login: Login) -> None:
    assert not login.ended((), "etcdserver: invalid auth token")
